#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// Members: each with its own operator, record and way back; many of them written or pasted with their pool.
import assert from 'node:assert/strict';
import { act, agent, closed, dialog, giveToken, goOn, main, notes, openMembers, pagesOf, plain, previews, WEB, writes } from './lib/act.mjs';
import { axe, closePage, Fixture, picture, run, startBrowser } from './lib/ground.mjs';
import { text } from './lib/look.mjs';

const fixture = await Fixture.start();
const browser = await startBrowser();
const { open, on } = pagesOf(browser, fixture);

/** bob drained the second member, then changed a setting: three steps in all. */
function worked() {
	const w = agent(), pool = w.pools.get(WEB);

	w.put(WEB, { ...pool, members: [pool.members[0], { ...pool.members[1], weight: 0 }] }, { user: 'token:bob', action: 'drain', source: 'web', reason: 'disk' });
	w.put(WEB, { ...w.pools.get(WEB), settings: { scheduler: 'rr' } }, { user: 'token:carol', action: 'patch', source: 'cli', reason: 'try rr' });
	return w;
}

const memberRow = (page, id) => page.locator(`tr[data-member="${id}"]`);
const input = (page, n, what) => page.locator('.member-rows tbody tr').nth(n).locator('input.' + what);

function paste(locator, text) {
	return locator.evaluate((e, given) => {
		const data = new DataTransfer();

		data.setData('text', given);
		e.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
	}, text);
}

