// SPDX-License-Identifier: GPL-2.0-or-later
// What changes, as it changes: the stream of /api/v1/watch, and asking now and then while there is none.
import { ask, get, target } from './api.js';

const POLL_MS = 5000;
const SILENCE_MS = 40000; // the server says something every 15 s
const GATHER_MS = 100;

/** Calls change(frames) with what came, reset() when lists must be asked for anew, state(name, since). */
export class Live {
	constructor({ change, reset, state }) {
		this.on = { change, reset, state };
		this.frames = [];
		this.failures = 0;
		this.heard = Date.now();
		document.addEventListener('visibilitychange', () => this.look());
	}

	start() {
		this.say('connecting');
		this.run();
	}

	/** A page that nobody sees needs no stream: there are few of them to have. */
	look() {
		this.wake?.();
		if (document.hidden)
			this.abort?.abort();
	}

	say(name) {
		if (name !== this.name || name === 'stale')
			this.on.state(name, this.heard);
		this.name = name;
	}

	async run() {
		for (;;) {
			if (!document.hidden)
				await this.stream().catch(() => {});
			clearTimeout(this.silence);
			this.failures++;
			await this.bridge();
		}
	}

	/** Until the stream may be tried again. */
	async bridge() {
		const wait = Math.min(500 * 2 ** this.failures, POLL_MS);

		if (this.name !== 'polling' && this.name !== 'stale')
			this.say('reconnecting');
		if (this.failures > 1 && !document.hidden)
			await this.poll();
		await new Promise((done) => {
			this.wake = done;
			if (!document.hidden)
				setTimeout(done, wait);
		});
	}

	async poll() {
		try {
			const { snapshot } = await get('counts');

			this.heard = Date.now();
			if (this.snapshot !== snapshot)
				this.on.reset();
			this.snapshot = snapshot;
			this.say('polling');
		} catch {
			this.say('stale');
		}
	}

	async stream() {
		this.abort = new AbortController();
		const headers = { Accept: 'text/event-stream' };

		this.goesOn = !!this.last;
		if (this.last)
			headers['Last-Event-ID'] = this.last;
		const answer = await ask(target('watch', { resources: 'pools' }), headers, this.abort.signal);
		const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
		let text = '';

		for (;;) {
			this.listen();
			const { value, done } = await reader.read();

			if (done)
				return;
			const parts = (text + value).split('\n\n');

			text = parts.pop();
			this.heard = Date.now();
			for (const part of parts)
				this.frame(part);
		}
	}

	/** A stream that says nothing for too long is none. */
	listen() {
		clearTimeout(this.silence);
		this.silence = setTimeout(() => this.abort.abort(), SILENCE_MS);
	}

	frame(text) {
		const f = {};

		for (const line of text.split('\n')) {
			const at = line.indexOf(': ');

			if (at > 0)
				f[line.slice(0, at)] = line.slice(at + 2);
		}
		if (f.id)
			this.last = f.id;
		if (f.event === 'bookmark')
			this.begin();
		else if (f.event === 'reset')
			this.on.reset();
		else if (f.event)
			this.gather({ event: f.event, data: JSON.parse(f.data) });
	}

	/** What was asked for before may be older than the first frame, if the stream does not go on from another. */
	begin() {
		if (!this.goesOn || this.failures > 1)
			this.on.reset();
		this.failures = 0;
		this.say('live');
	}

	/** Many at a time are one change of the page. */
	gather(frame) {
		this.frames.push(frame);
		this.gathering ??= setTimeout(() => {
			const all = this.frames;

			this.frames = [];
			this.gathering = undefined;
			this.on.change(all);
		}, GATHER_MS);
	}
}
