// Texts that need the clock of the page; all others come ready from the server.

export function ago(time, now = Date.now()) {
  if (!time) return '';
  return `${span(Math.max(0, (now - Date.parse(time)) / 1000))} ago`;
}

export function span(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h ${Math.floor((whole % 3600) / 60)}m`;
  return `${Math.floor(whole / 86400)}d ${Math.floor((whole % 86400) / 3600)}h`;
}

export function until(time, now = Date.now()) {
  const seconds = (Date.parse(time) - now) / 1000;
  return seconds > 0 ? `in ${span(seconds)}` : 'now';
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

// As the server writes sizes; here for the axis of the chart, whose values the server does not know.
export function size(bytes) {
  if (bytes === undefined || bytes === null) return '–';
  let [value, unit] = [Math.round(bytes), 0];
  while (unit < UNITS.length - 1 && Math.round(value) >= 1000) {
    value /= 1000;
    unit += 1;
  }
  if (!unit) return `${value}B`;
  if (Number(value.toFixed(2)) < 10) return `${value.toFixed(2).replace(/0$/, '')}${UNITS[unit]}`;
  return `${value.toFixed(Number(value.toFixed(1)) < 100 ? 1 : 0)}${UNITS[unit]}`;
}

// 24 hours everywhere, as in the logs that one compares with; the order of a date is the reader's own.
const TIME = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
const CLOCK = new Intl.DateTimeFormat([], { ...TIME, second: '2-digit' });
const HOUR = new Intl.DateTimeFormat([], TIME);
const DATE = new Intl.DateTimeFormat([], { ...TIME, day: 'numeric', month: 'numeric', year: 'numeric' });
export const clock = (time) => CLOCK.format(new Date(time));
export const hour = (time) => HOUR.format(new Date(time));
export const date = (time) => DATE.format(new Date(time));

export const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;
