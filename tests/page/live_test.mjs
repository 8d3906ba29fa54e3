#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// What changes while one looks, and what is told when nothing can be heard of it.
import assert from 'node:assert/strict';
import { closePage, Fixture, openPage, picture, run, startBrowser } from './lib/ground.mjs';
import { names, rowOf, showsCount, text } from './lib/look.mjs';

const WITHIN_MS = 1000;
const SNAKE = 'parasaus/snake-demo-svc4:dcmp-svc4';
const browser = await startBrowser();

async function on(hash, look) {
	const fixture = await Fixture.start();

	try {
		const page = await openPage(browser, fixture, hash);

		await isLive(page);
		await look(page, fixture);
		await closePage(page);
	} finally {
		await fixture.stop();
	}
}

async function isLive(page) {
	await page.waitForFunction(() => document.querySelector('.live')?.textContent.includes('live') &&
		document.querySelector('tr[data-row]'));
}

/** From a change until the page shows it, measured in the page itself. */
async function shownAfter(page, cause, shown, ...args) {
	const begin = Date.now();

	cause();
	await page.waitForFunction(shown, ...args);
	return Date.now() - begin;
}

const tests = [
	async function a_change_is_seen_within_a_second() {
		await on('#/pools', async (page, fixture) => {
			const is = ([name, health]) => [...document.querySelectorAll('tr[data-row]')].some((r) =>
				r.querySelector('.name')?.textContent === name && r.querySelector('.c-health').textContent.includes(health));

			await page.waitForFunction(is, [SNAKE, 'degraded']);
			assert.ok(await shownAfter(page, () => fixture.do('d'), is, [SNAKE, 'down']) < WITHIN_MS);
			assert.ok(await shownAfter(page, () => fixture.do('u'), is, [SNAKE, 'degraded']) < WITHIN_MS);
		});
	},
	async function an_open_pool_shows_its_members_change() {
		await on('#/pools?open=parasaus.snake-demo-svc4.dcmp-svc4-tcp', async (page, fixture) => {
			const down = () => document.querySelectorAll('.members .b-down').length;

			await page.waitForFunction(() => document.querySelectorAll('.members .b-down').length === 1);
			assert.ok(await shownAfter(page, () => fixture.do('d'),
				() => document.querySelectorAll('.members .b-down').length === 2) < WITHIN_MS);
			assert.equal(await page.evaluate(down), 2);
		});
	},
	async function rows_stay_where_they_are_until_one_asks() {
		await on('#/pools?sort=health', async (page, fixture) => {
			const before = await names(page);

			fixture.do('d');
			await page.getByRole('button', { name: '1 changed – refresh' }).waitFor();
			assert.match(await rowOf(page, SNAKE).innerText(), /down/);
			assert.deepEqual(await names(page), before);
			await page.getByRole('button', { name: '1 changed – refresh' }).click();
			await page.waitForFunction((was) => document.querySelector('tr[data-row="2"] .name').textContent !== was, before[2]);
			assert.ok((await names(page)).indexOf(SNAKE) < before.indexOf(SNAKE));
			assert.equal(await page.locator('.news').count(), 0);
		});
	},
	async function what_changes_while_a_list_is_on_its_way_is_not_lost() {
		await on('#/pools', async (page, fixture) => {
			const isDown = (name) => [...document.querySelectorAll('tr[data-row]')].some((r) =>
				r.querySelector('.name')?.textContent === name && r.querySelector('.c-health').textContent.includes('down'));

			await page.route('**/api/v1/pools?*', async (route) => {
				const old = await route.fetch();

				fixture.do('d');
				await page.waitForFunction(isDown, SNAKE);
				await route.fulfill({ response: old, json: { ...await old.json(), total: 5 } });
			}, { times: 1 });
			await page.keyboard.press('r');
			await showsCount(page, '5 of 6'); // the one that was held back
			assert.ok(await page.evaluate(isDown, SNAKE));
		});
	},
	async function a_pool_that_is_gone_is_struck_out_and_then_left_out() {
		await on('#/pools', async (page, fixture) => {
			fixture.do('x');
			await page.waitForSelector('tr.gone');
			assert.match(await text(page, 'tr.gone'), /default\/dns:dns.*gone/s);
			await page.locator('.news').click();
			await showsCount(page, '5 of 5');
			assert.ok(!(await names(page)).includes('default/dns:dns'));
		});
	},
	async function events_come_as_they_happen() {
		await on('#/pools', async (page, fixture) => {
			await page.getByRole('link', { name: 'Events' }).click();
			await page.getByText('Nothing has happened').waitFor();
			fixture.do('d');
			await page.waitForFunction(() => document.querySelectorAll('tr[data-row]').length === 2);
			assert.match(await text(page, 'tbody'), /10\.100\.1\.53:8090/);
			await page.getByRole('button', { name: 'pool', exact: true }).click();
			await showsCount(page, '1 in all');
			assert.match(await text(page, 'tbody'), /parasaus\.snake-demo-svc4\.dcmp-svc4-tcp.*degraded.*→.*down/s);
			await picture(page, 'events-light-en');
			await page.locator('tbody a').click();
			await page.waitForSelector('.members tbody tr');
		});
	},
	async function without_a_stream_it_asks_now_and_then() {
		await on('#/pools', async (page, fixture) => {
			page.allowed.push(/net::ERR_/);
			await page.route('**/api/v1/watch*', (route) => route.abort());
			await page.evaluate(() => { // the stream that is open ends as if the network took it
				Object.defineProperty(document, 'hidden', { value: true, configurable: true });
				document.dispatchEvent(new Event('visibilitychange'));
				delete document.hidden;
				document.dispatchEvent(new Event('visibilitychange'));
			});
			await page.getByText('asking every 5 s, stream lost').waitFor();
			fixture.do('d');
			await page.waitForFunction((name) => [...document.querySelectorAll('tr[data-row]')].some((r) =>
				r.querySelector('.name')?.textContent === name && r.querySelector('.c-health').textContent.includes('down')), SNAKE);
			await page.unroute('**/api/v1/watch*');
			await isLive(page);
		});
	},
	async function an_agent_that_is_gone_leaves_the_page_saying_since_when() {
		const fixture = await Fixture.start();
		const page = await openPage(browser, fixture);

		page.allowed.push(/net::ERR_/, /Failed to load resource/);
		await isLive(page);
		await fixture.stop();
		await page.getByText(/^. stale since \d/).waitFor();
		assert.equal((await names(page)).length, 6); // what was known is still there
		await picture(page, 'stale-light-en');
		await closePage(page);
	},
];

await run(tests);
await browser.close();