const tests = [
	async function each_member_tells_who_touched_it_last() {
		await on(worked(), async (page) => {
			await openMembers(page);
			await memberRow(page, '10.9.0.2-80').locator('.m-operator', { hasText: 'token:bob' }).waitFor();
			await memberRow(page, '10.9.0.1-80').locator('.m-operator', { hasText: 'unix:root' }).waitFor();
			assert.match(await text(page, 'tr[data-row="1"]'), /token:carol/); // of the pool it is another
			assert.equal(await page.locator('.detail [role=alert]').count(), 0);
			await picture(page, 'members-operator-light-en');
		});
	},
	async function the_record_of_a_member_is_its_own() {
		await on(worked(), async (page) => {
			await openMembers(page);
			await page.getByRole('button', { name: 'Operation record of 10.9.0.2:80' }).click();
			await page.waitForSelector('.record tbody tr');
			const rows = await page.locator('.record tbody tr').allInnerTexts();

			assert.equal(rows.length, 2);
			assert.match(rows[0], /token:bob.*drained.*disk/s);
			assert.match(rows[1], /unix:root.*applied/s);
			await page.getByRole('button', { name: 'Difference of operation 3' }).click();
			await page.locator('.more .diff').waitFor();
			assert.match(await text(page, '.more'), /weights\s+10\.9\.0\.2:80=5\s+10\.9\.0\.2:80=0/);
			await picture(page, 'member-record-light-en');
			await dialog(page).getByRole('button', { name: 'Roll back…' }).click();
			await page.locator('#f-token').waitFor();
		});
	},
	async function a_member_goes_back_by_the_revisions_that_touched_it() {
		const w = worked();

		await on(w, async (page) => {
			await openMembers(page);
			await page.getByRole('button', { name: 'Roll back 10.9.0.2:80' }).click();
			await giveToken(page);
			await page.waitForSelector('.revisions tbody tr');
			assert.equal(await page.locator('.revisions tbody tr').count(), 2); // the drain, and what was before it
			await page.getByLabel('Only what concerns 10.9.0.2:80').uncheck();
			assert.equal(await page.locator('.revisions tbody tr').count(), 3);
			await page.locator('.revisions tbody tr').last().locator('input').check();
			await previews(page);
			await picture(page, 'member-rollback-light-en');
			await goOn(page, 'Roll back');
			await closed(page);
			assert.equal(w.pools.get(WEB).members[1].weight, 5);
			await memberRow(page, '10.9.0.2-80').locator('.m-operator', { hasText: 'token:alice' }).waitFor();
		});
	},
	async function members_are_edited_with_their_pool_in_one_save() {
		const w = agent();

		await on(w, async (page) => {
			await act(page, 'Edit');
			await giveToken(page);
			assert.equal(await input(page, 1, 'weight').inputValue(), '5');
			await input(page, 1, 'weight').fill('7');
			await input(page, 2, 'at').fill('10.9.0.3:81');
			await page.getByRole('button', { name: 'Remove line 1' }).click();
			await page.locator('[id="f-settings.scheduler"]').selectOption('wlc');
			await goOn(page, 'Preview');
			await previews(page);
			assert.match(await text(page, '.preview'), /scheduler\s+wrr\s+wlc/);
			await picture(page, 'edit-members-light-en');
			await goOn(page, 'Save');
			await closed(page);
			assert.equal(writes(w).length, 1);
			assert.deepEqual(w.pools.get(WEB).members, [{ address: '10.9.0.2', port: 80, weight: 7 }, { address: '10.9.0.3', port: 81, weight: null }]);
			await notes(page, /was changed/);
		});
	},
	async function a_list_is_pasted_as_it_comes() {
		const w = agent();

		await on(w, async (page) => {
			await page.locator('.add').click();
			await giveToken(page);
			await page.getByLabel('Pool name').fill('cart');
			await paste(input(page, 0, 'at'), '10.9.2.1:80 5\n10.9.2.2\t80\t7\r\n10.9.2.3:80,10.9.2.4:80\n\n[2001:db8:0::1]:80=2\n');
			await page.getByText('5 members pasted').waitFor();
			assert.deepEqual(await page.locator('.member-rows input.at').evaluateAll((all) => all.map((e) => e.value)),
				['10.9.2.1:80', '10.9.2.2:80', '10.9.2.3:80', '10.9.2.4:80', '[2001:db8::1]:80', '']);
			await picture(page, 'add-pasted-light-en');
			await goOn(page, 'Preview');
			await previews(page);
			await goOn(page, 'Add pool');
			await closed(page);
			assert.deepEqual(w.pools.get('default.cart.40002-tcp').members.map((m) => m.weight), [5, 7, null, null, 2]);
		});
	},
	async function what_is_no_member_is_told_by_line() {
		const w = agent();

		await on(w, async (page) => {
			await act(page, 'Edit');
			await giveToken(page);
			await plain(page);
			await page.locator('#f-members').fill(['10.9.0.1:80', '10.9.0.1:80', '10.9.0.300:80', '10.9.0.4', '10.9.0.5:80 70000', '10.9.0.6:0', 'x', 'y'].join('\n'));
			for (const said of ['Line 2: 10.9.0.1:80 is in line 1 already', 'Line 3: “10.9.0.300:80” is no address:port', 'Line 4: 10.9.0.4 has no port',
				'Line 5: “70000” is no weight from 0 to 65535', 'Line 6: “10.9.0.6:0” is no address:port', 'and 2 more lines'])
				await page.getByText(said).waitFor();
			await picture(page, 'members-wrong-light-en');
			assert.ok(await main(page).isDisabled());
			await page.getByRole('button', { name: 'As text' }).click(); // the table marks the same ones
			assert.equal(await page.locator('.member-rows input.at[aria-invalid]').count(), 7);
			await plain(page);
			await page.locator('#f-members').fill('10.9.66.6:80');
			await goOn(page, 'Preview');
			await dialog(page).getByText('members[0].address is of the other family').waitFor();
			assert.equal(writes(w).length, 0);
		});
	},
	async function of_two_who_change_members_nobody_loses_any() {
		const w = agent();

		await on(w, async (page) => {
			await act(page, 'Edit');
			await giveToken(page);
			await input(page, 2, 'at').fill('10.9.0.3:80');
			await goOn(page, 'Preview');
			await previews(page);
			w.put(WEB, { ...w.pools.get(WEB), members: [...w.pools.get(WEB).members, { address: '10.9.0.9', port: 80, weight: null }] },
				{ user: 'token:bob', action: 'patch', source: 'web', reason: '' });
			await goOn(page, 'Save');
			await page.getByRole('button', { name: 'Apply mine on top' }).click();
			await goOn(page, 'Save');
			await closed(page);
			assert.deepEqual(w.pools.get(WEB).members.map((m) => m.address), ['10.9.0.1', '10.9.0.2', '10.9.0.9', '10.9.0.3']);
		});
	},
	async function the_table_of_members_by_keyboard() {
		await on(agent(), async (page) => {
			await act(page, 'Edit');
			await giveToken(page);
			await input(page, 0, 'at').focus();
			await page.keyboard.press('ArrowDown');
			await page.keyboard.press('ArrowDown');
			await page.keyboard.type('10.9.0.7:80');
			await page.keyboard.press('Tab');
			await page.keyboard.type('3');
			await page.keyboard.press('Enter');
			await previews(page);
			assert.match(await text(page, '.preview'), /10\.9\.0\.7:80=3/);
		});
	},
	async function both_ways_of_writing_members_are_clean_for_axe() {
		for (const [lang, theme] of [['en', 'dark'], ['zh-CN', 'light'], ['zh-CN', 'dark']]) {
			const page = await open(worked(), `#/pools?lang=${lang}&theme=${theme}`);

			await page.locator('tr[data-row="1"] .a-edit').click();
			await giveToken(page);
			await input(page, 2, 'at').fill('nonsense');
			await page.locator('.f-members .wrong').waitFor();
			assert.deepEqual(await axe(page), [], `table ${lang} ${theme}`);
			await picture(page, `edit-members-${theme}-${lang}`);
			await page.locator('.fieldset-act button').click();
			await page.locator('#f-members').waitFor();
			assert.deepEqual(await axe(page), [], `text ${lang} ${theme}`);
			await closePage(page);
		}
	},
];

const only = process.argv[2]; // a part of the names, while one works on it

await run(tests.filter((t) => !only || t.name.includes(only)));
await browser.close();
await fixture.stop();
