#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// Editing on the page down to the store: no part of the agent but kernel and probes is another one.
import assert from 'node:assert/strict';
import { closePage, Fixture, openPage, picture, run, startBrowser } from './lib/ground.mjs';
import { rowOf, showsNames, text } from './lib/look.mjs';

const fixture = await Fixture.startCore();
const browser = await startBrowser();
const tokens = { alice: fixture.token('alice'), bob: fixture.token('bob') };
const WEB = 'shop.web.http-tcp', WEB_NAME = 'shop/web:http';

async function open(hash = '#/pools') {
	const page = await openPage(browser, fixture, hash);

	page.allowed.push(/status of (4\d\d)/);
	await page.waitForSelector('main .count');
	return page;
}

async function on(look, hash) {
	const page = await open(hash);

	await look(page);
	await closePage(page);
}

async function giveToken(page, who = 'alice') {
	await page.locator('#f-token').fill(tokens[who]);
	await page.keyboard.press('Enter');
	await page.locator('#f-token').waitFor({ state: 'detached' });
}

async function goOn(page, label) {
	await page.locator('dialog.sheet').last().locator('button.main:not(:disabled)', { hasText: label }).click();
}

async function closed(page) {
	await page.locator('dialog').waitFor({ state: 'detached' });
}

function act(page, what) {
	return page.getByRole('button', { name: `${what} ${WEB}`, exact: true }).click();
}

function shows(page, column, wanted) {
	return page.waitForFunction(([c, want]) => [...document.querySelectorAll('tr[data-row]')].some((r) =>
		r.querySelector('.name')?.textContent === 'shop/web:http' && r.querySelector('.c-' + c).textContent.includes(want)), [column, wanted]);
}

const spec = () => fetch(`${fixture.url}api/v1/pools/${WEB}/spec`).then((r) => r.json());

