// Questions and the summary of what was completed.

import * as api from './api.js';
import { html, useEffect, useRef, useState } from './html.js';
import { plural } from './words.js';

function Dialog({ title, onClose, children }) {
  const dialog = useRef(null);
  useEffect(() => { dialog.current.showModal(); }, []);
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${onClose}><h2 id="dialog-title">${title}</h2>${children}</dialog>`;
}

const close = (event) => event.target.closest('dialog').close();

export function ConfirmCancel({ rows, acts, onClose }) {
  const cancel = (event) => {
    close(event);
    if (rows.length === 1) acts.one(rows[0], 'cancel');
    else acts.many(rows, 'cancel');
  };
  return html`<${Dialog} title=${`Cancel ${rows.length === 1 ? rows[0].name : plural(rows.length, 'download', 'downloads')}?`} onClose=${onClose}>
    <p>The worker stops. What was fetched stays on the volume, and a later resume goes on from there.</p>
    <footer><button type="button" onClick=${close}>Keep going</button>
      <button type="button" class="danger" onClick=${cancel}>Cancel ${rows.length === 1 ? 'it' : 'them'}</button></footer>
  </${Dialog}>`;
}

export function Summary({ state, acts, onClose }) {
  const [found, setFound] = useState({});
  useEffect(() => {
    let over = false;
    api.summary().then(
      (answer) => !over && setFound({ completion: answer.completion }), (error) => !over && setFound({ problem: error.message }));
    return () => { over = true; };
  }, [state.whole?.counts.complete, state.whole?.counts.failed]);
  const { completion, problem } = found;
  return html`<${Dialog} title="Summary" onClose=${onClose}>
    ${problem && html`<p class="bad">${problem}</p>`}
    ${!completion && !problem && html`<p class="note">Reading …</p>`}
    ${completion && html`<${Figures} completion=${completion} />`}
    <footer>${completion && html`<button type="button" onClick=${() => acts.copy(completion.text)}>Copy as text</button>`}
      ${completion?.failed > 0 && !state.session?.readOnly
      && html`<button type="button" onClick=${acts.retryFailed}>Retry all failed</button>`}
      <button type="button" class="primary" onClick=${close}>Close</button></footer>
  </${Dialog}>`;
}

function Figures({ completion }) {
  const lines = [
    ['Complete', completion.completeText], ['From the network', completion.network.text], ['Reused', completion.reused.text],
    ['Duration', completion.durationText], ['Average speed', completion.average?.text], ['Peak speed', completion.peak?.text],
  ];
  const more = completion.failed - completion.failures.length;
  return html`<dl>${lines.map(([name, value]) => html`<dt>${name}</dt><dd>${value || '–'}</dd>`)}</dl>
    ${completion.failed > 0 && html`<h3>${plural(completion.failed, 'failure', 'failures')}</h3>
      <ul class="failures">${completion.failures.map((each) => html`<li><b>${each.namespace}/${each.name}</b> ${each.reason}${each.message
    ? `: ${each.message}` : ''}</li>`)}${more > 0 && html`<li class="note">and ${more} more</li>`}</ul>`}`;
}
