// All about one ModelSync.

import * as api from './api.js';
import { command, may, wordsOf } from './acts.js';
import { Chart } from './chart.js';
import { html, useEffect, useRef, useState } from './html.js';
import { Badge, Bar, Button, Command, figures } from './parts.js';
import { keyOf } from './store.js';
import { ago, clock, size, span, until } from './words.js';

const REFRESH = 5000;

function useDetails(row) {
  const [found, setFound] = useState({});
  useEffect(() => {
    let over = false;
    const load = () => Promise.allSettled([api.getSync(row), api.getEvents(row)]).then(([sync, events]) => {
      if (!over) setFound({ sync: sync.value, events: events.value, problem: sync.reason?.message, eventsProblem: events.reason?.message });
    });
    load();
    const timer = setInterval(() => !document.hidden && load(), REFRESH);
    return () => { over = true; clearInterval(timer); };
  }, [keyOf(row)]);
  return found;
}

export function Drawer({ row, state, store, acts, onClose }) {
  const { sync, events, problem, eventsProblem } = useDetails(row);
  const box = useRef(null);
  useEffect(() => { box.current?.focus(); }, [keyOf(row)]);
  const writes = !state.session?.readOnly;
  const facts = [figures(row.bytes), row.files?.text && `${row.files.text} files`, row.speed?.text, row.eta?.text, row.attempt?.text]
    .filter(Boolean).join(' · ');
  return html`<aside class="drawer" role="dialog" aria-label=${`Details of ${row.name}`} tabindex="-1" ref=${box}>
    <header><h2>${row.name}</h2><${Badge} badge=${row.badge} /><span class="space"></span>
      <${Button} label="Close details" icon="close" kind="quiet" onClick=${onClose} /></header>
    <${Bar} bytes=${row.bytes} colour=${row.badge.colour} active=${row.badge.active} label="Progress" />
    ${facts && html`<p class="facts">${facts}</p>`}
    ${row.message && row.message.toLowerCase() !== row.reason?.toLowerCase() && html`<p class=${`message ${row.badge.colour}`}>${row.reason && html`<b>${row.reason}: </b>`}${row.message}</p>`}
    ${row.place && html`<p class="message">${row.place.text}${row.place.remedy ? `. ${row.place.remedy}` : ''}</p>`}
    ${row.remedy && html`<div class="remedy"><b>What to do</b><p>${row.remedy.text}</p>
      ${row.remedy.command && html`<${Command} text=${row.remedy.command} acts=${acts} />`}</div>`}
    ${row.hint && html`<p class="note">${row.hint}</p>`}
    ${problem && html`<p class="bad">${problem}</p>`}
    ${row.fileBars?.length > 0 && html`<section><h3>Files on their way</h3><ul class="files">${row.fileBars.map((file) => html`<li>
      <span title=${file.path}>${file.path}</span><${Bar} bytes=${file.bytes} colour="blue" label=${file.path} active />
      <small>${figures(file.bytes)}</small></li>`)}</ul></section>`}
    <${Facts} row=${row} />
    <${Attempts} row=${row} sync=${sync} />
    ${writes && html`<${Acts} row=${row} session=${state.session} acts=${acts} />`}
    <${Chart} store=${store} span=${state.choices.span} of=${{ sync: keyOf(row) }} label="Speed of this model" />
    <${Conditions} sync=${sync} />
    <${Events} events=${events} problem=${eventsProblem} />
    <${Log} key=${`log of ${keyOf(row)}`} row=${row} acts=${acts} />
  </aside>`;
}

// The log is read once somebody asks for it, and again while the worker runs.
function Log({ row, acts }) {
  const [asked, setAsked] = useState(0);
  const [found, setFound] = useState({});
  const box = useRef(null);
  const runs = row.badge.active;
  useEffect(() => {
    if (!asked) return undefined;
    let over = false;
    const load = () => api.getLog(row).then((log) => ({ log }), (error) => ({ problem: error.message }))
      .then((next) => { if (!over) setFound(next); });
    load();
    const timer = runs && setInterval(() => !document.hidden && load(), REFRESH);
    return () => { over = true; clearInterval(timer); };
  }, [asked, runs]);
  useEffect(() => { if (box.current) box.current.scrollTop = box.current.scrollHeight; }, [asked, Boolean(found.log)]);
  return html`<section><h3>Log</h3>
    ${found.problem && html`<p class="note">${found.problem}</p>`}
    ${found.log && html`<pre class="log" tabindex="0" role="region" aria-label="Last lines of the log" ref=${box}>${found.log.lines.join('\n') || 'Nothing is written yet.'}</pre>`}
    ${found.log?.cut && html`<p class="note">The lines of this log are so long that only the newest are shown.</p>`}
    <div class="act"><button type="button" onClick=${() => setAsked(asked + 1)}>${asked ? 'Read it again' : 'Show the last lines'}</button>
      <${Command} text=${`kubectl modelsync logs ${row.name} -n ${row.namespace}`} acts=${acts} /></div></section>`;
}

