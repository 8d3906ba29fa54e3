// SPDX-License-Identifier: GPL-2.0-or-later
// The REST interface, as parasaus-rest(7) has it.
import { language } from './i18n.js';

/** An error answer; code is the stable part of it, 'network' where there was none. */
export class ApiError extends Error {
	constructor(status, problem) {
		super(problem.detail || problem.title || String(status));
		this.status = status;
		this.code = problem.code || 'network';
		this.requestId = problem.requestId;
	}
}

export function target(path, params = {}) {
	const query = new URLSearchParams();

	for (const [name, value] of Object.entries(params))
		if (value !== undefined && value !== null && value !== '')
			query.set(name, value);
	return '/api/v1/' + path + (query.size ? '?' + query : '');
}

export async function ask(url, headers, signal) {
	let answer;

	try {
		answer = await fetch(url, {
			headers: { 'Accept-Language': language(), ...headers },
			cache: 'no-store',
			credentials: 'omit',
			signal,
		});
	} catch (e) {
		if (e.name === 'AbortError')
			throw e;
		throw new ApiError(0, { detail: e.message });
	}
	if (!answer.ok)
		throw new ApiError(answer.status, await answer.json().catch(() => ({})));
	return answer;
}

export async function get(path, params, signal) {
	const answer = await ask(target(path, params), { Accept: 'application/json' }, signal);

	return answer.json();
}
