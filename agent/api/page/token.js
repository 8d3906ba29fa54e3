// SPDX-License-Identifier: GPL-2.0-or-later
// What proves who one is: in memory, and in sessionStorage where that was wished for; in no URL, ever.
const KEY = 'parasaus.token';
const listeners = new Set();
let text = stored();

function stored() {
	try {
		return sessionStorage.getItem(KEY) || undefined;
	} catch {
		return undefined;
	}
}

function store(value) {
	try {
		if (value)
			sessionStorage.setItem(KEY, value);
		else
			sessionStorage.removeItem(KEY);
	} catch { /* then not */ }
}

export function token() {
	return text;
}

export function setToken(value, keep) {
	text = value;
	store(keep && value);
	for (const tell of listeners)
		tell(value);
}

/** That one is not known, or not wanted, any more; another that came meanwhile stays. */
export function dropToken(value) {
	if (value === text)
		setToken(undefined);
}

export function onToken(tell) {
	listeners.add(tell);
}
