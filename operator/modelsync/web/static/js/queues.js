// A card for each queue.

import { html } from './html.js';
import { clock, span } from './words.js';

export function Queues({ queues, connection }) {
  if (!queues.length) return null;
  return html`<section class="queues" aria-label="Queues">
    ${queues.map((queue) => html`<${Card} key=${queue.name} queue=${queue} />`)}
    ${connection && !connection.queuesSeen && html`<p class="note">Slots are not shown: you may not list SyncQueues.</p>`}
  </section>`;
}

function Card({ queue }) {
  const { counts } = queue;
  const facts = [
    ['running', counts.active], ['waiting', counts.waiting], ['complete', counts.complete], ['failed', counts.failed],
    ['cancelled', counts.cancelled], ['paused', counts.paused],
  ].filter(([, count]) => count > 0);
  return html`<article class=${`card ${queue.state.colour}`}>
    <h2>${queue.name} <span class=${`badge ${queue.state.colour}`}>${queue.state.word}</span></h2>
    ${queue.slots !== undefined && html`<p class="slots"><meter min="0" max=${Math.max(1, queue.slots)} value=${queue.slotsUsed || 0}
      aria-label=${`Slots of ${queue.name}`}></meter> ${queue.slotsUsed || 0} of ${queue.slots} slots</p>`}
    ${!queue.exists && html`<p class="bad">There is no such queue.</p>`}
    ${queue.runningText && html`<p class="names" title=${queue.runningText}>${queue.runningText}</p>`}
    <p class="counts">${facts.length ? facts.map(([word, count]) => html`<span class=${word}>${count} ${word}</span>`) : 'nothing here'}</p>
    ${queue.oldestWaitSince && html`<p class="wait" title=${`since ${clock(queue.oldestWaitSince)}`}>the oldest
      waits for ${span((Date.now() - Date.parse(queue.oldestWaitSince)) / 1000)}</p>`}
    ${!queue.admits && html`<p class="bad">${queue.message || 'It admits nothing.'}</p>`}
  </article>`;
}
