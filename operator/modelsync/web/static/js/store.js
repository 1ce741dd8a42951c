// What the page knows and what its user has chosen. Choices survive a reload; what the server says does not.

const KEY = 'modelsync.page';
const DRAW_MS = 40;
const CHOICES = {
  search: '', phase: 'all', groupBy: 'group', sort: 'attention', descending: false, compact: false,
  folded: [], open: null, theme: 'auto', notify: false, span: '1h', minimised: false,
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
  // A frame in another page, one line a model: it shows everything, and leaves the choices of the page alone.
  const embedded = new URLSearchParams(location.search).has('compact');
  let state = {
    rows: new Map(), whole: null, queues: [], groups: [], connection: null,
    line: 'connecting', seen: null, session: null, problem: null, selected: new Set(), toast: null,
    dialog: null, embedded, choices: embedded ? { ...CHOICES, theme: remembered().theme } : remembered(),
  };

  let soon = 0;
  const notify = () => {
    clearTimeout(soon);
    soon = 0;
    listeners.forEach((listener) => listener(state));
  };
  const set = (part) => {
    state = { ...state, ...part };
    notify();
  };
  // News come in several events, which are drawn once.
  const setSoon = (part) => {
    state = { ...state, ...part };
    soon = soon || setTimeout(notify, DRAW_MS);
  };

  const choose = (part) => {
    const choices = { ...state.choices, ...part };
    try {
      if (!embedded) localStorage.setItem(KEY, JSON.stringify(choices));
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
    const alive = (parts.connection || state.connection)?.state === 'live';
    setSoon({ rows, ...parts, seen: alive ? Date.now() : state.seen });
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

const number = (value, missing) => (value === undefined || value === null ? missing : value);
const VALUES = {
  attention: (row) => row.attention,
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
  all: 'All', active: 'Active', waiting: 'Waiting', paused: 'Paused', failed: 'Failed', complete: 'Complete',
  cancelled: 'Cancelled', other: 'Other',
};
const fits = (row, phase) => phase === 'all' || row.counted === phase || !(phase in PHASES);

const searchable = (row) =>
  [row.name, row.namespace, row.group, row.queue, row.source, row.target, row.badge.word, row.reason, row.node]
    .filter(Boolean).join(' ').toLowerCase();

export function matching(rows, { search, phase }) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return [...rows.values()].filter((row) => {
    if (!fits(row, phase)) return false;
    if (!words.length) return true;
    const text = searchable(row);
    return words.every((word) => text.includes(word));
  });
}

export function sorted(rows, { sort, descending }) {
  const value = VALUES[sort] || VALUES.attention;
  const turn = descending ? -1 : 1;
  return rows.map((row) => [value(row), keyOf(row), row]).sort((one, other) => {
    if (one[0] !== other[0]) return (one[0] < other[0] ? -1 : 1) * turn;
    return one[1] < other[1] ? -1 : 1;
  }).map((each) => each[2]);
}

export const isCompact = (state) => state.embedded || state.choices.compact;

export const groupOf = (row, groupBy) => {
  if (groupBy === 'none') return null;
  return groupBy === 'namespace' ? row.namespace : row.group || row.namespace;
};

// Group headings and rows as one flat list, as the window of visible lines needs it.
export function lines(found, choices) {
  const rows = sorted(found, choices);
  if (choices.groupBy === 'none') return rows.map((row) => ({ row }));
  const groups = new Map();
  for (const row of rows) {
    const name = groupOf(row, choices.groupBy);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(row);
  }
  const flat = [];
  // In the order of attention a group stands where its most urgent row does, else by its name.
  const inOrder = [...groups];
  if (choices.sort !== 'attention') inOrder.sort((one, other) => (one[0] < other[0] ? -1 : 1));
  for (const [name, members] of inOrder) {
    flat.push({ group: name, members });
    if (!choices.folded.includes(name)) members.forEach((row) => flat.push({ row }));
  }
  return flat;
}

export const keyOf = (row) => `${row.namespace}/${row.name}`;
