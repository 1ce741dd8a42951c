// What a user can do: each act changes the ModelSync and nothing else. The result is said in the live region.

import * as api from './api.js';
import { keyOf } from './store.js';
import { plural } from './words.js';

export const WORDS = {
  pause: ['Pause', 'paused'], resume: ['Resume', 'resumed'], retry: ['Retry', 'retried'], cancel: ['Cancel', 'cancelled'],
};
export const may = (row, verb) => (row.acts || []).includes(verb);
export const command = (row, verb, value) => {
  const names = { priority: 'prioritize' };
  return ['kubectl', 'modelsync', names[verb] || verb, row.name, ...(value === undefined ? [] : [value]), '-n', row.namespace]
    .join(' ');
};

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

  const one = (row, verb) => run(`${WORDS[verb][0]} ${row.name}`, async () => {
    const { changed } = await api.act(row, verb);
    return changed ? `${row.name} is ${WORDS[verb][1]}.` : `${row.name} was ${WORDS[verb][1]} already.`;
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
    say(`${plural(done, 'ModelSync is', 'ModelSyncs are')} ${WORDS[verb][1]}.${why}`, failed.length > 0);
    store.set({ selected: new Set() });
  }

  return {
    say,
    one,
    many,
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
