// Questions and the summary of what was completed.

import { html, useEffect, useRef } from './html.js';
import { plural, size, span } from './words.js';

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

export function summaryOf(rows, peak) {
  const all = [...rows.values()];
  const complete = all.filter((row) => row.badge.word === 'Complete');
  const failed = all.filter((row) => row.badge.word === 'Failed');
  const sum = (field) => all.reduce((total, row) => total + (row[field] || 0), 0);
  const starts = all.map((row) => row.started).filter(Boolean).map(Date.parse);
  const ends = all.map((row) => row.completed).filter(Boolean).map(Date.parse);
  const seconds = starts.length && ends.length ? Math.max(0, (Math.max(...ends) - Math.min(...starts)) / 1000) : null;
  const network = sum('bytesNetwork');
  return {
    models: `${complete.length} of ${all.length}`, network, reused: sum('bytesReused'), seconds,
    average: seconds ? network / seconds : null, peak, failed,
  };
}

const linesOf = (found) => [
  ['Models complete', found.models], ['From the network', size(found.network)], ['Were there already', size(found.reused)],
  ['From first start to last end', found.seconds === null ? '–' : span(found.seconds)],
  ['Average over that time', found.average === null ? '–' : `${size(found.average)}/s`],
  ['Peak seen by this page', found.peak ? `${size(found.peak)}/s` : '–'],
];

const textOf = (found) => [
  ...linesOf(found).map(([name, value]) => `${name}: ${value}`),
  ...found.failed.map((row) => `Failed: ${row.namespace}/${row.name}: ${row.reason}: ${row.message || ''}`),
].join('\n');

export function Summary({ state, acts, onClose }) {
  const found = summaryOf(state.rows, state.peak);
  return html`<${Dialog} title="Summary" onClose=${onClose}>
    <dl>${linesOf(found).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    ${found.failed.length > 0 && html`<h3>${plural(found.failed.length, 'failure', 'failures')}</h3>
      <ul class="failures">${found.failed.slice(0, 50).map((row) => html`<li><b>${row.name}</b> ${row.reason}: ${row.message}</li>`)}</ul>`}
    <footer><button type="button" onClick=${() => acts.copy(textOf(found))}>Copy as text</button>
      ${found.failed.length > 0 && !state.session?.readOnly
      && html`<button type="button" onClick=${acts.retryFailed}>Retry all failed</button>`}
      <button type="button" class="primary" onClick=${close}>Close</button></footer>
  </${Dialog}>`;
}
