// SPDX-License-Identifier: GPL-2.0-or-later
// Why something cannot be done here, and where it can.
import { Copy, quote } from './command.js';
import { Dialog } from './dialog.js';
import { Component, html } from './html.js';
import { t, word } from './i18n.js';

/** Is it of the agent's own store or of a cluster, which alone can be written to? */
export function isOurs(pool) {
	return typeof pool.revision === 'number';
}

/** { text, command }: where a pool of another source is edited. */
export function elsewhere(pool) {
	const [kind] = (pool.source || '').split(':'), where = (pool.source || '').slice(kind.length + 1);

	if (kind === 'kubernetes')
		return { text: t('elsewhere.kubernetes'),
			command: `kubectl -n ${quote(pool.namespace)} edit endpoints,services ${quote(pool.service)}` };
	if (kind === 'directory')
		return { text: t('elsewhere.directory', { where }), command: `grep -rl ${quote('name: ' + pool.service)} ${quote(where)}` };
	return { text: t('elsewhere.other', { source: pool.source || '?' }) };
}

export function readOnlyWords(whoami) {
	return word('readonly', whoami?.reason || 'unknown');
}

/** Props: title, text, command, onClose. */
export class WhyNot extends Component {
	render({ title, text, command, onClose }) {
		return html`<${Dialog} title=${title} onClose=${onClose} self=${(d) => { this.dialog = d; }}>
			<p>${text}</p>
			${command && html`<p><code>${command}</code></p>`}
			<div class="sheet-foot">${command && html`<${Copy} command=${command} />`}<span class="space"></span>
				<button type="button" class="main" data-first onClick=${() => this.dialog.shut()}>${t('close')}</button></div></${Dialog}>`;
	}
}
