#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// From an empty store down to the kernel by the page alone, by its keys alone, in both languages: after each
// step the kernel's table, what clients get through the VIP, and the record of operations are looked at.
import assert from 'node:assert/strict';
import { closePage, Fixture, openPage, picture, run, startBrowser } from './lib/ground.mjs';

const FIRST = '10.100.1.11:8080', SECOND = '10.100.1.12:8080', VIP = '192.0.2.10';
const TABS_MAX = 120; // further than any way through a screen
const PATIENCE_MS = 30000; // where every instruction of the kernel is emulated

const fixture = await Fixture.startKernel();
const browser = await startBrowser();

/** Asks until `is` holds for what is said; the kernel is behind by as much as a probe and a write take. */
async function until(ask, is, what) {
	const end = Date.now() + PATIENCE_MS;

	for (;;) {
		const said = await ask();

		if (is(said))
			return said;
		assert.ok(Date.now() < end, `${what} was waited for in vain: ${JSON.stringify(said)}`);
	}
}

/** `ipvsadm -Ln` as { frontend: { scheduler, servers: { server: weight } } }. */
function read(table) {
	const out = {};
	let last;

	for (const line of table.split('\n')) {
		const [head, at, scheduler, weight] = line.trim().split(/\s+/);

		if (head === 'TCP' || head === 'UDP')
			last = out[at] = { scheduler, servers: {} };
		else if (head === '->' && last && at !== 'RemoteAddress:Port')
			last.servers[at] = Number(weight);
	}
	return out;
}

async function kernelHas(wanted) {
	const same = (t) => JSON.stringify(read(t)) === JSON.stringify(wanted);

	console.log(`# ${(await until(() => fixture.tell('kernel'), same, JSON.stringify(wanted))).replaceAll('\n', '\n# ')}`);
}

async function clientsGet(frontend, wanted) {
	await until(() => fixture.tell(`answers ${frontend} 4 || true`), (said) => said === wanted, wanted);
}

async function recordHas(pool, user, action) {
	const { items } = await fetch(`${fixture.url}api/v1/operations?pool=${pool}&limit=1`).then((r) => r.json());
	const { source, result } = items[0];

	assert.deepEqual([items[0].user, items[0].action, source, result], [user, action, 'web', 'ok']);
}

// --- keys -----------------------------------------------------------------------------------

async function tabTo(page, selector) {
	await page.locator(selector).first().waitFor();
	for (let i = 0; i < TABS_MAX; i++) {
		if (await page.evaluate((s) => document.activeElement.matches(s), selector))
			return;
		await page.keyboard.press('Tab');
	}
	assert.fail('no way by Tab to ' + selector);
}

async function fill(page, id, text) {
	await tabTo(page, `[id="f-${id}"]`);
	await page.keyboard.press('Control+A');
	for (const [i, line] of text.split('\n').entries()) {
		if (i)
			await page.keyboard.press('Enter');
		await page.keyboard.type(line);
	}
}

/** A choice is made by its first letters. */
async function choose(page, id, value) {
	await tabTo(page, `[id="f-${id}"]`);
	await page.keyboard.type(value);
	assert.equal(await page.evaluate(() => document.activeElement.value), value);
}

/** The preview is looked at, then what it shows is done. */
async function previewAndDo(page, name) {
	await page.locator('.preview').waitFor();
	await page.locator('button.main:not(:disabled)').waitFor();
	await picture(page, name);
	await tabTo(page, 'button.main');
	await page.keyboard.press('Enter');
	await page.locator('dialog').waitFor({ state: 'detached' });
	await page.locator('.notice [role=status]').waitFor();
	await picture(page, name + '-done');
}

async function row(page, name) {
	await page.waitForFunction((n) => document.querySelector('tr[data-row="0"] .name')?.textContent === n, name);
	if (!await page.evaluate(() => document.activeElement.closest('tr[data-row]')))
		await tabTo(page, 'tr[data-row="0"] .expand');
}

// --- steps ------------------------------------------------------------------------------------

