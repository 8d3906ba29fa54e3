#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// Address pools: how full they are, who has what, and those of the store added, edited and deleted.
import assert from 'node:assert/strict';
import { act, agent, closed, dialog, giveToken, goOn, notes, pagesOf, previews, writes } from './lib/act.mjs';
import { axe, closePage, Fixture, picture, run, startBrowser } from './lib/ground.mjs';
import { showsCount, showsNames, text } from './lib/look.mjs';

const fixture = await Fixture.start();
const browser = await startBrowser();
const { open, on: onPage } = pagesOf(browser, fixture);
const on = (w, look, hash = '#/addresses', options = {}) => onPage(w, look, hash, options);

function pools() {
	const w = agent();

	w.addressPools = [{ name: 'default', addresses: ['10.0.0.1'], ports: '40000-40009' }];
	w.putAddressPool('spare', { addresses: ['10.0.1.0/28', '10.0.2.1-10.0.2.9'], ports: '30000-64999' }, { user: 'token:bob', action: 'create', reason: '' });
	return w;
}

const tests = [
	async function how_full_each_is_and_whose() {
		await on(pools(), async (page) => {
			await showsNames(page, ['default', 'spare']);
			const rows = await page.locator('tr[data-row]').allInnerTexts();

			assert.match(rows[0], /default.*10\.0\.0\.1.*40000-40009.*2.*8.*10.*configuration.*–/s);
			assert.match(rows[1], /spare.*10\.0\.1\.0\/28, 10\.0\.2\.1-10\.0\.2\.9.*0.*35,000.*store.*token:bob/s);
			await page.locator('tr[data-row="0"] .expand').click();
			await page.locator('.holders').waitFor();
			assert.match(await text(page, '.holders'), /10\.0\.0\.1:40000\/tcp\s+shop\.web\.http-tcp/);
			await picture(page, 'addresses-light-en');
			await page.getByRole('button', { name: 'Used' }).click();
			await showsNames(page, ['default', 'spare']);
			await page.getByRole('button', { name: 'Used' }).click();
			await showsNames(page, ['spare', 'default']);
			await page.locator('.holders a').first().click();
			await page.waitForSelector('.members');
			assert.match(page.url(), /#\/pools\?q=shop\.web/);
		});
	},
	async function who_has_an_address_is_found_by_it() {
		await on(pools(), async (page) => {
			await page.locator('#search').fill('10.0.0.1:40001');
			await page.locator('.held', { hasText: 'shop.api.http-tcp' }).waitFor();
			await page.locator('#search').fill('10.0.0.1:49999');
			await page.getByText('No pool has 10.0.0.1:49999.').waitFor();
			await page.locator('#search').fill('spa');
			await showsNames(page, ['spare']);
			await showsCount(page, '1 of 2');
			assert.match(page.url(), /#\/addresses\?q=spa/);
		});
	},
	async function one_is_added_after_a_look() {
		const w = pools();

		await on(w, async (page) => {
			await page.locator('.add').click();
			await giveToken(page);
			await page.locator('#f-name').fill('edge');
			await page.locator('#f-addresses').fill('192.0.2.1');
			await page.locator('#f-ports').fill('80-89');
			await goOn(page, 'Preview');
			await page.locator('#e-addresses', { hasText: '192.0.2.1 is outside of vipRanges' }).waitFor();
			await page.locator('#f-addresses').fill('10.0.3.1\n10.0.3.8/29');
			await page.locator('#f-namespaces').fill('shop team');
			await goOn(page, 'Preview');
			await previews(page);
			assert.match(await text(page, '.preview'), /edge: 0 of 10 in use, 10 free\..*AddressPool edge will be new/s);
			await picture(page, 'address-add-light-en');
			await goOn(page, 'Add address pool');
			await closed(page);
			await notes(page, /Address pool edge was added/);
			await showsNames(page, ['default', 'edge', 'spare']);
			assert.deepEqual(w.addressPools.at(-1).namespaces, ['shop', 'team']);
			await page.keyboard.press('u');
			await previews(page);
			await goOn(page, 'Delete');
			await showsNames(page, ['default', 'spare']);
		});
	},
	async function a_change_tells_who_keeps_what_and_has_a_way_back() {
		const w = pools();

		await on(w, async (page) => {
			await act(page, 'Edit', 'spare');
			await giveToken(page);
			await page.locator('#f-ports').fill('30000-30009');
			await goOn(page, 'Preview');
			await previews(page);
			assert.match(await text(page, '.preview'), /1 pools keep their frontends outside.*spare: 0 of 10 in use.*spec › ports\s+30000-64999\s+30000-30009/s);
			await picture(page, 'address-edit-light-en');
			await goOn(page, 'Save');
			await closed(page);
			assert.deepEqual(writes(w).map((r) => r.path), ['address-pools/spare']);
			assert.equal(w.addressPools.at(-1).ports, '30000-30009');
			await page.keyboard.press('u');
			await previews(page);
			await goOn(page, 'Roll back');
			await closed(page);
			await notes(page, /Address pool spare was rolled back/);
			assert.equal(w.addressPools.at(-1).ports, '30000-64999');
		});
	},
	async function who_is_slower_sees_both() {
		const w = pools();

		await on(w, async (page) => {
			await act(page, 'Edit', 'spare');
			await giveToken(page);
			await page.locator('#f-ports').fill('30000-30009');
			await goOn(page, 'Preview');
			await previews(page);
			w.putAddressPool('spare', { ...w.addressPools.at(-1), addresses: ['10.0.9.1'] }, { user: 'token:carol', action: 'patch', reason: '' });
			await goOn(page, 'Save');
			await dialog(page).getByText(/token:carol changed it/).waitFor();
			await picture(page, 'address-conflict-light-en');
			await page.getByRole('button', { name: 'Apply mine on top' }).click();
			await goOn(page, 'Save');
			await closed(page);
			assert.deepEqual([w.addressPools.at(-1).addresses, w.addressPools.at(-1).ports], [['10.0.9.1'], '30000-30009']);
		});
	},
	async function one_that_is_used_or_of_the_configuration_stays() {
		const w = pools();

		w.putAddressPool('used', { addresses: ['10.0.0.1'], ports: '50000-50009' }, { user: 'token:bob', action: 'create', reason: '' });
		await on(w, async (page) => {
			await act(page, 'Edit', 'default');
			await dialog(page).getByText('addressPools in parasaus.yaml').waitFor();
			await page.keyboard.press('Escape');
			await closed(page);
			await act(page, 'Delete', 'used');
			await giveToken(page);
			await dialog(page).getByText(/2 pools have frontends from it: shop\.web/).waitFor();
			await picture(page, 'address-used-light-en');
			await page.keyboard.press('Escape');
			await closed(page);
			await act(page, 'Delete', 'spare');
			await previews(page);
			await goOn(page, 'Delete');
			await showsNames(page, ['default', 'used']);
		});
	},
	async function all_of_it_by_keys() {
		const w = pools();

		await on(w, async (page) => {
			await page.keyboard.press('1');
			await page.waitForSelector('.s-pools tr[data-row] .name');
			await page.keyboard.press('4');
			await page.waitForSelector('.s-addresses tr[data-row] .name');
			await page.locator('tr[data-row="1"] .expand').focus();
			await page.keyboard.press('Enter');
			await page.getByText('Nothing of it is given out.').waitFor();
			await page.keyboard.press('e');
			await page.waitForFunction(() => document.activeElement.id === 'f-token');
			await page.keyboard.type('pst_alice');
			await page.keyboard.press('Enter');
			await page.waitForFunction(() => document.activeElement.id === 'f-addresses');
			await page.keyboard.press('Escape');
			await closed(page);
			await page.waitForFunction(() => document.activeElement.closest('tr')?.dataset.row === '1');
			await page.keyboard.press('b');
			await page.waitForSelector('.revisions tbody tr');
			await page.keyboard.press('Escape');
			await closed(page);
			await page.keyboard.press('h');
			await page.waitForFunction(() => location.hash === '#/record?name=spare');
			await page.keyboard.press('5');
			await page.waitForSelector('.agent');
		});
	},
	async function each_of_its_views_is_clean_for_axe() {
		for (const lang of ['en', 'zh-CN'])
			for (const theme of ['light', 'dark']) {
				const page = await open(pools(), `#/addresses?lang=${lang}&theme=${theme}&open=default&q=10.0.0.1`);
				const is = async (name) => {
					assert.deepEqual(await axe(page), [], `${name} ${lang} ${theme}`);
					await picture(page, `${name}-${theme}-${lang}`);
				};

				await page.waitForSelector('.holders tbody tr');
				await page.waitForSelector('.held a');
				await is('addresses');
				await page.locator('.add').click();
				await giveToken(page);
				await page.locator('#f-name').fill('x');
				await page.locator('#f-addresses').fill('192.0.2.1');
				await page.locator('button.main:not(:disabled)').click();
				await page.locator('#e-addresses.wrong').waitFor();
				await is('address-add');
				await page.keyboard.press('Escape');
				await closed(page);
				await page.locator('tr[data-row="1"] .a-delete').click();
				await previews(page);
				await is('address-delete');
				await closePage(page);
			}
	},
	async function a_narrow_screen_has_them_too() {
		await on(pools(), async (page) => {
			await page.locator('.add').click();
			await giveToken(page);
			assert.equal(await page.evaluate(() => document.querySelector('.sheet').scrollWidth <= innerWidth), true);
			await picture(page, 'address-add-narrow-zh');
		}, '#/addresses?lang=zh-CN', { viewport: { width: 320, height: 800 } });
	},
];

const only = process.argv[2]; // a part of the names, while one works on it

await run(tests.filter((t) => !only || t.name.includes(only)));
await browser.close();
await fixture.stop();
