// The one place that knows which library draws the page.
import { h, render, Fragment } from '../vendor/preact.js';
import htm from '../vendor/htm.js';

export { render, Fragment };
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from '../vendor/hooks.js';
export const html = htm.bind(h);
