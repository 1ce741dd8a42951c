// Starts the page: who is there, the stream, and the view of what is known.

import * as api from './api.js';
import { createActs } from './acts.js';
import { Chart } from './chart.js';
import { Create } from './create.js';
import { ConfirmCancel, Summary } from './dialogs.js';
import { Drawer } from './drawer.js';
import { connectionOf, Header } from './header.js';
import { html, render, useEffect, useMemo, useRef, useState } from './html.js';
import { Queues } from './queues.js';
import { Empty, LogIn, NoMatch, NoRights, Toast } from './states.js';
import { createStore, isCompact, matching } from './store.js';
import { follow } from './stream.js';
import { Table } from './table.js';
import { Toolbar } from './toolbar.js';

const store = createStore();
const acts = createActs(store);
let leave = null;

function start() {
  leave?.();
  leave = follow({
    snapshot: (message) => { announce(message.rows, null); store.snapshot(message); },
    change: (message) => { announce(message.rows || {}, store.get().rows); store.change(message); },
    state: (found) => {
      if (found.line === 'logged-out') store.set({ session: null, line: 'connecting', problem: null });
      else if (found.line !== 'open' || store.get().line !== 'open') store.set(found);
    },
  });
}

// A notification for each download that ends while the page is in the background; the first picture announces nothing.
function announce(rows, before) {
  if (!before || !store.get().choices.notify || !document.hidden || globalThis.Notification?.permission !== 'granted') return;
  for (const [key, row] of Object.entries(rows)) {
    const was = before.get(key)?.badge.word;
    if (was && was !== row.badge.word && ['Complete', 'Failed'].includes(row.badge.word)) {
      new Notification(`${row.name}: ${row.badge.word}`, { body: row.message || row.source, tag: key });
    }
  }
}

async function logIn(token) {
  try {
    store.set({ session: await api.logIn(token), problem: null });
    start();
  } catch (error) {
    const refused = 'The cluster does not accept this token: it is wrong, or has expired. Make a new one.';
    store.set({ problem: { detail: error.problem?.status === 401 ? refused : error.message } });
  }
}

async function logOut() {
  leave?.();
  await api.logOut().catch(() => {});
  location.reload();
}

async function notify() {
  if (store.get().choices.notify) {
    store.choose({ notify: false });
  } else if (await globalThis.Notification?.requestPermission() === 'granted') {
    store.choose({ notify: true });
    acts.say('You are notified when a download ends while this page is in the background.');
  } else {
    acts.say('The browser does not allow notifications of this page.', true);
  }
}

function useStore() {
  const [state, setState] = useState(store.get());
  useEffect(() => {
    setState(store.get()); // what came between the first drawing and now
    return store.listen(setState);
  }, []);
  return state;
}

