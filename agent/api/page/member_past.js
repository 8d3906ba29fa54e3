// SPDX-License-Identifier: GPL-2.0-or-later
// Which operations on a pool touched which of its members. The interface keeps the past by documents; what a
// document was before and after says which members came, went or got another weight. Of each pool the last
// PAST_MAX operations are looked at: what is older is not told.
import { get } from './api.js';
import { endpoint } from './spec.js';

export const PAST_MAX = 40;
const AT_ONCE = 5;
const KEPT = 20; // pools whose past is remembered
const kept = new Map();

function key(address, port) {
	return endpoint({ address, port: port ?? 0 });
}

function weightsOf(doc) {
	const text = doc.metadata?.annotations?.['parasaus.io/weights'] || '';

	return new Map(text.split(',').map((x) => x.trim().split('=')).filter(([at, w]) => at && w).map(([at, w]) =>
		[/^\[.*\]$|^[0-9.]+$/.test(at) ? at.replace(/[[\]]/g, '') : at, w]));
}

function placesOf(doc) {
	const sets = (doc.subsets || []).map((s) => [[...s.addresses || [], ...s.notReadyAddresses || []].map((a) => a.ip), s.ports])
		.concat([[(doc.endpoints || []).flatMap((x) => x.addresses || []), doc.ports]]);

	return sets.flatMap(([ips, ports]) => ips.flatMap((ip) => (ports || []).map((p) => [ip, p.port])));
}

/** What a document says of each member: { "ip:port": weight, or '' where it has none }. */
function saidOf(doc) {
	const weights = weightsOf(doc || {}), said = new Map();

	for (const [ip, port] of placesOf(doc || {}))
		said.set(key(ip, port), weights.get(key(ip, port)) ?? weights.get(ip) ?? '');
	for (const [at, w] of weights) // weights may stand at the Service, without the members
		if (!said.has(at))
			said.set(at, w);
	return said;
}

/** "ip:port" of those that an operation did something to, "ip" where all ports of it were meant. */
export function touched({ beforeObject, afterObject }) {
	const a = saidOf(beforeObject), b = saidOf(afterObject);

	return new Set([...a.keys(), ...b.keys()].filter((at) => a.get(at) !== b.get(at)));
}

/** One after the other, whoever asks: what was seen stays in its order. */
function look(past) {
	past.turn = past.turn.then(async () => {
		const some = past.rest.splice(0, AT_ONCE);

		for (const one of await Promise.all(some.map((o) => get('operations/' + o.id))))
			past.seen.push({ ...one, touched: touched(one) });
	});
	past.turn.catch(() => kept.delete(past.name));
	return past.turn;
}

function pastOf(id, revision) {
	const name = id + '@' + revision, known = kept.get(name);

	if (known)
		return known;
	const made = get('operations', { pool: id, result: 'ok', limit: PAST_MAX }).then(({ items }) =>
		({ name, rest: [...items], seen: [], turn: Promise.resolve() }));

	kept.set(name, made);
	made.catch(() => kept.delete(name));
	if (kept.size > KEPT)
		kept.delete(kept.keys().next().value);
	return made;
}

export function concerns(operation, member) {
	return operation.touched.has(endpoint(member)) || operation.touched.has(member.address);
}

/** All operations that concern one member, the newest first. */
export async function memberPast(pool, member) {
	const past = await pastOf(pool.id, pool.revision);

	while (past.rest.length)
		await look(past);
	return past.seen.filter((o) => concerns(o, member));
}

/** The last operation of each of these members, as far back as needed: { "ip:port": operation }. */
export async function lastOperations(pool, members) {
	const past = await pastOf(pool.id, pool.revision);
	const last = (m) => past.seen.find((o) => concerns(o, m));

	while (past.rest.length && !members.every(last))
		await look(past);
	return Object.fromEntries(members.map((m) => [endpoint(m), last(m)]));
}
