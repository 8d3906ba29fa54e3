#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// One change to many: to what a filter shows or to what has a mark, with its number said, seen first, and undone.
import assert from 'node:assert/strict';
import { agent, API, closed, dialog, giveToken, goOn, main, notes, openMembers, pagesOf, previews, WEB, writes } from './lib/act.mjs';
import { axe, closePage, Fixture, picture, run, startBrowser } from './lib/ground.mjs';
import { showsCount, text } from './lib/look.mjs';

const fixture = await Fixture.start();
const browser = await startBrowser();
const { open, on } = pagesOf(browser, fixture);

/** A third pool, of another namespace, that shares a server with the first. */
function three() {
	const w = agent();

	w.add('team.jobs.http-tcp', { settings: { scheduler: 'rr' }, members: [{ address: '10.9.0.2', port: 80, weight: 3 }, { address: '10.9.7.1', port: 80, weight: null }] });
	return w;
}

const weights = (w, id) => w.pools.get(id).members.map((m) => m.weight);
const batches = (w) => writes(w).filter((r) => r.path === 'pools:batch');

async function begin(page) {
	await page.locator('.bulk').click();
	await giveToken(page);
}

const tests = [
	async function all_that_the_filter_shows_is_changed_once_it_was_seen() {
		const w = three();

		await on(w, async (page) => {
			await showsCount(page, '2 of 3');
			await begin(page);
			assert.match(await text(page, '.what'), /2 pools that the filter shows: q=shop/);
			await page.locator('#f-op').selectOption('scheduler');
			await page.locator('#f-scheduler').selectOption('wlc');
			await page.getByLabel('Reason for the change').fill('as agreed');
			await goOn(page, 'Preview');
			await previews(page);
			assert.match(await text(page, '.results'), /shop\.api\.http-tcp.*shop\.web\.http-tcp/s);
			assert.match(await text(page, '.preview'), /scheduler\s+–\s+wlc/);
			await picture(page, 'bulk-preview-light-en');
			assert.equal(batches(w).length, 0);
			await goOn(page, 'Change 2');
			await dialog(page).getByText('2 of 2 were done.').waitFor();
			await picture(page, 'bulk-done-light-en');
			await page.keyboard.press('Enter'); // it closes: focus is there
			await closed(page);
			await notes(page, /2 of 2 were changed/);
			assert.deepEqual(batches(w).map((r) => [r.body, r.reason]), [[{ filter: 'q=shop', of: 'pools', expectedCount: 2, op: 'patch',
				patch: { settings: { scheduler: 'wlc' } } }, 'as agreed']]);
			assert.equal(w.pools.get('team.jobs.http-tcp').settings.scheduler, 'rr');
		}, '#/pools?q=shop');
	},
	async function what_was_done_to_many_is_undone_for_each() {
		const w = three();

		await on(w, async (page) => {
			await begin(page);
			await goOn(page, 'Preview');
			await goOn(page, 'Change 3');
			await dialog(page).getByRole('button', { name: 'Undo' }).waitFor();
			assert.deepEqual([weights(w, WEB), weights(w, 'team.jobs.http-tcp')], [[0, 0], [0, 0]]);
			w.put(API, { ...w.pools.get(API), settings: { scheduler: 'sh' } }, { user: 'token:bob', action: 'patch', source: 'web', reason: '' });
			await page.evaluate(() => { // that one is closed is told late, as on a machine that is busy
				const { close } = HTMLDialogElement.prototype;

				HTMLDialogElement.prototype.close = function () { setTimeout(() => close.call(this), 200); };
			});
			await dialog(page).getByRole('button', { name: 'Undo' }).click();
			await dialog(page).getByRole('button', { name: 'Roll back 3' }).click();
			await dialog(page).getByText('token:bob has changed it since').waitFor();
			await dialog(page).getByText('2 of 3 were done.').waitFor();
			await picture(page, 'bulk-undo-light-en');
			assert.deepEqual([weights(w, WEB), weights(w, API), weights(w, 'team.jobs.http-tcp')], [[null, 5], [0], [3, null]]);
		});
	},
	async function only_those_with_a_mark() {
		const w = three();

		await on(w, async (page) => {
			await page.getByLabel('Choose ' + API).check();
			await page.getByLabel('Choose team.jobs.http-tcp').check();
			await picture(page, 'pools-chosen-light-en');
			await page.getByRole('button', { name: 'Change 2 chosen…' }).click();
			await giveToken(page);
			await page.locator('#f-op').selectOption('weight');
			assert.ok(await main(page).isDisabled());
			await page.locator('#f-weight').fill('9');
			await goOn(page, 'Preview');
			await goOn(page, 'Change 2');
			await dialog(page).getByText('2 of 2 were done').waitFor();
			await page.keyboard.press('Escape');
			await closed(page);
			assert.deepEqual(batches(w)[0].body.ops, [{ pool: API, revision: 'r2', op: 'weight', weight: 9 }, { pool: 'team.jobs.http-tcp', revision: 'r3', op: 'weight', weight: 9 }]);
			assert.deepEqual([weights(w, WEB), weights(w, API), weights(w, 'team.jobs.http-tcp')], [[null, 5], [9], [9, 9]]);
			await page.getByRole('button', { name: 'Change all 3…' }).waitFor(); // the marks are gone with it
		});
	},
	async function to_delete_many_their_number_is_typed() {
		const w = three();

		await on(w, async (page) => {
			await begin(page);
			await page.locator('#f-op').selectOption('delete');
			await goOn(page, 'Preview');
			await previews(page);
			assert.ok(await main(page).isDisabled());
			await page.locator('#f-typed').fill('3');
			assert.ok(await main(page).isDisabled());
			await page.locator('#f-typed').fill('2');
			await picture(page, 'bulk-delete-light-en');
			await goOn(page, 'Delete 2');
			await dialog(page).getByText('2 of 2 were done').waitFor();
			assert.deepEqual([...w.pools.keys()], ['team.jobs.http-tcp']);
			await dialog(page).getByRole('button', { name: 'Undo' }).click();
			await dialog(page).getByRole('button', { name: 'Roll back 2' }).click();
			await dialog(page).getByText('2 of 2 were done').waitFor();
			assert.deepEqual(weights(w, WEB), [null, 5]);
		}, '#/pools?q=shop');
	},
	async function where_others_are_meant_by_now_nothing_is_done() {
		const w = three();

		await on(w, async (page) => {
			await begin(page);
			await goOn(page, 'Preview');
			await previews(page);
			w.add('shop.new.http-tcp', { members: [] });
			await goOn(page, 'Change 2');
			await dialog(page).getByText('3 fit the filter, not 2').waitFor();
			await dialog(page).getByText('3 pools').waitFor(); // counted anew, and looked at again
			assert.equal(w.revision, 4);
			await goOn(page, 'Preview');
			await goOn(page, 'Change 3');
			await dialog(page).getByText('3 of 3 were done').waitFor();
		}, '#/pools?q=shop');
	},
	async function what_cannot_be_done_is_told_of_each() {
		const w = three();

		w.refused = API;
		await on(w, async (page) => {
			await begin(page);
			await goOn(page, 'Preview');
			await previews(page);
			assert.equal(await page.locator('.plan tbody tr').count(), 2);
			assert.match(await text(page, '.results tbody tr'), /shop\.api\.http-tcp.*there is another revision by now/s);
			await goOn(page, 'Change 3');
			await dialog(page).getByText('2 of 3 were done. 1 cannot.').waitFor();
			await picture(page, 'bulk-failed-light-en');
		});
	},
	async function a_server_is_drained_in_every_pool() {
		const w = three();

		await on(w, async (page) => {
			await openMembers(page);
			await page.getByRole('button', { name: 'Drain 10.9.0.2:80' }).click();
			await giveToken(page);
			await page.getByRole('button', { name: 'In every pool with 10.9.0.2…' }).click();
			await dialog(page).getByText('2 members').waitFor();
			await goOn(page, 'Preview');
			await previews(page);
			await picture(page, 'bulk-everywhere-light-en');
			await goOn(page, 'Change 2');
			await dialog(page).getByText('2 of 2 were done').waitFor();
			assert.deepEqual(batches(w)[0].body, { filter: 'q=member%3A10.9.0.2', of: 'members', expectedCount: 2, op: 'drain' });
			assert.deepEqual([weights(w, WEB), weights(w, 'team.jobs.http-tcp')], [[null, 0], [0, null]]);
		});
	},
	async function the_same_by_keys_alone() {
		const w = three();

		await on(w, async (page) => {
			await page.locator('tr[data-row="0"] .expand').focus();
			await page.keyboard.press('x');
			await page.keyboard.press('ArrowDown');
			await page.keyboard.press('x');
			await page.keyboard.press('a');
			await page.waitForFunction(() => document.activeElement.id === 'f-token');
			await page.keyboard.type('pst_alice');
			await page.keyboard.press('Enter');
			await page.waitForFunction(() => document.activeElement.id === 'f-op');
			await page.locator('#f-reason').focus();
			await page.keyboard.press('Enter');
			await previews(page);
			await page.waitForFunction(() => !document.querySelector('button.main').disabled);
			await page.keyboard.press('Enter');
			await dialog(page).getByText('2 of 2 were done').waitFor();
			await page.waitForFunction(() => document.activeElement.matches('.sheet-foot .main'));
			await page.keyboard.press('Enter');
			await closed(page);
			assert.deepEqual(weights(w, WEB), [0, 0]);
		});
	},
	async function each_of_its_dialogs_is_clean_for_axe() {
		for (const lang of ['en', 'zh-CN'])
			for (const theme of ['light', 'dark']) {
				const page = await open(three(), `#/pools?lang=${lang}&theme=${theme}`);
				const is = async (name) => {
					assert.deepEqual(await axe(page), [], `${name} ${lang} ${theme}`);
					await picture(page, `${name}-${theme}-${lang}`);
				};

				await page.locator('.mark').first().check();
				await is('chosen');
				await page.locator('.mark').first().uncheck();
				await begin(page);
				await page.locator('#f-op').selectOption('delete');
				await main(page).click();
				await previews(page);
				await is('bulk');
				await page.locator('#f-typed').fill('3');
				await page.locator('button.main:not(:disabled)').click();
				await page.locator('.sheet .results').waitFor();
				await page.locator('.sheet-foot button').first().click();
				await page.locator('.sheet-foot .main').click();
				await page.locator('.sheet .results').waitFor();
				await is('bulk-undo');
				await closePage(page);
			}
	},
];

const only = process.argv[2]; // a part of the names, while one works on it

await run(tests.filter((t) => !only || t.name.includes(only)));
await browser.close();
await fixture.stop();
