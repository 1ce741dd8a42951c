// Speed over time: five minutes, an hour or a day, of all downloads or of one.

import * as api from './api.js';
import { html, useEffect, useRef, useState } from './html.js';
import { clock, date, hour, size } from './words.js';

const SPANS = { '5m': '5 min', '1h': '1 h', '24h': '24 h' };
// A canvas knows no custom properties, so the browser resolves them on an element first.
function colour(element, name) {
  element.style.color = `var(${name})`;
  const found = getComputedStyle(element).color;
  element.style.color = '';
  return found;
}

const MINUTES = [1, 5, 10, 15, 30, 60, 120, 240, 360].map((each) => each * 60);
const HEIGHT = 120;

function options(element, width, hasUp) {
  const line = { stroke: colour(element, '--muted'), grid: { stroke: colour(element, '--line'), width: 1 }, ticks: { show: false } };
  const rate = (value) => (value === null || value === undefined ? '–' : `${size(value)}/s`);
  const points = { show: false };
  const series = [{}, { label: 'down', stroke: colour(element, '--blue'), fill: colour(element, '--blue-soft'), width: 1.5, points }];
  if (hasUp) series.push({ label: 'up', stroke: colour(element, '--green'), width: 1, points });
  return {
    width, height: HEIGHT, series, cursor: { y: false }, legend: { show: false },
    scales: { y: { range: (_, _least, most) => [0, Math.max(1000, (most || 0) * 1.1)] } },
    axes: [{ ...line, size: 24, incrs: MINUTES, values: (_, ticks) => ticks.map((tick) => hour(tick * 1000)) }, { ...line, size: 70, values: (_, ticks) => ticks.map(rate) }],
  };
}

// Who keeps the record, and why it begins where it does.
export function keeping(series) {
  const keeper = series.keptBy === 'Operator' ? 'Kept by the operator.' : "Kept by this page's server, while somebody looks.";
  if (!series.cut) return keeper;
  const when = new Date(series.cut);
  const time = Date.now() - when > 86_000_000 ? date(when) : clock(when);
  const why = {
    OperatorStarted: `the operator was started at ${time}, or another replica took over`,
    PageOpened: `it was first looked at ${time}`,
    ClockSetBack: `the clock was set back at ${time}`,
  }[series.cutReason] || `the record begins at ${time}`;
  return `${keeper} Nothing is known of the time before: ${why}.`;
}

export function Chart({ store, span, of = {}, label }) {
  const place = useRef(null);
  const drawn = useRef(null);
  const [series, setSeries] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    let over = false;
    const load = () => api.history(span, of).then(
      (found) => !over && (setSeries(found), setProblem(null)), (error) => !over && setProblem(error.message));
    load();
    const timer = setInterval(() => !document.hidden && load(), span === '24h' ? 60_000 : 5_000);
    return () => { over = true; clearInterval(timer); };
  }, [span, JSON.stringify(of)]);
  useEffect(() => {
    if (!series) return;
    const begin = Date.parse(series.start) / 1000;
    const times = series.down.map((_, step) => begin + step * series.stepSeconds);
    const hasUp = Boolean(series.up?.length);
    const data = hasUp ? [times, series.down, series.up] : [times, series.down];
    // Redrawn only where its colours or lines are others.
    const kind = `${hasUp} ${colour(place.current, '--text')}`;
    if (drawn.current?.kind === kind) {
      drawn.current.plot.setData(data);
      return;
    }
    drawn.current?.plot.destroy();
    const plot = new globalThis.uPlot(options(place.current, place.current.clientWidth || 600, hasUp), data, place.current);
    drawn.current = { kind, plot };
  }, [series, store.get().choices.theme]);
  useEffect(() => {
    const fit = () => {
      const width = place.current?.clientWidth;
      if (width && drawn.current && drawn.current.plot.width !== width) drawn.current.plot.setSize({ width, height: HEIGHT });
    };
    const watcher = new ResizeObserver(() => requestAnimationFrame(fit));
    watcher.observe(place.current);
    return () => { watcher.disconnect(); drawn.current?.plot.destroy(); };
  }, []);
  const known = (series?.down || []).filter((value) => value !== null);
  const words = known.length ? `${label}: ${size(known.at(-1))}/s now, at most ${size(Math.max(...known))}/s.` : `${label}: nothing was downloaded.`;
  return html`<figure class="chart">
    <figcaption>${label}
      <span class="chips" role="group" aria-label="Time span">${Object.entries(SPANS).map(([name, word]) =>
    html`<button type="button" aria-pressed=${String(span === name)} onClick=${() => store.choose({ span: name })}>${word}</button>`)}</span>
    </figcaption>
    <div ref=${place} role="img" aria-label=${words}></div>
    ${problem && html`<p class="note">${problem}</p>`}
    ${series && html`<p class="note">${keeping(series)}</p>`}
  </figure>`;
}
