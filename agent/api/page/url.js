// SPDX-License-Identifier: GPL-2.0-or-later
// The whole of what is shown is in the URL, after the hash: #/pools?q=web&health=down.

const VIEWS = ['pools', 'problems', 'events', 'addresses', 'agent', 'record', 'kernel'];
const NAMES = ['q', 'sort', 'health', 'vip', 'protocol', 'check', 'namespace', 'source', 'severity', 'type',
	'user', 'action', 'pool', 'name', 'result', 'since', 'until', 'open', 'at', 'lang', 'theme'];

/** A hash as { view, params }; what is unknown is left out. */
export function parseHash(hash) {
	const [path, query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
	const given = new URLSearchParams(query);
	const params = {};

	for (const name of NAMES)
		if (given.get(name))
			params[name] = given.get(name);
	return { view: VIEWS.includes(path) ? path : VIEWS[0], params };
}

/** The other way round; an empty parameter is none. */
export function makeHash(view, params) {
	const query = new URLSearchParams();

	for (const name of NAMES)
		if (params[name])
			query.set(name, params[name]);
	return '#/' + view + (query.size ? '?' + query : '');
}

/** Language and theme stay as they are when one goes elsewhere. */
export function kept(params) {
	return { lang: params.lang, theme: params.theme };
}

export function setHash(view, params, push) {
	const hash = makeHash(view, params);

	if (hash !== location.hash)
		history[push ? 'pushState' : 'replaceState'](null, '', hash);
}
