// SPDX-License-Identifier: GPL-2.0-or-later
// What one sees of a list. What waits does so for a state, never for a time.

export async function text(page, selector) {
	return page.locator(selector).first().innerText();
}

export async function names(page) {
	return page.locator('tr[data-row] .name').allTextContents();
}

export async function showsNames(page, wanted) {
	await page.waitForFunction((want) => JSON.stringify(
		[...document.querySelectorAll('tr[data-row] .name')].map((e) => e.textContent)) === want, JSON.stringify(wanted));
}

export async function showsCount(page, wanted) {
	await page.waitForFunction((want) => document.querySelector('.count')?.textContent === want, wanted);
}

/** The row whose name that is. */
export function rowOf(page, name) {
	return page.locator('tr[data-row]').filter({ has: page.getByText(name, { exact: true }) });
}
