// What the page knows and what its user has chosen. Choices survive a reload; what the server says does not.

const KEY = 'modelsync.page';
const CHOICES = {
  search: '', phase: 'all', groupBy: 'group', sort: 'attention', descending: false, compact: false,
  folded: [], open: null, theme: 'auto', notify: false, span: '1h',
};

function remembered() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) || '{}');
    const kept = Object.entries(found).filter(([name, value]) => name in CHOICES && sameKind(value, CHOICES[name]));
    return { ...CHOICES, ...Object.fromEntries(kept) };
  } catch {
    return { ...CHOICES };
  }
}

const sameKind = (value, usual) =>
  usual === null ? value === null || typeof value === 'string' : typeof value === typeof usual;

export function createStore() {
  const listeners = new Set();
  let state = {
    rows: new Map(), whole: null, queues: [], groups: [], connection: null,
    line: 'connecting', seen: null, session: null, problem: null, selected: new Set(), toast: null,
    choices: remembered(), peak: 0,
  };

  const set = (part) => {
    state = { ...state, ...part };
    listeners.forEach((listener) => listener(state));
  };

  const choose = (part) => {
    const choices = { ...state.choices, ...part };
    try {
      localStorage.setItem(KEY, JSON.stringify(choices));
    } catch {
      // A browser that forbids storage forgets them with the page.
    }
    set({ choices });
  };

  const received = (rows, message) => {
    const parts = {};
    for (const name of ['whole', 'queues', 'groups', 'connection']) {
      if (message[name] !== undefined) parts[name] = message[name];
    }
    const speed = parts.whole?.speed?.bytesPerSecond || 0;
    const alive = (parts.connection || state.connection)?.state === 'live';
    set({ rows, ...parts, peak: Math.max(state.peak, speed), seen: alive ? Date.now() : state.seen });
  };

  return {
    get: () => state,
    set,
    choose,
    listen: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    snapshot: (message) => received(new Map(Object.entries(message.rows)), message),
    change: (message) => {
      const rows = new Map(state.rows);
      (message.removed || []).forEach((key) => rows.delete(key));
      Object.entries(message.rows || {}).forEach(([key, row]) => rows.set(key, row));
      received(rows, message);
    },
  };
}

// --- which rows are shown, and in which order ----------------------------------------------------------------

const ORDER = ['Stalled', 'Failed', 'Retrying', 'Downloading', 'Verifying', 'Queued', 'New', 'Paused', 'Cancelled', 'Complete'];
const rank = (row) => {
  const found = ORDER.indexOf(row.badge.word);
  return found < 0 ? ORDER.length : found;
};
const number = (value, missing) => (value === undefined || value === null ? missing : value);
const VALUES = {
  attention: rank,
  name: (row) => row.name,
  percent: (row) => number(row.bytes?.percent, -1),
  speed: (row) => number(row.speed?.bytesPerSecond, -1),
  eta: (row) => number(row.eta?.seconds, Infinity),
  size: (row) => number(row.bytes?.total, -1),
  created: (row) => row.created || '',
};
export const SORTS = {
  attention: 'Needs attention', name: 'Name', percent: 'Percent', speed: 'Speed', eta: 'Time left', size: 'Size',
  created: 'Created',
};

export const PHASES = {
  all: ['All', () => true],
  active: ['Active', (row) => row.badge.active || row.badge.word === 'Stalled'],
  waiting: ['Waiting', (row) => ['Queued', 'New', 'Retrying'].includes(row.badge.word)],
  paused: ['Paused', (row) => row.badge.word === 'Paused'],
  failed: ['Failed', (row) => row.badge.word === 'Failed'],
  complete: ['Complete', (row) => row.badge.word === 'Complete'],
  cancelled: ['Cancelled', (row) => row.badge.word === 'Cancelled'],
};

const searchable = (row) =>
  [row.name, row.namespace, row.group, row.queue, row.source, row.target, row.badge.word, row.reason, row.node]
    .filter(Boolean).join(' ').toLowerCase();

export function matching(rows, { search, phase }) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (PHASES[phase] || PHASES.all)[1];
  return [...rows.values()].filter((row) => {
    if (!fits(row)) return false;
    if (!words.length) return true;
    const text = searchable(row);
    return words.every((word) => text.includes(word));
  });
}

export function sorted(rows, { sort, descending }) {
  const value = VALUES[sort] || VALUES.attention;
  const turn = descending ? -1 : 1;
  return rows.map((row) => [value(row), row.name, row]).sort((one, other) => {
    if (one[0] !== other[0]) return (one[0] < other[0] ? -1 : 1) * turn;
    return one[1] < other[1] ? -1 : 1;
  }).map((each) => each[2]);
}

export const groupOf = (row, groupBy) => {
  if (groupBy === 'none') return null;
  return groupBy === 'namespace' ? row.namespace : row.group || row.namespace;
};

// Group headings and rows as one flat list, as the window of visible lines needs it.
export function lines(state) {
  const { choices } = state;
  const rows = sorted(matching(state.rows, choices), choices);
  if (choices.groupBy === 'none') return rows.map((row) => ({ row }));
  const groups = new Map();
  for (const row of rows) {
    const name = groupOf(row, choices.groupBy);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(row);
  }
  const flat = [];
  for (const [name, members] of [...groups].sort((one, other) => (one[0] < other[0] ? -1 : 1))) {
    flat.push({ group: name, members });
    if (!choices.folded.includes(name)) members.forEach((row) => flat.push({ row }));
  }
  return flat;
}

export const keyOf = (row) => `${row.namespace}/${row.name}`;
