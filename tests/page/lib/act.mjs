// SPDX-License-Identifier: GPL-2.0-or-later
// What is done on a page that can be written to: dialogs, tokens, and an agent with two pools (writable.mjs).
import { closePage, openPage } from './ground.mjs';
import { rowOf } from './look.mjs';
import { Writable } from './writable.mjs';

export const WEB = 'shop.web.http-tcp', API = 'shop.api.http-tcp', WEB_NAME = 'shop/web:http';

export function agent() {
	const w = new Writable();

	w.add(WEB, { settings: { scheduler: 'wrr', 'drain-seconds': '60' }, members: [{ address: '10.9.0.1', port: 80, weight: null },
		{ address: '10.9.0.2', port: 80, weight: 5 }] });
	w.add(API, { members: [{ address: '10.9.1.1', port: 8080, weight: null }] });
	return w;
}

/** Pages over one fixture: open() gives one, on() looks at one and closes it. */
export function pagesOf(browser, fixture) {
	/** Refused answers are what some tests are about; the browser tells of them in its console. */
	async function open(w, hash = '#/pools', { ready = 'tr[data-row] .name', ...options } = {}, token = 'pst_alice') {
		const page = await openPage(browser, fixture, hash, { writable: w, ...options });

		page.allowed.push(/Failed to load resource: the server responded with a status of (4\d\d)/);
		await page.waitForSelector(ready);
		page.token = token;
		return page;
	}

	async function on(w, look, hash, options) {
		const page = await open(w, hash, options);

		await look(page);
		await closePage(page);
	}

	return { open, on };
}

/** The first write asks for it. */
export async function giveToken(page, token = page.token) {
	await page.locator('#f-token').fill(token);
	await page.keyboard.press('Enter');
	await page.locator('#f-token').waitFor({ state: 'detached' });
}

/** Members as text. */
export async function plain(page) {
	await page.getByRole('button', { name: 'As text' }).click();
}

export const dialog = (page) => page.locator('dialog.sheet').last();
export const main = (page) => dialog(page).locator('button.main');

/** Presses what goes on, once it can be. */
export async function goOn(page, label) {
	await dialog(page).locator('button.main:not(:disabled)', { hasText: label }).click();
}

export async function previews(page) {
	await dialog(page).locator('.preview').waitFor();
}

export async function closed(page) {
	await page.locator('dialog').waitFor({ state: 'detached' });
}

export async function notes(page, pattern) {
	await page.locator('.notice [role=status]', { hasText: pattern }).waitFor();
}

export function act(page, what, id = WEB) {
	return page.getByRole('button', { name: `${what} ${id}`, exact: true }).click({ force: true }); // it says why it cannot
}

export async function openMembers(page) {
	await rowOf(page, WEB_NAME).locator('.expand').click();
	await page.waitForSelector('.members tbody tr');
}

export const writes = (w) => w.requests.filter((r) => r.method !== 'GET' && !r.dry);