// Drawn once more when nothing new came for a second, so that ages go on.
function useTick() {
  const [, setTick] = useState(0);
  const drawn = useRef(0);
  drawn.current = Date.now();
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && Date.now() - drawn.current > 900 && setTick((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, []);
}

function useKeys(state, close) {
  useEffect(() => {
    const pressed = (event) => {
      if (event.target.closest?.('input, select, textarea, dialog')) return;
      if (event.key === '/') {
        event.preventDefault();
        document.querySelector('#search')?.focus();
      }
      if (event.key === 'Escape') close();
      if (event.key === 'c' && !event.ctrlKey && !event.metaKey) store.choose({ compact: !state.choices.compact });
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, [state.choices.compact]);
}

// The summary opens by itself when the last running download has ended while the page was open; one that was
// paused or cancelled has not ended, and its user is about to press another button.
function useEnd(state) {
  const [before, setBefore] = useState(null);
  const counts = state.whole?.counts || {};
  const busy = (counts.active || 0) + (counts.waiting || 0);
  const ended = (counts.complete || 0) + (counts.failed || 0);
  useEffect(() => {
    if (busy > 0) {
      if (before === null) setBefore(ended);
    } else if (before !== null && state.rows.size > 0 && state.line === 'open') {
      setBefore(null);
      if (ended > before && !state.embedded) acts.ask({ kind: 'summary' });
    }
  }, [busy, before]);
}

function Page() {
  const state = useStore();
  const { dialog } = state;
  useTick();
  const closeDrawer = () => {
    const key = store.get().choices.open; // not of the state at the time when the keys were bound
    store.choose({ open: null });
    requestAnimationFrame(() => document.querySelector(`[data-key="${CSS.escape(key || '')}"]`)?.focus());
  };
  useKeys(state, closeDrawer);
  useEnd(state);
  const { theme } = state.choices;
  useEffect(() => { document.documentElement.dataset.theme = theme; }, [theme]);
  useEffect(() => { document.title = state.whole?.title || 'modelsync'; }, [state.whole?.title]);
  if (!state.session) {
    return state.line === 'starting' ? html`<p class="start" role="status">Loading …</p>`
      : html`<${LogIn} onLogIn=${logIn} problem=${state.problem?.detail || ''} />`;
  }
  const open = state.choices.open && state.rows.get(state.choices.open);
  const refused = (state.connection?.refused || []).map((each) => each.namespace);
  const watched = (state.connection?.namespaces || []).filter((name) => !refused.includes(name));
  const namespaces = [...new Set([...watched, ...[...state.rows.values()].map((row) => row.namespace)])].sort();
  const link = connectionOf(state);
  const close = () => acts.ask(null);
  const minimised = state.choices.minimised && !state.embedded;
  return html`<div class=${`page ${link.kind}${open ? ' with-drawer' : ''}${isCompact(state) ? ' is-compact' : ''}`}>
    <${Header} state=${state} store=${store} acts=${acts} onLogOut=${logOut} onNotify=${notify} />
    <main>
      ${minimised && html`<p class="note">Downloads go on in the cluster, also when this page is closed.</p>`}
      ${!minimised && (link.kind === 'refused' ? html`<${NoRights} connection=${state.connection} />` : html`<${View} state=${state} />`)}
    </main>
    ${open && html`<${Drawer} key=${state.choices.open} row=${open} state=${state} store=${store} acts=${acts} onClose=${closeDrawer} />`}
    ${dialog?.kind === 'create' && html`<${Create} namespaces=${namespaces} onClose=${close}
      onDone=${(name) => acts.say(`${name} is created. It downloads in the cluster, also when this page is closed.`)} />`}
    ${dialog?.kind === 'cancel' && html`<${ConfirmCancel} rows=${dialog.rows} acts=${acts} onClose=${close} />`}
    ${dialog?.kind === 'summary' && html`<${Summary} state=${state} acts=${acts} onClose=${close} />`}
    <${Toast} toast=${state.toast} onClose=${() => store.set({ toast: null })} />
  </div>`;
}

function View({ state }) {
  const { choices } = state;
  const compact = isCompact(state);
  const found = useMemo(() => matching(state.rows, choices), [state.rows, choices]);
  if (!state.whole) return html`<p class="start" role="status">Reading the ModelSyncs …</p>`;
  const refused = (state.connection?.refused || []).filter((each) => each.namespace);
  if (!state.rows.size) return html`<${Empty} acts=${acts} onCreate=${() => acts.ask({ kind: 'create' })} readOnly=${state.session.readOnly} />`;
  return html`
    ${refused.length > 0 && html`<p class="note">Not shown, since you may not list them: ${refused.map((each) => each.namespace).join(', ')}</p>`}
    ${!compact && html`<${Queues} queues=${state.queues} connection=${state.connection} />`}
    ${!compact && html`<${Chart} store=${store} span=${choices.span} label="Speed of all downloads" />`}
    ${!state.embedded && html`<${Toolbar} shown=${found.length} state=${state} store=${store} acts=${acts} />`}
    ${found.length
    ? html`<${Table} found=${found} state=${state} store=${store} acts=${acts} />`
    : html`<${NoMatch} store=${store} />`}`;
}

async function begin() {
  store.set({ line: 'starting' });
  render(html`<${Page} />`, document.querySelector('#page'));
  try {
    store.set({ session: await api.session(), line: 'connecting' });
    start();
  } catch (error) {
    const loggedOut = error.problem?.status === 401;
    store.set({ line: 'connecting', problem: loggedOut ? null : error.problem });
    if (error.problem?.status === 0 || error.problem?.status >= 500) setTimeout(begin, 3000);
  }
}

document.querySelector('#page').textContent = '';
begin();
