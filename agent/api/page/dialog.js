// SPDX-License-Identifier: GPL-2.0-or-later
// What lies above the page until it is closed. Focus goes back to where it was, as the browser does it.
import { Component, html } from './html.js';
import { t } from './i18n.js';

/** Props: title, onClose, size ('wide'), children, self(this), for shut(). */
export class Dialog extends Component {
	componentDidMount() {
		this.props.self(this);
		this.dialog.showModal();
		this.dialog.querySelector('[data-first]')?.focus();
	}

	/** Taken away with all of its screen: that is no close, and focus would be nowhere. */
	componentWillUnmount() {
		if (this.dialog.open)
			this.dialog.close();
	}

	/** `then` is called once it is gone: the browser says so later, and whoever shows another one before loses that. */
	shut(then) {
		this.then = then;
		this.dialog.close();
	}

	closed = () => {
		this.props.onClose();
		this.then?.();
	};

	render({ title, size, children }) {
		return html`<dialog ref=${(e) => { this.dialog = e; }} class=${'sheet ' + (size || '')} onClose=${this.closed} aria-label=${title}>
			<div class="sheet-head"><h2>${title}</h2><span class="space"></span>
				<button type="button" class="quiet" aria-label=${t('close')} onClick=${() => this.shut()}>✕</button></div>
			${children}</dialog>`;
	}
}

/** A field with its name above and what is wrong with it below. */
export function field(name, label, control, error, hint) {
	const below = error || hint;

	return html`<div key=${name} class=${'field f-' + name.replace(/\W/g, '-') + (error ? ' bad' : '')}>
		<label for=${'f-' + name}>${label}</label>${control}
		${below && html`<p id=${'e-' + name} class=${error ? 'wrong' : 'hint'}>${error ? '✕ ' + error : hint}</p>`}</div>`;
}

/** The attributes that field() counts on. */
export function named(name, error, hint) {
	return { id: 'f-' + name, name, 'aria-invalid': error ? 'true' : undefined,
		'aria-describedby': error || hint ? 'e-' + name : undefined };
}
