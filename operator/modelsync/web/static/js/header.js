// Connection, network, the whole's bar, and what belongs to the window: theme, compact, notifications, log out.

import { html } from './html.js';
import { Bar, Button, figures } from './parts.js';
import { ago, clock, plural } from './words.js';

export function connectionOf(state) {
  const old = state.seen ? `figures from ${clock(state.seen)} (${ago(new Date(state.seen).toISOString())})` : 'nothing seen yet';
  if (state.line !== 'open') {
    return state.seen ? { kind: 'away', text: `Reconnecting; ${old}` } : { kind: 'connecting', text: 'Connecting …' };
  }
  switch (state.connection?.state) {
    case 'away': return { kind: 'away', text: `The API server does not answer; ${old}` };
    case 'refused': return { kind: 'refused', text: 'No right to list ModelSyncs' };
    case 'live': return operatorIsSilent(state)
      ? { kind: 'silent', text: 'The operator does not report; figures are old' }
      : { kind: 'live', text: 'Live' };
    default: return { kind: 'connecting', text: 'Connecting …' };
  }
}

// The server sends no ages, so the page counts from the newest figures of what runs.
export function operatorIsSilent(state) {
  const active = [...state.rows.values()].filter((row) => row.badge.active);
  return active.length > 0 && active.every((row) => row.figuresTime && Date.now() - Date.parse(row.figuresTime) > 60_000);
}

const THEMES = { auto: ['auto', 'Theme: as the system'], light: ['light', 'Theme: light'], dark: ['dark', 'Theme: dark'] };
const NEXT = { auto: 'light', light: 'dark', dark: 'auto' };

export function Header({ state, store, acts, onLogOut, onNotify }) {
  const { whole, choices, session } = state;
  const link = connectionOf(state);
  const network = whole?.network?.text || (whole?.speed ? `↓ ${whole.speed.text}` : '↓ 0B/s');
  return html`<header class="top">
    <div class="line">
      <h1><img src="icon.svg" alt="" width="22" height="22" /> modelsync</h1>
      <span class=${`link ${link.kind}`}><span class="dot" aria-hidden="true"></span>${link.text}</span>
      <span class="network" title="What the workers of all downloads that you may see receive and send">${network}</span>
      <span class="space"></span>
      ${!state.embedded && html`<${Tools} choices=${choices} session=${session} store=${store} acts=${acts} onLogOut=${onLogOut} onNotify=${onNotify} />`}
    </div>
    ${whole && html`<${Whole} whole=${whole} />`}
  </header>`;
}

function Tools({ choices, session, store, acts, onLogOut, onNotify }) {
  const [icon, theme] = THEMES[choices.theme] || THEMES.auto;
  return html`
      ${!session?.readOnly && html`<${Button} label="New download" icon="add" wide kind="primary" onClick=${() => acts.ask({ kind: 'create' })} />`}
      <${Button} label="Summary" icon="sum" onClick=${() => acts.ask({ kind: 'summary' })} />
      <${Button} label=${choices.notify ? 'Notifications are on' : 'Notify when a download ends'} icon="bell"
        pressed=${choices.notify} onClick=${onNotify} />
      <${Button} label="Compact: one line a model" icon="lines" pressed=${choices.compact}
        onClick=${() => store.choose({ compact: !choices.compact })} />
      <${Button} label=${theme} icon=${icon} onClick=${() => store.choose({ theme: NEXT[choices.theme] || 'auto' })} />
      <${Button} label="Minimise" icon=${choices.minimised ? 'folded' : 'open'} pressed=${choices.minimised}
        onClick=${() => store.choose({ minimised: !choices.minimised })} />
      ${session?.mode === 'cluster' && html`<${Button} label=${`Log out ${session.user || ''}`} icon="leave" onClick=${onLogOut} />`}`;
}

function Whole({ whole }) {
  const { active, failed } = whole.counts;
  const left = whole.eta && (whole.eta.state === 'calculating' ? 'time left: calculating' : `${whole.eta.text} left`);
  const facts = [figures(whole.bytes), whole.speed?.text, left, whole.completeText].filter(Boolean);
  return html`<div class="whole">
    <${Bar} bytes=${whole.bytes} colour=${active > 0 ? 'blue' : whole.state.colour} active=${active > 0} label="All downloads" />
    <p>${facts.map((fact) => html`<span>${fact}</span>`)}${failed > 0
    && html`<span class="bad">${plural(failed, 'failed', 'failed')}</span>`}</p>
  </div>`;
}
