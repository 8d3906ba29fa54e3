// SPDX-License-Identifier: GPL-2.0-or-later
// Words in the reader's language. Words of the interface itself (ids, commands) are never translated.
import en from './words_en.js';
import zh from './words_zh.js';

const ALL = { en, 'zh-CN': zh };
let current = 'en';

export const LANGUAGES = Object.keys(ALL);

/** What is asked for, else what the browser prefers, else English. */
export function chooseLanguage(...wanted) {
	for (const w of [...wanted, ...navigator.languages]) {
		if (ALL[w])
			return w;
		if (/^zh\b/i.test(w || ''))
			return 'zh-CN';
		if (/^en\b/i.test(w || ''))
			return 'en';
	}
	return 'en';
}

export function setLanguage(l) {
	current = l;
	document.documentElement.lang = l;
}

export function language() {
	return current;
}

/** The text of a key, {name} replaced; numbers are written as the language does. */
export function t(key, values = {}) {
	const text = ALL[current][key] ?? en[key] ?? key;

	return text.replace(/\{(\w+)\}/g, (all, name) => {
		const v = values[name];

		return v === undefined ? all : typeof v === 'number' ? number(v) : v;
	});
}

/** The same for a word of the interface, itself where there is no text for it. */
export function word(group, raw) {
	return ALL[current][group + '.' + raw] ?? en[group + '.' + raw] ?? raw;
}

/** Both languages group by threes with commas; Intl, which knows of others, takes longer to begin than all the rest. */
export function number(n) {
	return Number.isInteger(n) ? String(n).replace(/\B(?=(\d{3})+$)/g, ',') : n.toLocaleString(current);
}

const TIME = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' };
const clocks = {}; // one a language: to make one takes a hundred times what its use does

export function time(iso) {
	if (!iso)
		return '';
	clocks[current] ??= new Intl.DateTimeFormat(current, TIME);
	return clocks[current].format(new Date(iso));
}

/** A latency, in milliseconds with two decimals at most. */
export function microseconds(us) {
	return t('unit.ms', { n: Math.round(us / 10) / 100 });
}

const UNITS = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];

/** "3 h 20 min": two units at most, the largest first. */
export function duration(seconds) {
	const parts = [];
	let left = Math.max(0, Math.floor(seconds));

	for (const [unit, size] of UNITS) {
		const n = Math.floor(left / size);

		left -= n * size;
		if (n)
			parts.push(t('unit.' + unit, { n }));
		if (parts.length === 2 || (parts.length && !n))
			break;
	}
	return parts.join(' ') || t('unit.s', { n: 0 });
}

export function age(iso) {
	return iso ? duration((Date.now() - Date.parse(iso)) / 1000) : '–';
}
