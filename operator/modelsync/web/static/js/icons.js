// Drawn, since fonts differ in which signs they have.

import { html } from './html.js';

const PATHS = {
  pause: 'M8 5v14M16 5v14', resume: 'M7 5l12 7-12 7z', retry: 'M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6', close: 'M6 6l12 12M18 6L6 18',
  copy: 'M9 9h10v10H9zM5 15V5h10', sum: 'M17 5H7l6 7-6 7h10', bell: 'M6 17V11a6 6 0 0 1 12 0v6l2 1H4zM10 21h4',
  lines: 'M4 7h16M4 12h16M4 17h16', auto: 'M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16', light: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2',
  dark: 'M20 14A8 8 0 0 1 10 4a8 8 0 1 0 10 10z', leave: 'M12 3v8M7 6a8 8 0 1 0 10 0', add: 'M12 5v14M5 12h14',
  up: 'M12 20V4m-6 6 6-6 6 6', down: 'M12 4v16m-6-6 6 6 6-6', open: 'M6 9l6 6 6-6', folded: 'M9 6l6 6-6 6',
};

export const Icon = ({ name }) => html`<svg class="icon" viewBox="0 0 24 24" width="16" height="16" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
