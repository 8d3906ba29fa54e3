// SPDX-License-Identifier: GPL-2.0-or-later
// How long things take as one sees them, with the frame in which they are painted.
import { PATIENCE_MS } from './ground.mjs';

export function nodes(page) {
	return page.evaluate(() => document.querySelectorAll('*').length);
}

/** Says median and worst, and gives the median. */
export function tell(what, numbers) {
	const sorted = [...numbers].sort((a, b) => a - b);

	console.log(`# ${what}: median ${sorted[sorted.length >> 1].toFixed(0)} ms, worst ${sorted.at(-1).toFixed(0)} ms of ${sorted.length}`);
	return sorted[sorted.length >> 1];
}

/** Waits in the page until the row is painted that begins with that name. */
export function rowShown(page, row, name) {
	return page.waitForFunction(([r, n]) =>
		document.querySelector(`tr[data-row="${r}"] .name`)?.textContent === n, [row, name]);
}

/** Does something in the page; how long until its count or first port is that, in ms, one frame included. */
export function timed(page, act, shown, args) {
	return page.evaluate(([doIt, isIt, patience, given]) => new Promise((done, fail) => {
		const begin = performance.now(), is = new Function('a', 'return (' + isIt + ')(a)');
		const look = () => {
			const took = performance.now() - begin;

			if (is(given))
				requestAnimationFrame(() => done(performance.now() - begin));
			else if (took > patience)
				fail(new Error('not seen: ' + JSON.stringify(given)));
			else
				requestAnimationFrame(look);
		};

		new Function('a', '(' + doIt + ')(a)')(given);
		look();
	}), [String(act), String(shown), PATIENCE_MS, args]);
}

export function type(page, q, count) {
	return timed(page, (a) => {
		const input = document.getElementById('search');

		input.value = a.q;
		input.dispatchEvent(new Event('input', { bubbles: true }));
	}, (a) => document.querySelector('.count').textContent === a.count, { q, count });
}

/** Of a context, before its page is loaded: what keeps the page from answering for more than 50 ms is kept. */
export function watchLongTasks(context) {
	return context.addInitScript(() => {
		window.longTasks = [];
		new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((e) =>
			({ at: Math.round(e.startTime), took: e.duration })))).observe({ type: 'longtask', buffered: true });
	});
}

export function longTasks(page) {
	return page.evaluate(() => window.longTasks);
}

/** How long requests of lists took, in ms, from their start to the last byte; not those that were given up. */
export function listRequests(page) {
	return page.evaluate(() => performance.getEntriesByType('resource').filter((e) => e.requestStart && /\/api\/v1\/pools(\?|$)/.test(e.name))
		.map((e) => e.responseEnd - e.requestStart));
}

export function firstPaint(page) {
	return page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime);
}
