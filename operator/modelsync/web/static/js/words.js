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

const UNITS = [['TB', 1e12], ['GB', 1e9], ['MB', 1e6], ['kB', 1e3]];

export function size(bytes) {
  if (bytes === undefined || bytes === null) return '–';
  const [unit, factor] = UNITS.find(([, each]) => bytes >= each) || ['B', 1];
  const value = bytes / factor;
  return `${factor === 1 ? Math.round(value) : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)}${unit}`;
}

export const clock = (time) => new Date(time).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;
