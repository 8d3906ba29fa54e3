// SPDX-License-Identifier: GPL-2.0-or-later
// A table that is read from top to bottom: nothing in it is chosen, sorted or filtered.
import { html } from './html.js';

export function table(label, heads, rows, kind = 'plain') {
	return html`<table class=${kind} aria-label=${label}><caption>${label}</caption>
		<thead><tr>${heads.map((h) => html`<th key=${h} scope="col">${h}</th>`)}</tr></thead>
		<tbody>${rows.map((cells, i) => html`<tr key=${i}>${cells.map((c, n) => html`<td key=${n}>${c}</td>`)}</tr>`)}</tbody></table>`;
}
