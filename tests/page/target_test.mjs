#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// From a member to what its probes find, over the whole of core and a prober that finds what it is told to.
import assert from 'node:assert/strict';
import { axe, closePage, Fixture, openPage, picture, run, startBrowser } from './lib/ground.mjs';
import { rowOf, text } from './lib/look.mjs';

const fixture = await Fixture.startCore();
const browser = await startBrowser();
const token = fixture.token('alice');
const POOLS = { web: 'default.web.x-tcp', api: 'default.api.x-tcp', idle: 'default.idle.x-tcp' };

async function add(name, settings) {
	const answer = await fetch(fixture.url + 'api/v1/pools', { method: 'POST',
		headers: { 'Content-Type': 'application/json', Authorization: 'Bearer ' + token },
		body: JSON.stringify({ name, portName: 'x', settings, members: [{ address: '10.1.0.1', port: 80 }, { address: '10.1.0.2', port: 80 }] }) });

	assert.equal(answer.status, 201);
}

const http = { 'health-check-type': 'http', 'health-check-path': '/healthz' };

await add('web', http);
await add('api', http);
await add('idle', { 'health-check-type': 'none' });

async function openMembers(page, name) {
	await rowOf(page, `default/${name}:x`).locator('.expand').click();
	await page.waitForSelector('.members tbody tr');
}

/** The dialog of a member of the pool `web`. */
async function openTarget(hash = '#/pools', label = 'http check of 10.1.0.1:80') {
	const page = await openPage(browser, fixture, hash);

	await page.waitForSelector('tr[data-row="2"] .name');
	await openMembers(page, 'web');
	await page.getByRole('button', { name: label }).click();
	await page.locator('dialog .found').waitFor();
	return page;
}

async function on(look, ...args) {
	const page = await openTarget(...args);

	await look(page);
	await closePage(page);
}

const found = (page, said) => page.locator('dialog .found', { hasText: said }).waitFor();
const changes = (page) => page.locator('dialog table').first().locator('tbody tr');

await run([
	async function a_member_leads_to_what_its_probes_find() {
		fixture.do('d');
		await on(async (page) => {
			await found(page, 'GET http://10.1.0.1:80/healthz answered 503 after 3.0 ms; 200-399 is expected');
			await page.getByText('It answered with an HTTP status that the check does not expect').waitFor();
			assert.match(await text(page, 'dialog .t-state'), /down/);
			assert.match(await text(page, 'dialog .t-ok'), /^127$/);
			assert.match(await text(page, 'dialog .t-failed'), /^24$/);
			assert.match(await text(page, 'dialog .t-latency'), /^0\.41 ms$/);
			assert.match(await text(page, 'dialog .t-streak'), /1 of 2 successes in a row that bring it up/);
			assert.match(await text(page, 'dialog .t-next'), /500 ms/);
			assert.match(await text(page, 'dialog .t-check'), /http \/healthz 200-399/);
			await picture(page, 'target-down-light-en');
		});
	},
	async function one_that_flaps_says_for_how_long_it_is_held() {
		await on(async (page) => {
			await found(page, 'answered 503');
			assert.equal(await page.locator('dialog .t-flaps').count(), 0);
			fixture.do('f');
			await page.locator('dialog .t-flaps', { hasText: /3 in a row: held down for .* more/ }).waitFor();
			fixture.do('d');
			await page.locator('dialog .t-flaps').waitFor({ state: 'detached' });
		});
	},
	async function its_changes_come_as_they_happen() {
		await on(async (page) => {
			await found(page, 'answered 503');
			const before = await changes(page).count();

			fixture.do('u');
			await found(page, 'GET http://10.1.0.1:80/healthz answered as it should after 3.0 ms');
			await page.locator('dialog .t-state', { hasText: 'up' }).waitFor();
			assert.equal(await changes(page).count(), before + 1);
			assert.match(await changes(page).first().innerText(), /up\s+GET http:\/\/10\.1\.0\.1:80\/healthz answered as it should/);
			assert.match(await changes(page).nth(1).innerText(), /down\s+GET .* answered 503; 200-399 is expected/);
			await picture(page, 'target-up-light-en');
		});
	},
	async function whom_it_is_for_is_told_and_led_to() {
		await on(async (page) => {
			const rows = await page.locator('dialog table').nth(1).locator('tbody tr').allInnerTexts();

			assert.deepEqual(rows.map((r) => r.split(/\s+/)), [[POOLS.api, '10.1.0.1:80'], [POOLS.web, '10.1.0.1:80']]);
			await page.locator('dialog a').first().click();
			await page.locator('dialog').waitFor({ state: 'detached' });
			await page.waitForFunction((id) => location.hash === `#/pools?q=${id}&open=${id}`, POOLS.api);
			await page.locator('.members tbody tr').first().waitFor();
		});
	},
	async function it_is_told_in_the_reader_s_language() {
		await on(async (page) => {
			await found(page, 'GET http://10.1.0.1:80/healthz 应答正常');
			assert.match(await changes(page).first().innerText(), /正常|应答/);
		}, '#/pools?lang=zh-CN', '10.1.0.1:80 的 http 检查');
	},
	async function by_keys_alone_there_and_back() {
		const page = await openPage(browser, fixture, '#/pools');

		await page.waitForSelector('tr[data-row="2"] .name');
		await openMembers(page, 'web');
		await page.getByRole('button', { name: 'http check of 10.1.0.1:80' }).focus();
		await page.keyboard.press('ArrowDown');
		await page.waitForFunction(() => document.activeElement.getAttribute('aria-label') === 'http check of 10.1.0.2:80');
		await page.keyboard.press('Enter');
		await found(page, 'http://10.1.0.2:80/healthz');
		await page.keyboard.press('Escape');
		await page.locator('dialog').waitFor({ state: 'detached' });
		await page.waitForFunction(() => document.activeElement.getAttribute('aria-label') === 'http check of 10.1.0.2:80');
		await closePage(page);
	},
	async function what_is_not_probed_leads_nowhere() {
		const page = await openPage(browser, fixture, '#/pools');

		await page.waitForSelector('tr[data-row="2"] .name');
		await openMembers(page, 'idle');
		assert.equal(await page.locator('.m-check button').count(), 0);
		assert.match(await text(page, '.members tbody .m-check'), /none/);
		await closePage(page);
	},
	async function it_is_clean_for_axe() {
		for (const [lang, theme] of [['en', 'light'], ['en', 'dark'], ['zh-CN', 'light'], ['zh-CN', 'dark']]) {
			const label = lang === 'en' ? 'http check of 10.1.0.1:80' : '10.1.0.1:80 的 http 检查';
			const page = await openTarget(`#/pools?lang=${lang}&theme=${theme}`, label);

			assert.deepEqual(await axe(page), [], `${lang} ${theme}`);
			await picture(page, `target-${theme}-${lang}`);
			await closePage(page);
		}
	},
]);
await browser.close();
await fixture.stop();
