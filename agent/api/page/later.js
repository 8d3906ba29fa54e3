// SPDX-License-Identifier: GPL-2.0-or-later
// What the first look does not need comes after it, each when the browser has nothing else to do, or once it is
// to be seen: so that what is needed is sooner there, and no task of the page is a long one.
import { Component, html } from './html.js';
import { t } from './i18n.js';
import { failure } from './notes.js';

const IDLE_MS = 2000; // the longest that one waits for its turn
const all = [];

/** A component in whose place nothing is until load() has its module; `name` is what it is called there. */
export function later(load, name) {
	let there, coming;
	const get = () => coming ??= load().then((module) => { there = module[name]; }, () => {
		coming = undefined; // the agent may be there again
		throw new Error(t('later.failed'));
	});

	all.push(get);
	return class extends Component {
		componentDidMount() {
			this.load();
		}

		/** `again`: somebody asked for it, who is not to be answered by what began before. */
		load(again) {
			if (!there)
				(again ? get().catch(get) : get()).then(() => this.setState({ error: undefined }), (error) => this.setState({ error }));
		}

		render(props, { error }) {
			if (there)
				return html`<${there} ...${props} />`;
			return error && failure(error, () => this.load(true));
		}
	};
}

function idle() {
	return new Promise((done) => window.requestIdleCallback ? requestIdleCallback(done, { timeout: IDLE_MS }) : setTimeout(done));
}

/** What is called however often is done once, that long after the first call; stop() forgets it. */
export function soon(fn, ms) {
	let timer;
	const call = () => {
		timer ??= setTimeout(() => {
			timer = undefined;
			fn();
		}, ms);
	};

	call.stop = () => clearTimeout(timer);
	return call;
}

/** One after the other; what cannot be had now is asked for again where it is to be seen. */
export async function loadAll() {
	for (const get of all) {
		await idle();
		await get().catch(() => {});
	}
}
