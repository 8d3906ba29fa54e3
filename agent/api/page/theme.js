// SPDX-License-Identifier: GPL-2.0-or-later
// Light, dark, or as the system has it.
export const THEMES = ['auto', 'light', 'dark'];

export function setTheme(theme) {
	if (theme === 'auto')
		delete document.documentElement.dataset.theme;
	else
		document.documentElement.dataset.theme = theme;
}

/** What was chosen before; a browser that keeps nothing has no choice to remember. */
export function remembered(name) {
	try {
		return localStorage.getItem('parasaus.' + name) || undefined;
	} catch {
		return undefined;
	}
}

export function remember(name, value) {
	try {
		localStorage.setItem('parasaus.' + name, value);
	} catch { /* then not */ }
}