await run([
	async function a_pool_is_added_and_given_a_port() {
		await on(async (page) => {
			await page.locator('.add').click();
			await giveToken(page);
			await page.locator('#f-name').fill('Web');
			await page.locator('#f-namespace').fill('shop');
			await page.locator('#f-portName').fill('http');
			await page.getByRole('button', { name: 'As text' }).click();
			await page.locator('#f-members').fill('10.1.0.1:8080\n10.1.0.2:8080 5');
			await page.locator('[id="f-settings.health-check-type"]').selectOption('none');
			await page.locator('[id="f-settings.drain-seconds"]').fill('soon');
			await goOn(page, 'Preview');
			await page.locator('#e-name, [id="e-settings.drain-seconds"], .sheet [role=alert]').first().waitFor();
			await picture(page, 'agent-wrong-light-en');
			await page.locator('#f-name').fill('web');
			await goOn(page, 'Preview');
			await page.locator('[id="e-settings.drain-seconds"]').waitFor();
			await page.locator('[id="f-settings.drain-seconds"]').fill('60');
			await goOn(page, 'Preview');
			await page.locator('.preview', { hasText: '30000' }).waitFor();
			assert.deepEqual(await page.locator('.plan tbody tr').evaluateAll((rows) => rows.map((r) =>
				[...r.cells].map((c) => c.textContent.trim()).join(' '))), [
				'+ new service 10.0.0.1:30000/tcp – wrr',
				'+ new member 10.0.0.1:30000/tcp 10.1.0.1:8080 weight 1',
				'+ new member 10.0.0.1:30000/tcp 10.1.0.2:8080 weight 5',
			]);
			await picture(page, 'agent-preview-light-en');
			await page.locator('#f-reason').fill('the first');
			await goOn(page, 'Add pool');
			await closed(page);
			await showsNames(page, [WEB_NAME]);
			await shows(page, 'operator', 'token:alice');
			await shows(page, 'port', '30000');
		});
	},
	async function who_is_slower_is_told_by_whom() {
		const alice = await open(), bob = await open();

		for (const [page, who] of [[alice, 'alice'], [bob, 'bob']]) {
			await act(page, 'Edit');
			await giveToken(page, who);
		}
		await bob.locator('[id="f-settings.scheduler"]').selectOption('wlc');
		await goOn(bob, 'Preview');
		await goOn(bob, 'Save');
		await closed(bob);
		await shows(alice, 'operator', 'token:bob'); // the stream brings it below the dialog
		await alice.locator('[id="f-settings.drain-seconds"]').fill('90');
		await goOn(alice, 'Preview');
		await alice.getByText(/token:bob changed it at/).waitFor();
		await alice.getByRole('button', { name: 'Apply mine on top' }).click();
		await goOn(alice, 'Save');
		await closed(alice);
		const { settings } = await spec();

		assert.equal(settings.scheduler, 'wlc');
		assert.equal(settings['drain-seconds'], '90');
		await closePage(alice);
		await closePage(bob);
	},
	async function members_come_drain_resume_and_go() {
		await on(async (page) => {
			const weights = async () => Object.fromEntries((await spec()).members.map((m) => [m.id, m.weight]));

			await rowOf(page, WEB_NAME).locator('.expand').click();
			await page.getByRole('button', { name: 'Drain 10.1.0.1:8080' }).click();
			await giveToken(page);
			await goOn(page, 'Drain');
			await closed(page);
			await page.getByRole('button', { name: 'Resume 10.1.0.1:8080' }).waitFor();
			assert.deepEqual(await weights(), { '10.1.0.1-8080': 0, '10.1.0.2-8080': 5 });
			await page.getByRole('button', { name: 'Resume 10.1.0.1:8080' }).click();
			await goOn(page, 'Resume');
			await closed(page);
			await page.getByRole('button', { name: 'Weight of 10.1.0.2:8080' }).click();
			await page.locator('#f-weight').fill('7');
			await goOn(page, 'Preview');
			await goOn(page, 'Save');
			await closed(page);
			await page.getByRole('button', { name: '+ Add member' }).click();
			await page.locator('#f-address').fill('10.1.0.2:8080');
			await goOn(page, 'Preview');
			await page.locator('.sheet [role=alert], #e-address.wrong').first().waitFor(); // it is there already
			await page.locator('#f-address').fill('10.1.0.3:8080');
			await goOn(page, 'Preview');
			await goOn(page, 'Add member');
			await closed(page);
			await page.getByRole('button', { name: 'Delete 10.1.0.1:8080' }).click();
			await goOn(page, 'Delete');
			await closed(page);
			assert.deepEqual(await weights(), { '10.1.0.2-8080': 7, '10.1.0.3-8080': null });
			await picture(page, 'agent-members-light-en');
		});
	},
	async function members_are_saved_with_their_pool_and_each_has_its_past() {
		await on(async (page) => {
			const rows = page.locator('.member-rows tbody tr'), before = (await spec()).members;

			await act(page, 'Edit');
			await giveToken(page);
			await rows.nth(before.length).locator('input.at').fill('10.1.0.7:8080');
			await rows.nth(before.length).locator('input.weight').fill('3');
			await page.locator('[id="f-settings.drain-seconds"]').fill('70');
			await goOn(page, 'Preview');
			await page.locator('.plan', { hasText: '10.1.0.7:8080' }).waitFor();
			await goOn(page, 'Save');
			await closed(page);
			const after = await spec();

			assert.deepEqual(after.members, [...before, { id: '10.1.0.7-8080', address: '10.1.0.7', port: 8080, weight: 3 }]);
			assert.equal(after.settings['drain-seconds'], '70');
			await rowOf(page, WEB_NAME).locator('.expand').click();
			await page.locator('tr[data-member="10.1.0.7-8080"] .m-operator', { hasText: 'token:alice' }).waitFor();
			await page.getByRole('button', { name: 'Operation record of 10.1.0.7:8080' }).click();
			await page.waitForSelector('.record tbody tr');
			assert.equal(await page.locator('.record tbody tr').count(), 1);
			await page.keyboard.press('Escape');
			await closed(page);
			await page.getByRole('button', { name: 'Roll back 10.1.0.7:8080' }).click();
			await page.locator('.revisions tbody tr').last().locator('input').check();
			await page.locator('.preview').waitFor();
			await goOn(page, 'Roll back');
			await closed(page);
			assert.deepEqual((await spec()).members, before);
		});
	},
	async function what_was_done_leads_back_to_its_pool() {
		await on(async (page) => {
			await page.locator('.s-record tr[data-row="0"] .expand').click();
			await page.locator('.panel .diff').waitFor();
			await page.locator('.panel').getByRole('link', { name: WEB }).click();
			await page.waitForSelector('.members tbody tr');
			await page.keyboard.press('4');
			await page.locator('.s-addresses tr[data-row] .name').first().waitFor();
		}, '#/record');
	},
	async function the_record_names_who_did_it() {
		await on(async (page) => {
			await act(page, 'Operation record of');
			await page.waitForSelector('.record tbody tr');
			const rows = await page.locator('.record tbody tr').allInnerTexts();

			assert.ok(rows.some((r) => /token:bob.*edited.*page.*done/s.test(r)), rows.join('\n'));
			assert.ok(rows.some((r) => /token:alice.*created.*the first/s.test(r)), rows.join('\n'));
			assert.ok(rows.some((r) => /token:alice.*drained/s.test(r)), rows.join('\n'));
			await page.locator('.record tbody tr').first().locator('.expand').click();
			await page.locator('.more .diff, .more .dim').first().waitFor();
			await picture(page, 'agent-record-light-en');
			await page.keyboard.press('Escape');
		});
	},
	async function it_goes_back_is_deleted_and_comes_back() {
		await on(async (page) => {
			await act(page, 'Roll back');
			await giveToken(page);
			await page.locator('.revisions input:not(:disabled)').last().check();
			await page.locator('.preview').waitFor();
			await picture(page, 'agent-rollback-light-en');
			await page.locator('.sheet-foot').getByRole('button', { name: 'Copy as command' }).click();
			const command = await page.getByLabel('Command').inputValue();

			assert.equal(command, `parasausctl rollback pool ${WEB} --to 2`);
			assert.match(fixture.ctl(...command.split(' ').slice(1), '--dry-run'), /rolled back|configured|Endpoints/i);
			await goOn(page, 'Roll back');
			await closed(page);
			const first = await spec();

			assert.equal(first.members.length, 2);
			assert.equal(first.settings['drain-seconds'], '60');
			await act(page, 'Delete');
			await page.locator('.preview').waitFor();
			await goOn(page, 'Delete');
			await closed(page);
			await page.getByText('There are no pools yet.').waitFor();
			await page.keyboard.press('u');
			await page.locator('.preview').waitFor();
			await goOn(page, 'Roll back');
			await closed(page);
			await showsNames(page, [WEB_NAME]);
			assert.deepEqual((await spec()).members, first.members);
			assert.match(await text(page, '.notice'), /was rolled back/);
		});
	},
	/** The list may be older than the change, once and again: nothing of one's own is left for a click. */
	async function what_one_has_changed_shows_even_if_the_list_is_late() {
		await on(async (page) => {
			let late = 0, member;

			await act(page, 'Delete');
			await giveToken(page);
			await page.locator('.preview').waitFor();
			member = (await spec()).members[0].address;
			await goOn(page, 'Delete');
			await closed(page);
			await page.getByText('There are no pools yet.').waitFor();
			const before = await (await fetch(`${fixture.url}api/v1/pools?limit=100`)).text();

			await page.route('**/api/v1/pools?*', (route) => late-- > 0
				? route.fulfill({ contentType: 'application/json', body: before }) : route.continue());
			await page.keyboard.press('u');
			await page.locator('.preview').waitFor();
			late = 2; // what is asked for at once, and what the first word of the change brings
			await goOn(page, 'Roll back');
			await closed(page);
			while (late > 0)
				await page.waitForResponse('**/api/v1/pools?*');
			fixture.ctl('drain', 'shop/web', member, '--yes');
			await showsNames(page, [WEB_NAME]);
		});
	},
]);
await browser.close();
await fixture.stop();
