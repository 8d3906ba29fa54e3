#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// The table of the kernel: its frontends, what they send to, and what of it the kernel has. Over the sample.
import assert from 'node:assert/strict';
import { axe, closePage, Fixture, openPage, picture, run, startBrowser } from './lib/ground.mjs';
import { showsCount, showsNames, text } from './lib/look.mjs';
import { nodes } from './lib/measure.mjs';

const POOLS = 35000;
const fixture = await Fixture.start(), large = await Fixture.start(String(POOLS), '10');
const browser = await startBrowser();
const ALL = ['10.0.0.1', '10.0.0.1', '10.0.0.1', '10.0.0.1', '2001:db8:1::1', '10.0.0.1']; // as their pools are sorted
const WEB = '10.0.0.1:40080/tcp', SNAKE = '10.0.0.1:40796/tcp', REFUSED = '[2001:db8:1::1]:40443/tcp';

async function on(hash, look, options, f = fixture) {
	const page = await openPage(browser, f, hash, options);

	await look(page);
	await closePage(page);
}

const open = (frontend) => '#/kernel?open=' + encodeURIComponent(frontend);
const cells = (page, row) => page.locator(`tr[data-row="${row}"] td`).allInnerTexts();

/** A frontend of so many destinations, as many as an answer has of them. */
function wide(count) {
	const destinations = Array.from({ length: Math.min(count, 256) }, (_, i) =>
		({ address: '10.1.0.' + i, port: 80, weight: i, state: 'up', draining: false }));

	return { items: [{ frontend: '10.0.0.9:80/udp', pool: 'a.b.c', scheduler: 'mh', flags: ['persistent', 'ops', 'mh-fallback'],
		persistenceSeconds: 300, forwarding: 'dr', applied: false, problem: null, destinations, destinationCount: count }],
	total: 1, offset: 0, limit: 100, snapshot: 'x-1' };
}

