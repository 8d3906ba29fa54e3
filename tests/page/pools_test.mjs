#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// The list of pools: finding, ordering, narrowing, looking into one. Over the sample (tests/lib/snapshots.c).
import assert from 'node:assert/strict';
import { closePage, Fixture, openPage, picture, run, startBrowser } from './lib/ground.mjs';
import { names, showsCount, showsNames, text } from './lib/look.mjs';

const fixture = await Fixture.start();
const browser = await startBrowser();
const ALL = ['db/orders:mysql', 'default/dns:dns', 'parasaus/snake-demo-svc4:dcmp-svc4', 'shop/web:http',
	'shop/web:https', 'team/empty:80'];

async function on(hash, look) {
	const page = await openPage(browser, fixture, hash);

	await look(page);
	await closePage(page);
}

const tests = [
	async function the_first_look_has_every_pool() {
		await on('', async (page) => {
			await showsNames(page, ALL);
			await showsCount(page, '6 of 6');
			assert.equal(await page.title(), 'Pools – Parasaus');
			const row = await text(page, 'tr[data-row="2"]');

			for (const part of ['10.0.0.1', '40796', 'tcp', 'http', '1/2', 'degraded', 'in step'])
				assert.ok(row.includes(part), row);
			await picture(page, 'pools-light-en');
		});
	},
	async function what_the_kernel_refused_is_told() {
		await on('', async (page) => {
			await showsNames(page, ALL);
			assert.match(await text(page, 'tr[data-row="4"] .c-kernel'), /refused/);
			assert.equal(await text(page, 'tr[data-row="4"] .c-ip'), '2001:db8:1::1');
		});
	},
	async function typing_searches_and_is_in_the_url() {
		await on('', async (page) => {
			await showsNames(page, ALL);
			await page.locator('#search').pressSequentially('web');
			await showsNames(page, ['shop/web:http', 'shop/web:https']);
			await showsCount(page, '2 of 6');
			assert.match(page.url(), /#\/pools\?q=web$/);
			await page.locator('#search').fill('10.0.0.1:40080');
			await showsNames(page, ['shop/web:http']);
			await page.locator('#search').fill('member:10.100.4.2');
			await showsNames(page, ['db/orders:mysql']);
			await page.locator('#search').fill('no such thing');
			await page.getByText('No pool fits these filters.').waitFor();
			await showsCount(page, '0 of 6');
			await page.getByRole('button', { name: 'Clear filters' }).click();
			await showsNames(page, ALL);
		});
	},
	async function every_column_sorts_both_ways() {
		await on('', async (page) => {
			await showsNames(page, ALL);
			for (const [label, key, start, first] of [
				['Pool port', 'port', 'ascending', 'default/dns:dns'],
				['Pool IP', 'ip', 'ascending', 'default/dns:dns'],
				['Protocol', 'protocol', 'ascending', 'db/orders:mysql'],
				['Check', 'check', 'ascending', 'parasaus/snake-demo-svc4:dcmp-svc4'],
				['Members up', 'members', 'ascending', 'default/dns:dns'],
				['Health', 'health', 'ascending', 'shop/web:https'],
				['Kernel', 'kernel', 'descending', 'db/orders:mysql'],
				['Problems', 'problems', 'descending', 'db/orders:mysql'],
			]) {
				await page.getByRole('button', { name: label, exact: true }).click();
				await page.waitForSelector(`th.c-${key}[aria-sort="${start}"]`);
				await page.waitForFunction((want) =>
					document.querySelector('tr[data-row="0"] .name')?.textContent === want, first);
				const ascending = await names(page);

				await page.getByRole('button', { name: label, exact: true }).click();
				await page.waitForSelector(`th.c-${key}[aria-sort="${start === 'ascending' ? 'descending' : 'ascending'}"]`);
				await showsCount(page, '6 of 6');
				assert.equal(ascending.length, 6);
			}
			await page.goBack(); // an order is somewhere one can go back to
			await page.waitForSelector('th.c-problems[aria-sort="descending"]');
		});
	},
	async function filters_narrow_and_their_numbers_are_there() {
		await on('', async (page) => {
			await showsNames(page, ALL);
			await page.getByRole('button', { name: /^down 2$/ }).click();
			await showsNames(page, ['shop/web:https', 'team/empty:80']);
			assert.match(page.url(), /health=down/);
			await page.getByRole('button', { name: /^degraded 2$/ }).click();
			await showsCount(page, '4 of 6');
			await page.locator('select[name=check]').selectOption('http');
			await showsNames(page, ['parasaus/snake-demo-svc4:dcmp-svc4', 'shop/web:http']);
			await page.locator('input[name=namespace]').fill('shop');
			await page.locator('input[name=namespace]').press('Enter');
			await showsNames(page, ['shop/web:http']);
			await page.getByRole('button', { name: 'Clear filters' }).click();
			await page.locator('select[name=protocol]').selectOption('udp');
			await showsNames(page, ['default/dns:dns']);
			await page.locator('select[name=protocol]').selectOption('');
			await page.locator('select[name=source]').selectOption('directory:/srv/team/pools');
			await showsNames(page, ['team/empty:80']);
		});
	},
	async function a_row_opens_onto_its_members() {
		await on('', async (page) => {
			await showsNames(page, ALL);
			await page.locator('tr[data-row="3"] .c-ip').click();
			await page.waitForSelector('.members tbody tr');
			const rows = await page.locator('.members tbody tr').allInnerTexts();

			assert.equal(rows.length, 6);
			assert.match(rows[0], /10\.100\.3\.6:80.*down.*http.*127.*24.*not in the kernel.*its check fails; HTTP status 503/s);
			assert.match(rows[1], /10\.100\.3\.5:80.*unknown.*never seen up yet; not probed yet/s);
			assert.match(await text(page, '.facts'), /http \/healthz 200-399 every 5 s, 2 s to answer/);
			assert.match(await text(page, '.facts'), /Local; servers left out, on other nodes: 3/);
			assert.match(page.url(), /open=shop\.web\.http-tcp/);
			assert.equal(await page.locator('[aria-expanded=true]').count(), 1);
			await picture(page, 'members-light-en');
			await page.locator('tr[data-row="3"] .expand').click();
			await page.waitForSelector('.members', { state: 'detached' });
			assert.ok(!page.url().includes('open='));
		});
	},
	async function a_url_is_the_whole_of_what_is_shown() {
		await on('#/pools?q=web&sort=-vipPort&health=down,degraded&check=tcp&open=shop.web.https-tcp&theme=dark&lang=zh-CN',
			async (page) => {
				await showsNames(page, ['shop/web:https']);
				await page.waitForSelector('.members tbody tr');
				assert.equal(await page.locator('#search').inputValue(), 'web');
				assert.equal(await page.locator('.chip[aria-pressed=true]').count(), 2);
				assert.equal(await page.locator('select[name=check]').inputValue(), 'tcp');
				assert.equal(await page.getAttribute('html', 'lang'), 'zh-CN');
				assert.match(await text(page, '.troubles'), /没有正常成员/);
				await picture(page, 'members-dark-zh');
			});
	},
	async function what_is_shown_is_a_command() {
		await on('#/pools?q=web&health=down&sort=-vip', async (page) => {
			await showsNames(page, ['shop/web:https']);
			await page.locator('.summary').getByRole('button', { name: 'Copy as command' }).click();
			assert.equal(await page.getByLabel('Command').inputValue(),
				'parasausctl get pools -q web --health=down --sort-by=-vip');
			await page.locator('select[name=check]').selectOption('tcp');
			await page.locator('.summary').getByRole('button', { name: 'Copy as command' }).click();
			assert.match(await page.getByLabel('Command').inputValue(),
				/^curl --unix-socket .* 'http:\/\/localhost\/api\/v1\/pools\?q=web&health=down&check=tcp&sort=-vip'$/);
		});
	},
	async function what_may_not_be_done_says_why() {
		await on('', async (page) => {
			await showsNames(page, ALL);
			await page.getByText('read only').waitFor();
			await page.waitForSelector('.add[aria-disabled=true]');
			assert.equal(await page.locator('.act:not([aria-disabled=true])').count(), 0);
			await page.locator('.add').click({ force: true });
			await page.getByRole('dialog').getByText(/has no store of its own/).waitFor();
			await page.keyboard.press('Escape');
			await page.getByRole('button', { name: 'Edit team.empty.80-tcp' }).click({ force: true });
			await page.getByText(/comes from a manifest below \/srv\/team\/pools/).waitFor();
			await picture(page, 'why-light-en');
			await page.keyboard.press('Escape');
			await page.getByRole('dialog').waitFor({ state: 'detached' });
		});
	},
	async function an_error_is_told_with_the_request_and_can_be_tried_again() {
		await on('#/problems', async (page) => {
			let broken = true;

			page.allowed.push(/503/);
			await page.getByText('mapping values').waitFor();
			await page.route('**/api/v1/pools?*', (route) => broken ? route.fulfill({ status: 503,
				contentType: 'application/problem+json',
				body: JSON.stringify({ status: 503, code: 'not-ready', detail: 'the agent is starting', requestId: 'r-17' }) })
				: route.continue());
			await page.getByRole('link', { name: /^Pools/ }).first().click();
			assert.match(await text(page, '[role=alert]'), /the agent is starting request r-17/);
			broken = false;
			await page.getByRole('button', { name: 'Try again' }).click();
			await showsNames(page, ALL);
			assert.equal(await page.locator('[role=alert]').count(), 0);
		});
	},
	async function a_part_of_the_page_that_did_not_come_is_asked_for_again() {
		let broken = true;
		const before = (context) => context.route('**/page/members.js', (route) => broken ? route.abort() : route.continue());
		const page = await openPage(browser, fixture, '', { before });

		page.allowed.push(/ERR_FAILED/);
		await showsNames(page, ALL);
		await page.locator('tr[data-row="2"] .c-ip').click();
		await page.locator('.panel [role=alert]', { hasText: 'could not be loaded' }).waitFor();
		broken = false;
		await page.getByRole('button', { name: 'Try again' }).click();
		await page.waitForSelector('.members tbody tr');
		assert.equal(await page.locator('[role=alert]').count(), 0);
		await closePage(page);
	},
	async function problems_lead_to_their_pools() {
		await on('#/problems', async (page) => {
			await page.getByText('mapping values are not allowed').waitFor();
			await showsCount(page, '4 of 4');
			await page.getByRole('button', { name: /^warning 1$/ }).click();
			await showsCount(page, '1 of 4');
			await page.getByRole('link', { name: 'parasaus.snake-demo-svc4.dcmp-svc4-tcp' }).click();
			await showsNames(page, ['parasaus/snake-demo-svc4:dcmp-svc4']);
			await page.waitForSelector('.members tbody tr');
		});
	},
	async function a_reason_tells_what_it_means() {
		await on('#/pools?q=shop.web.http-tcp&open=shop.web.http-tcp', async (page) => {
			const why = page.locator('tr[data-member="10.100.3.6-80"] .m-reason span');

			await why.waitFor();
			assert.match(await why.innerText(), /HTTP status 503/);
			assert.match(await why.getAttribute('title'), /^unhealthy\nIt answered with an HTTP status that the check does not expect/);
		});
	},
	async function the_agent_tells_of_its_sources() {
		await on('#/agent', async (page) => {
			await page.getByText('directory:/srv/team/pools').waitFor();
			assert.match(await text(page, 'main'), /No such file or directory/);
			assert.match(await text(page, 'main'), /mh services in another order\s*2/);
			assert.match(await text(page, 'main'), /Untracked checks\s*IPv4: all, IPv6: off/);
			assert.match(await text(page, 'footer'), /2 of 3 sources read/);
			await picture(page, 'agent-light-en');
		});
	},
	async function the_agent_tells_how_long_good_checks_take() {
		await on('#/agent', async (page) => {
			const table = page.getByRole('table', { name: 'How long good checks take' });

			await table.locator('tbody tr').first().waitFor();
			assert.deepEqual((await table.locator('tbody tr').allInnerTexts()).map((r) => r.split('\t')), [
				['tcp', '4,000', '0.3 ms', '1 ms', '1 ms'], ['http', '999', '2 ms', '1 ms', '5 ms']]);
		});
	},
];

await run(tests);
await browser.close();
await fixture.stop();