async function all(page, { user, token, namespace, lang }) {
	const pool = `${namespace}.web.http-tcp`, name = `${namespace}/web:http`, at = `${VIP}:30000`;
	const shown = (step) => `kernel-${step}-light-${lang}`;

	await page.locator('.nothing').waitFor();
	await picture(page, shown('empty'));
	await page.keyboard.press('n');
	await page.locator('#f-token').waitFor();
	await page.keyboard.type(token);
	await page.keyboard.press('Enter');
	await page.locator('#f-name').waitFor();
	await fill(page, 'name', 'web');
	await fill(page, 'namespace', namespace);
	await fill(page, 'portName', 'http');
	await tabTo(page, 'dialog tbody input.at');
	await page.keyboard.type(FIRST);
	await choose(page, 'settings.scheduler', 'rr');
	await fill(page, 'settings.drain-seconds', '1'); // so that what goes is soon gone
	await fill(page, 'reason', 'the first');
	await page.keyboard.press('Enter');
	await previewAndDo(page, shown('add'));
	await kernelHas({ [at]: { scheduler: 'rr', servers: { [FIRST]: 1 } } });
	await clientsGet(at, 's1 4');
	await recordHas(pool, user, 'create');

	await row(page, name);
	await page.keyboard.press('Enter');
	await tabTo(page, '.under button');
	await page.keyboard.press('Enter');
	await fill(page, 'address', SECOND + ' 3');
	await page.keyboard.press('Enter');
	await previewAndDo(page, shown('member'));
	await kernelHas({ [at]: { scheduler: 'rr', servers: { [FIRST]: 1, [SECOND]: 3 } } });
	await clientsGet(at, 's1 2\ns2 2');
	await recordHas(pool, user, 'add-member');

	await row(page, name);
	await page.keyboard.press('e');
	await choose(page, 'settings.scheduler', 'wlc');
	await fill(page, 'reason', 'one is larger');
	await page.keyboard.press('Enter');
	await previewAndDo(page, shown('edit'));
	await kernelHas({ [at]: { scheduler: 'wlc', servers: { [FIRST]: 1, [SECOND]: 3 } } });
	await recordHas(pool, user, 'patch');

	await tabTo(page, `tr[data-member="${FIRST.replace(':', '-')}"] button`);
	await page.keyboard.press('d');
	await previewAndDo(page, shown('drain'));
	await kernelHas({ [at]: { scheduler: 'wlc', servers: { [FIRST]: 0, [SECOND]: 3 } } });
	await clientsGet(at, 's2 4');
	await recordHas(pool, user, 'drain');

	await row(page, name);
	await page.keyboard.press('b');
	await page.locator('.revisions').waitFor();
	await tabTo(page, '.revisions input');
	while (!await page.evaluate(() => document.activeElement.closest('tr')?.matches(':last-child')))
		await page.keyboard.press('ArrowDown');
	await previewAndDo(page, shown('rollback'));
	await kernelHas({ [at]: { scheduler: 'rr', servers: { [FIRST]: 1 } } });
	await clientsGet(at, 's1 4');
	await recordHas(pool, user, 'rollback');

	await row(page, name);
	await page.keyboard.press('h');
	await page.locator('.record tbody tr').nth(4).waitFor();
	const rows = await page.locator('.record tbody tr').allInnerTexts();

	assert.ok(rows.every((r) => r.includes(user)), rows.join('\n'));
	await picture(page, shown('record'));
	await page.keyboard.press('Escape');
	await page.locator('dialog').waitFor({ state: 'detached' });

	await row(page, name);
	await page.keyboard.press('Delete');
	await previewAndDo(page, shown('delete'));
	await kernelHas({});
	await recordHas(pool, user, 'delete');
	await page.locator('.nothing').waitFor();
}

async function on(lang, who, namespace) {
	const token = await fixture.tell('ctl token create ' + who);
	const page = await openPage(browser, fixture, `?lang=${lang}#/pools`, { locale: lang });

	page.allowed.push(/status of 404/); // the members of a pool that was deleted while they were shown
	assert.equal(await page.getAttribute('html', 'lang'), lang);
	await all(page, { user: 'token:' + who, token, namespace, lang });
	await closePage(page);
}

await run([
	async function from_an_empty_store_to_the_kernel_and_back_in_English() {
		await on('en', 'alice', 'shop');
	},
	async function and_in_Chinese() {
		await on('zh-CN', 'wang', 'dian');
	},
]);
await browser.close();
await fixture.stop();
