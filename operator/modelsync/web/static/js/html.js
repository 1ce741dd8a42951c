// The one place that knows which library draws the page.
import { Component, h, render, Fragment } from '../vendor/preact.js';
import htm from '../vendor/htm.js';

export { render, Fragment };
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from '../vendor/hooks.js';
export const html = htm.bind(h);

// A view that is drawn again only when one of its properties is another value.
export function memo(view) {
  return class extends Component {
    shouldComponentUpdate(next) {
      return Object.keys({ ...this.props, ...next }).some((name) => this.props[name] !== next[name]);
    }

    render(props) { return view(props); }
  };
}
