// SPDX-License-Identifier: GPL-2.0-or-later
// A pool of the store as it can be edited: what is asked of the interface for it, and what makes it up.
import { get, getTagged } from './api.js';

/** The types of check there are. */
export const CHECKS = ['tcp', 'tcp-full', 'http', 'grpc', 'https', 'mysql', 'redis', 'postgresql', 'dns', 'udp', 'none'];

export function poolPath(id, more = '') {
	return 'pools/' + encodeURIComponent(id) + more;
}

/** { spec, etag } as it is now. */
export async function loadSpec(id) {
	const { body, etag } = await getTagged(poolPath(id, '/spec'));

	return { spec: body, etag: etag || `"r${body.revision}"` };
}

export function endpoint({ address, port }) {
	return (address.includes(':') ? `[${address}]` : address) + ':' + port;
}

/** Its settings but for the weights of single members, which stand at these. */
export function settingsOf(spec) {
	const { weights, ...settings } = spec.settings;

	return settings;
}

/** All that can be said of it, each by its name: what two people can be of two minds about. */
export function flat(spec) {
	const out = {};

	if (!spec)
		return out;
	out.port = String(spec.port ?? '');
	for (const [key, v] of Object.entries(settingsOf(spec)))
		out['settings.' + key] = v;
	for (const m of spec.members)
		out['members.' + endpoint(m)] = m.weight === null || m.weight === undefined ? '·' : String(m.weight);
	return out;
}

/** The same items with the documents as they are, for a difference to show what was. */
export async function withBefore(items) {
	return Promise.all(items.map(async (x) => {
		if (!x.namespace || !x.diff?.length || x.diff.every((d) => d.op === 'add'))
			return x;
		try {
			const kind = x.kind.toLowerCase().replace(/service$|slice$/, '$&s');

			return { ...x, after: x.object ?? undefined, before: await get(`namespaces/${x.namespace}/${kind}/${encodeURIComponent(x.name)}`) };
		} catch {
			return x; // gone meanwhile, say: then without it
		}
	}));
}