await run([
	async function each_frontend_is_as_ipvsadm_has_it() {
		await on('', async (page) => {
			await page.waitForSelector('tr[data-row="5"] .name');
			await page.keyboard.press('7');
			await page.waitForFunction(() => document.title === 'Table of the kernel – Parasaus');
			assert.match(page.url(), /#\/kernel$/);
			await showsNames(page, ALL);
			await showsCount(page, '6 in all');
			assert.deepEqual((await cells(page, 1)).map((c) => c.trim()).slice(1),
				['30053', 'udp', 'wrr', '', 'nat', '2', '● in step', 'default.dns.dns-udp']);
			assert.match((await cells(page, 4))[7], /refused/);
			await page.getByRole('link', { name: 'default.dns.dns-udp' }).click();
			await page.waitForSelector('.members tbody tr');
			assert.match(page.url(), /#\/pools\?q=default\.dns\.dns-udp/);
		});
	},
	async function one_opens_to_what_it_sends_to() {
		await on('#/kernel', async (page) => {
			await page.locator('tr[data-row="3"] .expand').click();
			await page.waitForSelector('.destinations tbody tr');
			const rows = (await page.locator('.destinations tbody tr').allInnerTexts()).map((r) => r.replace(/\s+/g, ' '));

			assert.equal(rows.length, 5);
			assert.match(rows[0], /^10\.100\.3\.1:80 1 ● up$/);
			assert.match(rows[1], /^10\.100\.3\.2:80 0 .*draining$/);
			assert.equal(new URL(page.url()).hash, open(WEB));
			await page.locator('.under').getByRole('button', { name: 'Copy as command' }).click();
			assert.equal(await page.locator('.under .command input').inputValue(), 'ipvsadm -Ln -t 10.0.0.1:40080');
			await picture(page, 'kernel-light-en');
		});
	},
	async function what_the_kernel_refused_is_told_in_its_words() {
		await on(open(REFUSED), async (page) => {
			assert.match(await text(page, '.panel .troubles'), /Address family not supported/);
		});
	},
	async function flags_and_long_lists_are_told_in_full() {
		const before = (context) => context.route('**/api/v1/ipvs?*', (route) => route.fulfill({ json: wide(300) }));

		await on(open('10.0.0.9:80/udp'), async (page) => {
			await page.waitForSelector('.destinations');
			assert.equal(await text(page, '.c-flags span'), 'persistent 300 ops mh-fallback');
			assert.match(await text(page, 'tr[data-row="0"] .c-kernel'), /pending/);
			assert.equal(await text(page, 'tr[data-row="0"] .c-destinations'), '300');
			assert.match(await text(page, '.facts'), /5 min/);
			assert.match(await text(page, '.under'), /1–20 of 256.*The first 256 of 300 are shown/s);
			for (let i = 0; i < 12; i++)
				await page.getByRole('button', { name: 'Next destinations' }).click();
			assert.match(await text(page, '.under'), /241–256 of 256/);
			assert.match(await text(page, '.destinations tbody tr'), /10\.1\.0\.240:80/);
			assert.ok(await page.getByRole('button', { name: 'Next destinations' }).isDisabled());
		}, { before });
	},
	async function filters_narrow_it_and_are_in_the_url() {
		await on('#/kernel', async (page) => {
			await page.locator('#search').fill(':40796');
			await showsCount(page, '1 in all');
			await page.locator('.summary').getByRole('button', { name: 'Copy as command' }).click();
			assert.equal(await page.locator('.summary .command input').inputValue(), 'parasausctl get ipvs -q :40796');
			await page.locator('#search').fill('');
			await page.locator('input[name=vip]').fill('2001:db8:1::1');
			await page.locator('input[name=vip]').press('Enter');
			await showsNames(page, ['2001:db8:1::1']);
			assert.match(page.url(), /vip=2001/);
			await page.locator('input[name=vip]').fill('');
			await page.locator('input[name=vip]').press('Enter');
			await page.locator('select[name=protocol]').selectOption('udp');
			await showsCount(page, '1 in all');
		});
		await on('#/kernel?protocol=sctp', (page) => page.getByText('No frontend fits these filters.').waitFor());
		await on('#/kernel?sort=-vipPort', async (page) => {
			await page.waitForSelector('tr[data-row="5"] .name');
			assert.deepEqual((await page.locator('tr[data-row] .c-port').allInnerTexts()).map(Number), [43306, 40796, 40443, 40081, 40080, 30053]);
		});
	},
	async function what_becomes_of_it_is_seen() {
		await on(open(SNAKE), async (page) => {
			const first = (pattern) => page.waitForFunction((p) => new RegExp(p).test(document.querySelector('.destinations tbody tr')
				?.innerText.replace(/\s+/g, ' ')), pattern);

			await page.waitForFunction(() => document.querySelector('.live')?.textContent.includes('live'));
			await first('^10.100.1.53:8090 1 ● up');
			fixture.do('d');
			await first('^10.100.1.53:8090 . ✕ down');
			fixture.do('u');
			await first('^10.100.1.53:8090 1 ● up');
			fixture.do('r');
		});
	},
	async function of_very_many_only_those_in_sight_are_there() {
		await on('#/kernel', async (page) => {
			await showsCount(page, '35,000 in all');
			await page.evaluate(() => { const s = document.querySelector('.scroller'); s.scrollTop = s.scrollHeight; });
			await page.waitForFunction((n) => document.querySelector(`tr[data-row="${n}"] .c-port`)?.textContent, POOLS - 1);
			assert.ok(await nodes(page) < 1500);
			await page.waitForFunction(() => location.hash.includes('at='));
			await page.reload();
			await page.waitForFunction((n) => document.querySelector(`tr[data-row="${n}"] .c-port`)?.textContent, POOLS - 1);
		}, {}, large);
	},
	async function nodes_are_told_with_the_agent() {
		await on('#/agent', async (page) => {
			const row = page.getByRole('table', { name: 'Nodes' }).locator('tbody tr');

			await row.waitFor();
			assert.match(await row.innerText(), /1\.2\.3/);
		});
	},
	async function it_is_clean_for_axe() {
		for (const lang of ['en', 'zh-CN'])
			for (const theme of ['light', 'dark'])
				for (const frontend of [WEB, REFUSED])
					await on(`${open(frontend)}&lang=${lang}&theme=${theme}`, async (page) => {
						await page.waitForSelector('.destinations tbody tr');
						assert.deepEqual(await axe(page), [], `${frontend} ${lang} ${theme}`);
						await picture(page, `kernel-${frontend === WEB ? '' : 'refused-'}${theme}-${lang}`);
					});
	},
	async function a_narrow_screen_loses_nothing() {
		await on('#/kernel?lang=zh-CN', async (page) => {
			await page.waitForSelector('tr[data-row="5"] .name');
			assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
			assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('td.c-ip')].filter((td) =>
				td.scrollWidth > td.clientWidth).map((td) => td.textContent)), []); // the table scrolls, no address is cut
			await picture(page, 'kernel-narrow-zh');
		}, { viewport: { width: 320, height: 800 } });
	},
]);
await browser.close();
await fixture.stop();
await large.stop();
