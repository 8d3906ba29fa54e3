// SPDX-License-Identifier: GPL-2.0-or-later
// Members as people write, paste and keep them: "10.0.0.1:80 5" a line, or cells of a spreadsheet.
import { t } from './i18n.js';
import { endpoint } from './spec.js';

const PORT_MAX = 65535;
export const WEIGHT_MAX = 65535;

/** Its canonical text, so that the same address twice is seen; undefined: it is none. */
function addressOf(text) {
	if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text))
		return text.split('.').every((n) => Number(n) < 256 && String(Number(n)) === n) ? text : undefined;
	if (!/^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text))
		return undefined;
	try {
		return new URL(`http://[${text}]/`).hostname.slice(1, -1);
	} catch {
		return undefined;
	}
}

function numberOf(text, max) {
	return /^\d{1,5}$/.test(text) && Number(text) <= max ? Number(text) : undefined;
}

function endpointOf(word) {
	const [, v6, v4, port] = /^(?:\[(.*)\]|([\d.]+)):(\d+)$/.exec(word) || [];
	const address = addressOf(v6 ?? v4 ?? ''), n = numberOf(port || '', PORT_MAX);

	return address && n ? { address, port: n } : undefined;
}

/** One line, which may name several; { members } or { wrong }: why not. */
function readLine(line) {
	const members = [];
	let last, address; // an address waits for the port in the next cell

	for (const word of line.split(/[\s,;=]+/).filter(Boolean)) {
		const whole = endpointOf(word), port = address && numberOf(word, PORT_MAX), weight = numberOf(word, WEIGHT_MAX);

		if (address && !port) {
			return { wrong: t('members.no.port', { text: address }) };
		} else if (address || whole) {
			last = whole || { address, port };
			address = undefined;
			members.push(last);
		} else if (last && last.weight === undefined && weight !== undefined) {
			last.weight = weight;
		} else {
			address = addressOf(word);
			if (!address)
				return { wrong: t(last && /^\d+$/.test(word) ? 'members.no.weight' : 'members.no.endpoint', { text: word, max: String(WEIGHT_MAX) }) };
		}
	}
	return address ? { wrong: t('members.no.port', { text: address }) } : { members };
}

/** { members [{ address, port, weight (where it is said) }], errors [{ line, text }] }. */
export function readMembers(text) {
	const members = [], errors = [], seen = new Map();

	for (const [i, line] of text.split('\n').entries()) {
		const { members: some = [], wrong } = readLine(line), twice = some.find((m) => seen.has(endpoint(m)));

		if (wrong || twice)
			errors.push({ line: i + 1, text: wrong || t('members.twice', { text: endpoint(twice), n: seen.get(endpoint(twice)) }) });
		for (const m of some)
			seen.set(endpoint(m), i + 1);
		members.push(...some);
	}
	return { members, errors };
}

/** The other way round, one a line. */
export function writeMembers(members) {
	return members.map((m) => endpoint(m) + (m.weight === undefined || m.weight === null ? '' : ' ' + m.weight)).join('\n');
}
