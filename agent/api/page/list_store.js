// SPDX-License-Identifier: GPL-2.0-or-later
// A list of the interface, however long: pages of it as they are looked at, all of one picture.
import { get } from './api.js';

const PAGE = 50;
const PAGES_MAX = 24;
const PATCHES_MAX = 5000;

export class ListStore {
	/** Calls changed() whenever there is something new to show. */
	constructor(changed) {
		this.changed = changed;
		this.total = undefined;
		this.loaded = 0; // how often the list was asked for anew and came
		this.clear();
	}

	clear() {
		this.pages = new Map(); // page number to rows; the last used are last
		this.asked = new Map(); // page number to AbortController
		this.patches = new Map();
		this.fresh = new Map(); // those since the list was asked for
		this.range = [0, PAGE - 1];
	}

	/** Another list; what is shown stays until it comes. Begins where row `at` is. */
	open(path, params, at = 0) {
		this.path = path;
		this.params = params;
		this.range = [at, at + PAGE - 1];
		return this.reload();
	}

	/** The same list as it is now. */
	async reload() {
		const first = Math.floor(this.range[0] / PAGE);

		this.stop();
		this.fresh = new Map();
		this.first = new AbortController();
		try {
			this.take(first, await this.fetch(first, 2 * PAGE, undefined, this.first.signal));
		} catch (e) {
			this.fail(e);
		}
	}

	stop() {
		this.first?.abort();
		for (const a of this.asked.values())
			a.abort();
		this.asked.clear();
	}

	fetch(page, limit, snapshot, signal) {
		return get(this.path, { ...this.params, offset: page * PAGE, limit, snapshot }, signal);
	}

	take(first, answer) {
		this.pages = new Map();
		this.patches = this.fresh; // the answer may be older than they are
		for (let i = 0; i < answer.items.length; i += PAGE)
			this.pages.set(first + i / PAGE, answer.items.slice(i, i + PAGE));
		this.total = answer.total;
		this.snapshot = answer.snapshot;
		this.error = undefined;
		this.loaded++;
		this.changed();
	}

	fail(e) {
		if (e.name === 'AbortError')
			return;
		if (e.code === 'snapshot-expired') { // it is kept for a minute
			this.reload();
			return;
		}
		this.error = e;
		this.changed();
	}

	/** The rows that are looked at, from first to last; others are not waited for any more. */
	want(first, last) {
		const from = Math.floor(first / PAGE), to = Math.floor(last / PAGE);

		this.range = [first, last];
		for (const [page, a] of this.asked)
			if (page < from || page > to) {
				a.abort();
				this.asked.delete(page);
			}
		if (this.error)
			return;
		for (let page = from; page <= to && page * PAGE < this.total; page++)
			if (!this.pages.has(page) && !this.asked.has(page))
				this.load(page);
	}

	async load(page) {
		const a = new AbortController();

		this.asked.set(page, a);
		try {
			const answer = await this.fetch(page, PAGE, this.snapshot, a.signal);

			if (a.signal.aborted)
				return;
			this.asked.delete(page);
			this.pages.set(page, answer.items);
			this.forget();
			this.changed();
		} catch (e) {
			this.fail(e);
		}
	}

	forget() {
		const middle = (this.range[0] + this.range[1]) / 2 / PAGE;

		while (this.pages.size > PAGES_MAX) {
			let far;

			for (const page of this.pages.keys())
				if (far === undefined || Math.abs(page - middle) > Math.abs(far - middle))
					far = page;
			this.pages.delete(far);
		}
	}

	/** Undefined: not there yet. */
	rowAt(i) {
		const row = this.pages.get(Math.floor(i / PAGE))?.[i % PAGE];

		return (row && this.patches.get(row.id)) || row;
	}

	/** The row of that id, if it was loaded. */
	find(id) {
		for (const rows of this.pages.values())
			for (const row of rows)
				if (row.id === id)
					return this.patches.get(id) || row;
		return undefined;
	}

	/** What one row has become since the picture was taken; true: it is among those that were loaded. */
	patch(row) {
		if (this.patches.size >= PATCHES_MAX) {
			this.reload();
			return true;
		}
		this.patches.set(row.id, row);
		this.fresh.set(row.id, row);
		for (const rows of this.pages.values())
			if (rows.some((r) => r.id === row.id))
				return true;
		return false;
	}
}
