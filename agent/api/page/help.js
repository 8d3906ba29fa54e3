// SPDX-License-Identifier: GPL-2.0-or-later
// The keys there are.
import { Dialog } from './dialog.js';
import { Component, html } from './html.js';
import { t } from './i18n.js';
import { lettersAreKeys, setLetters } from './keys.js';

const KEYS = [['search', ['/']], ['move', ['↑', '↓', 'j', 'k']], ['page', ['PgUp', 'PgDn', 'Home', 'End']],
	['open', ['Enter']], ['escape', ['Esc']], ['refresh', ['r']],
	['new', ['n']], ['many', ['a']], ['choose', ['x']], ['edit', ['e']], ['drain', ['d']], ['delete', ['Delete']], ['record', ['h']], ['rollback', ['b']],
	['undo', ['u']], ['views', ['1', '2', '3', '4', '5', '6', '7']], ['help', ['?']]];

/** Props: onClose. */
export class Help extends Component {
	render({ onClose }) {
		return html`<${Dialog} title=${t('help')} onClose=${onClose} self=${(d) => { this.dialog = d; }}>
			<div class="sheet-body"><dl class="keys">${KEYS.map(([what, keys]) => html`<div key=${what}><dt>${keys.map((k) =>
				html`<kbd key=${k}>${k}</kbd>`)}</dt><dd>${t('key.' + what)}</dd></div>`)}</dl>
				<p><label><input type="checkbox" checked=${lettersAreKeys()} onChange=${(e) => setLetters(e.target.checked)}
					/> ${t('key.letters')}</label></p></div>
			<div class="sheet-foot"><span class="space"></span>
				<button type="button" class="main" data-first="" onClick=${() => this.dialog.shut()}>${t('close')}</button></div></${Dialog}>`;
	}
}
