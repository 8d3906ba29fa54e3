// SPDX-License-Identifier: GPL-2.0-or-later
// Keys that are letters and signs: who dictates, or hits keys unawares, can do without (WCAG 2.1.4).
import { remember, remembered } from './theme.js';

export function lettersAreKeys() {
	return remembered('keys') !== 'off';
}

export function setLetters(on) {
	remember('keys', on ? 'on' : 'off');
}

/** Is this key one for the page, and not for something that is written in or that lies above it? */
export function isForPage(e) {
	return !e.ctrlKey && !e.altKey && !e.metaKey && !e.target.closest('input, select, textarea') &&
		!document.querySelector('dialog[open]');
}
