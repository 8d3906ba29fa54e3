// SPDX-License-Identifier: GPL-2.0-or-later
// What is said in place of a list.
import { html } from './html.js';
import { t } from './i18n.js';

export function failure(error, again) {
	return html`<p class="failure" role="alert"><span class="badge b-error"><span aria-hidden="true">✕</span></span> ${error.message}
		${error.requestId && html` <span class="dim">${t('request', { id: error.requestId })}</span>`}
		<button type="button" onClick=${again}>${t('retry')}</button></p>`;
}

export function nothing(text) {
	return html`<p class="nothing">${text}</p>`;
}

/** What was done, and the way back. It stays until it is put away: nobody has to be quick. */
export function Notice({ notice, onUndo, onClose }) {
	return html`<div class=${notice ? 'notice' : 'hidden'}><span role="status">${notice?.text || ''}</span>
		${notice?.undo && html`<button type="button" aria-keyshortcuts="u" onClick=${onUndo}>${t('undo')}</button>`}
		${notice && html`<span class="space"></span><button type="button" class="quiet" aria-label=${t('close')} onClick=${onClose}>✕</button>`}</div>`;
}

export const PAGE = 20; // of a list that is a part of something else

/** From one page of a list to the next, where it has more than one; the words are those of their places. */
export function pager({ previous, where = 'members.page', next }, { offset, shown, total }, go) {
	return total > PAGE && html`<div class="pager">
		<button type="button" disabled=${!offset} aria-label=${previous} onClick=${() => go(Math.max(0, offset - PAGE))}>‹</button>
		<span>${t(where, { first: offset + 1, last: offset + shown, n: total })}</span>
		<button type="button" disabled=${offset + PAGE >= total} aria-label=${next} onClick=${() => go(offset + PAGE)}>›</button></div>`;
}

/** A pool that one can go to. */
export function poolLink(id) {
	return id ? html`<a href=${'#/pools?q=' + encodeURIComponent(id) + '&open=' + encodeURIComponent(id)}>${id}</a>` : '–';
}