function Facts({ row }) {
  const facts = [
    ['Source', row.source], ['Revision', row.revision], ['Target', row.target], ['Queue', row.queue], ['Priority', row.priority],
    ['Limit', row.bandwidthLimit], ['Engine', row.engine], ['Node', row.node], ['Pod', row.pod],
    ['From the network', row.bytesNetwork === undefined ? null : size(row.bytesNetwork)],
    ['Was there already', row.bytesReused === undefined ? null : size(row.bytesReused)],
    ['Started', row.started && `${clock(row.started)} (${ago(row.started)})`],
    ['Completed', row.completed && `${clock(row.completed)} (${ago(row.completed)})`],
    ['Took', row.started && row.completed ? span((Date.parse(row.completed) - Date.parse(row.started)) / 1000) : null],
  ].filter(([, value]) => value !== undefined && value !== null && value !== '');
  return html`<section><h3>Facts</h3><dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></section>`;
}

// The attempt that runs or comes, and why the last one failed.
function Attempts({ row, sync }) {
  const last = sync?.status?.lastFailure;
  if (!row.attempt && !last) return null;
  return html`<section><h3>Attempts</h3><dl>
    ${row.attempt && html`<dt>Now</dt><dd>${row.attempt.text}${row.attempt.number > 1
    ? ' in a row without progress' : ''}</dd><dt>Started in all</dt><dd>${row.attempt.started}</dd>`}
    ${row.attempt?.nextTime && html`<dt>Next</dt><dd>${until(row.attempt.nextTime)} (${clock(row.attempt.nextTime)})</dd>`}
    ${last && html`<dt>Last failure</dt><dd>${last.reason}${last.attempt ? ` of attempt ${last.attempt}` : ''}${last.time
    ? `, ${ago(last.time)}` : ''}${last.message ? `: ${last.message}` : ''}</dd>`}
  </dl></section>`;
}

const BUTTONS = ['pause', 'resume', 'retry', 'cancel'];

function Acts({ row, session, acts }) {
  const verbs = BUTTONS.filter((verb) => may(row, verb));
  const [priority, setPriority] = useState(String(row.priority || 0));
  const [limit, setLimit] = useState(row.bandwidthLimit || '');
  const act = (verb) => (verb === 'cancel' ? acts.ask({ kind: 'cancel', rows: [row] }) : acts.one(row, verb));
  return html`<section><h3>Acts</h3>
    ${verbs.map((verb) => html`<div class="act"><button type="button" class=${verb === 'cancel' ? 'danger' : ''}
      onClick=${() => act(verb)}>${wordsOf(session, verb).label}</button><${Command} text=${command(session, row, verb)} acts=${acts} /></div>`)}
    ${may(row, 'priority') && html`<form class="act" onSubmit=${(event) => { event.preventDefault(); acts.priority(row, Number(priority)); }}>
      <label>Priority <input type="number" min="-1000" max="1000" required value=${priority} onInput=${(event) => setPriority(event.target.value)} /></label>
      <button>Set</button><${Command} text=${command(session, row, 'priority', priority)} acts=${acts} /></form>`}
    ${may(row, 'limit') && html`<form class="act" onSubmit=${(event) => { event.preventDefault(); acts.limit(row, limit || null); }}>
      <label>Limit <input placeholder="50M, empty: none" value=${limit} onInput=${(event) => setLimit(event.target.value)} /></label>
      <button>Set</button><${Command} text=${command(session, row, 'limit', limit || 'none')} acts=${acts} /></form>`}
    ${!verbs.length && !may(row, 'priority') && html`<p class="note">Nothing can be done to it now.</p>`}
  </section>`;
}

function Conditions({ sync }) {
  const conditions = [...(sync?.status?.conditions || [])]
    .sort((one, other) => (one.lastTransitionTime < other.lastTransitionTime ? 1 : -1));
  if (!conditions.length) return null;
  return html`<section><h3>Conditions</h3><ol class="times">${conditions.map((each) => html`<li>
    <time datetime=${each.lastTransitionTime}>${ago(each.lastTransitionTime)}</time>
    <span><b>${each.type}</b> ${each.status}${each.reason ? ` · ${each.reason}` : ''}<small>${each.message}</small></span></li>`)}</ol></section>`;
}

function Events({ events, problem }) {
  return html`<section><h3>Events</h3>
    ${problem && html`<p class="note">${problem}</p>`}
    ${events && !events.length && html`<p class="note">None in the last hour.</p>`}
    ${events?.length > 0 && html`<ol class="times">${[...events].reverse().slice(0, 40).map((each) => html`<li class=${each.warning ? 'warning' : ''}>
      <time datetime=${each.time}>${ago(each.time)}</time>
      <span><b>${each.reason}</b>${each.count > 1 ? ` ×${each.count}` : ''}<small>${each.message}</small></span></li>`)}</ol>`}
  </section>`;
}
