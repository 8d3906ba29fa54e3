// SPDX-License-Identifier: GPL-2.0-or-later
// States as a sign, a word and a colour, never as a colour alone.
import { html } from './html.js';
import { word } from './i18n.js';

const SIGNS = { up: '●', synced: '●', degraded: '◐', pending: '◐', down: '✕', refused: '✕', error: '✕',
	warning: '▲', unmonitored: '○', unknown: '○', none: '○', gone: '–' };

/** The interface's own word stands in the tooltip. */
export function badge(group, raw, title) {
	return html`<span class=${'badge b-' + raw} title=${title || raw}>${SIGNS[raw] && html`<span class="sign"
		aria-hidden="true">${SIGNS[raw]}</span> `}${word(group, raw)}</span>`;
}

/** "10.0.0.1:80/tcp" or "[2001:db8::1]:80/tcp" in parts. */
export function frontend(text) {
	const [, v6, v4, port, protocol] = /^(?:\[(.*)\]|(.*?)):(\d+)\/(.*)/.exec(text) || [];

	return { ip: v6 || v4 || text, port: port || '', protocol };
}

/** What the kernel is of this pool, by what core wants and what it last matched. */
export function kernelState(pool, status) {
	if (pool.problems.some((p) => p.where === 'kernel'))
		return 'refused';
	if (!pool.frontends.length)
		return 'none';
	return status && pool.generation > status.appliedGeneration ? 'pending' : 'synced';
}
