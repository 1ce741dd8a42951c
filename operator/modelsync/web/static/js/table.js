// The table. Only the lines in sight are in the document, so a thousand rows cost what thirty do.

import { may, wordsOf } from './acts.js';
import { html, memo, useEffect, useMemo, useRef, useState } from './html.js';
import { Icon } from './icons.js';
import { Badge, Bar, Button, figures } from './parts.js';
import { isCompact, keyOf, lines } from './store.js';
import { ago, span, until } from './words.js';

const SPARE = 8;
const narrow = matchMedia('(max-width: 760px)');

const HEADING = 40;

// As style.css sets them: a line's place must be known before it is drawn.
function heightOf(line, compact, isNarrow) {
  if (line.group !== undefined) return HEADING;
  if (compact) return 34;
  return isNarrow ? 108 : 58;
}

// Where each line begins; one more for the end of the last.
function topsOf(flat, compact, isNarrow) {
  const tops = [0];
  for (const line of flat) tops.push(tops.at(-1) + heightOf(line, compact, isNarrow));
  return tops;
}

// The last line that begins at or above a place.
function lineAt(tops, place) {
  let [low, high] = [0, tops.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (tops[middle] <= place) low = middle;
    else high = middle - 1;
  }
  return low;
}

// The first and the last line to be drawn; follows scrolling and the window's size.
function useWindow(tops, body) {
  const [range, setRange] = useState([0, 30]);
  useEffect(() => {
    let frame = 0;
    const look = () => {
      frame = 0;
      if (!body.current) return;
      const top = -body.current.getBoundingClientRect().top;
      const first = Math.max(0, lineAt(tops, top) - SPARE);
      const last = Math.min(tops.length - 1, lineAt(tops, top + innerHeight) + SPARE);
      setRange((before) => (before[0] === first && before[1] === last ? before : [first, Math.max(first, last)]));
    };
    const soon = () => { frame = frame || requestAnimationFrame(look); };
    look();
    addEventListener('scroll', soon, { passive: true });
    addEventListener('resize', soon);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener('scroll', soon);
      removeEventListener('resize', soon);
    };
  }, [tops]);
  return range;
}

export function Table({ found, state, store, acts }) {
  const { choices } = state;
  const compact = isCompact(state);
  const [isNarrow, setNarrow] = useState(narrow.matches);
  useEffect(() => {
    const changed = () => setNarrow(narrow.matches);
    narrow.addEventListener('change', changed);
    return () => narrow.removeEventListener('change', changed);
  }, []);
  const flat = useMemo(() => lines(found, choices), [found, choices]);
  const tops = useMemo(() => topsOf(flat, compact, isNarrow), [flat, compact, isNarrow]);
  const body = useRef(null);
  const [first, end] = useWindow(tops, body);
  const last = Math.min(end, flat.length);
  const shown = flat.slice(first, last);
  const second = Math.floor(Date.now() / 1000);
  return html`<table class=${compact ? 'rows compact' : 'rows'} aria-rowcount=${flat.length + 1}>
    <caption class="unseen">ModelSyncs</caption>
    <thead><tr>
      <th scope="col" class="pick"><span class="unseen">Select</span></th><th scope="col">Model</th><th scope="col">State</th>
      <th scope="col">Progress</th><th scope="col" class="figure">Speed</th><th scope="col" class="figure">Time left</th>
      <th scope="col">Acts</th>
    </tr></thead>
    <tbody ref=${body}>
      ${first > 0 && html`<${Gap} key="above" height=${tops[first]} />`}
      ${shown.map((line, index) => (line.row
    ? html`<${Row} key=${keyOf(line.row)} row=${line.row} index=${first + index + 2} selected=${state.selected.has(keyOf(line.row))}
          session=${state.session} acts=${acts} compact=${compact} second=${hasAge(line.row) ? second : 0} />`
    : html`<${Heading} key=${`group ${line.group}`} line=${line} store=${store} state=${state} index=${first + index + 2} />`))}
      ${last < flat.length && html`<${Gap} key="below" height=${tops.at(-1) - tops[last]} />`}
    </tbody>
  </table>`;
}

const Gap = ({ height }) => html`<tr aria-hidden="true" class="gap"><td colspan="7" style=${{ height: `${height}px` }}></td></tr>`;

