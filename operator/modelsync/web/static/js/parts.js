// Small pieces that several views share.

import { html } from './html.js';
import { Icon } from './icons.js';

// Native progress, so that screen readers know it; without a value it says that it is under way.
export function Bar({ bytes, colour, label, active }) {
  const percent = bytes?.percent;
  const known = percent !== undefined && percent !== null;
  return html`<progress class=${`bar ${colour}${active ? ' moves' : ''}`} max="100" value=${known ? percent : active ? undefined : 0}
    aria-label=${label}>${known ? `${percent}%` : ''}</progress>`;
}

export function Badge({ badge, title }) {
  return html`<span class=${`badge ${badge.colour}${badge.active ? ' pulse' : ''}`} title=${title}>
    <span aria-hidden="true">${badge.icon}</span> ${badge.word}</span>`;
}

export function Button({ label, icon, onClick, disabled, kind = '', pressed, wide }) {
  return html`<button type="button" class=${kind} onClick=${onClick} disabled=${disabled} title=${wide ? undefined : label}
    aria-label=${wide ? undefined : label} aria-pressed=${pressed === undefined ? undefined : String(pressed)}>
    ${icon && html`<${Icon} name=${icon} />`}${wide || !icon ? html`<span>${label}</span>` : ''}</button>`;
}

export function Command({ text, acts }) {
  return html`<div class="command"><code tabindex="0">${text}</code><${Button} label="Copy the command" icon="copy" kind="quiet"
    onClick=${() => acts.copy(text)} /></div>`;
}

export const figures = (bytes) => [bytes?.text, bytes?.percentText].filter(Boolean).join(' · ');
