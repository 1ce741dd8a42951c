// The live stream: a snapshot, then differences. Reconnects by itself, and asks who we are when it may not.

import { session } from './api.js';

const PAUSES = [1000, 2000, 5000, 10000];

export function follow({ snapshot, change, state }) {
  let source = null;
  let failures = 0;
  let timer = 0;
  let ended = false;

  function open() {
    source = new EventSource('api/v1/events');
    source.addEventListener('snapshot', (event) => live(() => snapshot(JSON.parse(event.data))));
    source.addEventListener('change', (event) => live(() => change(JSON.parse(event.data))));
    source.addEventListener('open', () => live(() => {}));
    source.addEventListener('end', (event) => again(JSON.parse(event.data)));
    source.addEventListener('error', () => {
      // While the browser reconnects by itself it also sends the last id, which brings the missing part alone.
      if (source.readyState === EventSource.CLOSED) again(null);
      else state({ line: 'lost' });
    });
  }

  function live(deliver) {
    failures = 0;
    deliver();
    state({ line: 'open' });
  }

  async function again(problem) {
    source.close();
    if (ended) return;
    state({ line: 'lost', problem });
    const refused = await session().then(() => null, (error) => error.problem);
    if (ended) return;
    if (refused && refused.status === 401) {
      state({ line: 'logged-out', problem: refused });
      return;
    }
    timer = setTimeout(open, PAUSES[Math.min(failures, PAUSES.length - 1)]);
    failures += 1;
  }

  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    source.close();
  };
}
