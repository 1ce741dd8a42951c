// What is shown in place of the table.

import { html, useState } from './html.js';
import { Button } from './parts.js';

const EXAMPLE = `kubectl apply -f - <<'END'
apiVersion: modelsync.dev/v1alpha1
kind: ModelSync
metadata:
  name: minilm
spec:
  source:
    huggingFace:
      repository: sentence-transformers/all-MiniLM-L6-v2
  target:
    persistentVolumeClaim:
      claimName: models
END`;

export function Empty({ acts, onCreate, readOnly }) {
  return html`<section class="instead"><h2>No ModelSync yet</h2>
    <p>Apply one, and it appears here. The claim <code>models</code> must exist in the namespace.</p>
    <pre tabindex="0">${EXAMPLE}</pre>
    <p><button type="button" onClick=${() => acts.copy(EXAMPLE)}>Copy</button>
      ${!readOnly && html` <button type="button" class="primary" onClick=${onCreate}>New download</button>`}</p></section>`;
}

export function NoMatch({ store }) {
  return html`<section class="instead"><h2>Nothing fits the filter</h2>
    <p><button type="button" onClick=${() => store.choose({ search: '', phase: 'all' })}>Show all</button></p></section>`;
}

export function NoRights({ connection }) {
  return html`<section class="instead"><h2>You may not list ModelSyncs here</h2>
    <p>${connection?.refused?.[0]?.detail}</p>
    <p>Ask an administrator for the right, such as the ClusterRole that the chart makes for viewers:</p>
    <pre tabindex="0">kubectl auth can-i list modelsyncs.modelsync.dev --all-namespaces</pre></section>`;
}

export function LogIn({ onLogIn, problem }) {
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    await onLogIn(token);
    setToken('');
    setBusy(false);
  };
  return html`<main class="login"><form onSubmit=${submit}>
    <h1><img src="icon.svg" alt="" width="28" height="28" /> modelsync</h1>
    <p>Paste a token of this cluster. It is kept encrypted in a cookie of this browser and nowhere else.</p>
    <label class="field">Token <input type="password" autocomplete="off" required value=${token}
      onInput=${(event) => setToken(event.target.value)} aria-describedby="login-problem" /></label>
    <p id="login-problem" class="error" role="alert">${problem}</p>
    <button class="primary" disabled=${busy}>${busy ? 'Logging in …' : 'Log in'}</button>
    <p class="note">A token comes from <code>kubectl create token NAME</code>, with the rights of that ServiceAccount.</p>
  </form></main>`;
}

export function Toast({ toast, onClose }) {
  return html`<div class="toasts" role="status" aria-live="polite">${toast && html`<p class=${toast.bad ? 'toast bad' : 'toast'}>
    ${toast.text} <${Button} label="Close" icon="close" kind="quiet" onClick=${onClose} /></p>`}</div>`;
}
