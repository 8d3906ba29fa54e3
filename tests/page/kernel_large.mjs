#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// 35,000 pools of 10 members in the kernel, one of them checked, and the page over them: tests/bench/page.sh.
// Where the kernel is a guest's that is emulated, all but the browser's own time is many times what it is.
//
//   POOLS=N     how many (35000)
//   CHANGES=N   writes that are timed (300)
import assert from 'node:assert/strict';
import { closePage, Fixture, openPage, picture, run, startBrowser } from './lib/ground.mjs';
import { showsCount } from './lib/look.mjs';
import { firstPaint, listRequests, longTasks, nodes, rowShown, tell, type, watchLongTasks } from './lib/measure.mjs';

const POOLS = Number(process.env.POOLS || 35000), CHANGES = Number(process.env.CHANGES || 300);
const MEMBERS = 10, NODES_MAX = 1500, DEATHS = 5, SHOWN_MS = 1000;
const WEB = 'shop.web.http-tcp', FIRST = '10.100.1.11-8080';

process.env.GUEST_TIMEOUT ??= '3000';
const fixture = await Fixture.startKernel();
const browser = await startBrowser();
const all = POOLS.toLocaleString('en');
const pool = (n) => `fill/pool-${String(n).padStart(5, '0')}:http`;
const api = (path) => fetch(fixture.url + 'api/v1/' + path).then((r) => r.json());

async function open(hash) {
	const page = await openPage(browser, fixture, hash, { before: watchLongTasks });

	await page.waitForSelector('tr[data-row] .name');
	return page;
}

/** Each line of that program as a comment. */
async function show(command) {
	console.log(`# ${(await fixture.tell(command)).replaceAll('\n', '\n# ')}`);
}

/** How much later the agent's clock is than ours, in ms: the answer that came soonest tells best. */
async function clockOffset() {
	let best;

	for (let i = 0; i < 10; i++) {
		const begin = Date.now(), there = Number(await fixture.tell('date +%s%3N')), end = Date.now();

		if (!best || end - begin < best.took)
			best = { took: end - begin, offset: there - (begin + end) / 2 };
	}
	return best.offset;
}

async function memberIs(state) {
	for (;;) {
		const { items } = await api(`pools/${WEB}/members`), m = items.find((x) => x.id === FIRST);

		if (m.state === state)
			return Date.parse(m.since);
	}
}

function shows(page, state) {
	return page.waitForFunction(([id, s]) => document.querySelector(`tr[data-member="${id}"] .m-state`)?.textContent.includes(s),
		[FIRST, state], { polling: 'raf' });
}

/** From the death of the member's server, and from when the agent found out, to its row in the page. */
async function death(page, offset) {
	await shows(page, 'up');
	await page.evaluate(([id]) => {
		window.seen = new Promise((done) => {
			const look = () => document.querySelector(`tr[data-member="${id}"] .m-state`)?.textContent.includes('down')
				? requestAnimationFrame(() => done(Date.now())) : requestAnimationFrame(look);

			look();
		});
	}, [FIRST]);
	const killed = Date.now();

	await fixture.tell('server_kill s1');
	const seen = await page.evaluate(() => window.seen), found = await memberIs('down');

	await fixture.tell('server_start s1 10.100.1.11:8080');
	return { fromKill: seen - killed, fromFound: seen - (found - offset) };
}

await run([
	async function they_are_written_and_in_the_kernel() {
		await show(`"$project/tests/bench/rest_writes" "$run/api.sock" ${POOLS - 1} ${MEMBERS} ${CHANGES}`);
		await fixture.tell('ctl token create bench >"$run/token"');
		await fixture.tell(`ask -f -o /dev/null -X POST -H "Authorization: Bearer $(cat "$run/token")" -H 'Content-Type: application/json' ` +
			`-d '{"namespace": "shop", "name": "web", "portName": "http", "members": [{"address": "10.100.1.11", "port": 8080}, ` +
			`{"address": "10.100.1.12", "port": 8080}]}' http://127.0.0.1:9090/api/v1/pools`);
		await fixture.tell('ctl wait --synced --timeout 1200');
		assert.equal(await fixture.tell('kernel | grep -c ^TCP'), String(POOLS));
		assert.equal(await fixture.tell('kernel | grep -c "^  -> [0-9]"'), String((POOLS - 1) * MEMBERS + 2));
	},
	async function writes_are_timed_with_all_of_them_in_the_kernel() {
		await show(`"$project/tests/bench/rest_writes" --there "$run/api.sock" ${POOLS - 1} ${MEMBERS} ${CHANGES}`);
	},
	async function lists_are_asked_for() {
		const took = [];

		for (let i = 0; i < 20; i++) {
			const begin = performance.now();

			await api(`pools?limit=200&offset=${i * 1000}`);
			took.push(performance.now() - begin);
		}
		tell('a page of 200 pools, from its request to its last byte', took);
	},
	async function the_page_is_opened_searched_and_scrolled() {
		const rows = [], paint = [], keys = [], lists = [], long = [], loading = [];
		let most = 0;

		for (let i = 0; i < 5; i++) {
			const page = await open('');

			rows.push(await page.evaluate(() => performance.now()));
			paint.push(await firstPaint(page));
			await showsCount(page, `${all} of ${all}`);
			loading.push(...await longTasks(page));
			const before = (await longTasks(page)).length;

			for (let k = 0; k < 4; k++) {
				const n = ((i * 4 + k) * 7919) % (POOLS - 1);

				await type(page, '', `${all} of ${all}`);
				keys.push(await type(page, 'pool-' + String(n).padStart(5, '0'), `1 of ${all}`));
				await rowShown(page, 0, pool(n));
			}
			await type(page, '', `${all} of ${all}`);
			for (let k = 0; k < 20; k++) {
				await page.mouse.move(700, 500);
				await page.mouse.wheel(0, 3000);
			}
			await page.waitForFunction(() => document.querySelector('.scroller').scrollTop > 50000 && !document.querySelector('tr.absent'));
			most = Math.max(most, await nodes(page));
			lists.push(...await listRequests(page));
			long.push(...(await longTasks(page)).slice(before));
			if (i === 0)
				await picture(page, 'kernel-large-light-en');
			await closePage(page);
		}
		tell('first paint', paint);
		tell('from an empty cache to the first rows', rows);
		tell('from a keystroke to its result', keys);
		tell('a request of the list by the page', lists);
		console.log(`# nodes: ${most}`);
		for (const [what, tasks] of [['while it loads', loading], ['later', long]])
			console.log(`# tasks longer than 50 ms ${what}: ${tasks.length}, worst ${Math.max(0, ...tasks.map((t) => t.took)).toFixed(0)} ms`);
		assert.ok(most < NODES_MAX);
	},
	async function a_member_that_dies_is_seen_at_once() {
		const page = await open(`#/pools?q=shop&open=${WEB}`), offset = await clockOffset(), kill = [], found = [];

		await page.waitForFunction(() => document.querySelector('.live')?.textContent.includes('live'));
		for (let i = 0; i < DEATHS; i++) {
			const d = await death(page, offset);

			kill.push(d.fromKill);
			found.push(d.fromFound);
		}
		tell('from the death of a server to its row in the page', kill);
		assert.ok(tell('from when the agent found out', found) < SHOWN_MS);
		await picture(page, 'kernel-large-down-light-en');
		await closePage(page);
	},
]);
await browser.close();
await fixture.stop();
