#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// For whom the page is: by keyboard alone, in both languages and themes, with aids, on narrow screens.
import assert from 'node:assert/strict';
import { axe, closePage, Fixture, openPage, picture, run, startBrowser } from './lib/ground.mjs';
import { showsCount, showsNames, text } from './lib/look.mjs';

const fixture = await Fixture.start();
const large = await Fixture.start('2000', '30');
const browser = await startBrowser();

async function on(hash, look, options, where = fixture) {
	const page = await openPage(browser, where, hash, options);

	await page.waitForSelector('main .count, main .facts');
	await look(page);
	await closePage(page);
}

const focused = (page) => page.evaluate(() => {
	const e = document.activeElement, row = e.closest('tr[data-row]');

	return row ? 'row ' + row.dataset.row : e.id || e.getAttribute('class') || e.tagName;
});

async function hasFocus(page, what) {
	await page.waitForFunction((want) => {
		const e = document.activeElement, row = e.closest('tr[data-row]');

		return (row ? 'row ' + row.dataset.row : e.id || e.getAttribute('class') || e.tagName) === want;
	}, what);
}

const tests = [
	async function everything_is_done_by_keys() {
		await on('#/pools', async (page) => {
			await page.waitForSelector('tr[data-row="5"] .name');
			await page.keyboard.press('/');
			await hasFocus(page, 'search');
			await page.keyboard.type('web');
			await showsNames(page, ['shop/web:http', 'shop/web:https']);
			await page.keyboard.press('Escape'); // empties, then leaves
			await showsCount(page, '6 of 6');
			await page.keyboard.press('Escape');
			await hasFocus(page, 'BODY');
			for (let i = 0; i < 60 && !(await focused(page)).startsWith('row'); i++)
				await page.keyboard.press('Tab');
			await hasFocus(page, 'row 0');
			await page.keyboard.press('ArrowDown');
			await hasFocus(page, 'row 1');
			await page.keyboard.press('j');
			await page.keyboard.press('j');
			await hasFocus(page, 'row 3');
			await page.keyboard.press('Enter');
			await page.waitForSelector('.members tbody tr');
			await hasFocus(page, 'row 3');
			await page.keyboard.press('Escape');
			await page.waitForSelector('.members', { state: 'detached' });
			await hasFocus(page, 'row 3');
			await page.keyboard.press('End');
			await hasFocus(page, 'row 5');
			await page.keyboard.press('Home');
			await hasFocus(page, 'row 0');
			await page.keyboard.press('2');
			await page.getByText('mapping values').waitFor();
			await page.keyboard.press('?');
			await page.getByRole('dialog', { name: 'Keys' }).waitFor();
			await picture(page, 'keys-light-en');
			await page.keyboard.press('Escape');
			await page.getByRole('dialog').waitFor({ state: 'detached' });
		});
	},
	async function letters_can_be_no_keys() {
		await on('#/pools', async (page) => {
			await page.waitForSelector('tr[data-row="5"] .name');
			await page.keyboard.press('?');
			await page.getByLabel('letters, digits and signs are keys').uncheck();
			await page.keyboard.press('Escape');
			await page.locator('tr[data-row="0"] .expand').focus();
			for (const key of ['/', 'j', '2', '?'])
				await page.keyboard.press(key);
			await hasFocus(page, 'row 0');
			assert.match(page.url(), /#\/pools/);
			await page.keyboard.press('ArrowDown');
			await hasFocus(page, 'row 1');
		});
	},
	async function a_sort_button_is_reached_before_the_rows() {
		await on('#/pools', async (page) => {
			await page.waitForSelector('tr[data-row="5"] .name');
			await page.locator('th.c-port .sort').focus();
			await page.keyboard.press('Enter');
			await page.waitForSelector('th.c-port[aria-sort=ascending]');
			assert.equal(await focused(page), 'sort');
		});
	},
	async function focus_is_never_lost_by_scrolling() {
		await on('#/pools', async (page) => {
			await page.waitForSelector('tr[data-row="9"] .name');
			await page.locator('tr[data-row="4"] .expand').focus();
			await page.evaluate(() => { document.querySelector('.scroller').scrollTop = 30000; });
			await page.waitForSelector('tr[data-row="1000"] .name');
			await hasFocus(page, 'scroller s-pools');
			await page.keyboard.press('ArrowDown'); // on from where it was
			await hasFocus(page, 'row 5');
			await page.keyboard.press('PageDown');
			await page.waitForFunction(() => Number(document.activeElement.closest('tr')?.dataset.row) > 20);
			await page.keyboard.press('End');
			await hasFocus(page, 'row 1999');
		}, {}, large);
	},
	async function many_members_come_by_pages() {
		await on('#/pools?open=ns.service-00001.http-tcp', async (page) => {
			await page.waitForSelector('.members tbody tr');
			assert.match(await text(page, '.pager'), /1–20 of 30/);
			await page.getByRole('button', { name: 'Next members' }).click();
			await page.waitForFunction(() => document.querySelectorAll('.members tbody tr').length === 10);
			assert.match(await text(page, '.pager'), /21–30 of 30/);
			await page.keyboard.press('Escape');
		}, {}, large);
	},
	async function a_choice_of_language_and_theme_is_remembered() {
		await on('#/pools', async (page) => {
			await page.locator('header select').first().selectOption('zh-CN');
			await page.locator('header select').nth(1).selectOption('dark');
			await page.getByRole('button', { name: '池名称' }).waitFor();
			assert.equal(await page.title(), '池列表 – Parasaus');
			await page.reload();
			await page.getByRole('button', { name: '池端口' }).waitFor();
			assert.equal(await page.getAttribute('html', 'lang'), 'zh-CN');
			assert.equal(await page.getAttribute('html', 'data-theme'), 'dark');
			await showsCount(page, '6 / 共 6 条');
		});
	},
	async function the_browser_s_language_and_theme_are_taken() {
		await on('#/pools', async (page) => {
			await page.getByRole('button', { name: '池IP' }).waitFor();
			const colour = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);

			assert.equal(colour, 'rgb(17, 18, 23)');
			await page.waitForSelector('tr[data-row="5"] .name');
			await picture(page, 'pools-dark-zh');
		}, { locale: 'zh-CN', colorScheme: 'dark' });
	},
	async function every_screen_is_clean_for_axe() {
		for (const lang of ['en', 'zh-CN'])
			for (const theme of ['light', 'dark'])
				for (const view of ['pools?open=shop.web.http-tcp&', 'problems?', 'events?', 'agent?'])
					await on(`#/${view}lang=${lang}&theme=${theme}`, async (page) => {
						await page.waitForFunction(() => document.querySelector('footer').textContent.includes('1.2.3') &&
							document.querySelector('.members tbody, .s-problems tr[data-row], .nothing, .plain'));
						assert.deepEqual(await axe(page), [], `${view} ${lang} ${theme}`);
					});
	},
	async function a_narrow_screen_loses_nothing() {
		await on('#/pools?lang=zh-CN', async (page) => {
			await page.waitForSelector('tr[data-row="5"] .name');
			assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
			await picture(page, 'pools-narrow-zh');
		}, { viewport: { width: 320, height: 800 } });
	},
];

await run(tests);
await browser.close();
await fixture.stop();
await large.stop();