function Heading({ line, store, state, index }) {
  const folded = state.choices.folded.includes(line.group);
  const toggle = () => store.choose({
    folded: folded ? state.choices.folded.filter((name) => name !== line.group) : [...state.choices.folded, line.group],
  });
  const group = state.choices.groupBy === 'group' && state.groups.find((each) => each.name === line.group);
  const done = line.members.filter((row) => row.badge.word === 'Complete').length;
  const facts = [`${done} of ${line.members.length} complete`, group && figures(group.bytes), group?.speed?.text,
    group?.eta && group.eta.text].filter(Boolean);
  return html`<tr class="group" aria-rowindex=${index}><th colspan="7" scope="rowgroup">
    <button type="button" class="quiet" aria-expanded=${String(!folded)} onClick=${toggle}>
      <${Icon} name=${folded ? 'folded' : 'open'} /> ${line.group}</button>
    <span class="facts">${facts.join(' · ')}</span></th></tr>`;
}

// What a row has to say beside its figures.
export function remark(row) {
  if (row.badge.word === 'Stalled' || row.badge.word === 'Failed') return row.message;
  if (row.attempt?.nextTime) return `next attempt ${until(row.attempt.nextTime)}${row.message ? ` · ${row.message}` : ''}`;
  if (row.place) return row.place.text;
  if (row.stage && row.stage !== row.badge.word) return row.stage;
  if (row.files?.current) return row.files.current;
  if (row.badge.word === 'Complete') return row.completed ? `completed ${ago(row.completed)}` : row.target;
  return row.message || row.source;
}

// Whether it shows a time that goes on by itself.
const hasAge = (row) => row.badge.word === 'Stalled' || row.badge.word === 'Complete' || Boolean(row.attempt?.nextTime);
const leftOf = (row) => (row.eta && row.eta.state !== 'calculating' ? `${row.eta.text} left` : row.eta?.text);

// The line of a small window: what runs in figures, all else in a word.
const brief = (row) =>
  (row.badge.active ? [row.bytes?.percentText, row.speed?.text, leftOf(row)] : [row.badge.word]).filter(Boolean).join(' · ');

const Row = memo(({ row, index, selected, session, acts, compact }) => {
  const writes = !session?.readOnly;
  const files = row.files?.text ? `${row.files.text} files` : null;
  const left = row.eta?.text || '';
  const note = remark(row) || '';
  const verbs = ['pause', 'resume', 'retry'].filter((verb) => may(row, verb));
  const stalledSince = row.badge.word === 'Stalled' && row.since ? `for ${span((Date.now() - Date.parse(row.since)) / 1000)}` : undefined;
  return html`<tr aria-rowindex=${index} class=${selected ? 'selected' : ''}>
    <td class="pick">${writes && html`<input type="checkbox" checked=${selected} aria-label=${`Select ${row.name}`}
      onChange=${(event) => acts.select(row, event.target.checked)} />`}</td>
    <td class="model"><button type="button" class="name" data-key=${keyOf(row)} onClick=${() => acts.open(row)}>${row.name}</button>
      ${!compact && html`<span class=${`remark ${row.badge.colour}`} title=${note}>${note}</span>`}</td>
    <td class="state"><${Badge} badge=${row.badge} title=${stalledSince || note} />
      ${!compact && (stalledSince || (row.attempt && row.attempt.number > 1))
      && html`<span class="remark">${stalledSince || row.attempt.text}</span>`}</td>
    <td class="progress">${(row.badge.active || row.bytes?.percent !== undefined)
    && html`<${Bar} bytes=${row.bytes} colour=${row.badge.colour} active=${row.badge.active} label=${`Progress of ${row.name}`} />`}
      <span class="figures">${[figures(row.bytes), files].filter(Boolean).join(' · ')}</span>
      ${compact && html`<span class="brief">${brief(row)}</span>`}</td>
    <td class="figure speed">${row.speed?.text || ''}</td>
    <td class="figure eta">${left}</td>
    <td class="acts">${writes && verbs.map((verb) => html`<${Button} label=${`${wordsOf(session, verb).label} ${row.name}`} icon=${verb} kind="quiet"
      onClick=${() => acts.one(row, verb)} />`)}
      ${writes && may(row, 'cancel') && html`<${Button} label=${`Cancel ${row.name}`} icon="close" kind="quiet danger"
        onClick=${() => acts.ask({ kind: 'cancel', rows: [row] })} />`}</td>
  </tr>`;
});
