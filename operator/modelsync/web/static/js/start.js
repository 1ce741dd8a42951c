// Runs before all modules and is none. Where one of them did not arrive, as when the network changes meanwhile, nothing else of
// the page runs: it is loaded once more. A style that did not arrive is asked for again. Neither is done without end.

const RELOADS = 'modelsync.reloads';
const MOST = 10;
let styles = 0;
let waiting = false;

function reload() {
  waiting = false;
  const reloads = Number(sessionStorage.getItem(RELOADS)) || 0;
  if (!document.querySelector('#loading') || reloads >= MOST) return;
  sessionStorage.setItem(RELOADS, reloads + 1);
  location.reload();
}

addEventListener('load', () => document.querySelector('#loading') || sessionStorage.removeItem(RELOADS));

addEventListener('error', ({ target }) => {
  if (target.rel === 'stylesheet') {
    styles += 1;
    if (styles <= MOST) setTimeout(() => target.replaceWith(target.cloneNode()), 1000);
  } else if (['LINK', 'SCRIPT'].includes(target.tagName) && !waiting) {
    waiting = true; // of a hundred modules that are lost at once each is an error
    setTimeout(reload, 1000);
  }
}, true);
