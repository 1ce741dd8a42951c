// What a user can do: each act changes the ModelSync and nothing else. The result is said in the live region.

import * as api from './api.js';
import { keyOf } from './store.js';
import { plural } from './words.js';

export const may = (row, verb) => (row.acts || []).includes(verb);
// What the server calls an act; its own name until the server has said it.
export const wordsOf = (session, verb) =>
  session?.acts?.find((each) => each.act === verb) || { act: verb, label: verb, done: verb, command: '' };
const SAFE = /^[\w.+-]+$/;
export function command(session, row, verb, value) {
  const known = { NAME: row.name, NAMESPACE: row.namespace, ...(SAFE.test(value ?? '') ? { VALUE: value } : {}) };
  return wordsOf(session, verb).command.split(' ').map((word) => known[word] || word).join(' ');
}

export function createActs(store) {
  const say = (text, bad = false) => store.set({ toast: { text, bad, at: Date.now() } });

  async function run(label, work) {
    try {
      say(await work());
      return true;
    } catch (error) {
      const changed = error.problem?.changed?.length ? ` Changed meanwhile: ${error.problem.changed.join(', ')}.` : '';
      say(`${label}: ${error.message}${changed}`, true);
      return false;
    }
  }

  const words = (verb) => wordsOf(store.get().session, verb);

  const one = (row, verb) => run(`${words(verb).label} ${row.name}`, async () => {
    const { changed } = await api.act(row, verb);
    return changed ? `${row.name} is ${words(verb).done}.` : `${row.name} was ${words(verb).done} already.`;
  });

  async function many(rows, verb) {
    const fit = rows.filter((row) => may(row, verb));
    const results = [];
    for (let at = 0; at < fit.length; at += 8) {
      results.push(...await Promise.allSettled(fit.slice(at, at + 8).map((row) => api.act(row, verb))));
    }
    const failed = results.filter((each) => each.status === 'rejected');
    const done = results.length - failed.length;
    const why = failed.length ? ` ${plural(failed.length, 'one', 'of them')} failed: ${failed[0].reason.message}` : '';
    say(`${plural(done, 'ModelSync is', 'ModelSyncs are')} ${words(verb).done}.${why}`, failed.length > 0);
    store.set({ selected: new Set() });
  }

  return {
    say,
    one,
    many,
    open: (row) => store.choose({ open: keyOf(row) }),
    ask: (dialog) => store.set({ dialog }),
    retryFailed: () => run('Retry all failed', async () => {
      const answer = await api.retryFailed();
      const { results } = answer;
      const failed = results.filter((each) => each.outcome === 'failed');
      const text = `${plural(results.length - failed.length, 'failed ModelSync is', 'failed ModelSyncs are')} retried.`;
      const more = answer.truncated ? ' There are more: retry once more.' : '';
      return failed.length ? `${text} ${failed.length} could not be: ${failed[0].detail}${more}` : text + more;
    }),
    priority: (row, value) => run(`Priority of ${row.name}`, async () => {
      await api.setPriority(row, value);
      return `${row.name} has the priority ${value}.`;
    }),
    limit: (row, value) => run(`Limit of ${row.name}`, async () => {
      await api.setLimit(row, value);
      return value ? `${row.name} is limited to ${value} bytes per second.` : `${row.name} has no limit.`;
    }),
    select: (row, on) => {
      const selected = new Set(store.get().selected);
      if (on) selected.add(keyOf(row));
      else selected.delete(keyOf(row));
      store.set({ selected });
    },
    copy: async (text) => {
      try {
        await navigator.clipboard.writeText(text);
        say('Copied.');
      } catch {
        say('The browser does not let this page copy; select the text instead.', true);
      }
    },
  };
}
