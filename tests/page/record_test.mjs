#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// The record of operations on all pools; and an agent that shows nothing to those it does not know.
import assert from 'node:assert/strict';
import { agent, API, closed, dialog, giveToken, goOn, notes, pagesOf, previews, WEB } from './lib/act.mjs';
import { axe, closePage, Fixture, openPage, picture, run, startBrowser } from './lib/ground.mjs';
import { showsNames, text } from './lib/look.mjs';

const fixture = await Fixture.start();
const browser = await startBrowser();
const { open, on: onPage } = pagesOf(browser, fixture);
const READY = { ready: '.s-record tr[data-row] .c-user' };
const on = (w, look, hash = '#/record', options = {}) => onPage(w, look, hash, { ...READY, ...options });

function worked() {
	const w = agent();

	w.put(WEB, { ...w.pools.get(WEB), settings: { scheduler: 'sh' } }, { user: 'token:bob', action: 'patch', source: 'web', reason: 'try sh' });
	w.put(API, undefined, { user: 'token:carol', action: 'delete', source: 'cli', reason: 'old' });
	return w;
}

const shows = (page, n) => page.waitForFunction((want) => document.querySelectorAll('.s-record tr[data-row]').length === want, n);

const tests = [
	async function all_that_was_done_is_there_the_newest_first() {
		await on(worked(), async (page) => {
			await shows(page, 4);
			const rows = await page.locator('tr[data-row]').allInnerTexts();

			assert.match(rows[0], /token:carol\s+deleted.*shop\/api.*command line.*done.*old/s);
			assert.match(rows[1], /token:bob\s+edited.*shop\/web.*page.*done.*try sh/s);
			assert.equal(await text(page, '.count'), '4 in all');
		});
	},
	async function filters_narrow_it_and_are_in_the_url() {
		await on(worked(), async (page) => {
			await page.locator('input[name=user]').fill('token:bob');
			await page.locator('input[name=user]').press('Enter');
			await shows(page, 1);
			assert.match(page.url(), /#\/record\?user=token%3Abob/);
			await page.getByRole('button', { name: 'Copy as command' }).click();
			assert.match(await page.getByLabel('Command').inputValue(), /operations\?user=token%3Abob'$/);
			await page.getByRole('button', { name: 'Clear filters' }).click();
			await shows(page, 4);
			await page.locator('select[name=action]').selectOption('apply');
			await shows(page, 2);
			await page.locator('select[name=action]').selectOption('');
			await page.locator('input[name=pool]').fill(WEB);
			await page.locator('input[name=pool]').press('Enter');
			await shows(page, 2);
			await page.locator('input[name=since]').fill('2099-01-01T00:00');
			await page.getByText('No operation fits these filters.').waitFor();
			assert.match(page.url(), /since=2099-01-01T/);
			await page.reload();
			await page.getByText('No operation fits these filters.').waitFor();
			assert.equal(await page.locator('input[name=since]').inputValue(), '2099-01-01T00:00');
		});
	},
	async function one_leads_to_what_it_changed_and_back() {
		const w = worked();

		await on(w, async (page) => {
			await page.locator('tr[data-row="1"] .expand').click();
			await page.locator('.panel .diff').waitFor();
			assert.match(await text(page, '.panel'), /scheduler\s+wrr\s+sh/);
			await picture(page, 'operations-light-en');
			await page.getByRole('button', { name: `Roll back ${WEB}…` }).click();
			await giveToken(page);
			await page.locator('.revisions tbody tr').last().locator('input').check();
			await previews(page);
			await goOn(page, 'Roll back');
			await closed(page);
			await notes(page, /was rolled back/);
			assert.equal(w.pools.get(WEB).settings.scheduler, 'wrr');
			await shows(page, 5);
		});
	},
	async function all_of_it_by_keys() {
		await on(worked(), async (page) => {
			await page.keyboard.press('1');
			await page.waitForSelector('.s-pools tr[data-row] .name');
			await page.keyboard.press('6');
			await page.waitForSelector(READY.ready);
			await page.locator('tr[data-row="0"] .expand').focus();
			await page.keyboard.press('ArrowDown');
			await page.keyboard.press('Enter');
			await page.locator('.panel .diff').waitFor();
			await page.keyboard.press('Escape');
			await page.locator('.panel').waitFor({ state: 'detached' });
		});
	},
	async function it_is_clean_for_axe() {
		for (const [lang, theme] of [['en', 'light'], ['en', 'dark'], ['zh-CN', 'light'], ['zh-CN', 'dark']]) {
			const page = await open(worked(), `#/record?lang=${lang}&theme=${theme}&open=3`, READY);

			await page.locator('.panel .diff').waitFor();
			assert.deepEqual(await axe(page), [], `${lang} ${theme}`);
			await picture(page, `operations-${theme}-${lang}`);
			await closePage(page);
		}
	},
	async function where_nothing_is_shown_without_a_token_it_is_asked_for_at_once() {
		const w = worked();

		w.closed = true;
		w.tokens.pst_view = ['token:view', false];
		const page = await openPage(browser, fixture, '', { writable: w });

		page.allowed.push(/status of 401/);
		await page.getByText('This agent shows nothing to those it does not know').waitFor();
		await dialog(page).getByText('kubectl create token').waitFor();
		assert.deepEqual(await axe(page), []);
		await picture(page, 'token-read-light-en');
		await page.keyboard.press('Escape');
		await closed(page);
		await page.getByRole('button', { name: 'Give a token' }).click(); // not asked again and again
		await page.locator('#f-token').fill('pst_view'); // who may only read is known well enough
		await page.keyboard.press('Enter');
		await showsNames(page, ['shop/web:http']);
		await page.getByText('read only').waitFor();
		assert.equal(await page.getByRole('button', { name: 'Give a token' }).count(), 0);
		await closePage(page);
	},
];

const only = process.argv[2]; // a part of the names, while one works on it

await run(tests.filter((t) => !only || t.name.includes(only)));
await browser.close();
await fixture.stop();
