#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// The page over 35,000 pools never keeps one waiting: no task of it is a long one. Those of more than 50 ms by the
// clock are told one by one with what they were made of. A machine that does much else lengthens them, so what is
// asserted is their time on a processor, against that of a task which is always the same, in the same browser.
//
//   RUNS=N       how often each is done, of which the median counts (3)
//   COMPARE=DIR  the page of another build, run in turn with this one, as what is told beside it
import assert from 'node:assert/strict';
import { closePage, Fixture, openPage, run, startBrowser } from './lib/ground.mjs';
import { rowShown, type } from './lib/measure.mjs';
import { describe, traced } from './lib/tasks.mjs';

const POOLS = 35000, LONG_MS = 50, RUNS = Number(process.env.RUNS || 3);
// The longest that is allowed, of the task that is always the same, which takes half of 50 ms where this was
// written. There are 0.7 to 0.95 of it, and up to 1.1 where all rows are others; the first look was 1.4 of it once.
const FIRST = 1.2, SCROLL = 1.5;
const builds = { now: await Fixture.start(String(POOLS), '10') };
const browser = await startBrowser();

if (process.env.COMPARE)
	builds.before = await Fixture.startOf(process.env.COMPARE, String(POOLS), '10');

// As many elements as there are in sight of the page, made, styled and laid out, twice, by nothing but the browser.
const PLAIN = '<!doctype html><title>.</title><body><script>setTimeout(() => { for (let n = 0; n < 2; n++) { ' +
	'const t = document.createElement("table"); for (let r = 0; r < 40; r++) { const row = t.insertRow(); ' +
	'for (let c = 0; c < 12; c++) { const e = document.createElement("button"); e.textContent = "cell " + n + r + c; ' +
	'row.insertCell().append(e, " " + r * c); } } document.body.append(t); t.offsetHeight; } }, 100)</script>';

function median(numbers) {
	return numbers.sort((a, b) => a - b)[numbers.length >> 1];
}

/** Two frames: what was done last has been painted. */
function settled(page) {
	return page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))));
}

/** The tasks of a page that is no part of us. */
async function tasksOfPage(html, isThere) {
	return traced(browser, 'data:', async () => {
		const page = await browser.newPage();

		await page.goto('data:text/html,' + encodeURIComponent(html));
		await isThere(page);
		await page.close();
	});
}

/** On a processor, in ms: the longest task of a page that makes its elements at once and without us. */
async function plain() {
	const tasks = await tasksOfPage(PLAIN, (page) => page.waitForSelector('table + table'));

	return Math.max(...tasks.map((t) => t.cpu));
}

/** An empty page: what Chromium itself does to show one. */
function empty() {
	return tasksOfPage('<!doctype html><title>.</title><p>.', settled);
}

async function tasksOf(fixture, act) {
	return traced(browser, fixture.url, async () => {
		const page = await openPage(browser, fixture);

		await page.waitForSelector('tr[data-row] .name');
		await page.waitForFunction(() => document.querySelector('.live')?.textContent.includes('live'));
		await act?.(page, fixture);
		await settled(page);
		await closePage(page);
	});
}

function tell(what, all) {
	const long = all.flat().filter((t) => t.wall > LONG_MS), worst = all.map((tasks) => Math.max(...tasks.map((t) => t.cpu)));
	const sum = all.map((tasks) => tasks.reduce((n, t) => n + t.cpu, 0));

	console.log(`# ${what}: on a processor ${median(sum).toFixed(0)} ms, at once at most ${median(worst).toFixed(1)} ms; ` +
		`tasks of more than ${LONG_MS} ms by the clock: ${long.length} in ${all.length} runs`);
	for (const t of long)
		console.log(`#   ${describe(t)}`);
	return median(worst);
}

/** All of the tasks of that, from when the page is asked for on. */
async function noneIsLong(what, most, act) {
	const all = { now: [], before: [] }, units = [];

	for (let i = 0; i < RUNS; i++) {
		units.push(await plain());
		for (const [build, fixture] of Object.entries(builds))
			all[build].push(await tasksOf(fixture, act));
	}
	const unit = median(units);

	if (builds.before)
		tell(what + ', before', all.before);
	const worst = tell(what, all.now);

	console.log(`# ${what}: ${(worst / unit).toFixed(2)} of what ${unit.toFixed(1)} ms are plain`);
	assert.ok(worst <= most * unit, describe(all.now.flat().sort((a, b) => b.cpu - a.cpu)[0]));
}

const counts = (n) => `${n.toLocaleString('en')} of 35,000`;

/** What Chromium itself does is told beside ours, where somebody looks at the figures. */
if (process.env.RUNS) {
	const all = [];

	for (let i = 0; i < RUNS; i++)
		all.push(await empty());
	tell('an empty page', all);
}

await run([
	async function no_task_of_the_first_look_is_long() {
		await noneIsLong('opened', FIRST);
	},
	async function none_while_one_types() {
		await noneIsLong('searched', FIRST, async (page) => {
			for (let n = 1; n < 4; n++) {
				await type(page, 'service-0' + n, counts(1000));
				await type(page, '', counts(POOLS));
			}
		});
	},
	async function none_while_one_scrolls() {
		await noneIsLong('scrolled', SCROLL, async (page) => {
			await page.mouse.move(700, 500);
			for (let i = 0; i < 20; i++)
				await page.mouse.wheel(0, 3000);
			await page.waitForFunction(() => document.querySelector('.scroller').scrollTop > 50000 && !document.querySelector('tr.absent'));
		});
	},
	async function none_where_a_pool_is_opened() {
		await noneIsLong('a pool opened', FIRST, async (page) => {
			await page.locator('tr[data-row="2"] .c-ip').click();
			await page.waitForSelector('.members tbody tr');
		});
	},
	async function none_in_a_storm_of_changes() {
		await noneIsLong('a storm of changes', FIRST, async (page, fixture) => {
			fixture.do('c'.repeat(200));
			await page.waitForFunction(() => document.querySelector('tr[data-row="9"] .c-health')?.textContent.includes('degraded'));
			fixture.do('r');
			await page.waitForFunction(() => document.querySelector('tr[data-row="9"] .c-health')?.textContent.includes('up'));
		});
	},
	async function none_from_one_view_to_the_next() {
		await noneIsLong('views', FIRST, async (page) => {
			const links = page.locator('nav a');

			for (let i = await links.count() - 1; i >= 0; i--) { // back to the pools; a fixture has no store for these two
				if (/addresses|record/.test(await links.nth(i).getAttribute('href')))
					continue;
				await links.nth(i).click();
				await page.waitForSelector('main .screen');
			}
			await rowShown(page, 0, 'ns/service-00000:http');
		});
	},
]);
await browser.close();
for (const fixture of Object.values(builds))
	await fixture.stop();
