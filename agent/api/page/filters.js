// SPDX-License-Identifier: GPL-2.0-or-later
// What narrows a list.
import { badge } from './badges.js';
import { Component, html } from './html.js';
import { number, t } from './i18n.js';

const SUGGESTIONS = 50; // of a thousand namespaces, say

/** Several of a few words, each with its number: [[word, count], ...]. */
export function chips(group, words, chosen, onChange) {
	const on = (chosen || '').split(',').filter(Boolean);
	const flip = (w) => (on.includes(w) ? on.filter((x) => x !== w) : [...on, w]).join(',');

	return html`<div class="chips" role="group" aria-label=${t('filter.' + group)}>${words.map(([w, n]) =>
		html`<button key=${w} type="button" class="chip" aria-pressed=${on.includes(w)} onClick=${() => onChange(flip(w))}
			>${badge(group, w)}${n !== undefined && html` <span class="n">${number(n)}</span>`}</button>`)}</div>`;
}

/** One of some words. `text` says them. */
export function choice(name, words, chosen, onChange, text = (w) => w) {
	return html`<label class="choice"><span>${t('filter.' + name)}</span>
		<select name=${name} value=${chosen || ''} onChange=${(e) => onChange(e.target.value)}>
			<option value="">${t('any')}</option>
			${words.map((w) => html`<option key=${w} value=${w}>${text(w)}</option>`)}
			${chosen && !words.includes(chosen) && html`<option value=${chosen}>${chosen}</option>`}
		</select></label>`;
}

/** One of very many: typed, with suggestions. Takes effect when it is left or with Enter. */
export class Typed extends Component {
	state = { text: undefined }; // while it is typed

	matching() {
		const text = (this.state.text || '').toLowerCase();

		return this.props.words.filter((w) => w.toLowerCase().includes(text)).slice(0, SUGGESTIONS);
	}

	take = (e) => {
		this.setState({ text: undefined });
		this.props.onChange(e.target.value.trim());
	};

	render({ name, chosen }, { text }) {
		return html`<label class="choice"><span>${t('filter.' + name)}</span>
			<input name=${name} list=${'of-' + name} value=${text ?? chosen ?? ''} placeholder=${t('any')} size="12"
				onInput=${(e) => this.setState({ text: e.target.value })} onChange=${this.take}
				onKeyDown=${(e) => e.key === 'Enter' && this.take(e)} />
			<datalist id=${'of-' + name}>${this.matching().map((w) => html`<option key=${w} value=${w} />`)}</datalist>
		</label>`;
	}
}

/** The search: each keystroke counts. */
export function search(what, text, onChange) {
	const onKey = (e) => {
		if (e.key !== 'Escape')
			return;
		e.stopPropagation();
		if (text)
			onChange('');
		else
			e.target.blur();
	};

	return html`<label class="search"><span class="hidden">${t('search')}</span>
		<input type="search" id="search" value=${text || ''} placeholder=${t('search.' + what)} autocomplete="off"
			spellcheck=${false} maxlength="253" aria-keyshortcuts="/" onKeyDown=${onKey}
			onInput=${(e) => onChange(e.target.value)} /></label>`;
}
