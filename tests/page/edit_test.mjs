#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// Editing on the page: pools and members of the store, by whom, with what was there before shown first.
import assert from 'node:assert/strict';
import { act, agent, closed, dialog, giveToken, goOn, main, notes, openMembers, pagesOf, plain, previews, WEB, writes } from './lib/act.mjs';
import { axe, closePage, Fixture, picture, run, startBrowser } from './lib/ground.mjs';
import { names, showsNames, text } from './lib/look.mjs';

const NODES_MAX = 1500;
const fixture = await Fixture.start();
const browser = await startBrowser();
const { open, on } = pagesOf(browser, fixture);
const focusedRow = (page) => page.waitForFunction(() => document.activeElement.closest('tr[data-row]'));

const tests = [
	async function a_pool_is_added_without_a_port_after_a_look() {
		const w = agent();

		await on(w, async (page) => {
			await page.locator('.add').click();
			await picture(page, 'token-light-en');
			await giveToken(page);
			await page.getByLabel('Pool name').fill('cart');
			await page.locator('#f-namespace').fill('shop');
			await page.getByLabel('Port name').fill('http');
			await plain(page);
			await page.locator('#f-members').fill('10.9.2.1:80\n10.9.2.2:80 7');
			await page.locator('[id="f-settings.health-check-type"]').selectOption('http');
			await page.locator('[id="f-settings.health-check-path"]').fill('/healthz');
			await page.getByLabel('Reason for the change').fill('autumn sale');
			await picture(page, 'add-light-en');
			await goOn(page, 'Preview');
			await previews(page);
			assert.match(await text(page, '.preview'), /nodePort.*40002/s);
			await picture(page, 'add-preview-light-en');
			assert.equal(writes(w).length, 0);
			await goOn(page, 'Add pool');
			await closed(page);
			await notes(page, /shop\.cart\.http-tcp was added/);
			await showsNames(page, ['shop/api:http', 'shop/cart:http', 'shop/web:http']);
			assert.match(await text(page, 'tr[data-row="1"]'), /token:alice/);
			assert.deepEqual(w.pools.get('shop.cart.http-tcp').members, [{ address: '10.9.2.1', port: 80, weight: null },
				{ address: '10.9.2.2', port: 80, weight: 7 }]);
			assert.equal(writes(w)[0].reason, 'autumn sale');
			await picture(page, 'pools-edit-light-en');
		});
	},
	async function what_cannot_be_used_is_told_at_its_field() {
		const w = agent();

		await on(w, async (page) => {
			await page.locator('.add').click();
			await giveToken(page);
			await page.getByLabel('Pool name').fill('Bad name');
			await plain(page);
			await page.locator('#f-members').fill('10.9.2.1:80\nnonsense');
			await page.getByText('Line 2: “nonsense” is no address:port').waitFor();
			assert.ok(await main(page).isDisabled());
			await page.locator('#f-members').fill('10.9.2.1:80');
			await goOn(page, 'Preview');
			await page.locator('#e-name', { hasText: 'not a DNS label' }).waitFor();
			assert.equal(await page.getAttribute('#f-name', 'aria-invalid'), 'true');
			await page.getByLabel('Pool name').fill('good');
			await page.getByRole('button', { name: '+ Another setting' }).click();
			await page.getByLabel('Name of the setting').fill('fail-policy');
			await page.getByLabel('Value of fail-policy').fill('maybe');
			await goOn(page, 'Preview');
			await page.locator('.pair .wrong', { hasText: 'it cannot be this' }).waitFor();
			await picture(page, 'add-wrong-light-en');
			await page.getByLabel('Value of fail-policy').fill('closed');
			await page.getByLabel('Pool name').fill('web');
			await page.locator('#f-namespace').fill('shop');
			await goOn(page, 'Preview');
			await page.locator('.sheet [role=alert]', { hasText: 'the name is taken' }).waitFor();
			assert.equal(writes(w).length, 0);
		});
	},
	async function an_edit_shows_what_was_and_what_will_be() {
		const w = agent();

		await on(w, async (page) => {
			await act(page, 'Edit');
			await giveToken(page);
			await page.locator('[id="f-settings.scheduler"]').selectOption('wlc');
			await page.locator('[id="f-settings.drain-seconds"]').fill('');
			await goOn(page, 'Preview');
			await previews(page);
			const lines = await page.locator('.preview tbody tr').allInnerTexts();

			assert.match(lines.join('\n'), /~\s*scheduler\s+wrr\s+wlc/);
			assert.match(lines.join('\n'), /−\s*drain-seconds\s+60\s+–/);
			await picture(page, 'edit-light-en');
			await page.locator('[id="f-settings.scheduler"]').selectOption('rr'); // looked at again before it is saved
			await main(page).filter({ hasText: 'Preview' }).waitFor();
			await goOn(page, 'Preview');
			await goOn(page, 'Save');
			await closed(page);
			assert.deepEqual(w.pools.get(WEB).settings, { scheduler: 'rr' });
			await focusedRow(page);
			await page.waitForFunction(() => document.querySelector('tr[data-row="1"] .c-operator').textContent === 'token:alice');
		});
	},
	async function who_is_slower_sees_both_and_chooses() {
		for (const [choice, settings] of [
			['Take theirs', { scheduler: 'wlc', 'drain-seconds': '60' }],
			['Apply mine on top', { scheduler: 'wlc', 'drain-seconds': '90' }],
			['Overwrite', { scheduler: 'wrr', 'drain-seconds': '90' }]]) {
			const w = agent(), alice = await open(w), bob = await open(w, '#/pools', {}, 'pst_bob');

			for (const page of [alice, bob]) {
				await act(page, 'Edit');
				await giveToken(page);
			}
			await bob.locator('[id="f-settings.scheduler"]').selectOption('wlc');
			await goOn(bob, 'Preview');
			await goOn(bob, 'Save');
			await closed(bob);
			await alice.locator('[id="f-settings.drain-seconds"]').fill('90');
			await goOn(alice, 'Preview');
			await alice.getByText(/token:bob changed it at/).waitFor();
			const rows = await alice.locator('.three tbody tr').allInnerTexts();

			assert.match(rows.join('\n'), /drain-seconds\s+90\s+60\s+60/);
			assert.match(rows.join('\n'), /scheduler\s+wrr\s+wlc\s+wrr/);
			await picture(alice, 'conflict-light-en');
			await alice.waitForFunction(() => document.activeElement.className === 'conflict');
			for (let i = 0; i <= ['Take theirs', 'Apply mine on top', 'Overwrite'].indexOf(choice); i++)
				await alice.keyboard.press('Tab');
			await alice.keyboard.press('Enter');
			if (choice === 'Take theirs') {
				assert.equal(await alice.locator('[id="f-settings.drain-seconds"]').inputValue(), '60');
				await alice.keyboard.press('Escape');
			} else {
				await goOn(alice, 'Save');
			}
			await closed(alice);
			assert.deepEqual(w.pools.get(WEB).settings, settings, choice);
			await closePage(alice);
			await closePage(bob);
		}
	},
	async function a_member_is_drained_and_comes_back() {
		const w = agent();

		await on(w, async (page) => {
			await openMembers(page);
			await picture(page, 'members-edit-light-en');
			await page.getByRole('button', { name: 'Drain 10.9.0.1:80' }).click();
			await giveToken(page);
			await previews(page);
			assert.match(await text(page, '.preview'), /weights\s+10\.9\.0\.2:80=5\s+10\.9\.0\.1:80=0,10\.9\.0\.2:80=5/);
			await picture(page, 'drain-light-en');
			await dialog(page).getByRole('button', { name: 'Copy as command' }).click();
			assert.equal(await page.getByLabel('Command').last().inputValue(), 'parasausctl drain shop/web 10.9.0.1:80');
			await goOn(page, 'Drain');
			await closed(page);
			await page.getByRole('button', { name: 'Resume 10.9.0.1:80' }).click();
			await goOn(page, 'Resume');
			await closed(page);
			await page.getByRole('button', { name: 'Drain 10.9.0.1:80' }).waitFor();
			assert.equal(w.pools.get(WEB).members[0].weight, null);
			await page.getByRole('button', { name: 'Weight of 10.9.0.2:80' }).click();
			await page.locator('#f-weight').fill('70000');
			await page.getByText('A number from 0 to 65,535').waitFor();
			await page.locator('#f-weight').fill('9');
			await goOn(page, 'Preview');
			await previews(page);
			await picture(page, 'weight-light-en');
			await goOn(page, 'Save');
			await closed(page);
			assert.equal(w.pools.get(WEB).members[1].weight, 9);
			await page.getByRole('button', { name: '+ Add member' }).click();
			await page.locator('#f-address').fill('[2001:db8::7]:80');
			await goOn(page, 'Preview');
			await goOn(page, 'Add member');
			await closed(page);
			await page.getByRole('button', { name: 'Delete [2001:db8::7]:80' }).click();
			await previews(page);
			await picture(page, 'member-delete-light-en');
			await goOn(page, 'Delete');
			await closed(page);
			assert.equal(w.pools.get(WEB).members.length, 2);
		});
	},
	async function a_deleted_pool_comes_back() {
		const w = agent();

		await on(w, async (page) => {
			await act(page, 'Delete');
			await giveToken(page);
			await page.getByRole('dialog', { name: `Delete pool ${WEB}?` }).waitFor();
			await previews(page);
			assert.match(await text(page, '.sheet'), /10\.0\.0\.1:40000\/tcp.*2 up/s);
			await picture(page, 'delete-light-en');
			await goOn(page, 'Delete');
			await closed(page);
			await showsNames(page, ['shop/api:http']);
			await notes(page, /was deleted/);
			await page.getByRole('button', { name: 'Undo' }).click();
			await previews(page);
			await goOn(page, 'Roll back');
			await closed(page);
			await showsNames(page, ['shop/api:http', 'shop/web:http']);
			assert.equal(w.pools.get(WEB).members.length, 2);
			assert.equal(writes(w).at(-1).reason, 'Undo');
			await page.keyboard.press('2'); // elsewhere there is nothing to undo
			await page.locator('.notice').waitFor({ state: 'detached' });
		});
	},
	async function a_pool_can_be_drained_instead_of_deleted() {
		const w = agent();

		await on(w, async (page) => {
			await act(page, 'Delete');
			await giveToken(page);
			await page.getByRole('button', { name: 'Drain first instead' }).click();
			await page.getByRole('dialog', { name: `Drain pool ${WEB}` }).waitFor();
			await goOn(page, 'Drain');
			await closed(page);
			assert.deepEqual(w.pools.get(WEB).members.map((m) => m.weight), [0, 0]);
		});
	},
	async function back_to_an_earlier_revision() {
		const w = agent();

		w.put(WEB, { ...w.pools.get(WEB), settings: { scheduler: 'sh' } }, { user: 'token:bob', action: 'patch', source: 'web', reason: 'try sh' });
		await on(w, async (page) => {
			await act(page, 'Roll back');
			await giveToken(page);
			assert.match(await text(page, '.revisions tbody tr'), /3.*token:bob.*edited.*now.*try sh/s);
			await page.locator('.revisions input:not(:disabled)').first().check();
			await previews(page);
			assert.match(await text(page, '.preview'), /scheduler\s+sh\s+wrr/);
			await picture(page, 'rollback-light-en');
			await goOn(page, 'Roll back');
			await closed(page);
			await notes(page, /was rolled back/);
			assert.equal(w.pools.get(WEB).settings.scheduler, 'wrr');
		});
	},
	async function the_record_has_who_did_what() {
		const w = agent();

		w.put(WEB, { ...w.pools.get(WEB), settings: { scheduler: 'sh' } }, { user: 'token:bob', action: 'patch', source: 'web', reason: 'try sh' });
		await on(w, async (page) => {
			await act(page, 'Operation record of');
			await page.waitForSelector('.record tbody tr');
			const rows = await page.locator('.record tbody tr').allInnerTexts();

			assert.equal(rows.length, 2);
			assert.match(rows[0], /token:bob.*edited.*page.*done.*try sh/s);
			assert.match(rows[1], /unix:root.*applied.*command line.*done/s);
			await page.getByRole('button', { name: 'Difference of operation 3' }).click();
			await page.locator('.more .diff').waitFor();
			assert.match(await text(page, '.more'), /scheduler\s+wrr\s+sh/);
			await picture(page, 'record-light-en');
			await page.keyboard.press('Escape');
			await closed(page);
			assert.equal(w.requests.filter((r) => r.method !== 'GET').length, 0); // nobody had to say who they are
		});
	},
	async function a_token_is_asked_for_once_and_sent_with_everything() {
		const w = agent();

		await on(w, async (page) => {
			await act(page, 'Edit');
			await page.locator('#f-token').fill('pst_wrong');
			await page.keyboard.press('Enter');
			await page.getByText('The agent does not know this token.').waitFor();
			await page.locator('#f-token').fill('pst_view');
			await page.keyboard.press('Enter');
			await page.getByText('token:view may read but not write.').waitFor();
			await page.getByLabel('Keep it in this tab').check();
			await giveToken(page);
			await page.locator('[id="f-settings.scheduler"]').waitFor();
			await page.keyboard.press('Escape');
			await closed(page);
			await page.locator('footer', { hasText: 'token:alice' }).waitFor();
			w.requests.length = 0;
			await page.reload();
			await page.waitForSelector('tr[data-row] .name');
			await page.locator('footer', { hasText: 'token:alice' }).waitFor();
			await act(page, 'Delete');
			await previews(page);
			assert.ok(w.requests.some((r) => r.path === 'watch'));
			assert.deepEqual(w.requests.filter((r) => r.auth !== 'Bearer pst_alice'), []);
			await page.keyboard.press('Escape');
			await page.getByRole('button', { name: 'Forget the token' }).click();
			await page.locator('footer', { hasText: 'read only' }).waitFor();
			assert.equal(await page.evaluate(() => sessionStorage.length), 0);
		});
	},
	async function a_pool_of_a_cluster_asks_for_a_token_of_the_cluster() {
		const w = agent();

		w.cluster.add(WEB);
		await on(w, async (page) => {
			await act(page, 'Edit');
			await page.locator('#f-token').fill(page.token); // which is good for the store
			await page.keyboard.press('Enter');
			await page.getByText('takes a token of yours that is good there').waitFor();
			await page.getByText('kubectl create token NAME').waitFor();
			await giveToken(page, 'kube_alice');
			await page.locator('[id="f-settings.scheduler"]').selectOption('wlc');
			await goOn(page, 'Preview');
			await previews(page);
			await goOn(page, 'Save');
			await closed(page);
			assert.equal(w.pools.get(WEB).who.user, 'kube:alice');
			assert.equal(w.pools.get(WEB).settings.scheduler, 'wlc');
		});
	},
	async function a_token_that_is_refused_is_asked_for_again() {
		const w = agent();

		await on(w, async (page) => {
			await act(page, 'Edit');
			await giveToken(page);
			await page.locator('[id="f-settings.scheduler"]').selectOption('wlc');
			await goOn(page, 'Preview');
			await previews(page);
			delete w.tokens.pst_alice;
			await goOn(page, 'Save');
			await page.getByText('The token is not known any more').waitFor();
			await giveToken(page, 'pst_bob');
			await closed(page);
			assert.equal(w.pools.get(WEB).who.user, 'token:bob');
			assert.equal(w.pools.get(WEB).settings.scheduler, 'wlc');
		});
	},
	async function what_a_dry_run_warns_of_is_seen_before_it_is_saved() {
		const w = agent();

		w.warning = 'Helm release shop/web will undo this at its next upgrade';
		await on(w, async (page) => {
			await act(page, 'Edit');
			await giveToken(page);
			await page.locator('[id="f-settings.scheduler"]').selectOption('wlc');
			await goOn(page, 'Preview');
			await dialog(page).locator('.preview .warning', { hasText: w.warning }).waitFor();
			await picture(page, 'edit-warning-light-en');
			assert.equal(writes(w).length, 0);
		});
	},
	async function a_right_that_is_missing_is_named_in_full() {
		const w = agent();

		w.forbids = 'endpoints "web" is forbidden: User "system:serviceaccount:shop:viewer" cannot update resource "endpoints" in API group "" in the ' +
			'namespace "shop": the right that is missing is update endpoints in namespace shop';
		await on(w, async (page) => {
			await act(page, 'Edit');
			await giveToken(page);
			await page.locator('[id="f-settings.scheduler"]').selectOption('wlc');
			await goOn(page, 'Preview');
			await dialog(page).locator('[role=alert]', { hasText: w.forbids }).waitFor();
			await picture(page, 'edit-forbidden-light-en');
		});
	},
	async function without_a_token_nothing_is_written() {
		const w = agent();

		await on(w, async (page) => {
			for (const what of ['Edit', 'Delete', 'Roll back']) {
				await act(page, what);
				await page.locator('#f-token').waitFor();
				await page.keyboard.press('Escape');
				await closed(page);
				await focusedRow(page);
			}
			assert.deepEqual(w.requests.filter((r) => r.method !== 'GET'), []);
		});
	},
	async function where_it_cannot_be_the_page_says_where_it_can() {
		const w = agent();

		w.reason = 'no-store';
		await on(w, async (page) => {
			await page.locator('footer', { hasText: 'read only' }).waitFor();
			await page.waitForSelector('.add[aria-disabled=true]');
			await act(page, 'Edit');
			await dialog(page).getByText(/has no store of its own/).waitFor();
		});
		w.reason = 'token-needed';
		w.foreign = [{ ...w.json(w.pools.get(WEB)), id: 'team.x.http-tcp', namespace: 'team', service: 'x', source: 'kubernetes:prod',
			revision: null, lastOperator: null, lastOperationTime: null }];
		await on(w, async (page) => {
			await act(page, 'Edit', 'team.x.http-tcp');
			await dialog(page).getByText('kubectl -n team edit endpoints,services x').first().waitFor();
		});
	},
	async function all_of_it_by_keyboard_in_both_languages() {
		for (const lang of ['en', 'zh-CN']) {
			const w = agent();

			await on(w, async (page) => {
				const press = (key) => page.keyboard.press(key), type = (words) => page.keyboard.type(words);

				await page.locator('tr[data-row="1"] .expand').focus();
				await press('e');
				await page.waitForFunction(() => document.activeElement.id === 'f-token');
				await type('pst_alice');
				await press('Enter');
				await page.waitForFunction(() => document.activeElement.id === 'f-port');
				await press('ControlOrMeta+a');
				await type('40555');
				await press('Enter');
				await previews(page);
				await page.waitForFunction(() => !document.querySelector('button.main').disabled);
				await press('Enter');
				await closed(page);
				assert.equal(w.pools.get(WEB).port, 40555);
				await page.waitForFunction(() => document.activeElement.closest('tr')?.dataset.row === '1');
				await press('Enter'); // the members
				await page.waitForSelector('.members tbody tr');
				await press('Tab'); // past the row's own four
				for (let i = 0; i < 12 && !await page.evaluate(() => document.activeElement.closest('[data-member]')); i++)
					await press('Tab');
				await press('ArrowDown');
				await page.waitForFunction(() => document.activeElement.closest('[data-member]')?.dataset.member === '10.9.0.2-80');
				await press('d');
				await previews(page);
				await page.waitForFunction(() => !document.querySelector('button.main').disabled && document.activeElement.id === 'f-reason');
				await press('Enter');
				await closed(page);
				assert.equal(w.pools.get(WEB).members[1].weight, 0);
				await press('u');
				await previews(page);
				await page.waitForFunction(() => !document.querySelector('button.main').disabled);
				await page.locator('#f-reason').focus();
				await press('Enter');
				await closed(page);
				assert.equal(w.pools.get(WEB).members[1].weight, 5);
				await page.locator('tr[data-row="0"] .expand').focus();
				await press('h');
				await page.waitForSelector('.record tbody tr');
				await press('Escape');
				await closed(page);
				await page.waitForFunction(() => document.activeElement.closest('tr')?.dataset.row === '0');
				await press('Delete');
				await previews(page);
				await press('Escape');
				await closed(page);
				await press('n');
				await page.waitForFunction(() => document.activeElement.id === 'f-name');
				await type('new');
				await press('Enter');
				await previews(page);
				await page.waitForFunction(() => !document.querySelector('button.main').disabled);
				await press('Enter');
				await closed(page);
				assert.ok(w.pools.has('default.new.40000-tcp'));
			}, `#/pools?lang=${lang}`);
		}
	},
	async function every_dialog_is_clean_for_axe() {
		for (const lang of ['en', 'zh-CN'])
			for (const theme of ['light', 'dark']) {
				const w = agent(), page = await open(w, `#/pools?lang=${lang}&theme=${theme}&open=${WEB}`);
				const is = async (name) => {
					assert.deepEqual(await axe(page), [], `${name} ${lang} ${theme}`);
					if (lang !== 'en' || theme !== 'light')
						await picture(page, `${name}-${theme}-${lang}`);
				};
				const leave = async () => {
					await page.keyboard.press('Escape');
					await closed(page);
				};

				await page.waitForSelector('.members tbody tr');
				await page.locator('.add').click();
				await page.locator('#f-token').waitFor();
				await is('token');
				await giveToken(page);
				await page.locator('#f-name').fill('Bad');
				await page.locator('button.main:not(:disabled)').click();
				await page.locator('#e-name').waitFor();
				await is('add');
				await leave();
				for (const [what, ready] of [['edit', '#f-port'], ['delete', '.preview'], ['rollback', '.revisions'], ['record', '.record tbody tr']]) {
					await page.locator(`tr[data-row="1"] .a-${what}`).click();
					await page.locator(ready).first().waitFor();
					if (what === 'edit') { // then somebody else is faster
						await page.locator('#f-port').fill('40777');
						await page.locator('button.main:not(:disabled)').click();
						await previews(page);
						await is('edit');
						w.put(WEB, w.pools.get(WEB), { user: 'token:bob', action: 'patch', source: 'web', reason: '' });
						await page.locator('button.main:not(:disabled)').click();
						await page.locator('.conflict').waitFor();
						await is('conflict');
					} else {
						await is(what);
					}
					await leave();
				}
				for (const [sign, name, ready] of [['a-edit', 'weight', '#f-weight'], ['word', 'drain', '.preview'], ['a-delete', 'member-delete', '.preview'],
					['a-rollback', 'member-rollback', '.revisions'], ['a-record', 'member-record', '.record tbody tr']]) {
					await page.locator('tr[data-member]').first().locator('button.' + sign).click();
					await page.locator(ready).first().waitFor();
					await is(name);
					await leave();
				}
				await page.locator('.under button').first().click();
				await page.locator('#f-address').fill('10.9.0.9:80');
				await page.locator('button.main:not(:disabled)').click();
				await previews(page);
				await is('member-add');
				await page.locator('button.main:not(:disabled)').click();
				await closed(page);
				await page.locator('.notice button').first().waitFor();
				await is('done');
				await closePage(page);
			}
	},
	async function many_pools_stay_few_elements() {
		const w = agent();

		w.size = 35000;
		w.pools.get(WEB).members = Array.from({ length: 40 }, (_, i) => ({ address: '10.9.3.' + i, port: 80, weight: null }));
		await on(w, async (page) => {
			await page.waitForFunction(() => document.querySelector('.count').textContent.includes('35,000'));
			// The most there are at any time, whether it is painted or not.
			await page.evaluate(() => {
				const count = () => { window.most = Math.max(window.most || 0, document.querySelectorAll('*').length); };

				count();
				new MutationObserver(count).observe(document, { childList: true, subtree: true });
			});
			await page.locator('tr[data-row="3"] .expand').click();
			await page.waitForFunction(() => document.querySelectorAll('.members tbody tr').length === 20);
			const n = await page.evaluate(() => window.most);

			console.log(`# nodes: ${n}`);
			assert.ok(n < NODES_MAX);
			assert.equal((await names(page))[3], 'shop/s00003:http');
		});
	},
	async function a_narrow_screen_has_its_dialogs() {
		await on(agent(), async (page) => {
			await page.locator('.add').click();
			await giveToken(page);
			await page.locator('#f-name').fill('x');
			await goOn(page, '预览');
			await previews(page);
			assert.equal(await page.evaluate(() => document.querySelector('.sheet').scrollWidth <= innerWidth), true);
			await picture(page, 'add-narrow-zh');
		}, '#/pools?lang=zh-CN', { viewport: { width: 320, height: 800 } });
	},
];

const only = process.argv[2]; // a part of the names, while one works on it

await run(tests.filter((t) => !only || t.name.includes(only)));
await browser.close();
await fixture.stop();
