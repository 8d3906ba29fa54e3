// SPDX-License-Identifier: GPL-2.0-or-later
// The REST interface, as parasaus-rest(7) has it.
import { language } from './i18n.js';
import { dropToken, token } from './token.js';

/** An error answer; code is the stable part of it, 'network' where there was none. */
export class ApiError extends Error {
	constructor(status, problem) {
		super(problem.detail || problem.title || String(status));
		this.status = status;
		this.code = problem.code || 'network';
		this.requestId = problem.requestId;
		this.problem = problem;
	}
}

export function target(path, params = {}) {
	const query = new URLSearchParams();

	for (const [name, value] of Object.entries(params))
		if (value !== undefined && value !== null && value !== '')
			query.set(name, value);
	return '/api/v1/' + path + (query.size ? '?' + query : '');
}

async function fetchOnce(url, headers, signal, more, bearer) {
	const proof = bearer ? { Authorization: 'Bearer ' + bearer } : {};

	try {
		return await fetch(url, {
			headers: { 'Accept-Language': language(), ...headers, ...proof },
			cache: 'no-store',
			credentials: 'same-origin', // a client certificate; there are no cookies
			signal,
			...more,
		});
	} catch (e) {
		if (e.name === 'AbortError')
			throw e;
		throw new ApiError(0, { detail: e.message });
	}
}

async function errorOf(answer) {
	return new ApiError(answer.status, await answer.json().catch(() => ({})));
}

/** A token that is not known any more is dropped; what only reads goes on without one, but for pools of a cluster. */
export async function ask(url, headers, signal, more = {}) {
	const bearer = token();
	let answer = await fetchOnce(url, headers, signal, more, bearer);

	if (answer.status === 401 && bearer) {
		const error = await errorOf(answer);

		if (error.code === 'cluster-token-needed') // it may be good for the store all the same
			throw error;
		dropToken(bearer);
		if (more.method || error.code === 'cluster-unauthorized')
			throw error;
		answer = await fetchOnce(url, headers, signal, more, token());
	}
	if (answer.status === 401 && !more.method)
		for (const tell of unknown)
			tell();
	if (!answer.ok)
		throw await errorOf(answer);
	return answer;
}

const unknown = new Set();

/** Calls tell() where a read is refused for not knowing who asks. */
export function onUnknown(tell) {
	unknown.add(tell);
}

export async function get(path, params, signal) {
	return (await getTagged(path, params, signal)).body;
}

/** With the ETag that a change has to name. */
export async function getTagged(path, params, signal) {
	const answer = await ask(target(path, params), { Accept: 'application/json' }, signal);

	return { body: await answer.json(), etag: answer.headers.get('ETag') };
}

/** Who one would be with that token; it is not kept for having been tried. */
export async function whoWith(text) {
	const answer = await fetchOnce(target('whoami'), { Accept: 'application/json' }, undefined, {}, text);

	if (!answer.ok)
		throw await errorOf(answer);
	return answer.json();
}

export const TYPES = { POST: 'application/json', PATCH: 'application/merge-patch+json' };

/** A write: { method, path, body, etag }. `params`: dryRun, reason. */
export async function send({ method, path, body, etag }, params) {
	const headers = { Accept: 'application/json' };

	if (body)
		headers['Content-Type'] = TYPES[method];
	if (etag)
		headers['If-Match'] = etag;
	const answer = await ask(target(path, params), headers, undefined, { method, body: body && JSON.stringify(body) });

	return { body: answer.status === 204 ? {} : await answer.json(), etag: answer.headers.get('ETag') };
}
