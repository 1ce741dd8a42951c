// Search, filter, grouping, order, and acts on several.

import { may, wordsOf } from './acts.js';
import { html } from './html.js';
import { Button } from './parts.js';
import { PHASES, SORTS } from './store.js';
import { plural } from './words.js';

export function Toolbar({ shown, state, store, acts }) {
  const { choices, session, rows } = state;
  const counts = { ...state.whole.counts, all: state.whole.counts.total };
  const chosen = [...state.selected].map((key) => rows.get(key)).filter(Boolean);
  const failed = counts.failed;
  const writes = !session?.readOnly;
  return html`<section class="toolbar" aria-label="Filter and order">
    <input type="search" id="search" placeholder="Search ( / )" aria-label="Search models" value=${choices.search}
      onInput=${(event) => store.choose({ search: event.target.value })} />
    <div class="chips" role="group" aria-label="State">
      ${Object.entries(PHASES).filter(([name]) => name === 'all' || counts[name] > 0 || choices.phase === name).map(([name, word]) =>
    html`<button type="button" aria-pressed=${String(choices.phase === name)} onClick=${() => store.choose({ phase: name })}>
          ${word} <b>${counts[name]}</b></button>`)}
    </div>
    <select aria-label="Group" value=${choices.groupBy} onChange=${(event) => store.choose({ groupBy: event.target.value })}>
      <option value="group">by group</option><option value="namespace">by namespace</option><option value="none">no groups</option>
    </select>
    <span class="order"><select aria-label="Order" value=${choices.sort} onChange=${(event) => store.choose({ sort: event.target.value })}>
      ${Object.entries(SORTS).map(([name, word]) => html`<option value=${name}>${word}</option>`)}
    </select>
    <${Button} label=${choices.descending ? 'Descending' : 'Ascending'} icon=${choices.descending ? 'down' : 'up'}
      onClick=${() => store.choose({ descending: !choices.descending })} /></span>
    <span class="space"></span>
    ${writes && chosen.length > 0 && html`<div class="bulk" role="group" aria-label="Acts on those selected">
      <span>${plural(chosen.length, 'selected', 'selected')}</span>
      ${['pause', 'resume', 'retry'].filter((verb) => chosen.some((row) => may(row, verb))).map((verb) =>
    html`<button type="button" onClick=${() => acts.many(chosen, verb)}>${wordsOf(session, verb).label}</button>`)}
      ${chosen.some((row) => may(row, 'cancel'))
      && html`<button type="button" class="danger" onClick=${() => acts.ask({ kind: 'cancel', rows: chosen })}>Cancel …</button>`}
      <button type="button" class="quiet" onClick=${() => store.set({ selected: new Set() })}>Clear</button>
    </div>`}
    ${writes && failed > 0 && html`<button type="button" onClick=${acts.retryFailed}>Retry all failed (${failed})</button>`}
    ${shown !== rows.size && html`<span class="note">${shown} of ${rows.size} shown</span>`}
  </section>`;
}
