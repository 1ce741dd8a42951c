// Runs before all modules and is none. Where one of them did not arrive, as when the network changes meanwhile, nothing else of
// the page runs: it is loaded once more. A style that did not arrive is asked for again. Neither is done without end.

const RELOADS = 'modelsync.reloads';
let styles = 0;

addEventListener('error', ({ target }) => {
  if (!['LINK', 'SCRIPT'].includes(target.tagName)) return;
  setTimeout(() => {
    const reloads = Number(sessionStorage.getItem(RELOADS)) || 0;
    if (target.rel === 'stylesheet') {
      styles += 1;
      if (styles <= 5) target.replaceWith(target.cloneNode());
    } else if (document.querySelector('#loading') && reloads < 5) {
      sessionStorage.setItem(RELOADS, reloads + 1);
      location.reload();
    }
  }, 1000);
}, true);
