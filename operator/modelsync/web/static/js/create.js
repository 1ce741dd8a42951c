// A new download: paste an address, see what is created before it is.

import * as api from './api.js';
import { html, useEffect, useRef, useState } from './html.js';
import { manifestOf, nameOf, sourceOf, yaml } from './manifest.js';

const EMPTY = { address: '', name: '', namespace: 'default', claim: '', subPath: '', queue: '', group: '', limit: '', priority: '0' };
// Which input an error of the API server belongs to, by the beginning of the field's path.
const PLACES = [
  ['metadata.name', 'name'], ['metadata.namespace', 'namespace'], ['spec.source', 'address'],
  ['spec.target.persistentVolumeClaim.subPath', 'subPath'], ['spec.target', 'claim'], ['spec.queue', 'queue'],
  ['spec.group', 'group'], ['spec.bandwidthLimit', 'limit'], ['spec.priority', 'priority'],
];

function placed(problem) {
  const found = {};
  for (const { field, message } of problem.errors || []) {
    const path = field.replace(/^body\./, '');
    const place = PLACES.find(([start]) => path === start || path.startsWith(`${start}.`));
    const name = place ? place[1] : 'form';
    found[name] = [found[name], place ? message : `${field}: ${message}`].filter(Boolean).join(' ');
  }
  if (!Object.keys(found).length) found.form = problem.detail || problem.title;
  return found;
}

export function Create({ namespaces, onClose, onDone }) {
  const dialog = useRef(null);
  const [form, setForm] = useState({ ...EMPTY, namespace: namespaces[0] || 'default' });
  const [errors, setErrors] = useState({});
  const [busy, setBusy] = useState(false);
  const [named, setNamed] = useState(false);
  useEffect(() => { dialog.current.showModal(); document.querySelector('#new-address').focus(); }, []);
  const set = (name) => (event) => {
    const next = { ...form, [name]: event.target.value };
    if (name === 'address' && !named) next.name = nameOf(next.address);
    if (name === 'name') setNamed(true);
    setForm(next);
    setErrors({ ...errors, [name]: undefined, form: undefined });
  };
  let preview = '';
  let addressProblem = '';
  try {
    preview = yaml({ ...manifestOf(form), metadata: { name: form.name, namespace: form.namespace } });
    sourceOf(form.address);
  } catch (error) {
    addressProblem = form.address ? error.message : '';
  }
  const submit = async (event) => {
    event.preventDefault();
    if (addressProblem || !form.address) {
      setErrors({ address: addressProblem || 'Paste an address.' });
      return;
    }
    setBusy(true);
    try {
      const manifest = manifestOf(form);
      await api.create(form.namespace.trim(), manifest, true);
      await api.create(form.namespace.trim(), manifest, false);
      dialog.current.close();
      onDone(form.name);
    } catch (error) {
      setErrors(placed(error.problem || { detail: error.message }));
    } finally {
      setBusy(false);
    }
  };
  const field = (name, label, more = {}) => html`<div class="field"><label for=${`new-${name}`}>${label}</label>
    <input id=${`new-${name}`} name=${name} value=${form[name]} onInput=${set(name)} aria-invalid=${errors[name] ? 'true' : undefined}
      aria-describedby=${errors[name] ? `error-${name}` : undefined} autocomplete="off" spellcheck="false" ...${more} />
    ${errors[name] && html`<span class="error" id=${`error-${name}`}>${errors[name]}</span>`}</div>`;
  return html`<dialog ref=${dialog} class="create" aria-labelledby="create-title" onClose=${onClose}>
    <form onSubmit=${submit} novalidate>
      <h2 id="create-title">New download</h2>
      ${field('address', 'Address', { placeholder: 'hf://org/name@revision, s3://bucket/prefix or https://…' })}
      ${addressProblem && !errors.address && html`<p class="note">${addressProblem}</p>`}
      <div class="pair">${field('name', 'Name')}${field('namespace', 'Namespace', { list: 'namespaces' })}</div>
      <datalist id="namespaces">${namespaces.map((each) => html`<option value=${each} />`)}</datalist>
      <div class="pair">${field('claim', 'PersistentVolumeClaim')}${field('subPath', 'Directory on it (optional)')}</div>
      <details><summary>More</summary>
        <div class="pair">${field('queue', 'Queue')}${field('group', 'Group')}</div>
        <div class="pair">${field('limit', 'Bandwidth limit', { placeholder: '50M' })}${field('priority', 'Priority', { type: 'number' })}</div>
      </details>
      <pre tabindex="0" aria-label="What will be created">${preview || '# The manifest appears here.'}</pre>
      ${errors.form && html`<p class="error" role="alert">${errors.form}</p>`}
      <footer><button type="button" onClick=${() => dialog.current.close()}>Close</button>
        <button class="primary" disabled=${busy}>${busy ? 'Creating …' : 'Create'}</button></footer>
    </form>
  </dialog>`;
}
