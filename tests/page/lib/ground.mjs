// SPDX-License-Identifier: GPL-2.0-or-later
// What tests of the page stand on: the REST interface over a fixture, and a browser that may reach
// nothing else. What the page must never do (errors in its console, things its own
// Content-Security-Policy forbids) is gathered and judged after each test.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const BUILD = process.env.PARASAUS_BUILD || resolve('build/release');
const PLACE = process.env.PAGE_PLACE || resolve('build/page');
export const PATIENCE_MS = 20000; // a test that takes that long has failed

const HERE = new URL('.', import.meta.url).pathname;
const GROUND = HERE + 'kernel_ground', IN_KERNEL = HERE + '../../lib/in-ipvs-kernel';

const require = createRequire(join(PLACE, 'npm/'));
const { chromium } = needed(() => require('playwright-core'));
const AXE = needed(() => require.resolve('axe-core/axe.min.js'));

function needed(get) {
	try {
		return get();
	} catch (e) {
		console.log(e.message.split('\n')[0] + ': deploy/install-deps page');
		process.exit(77);
	}
}

function freePort() {
	return new Promise((done) => {
		const server = createServer().listen(0, '127.0.0.1', () => {
			const { port } = server.address();

			server.close(() => done(port));
		});
	});
}

/** The fixture: do('d') does that to its pools (tests/lib/tools/api_fixture.c). */
export class Fixture {
	static async start(...size) {
		return Fixture.startOf(BUILD, ...size);
	}

	/** The same of another build. */
	static async startOf(build, ...size) {
		const f = new Fixture();

		f.dir = mkdtempSync(join(tmpdir(), 'page-'));
		f.child = spawn(join(build, 'tools/api_fixture'), ['--tcp', join(f.dir, 'socket'), ...size],
			{ stdio: ['pipe', 'pipe', 'inherit'] });
		for await (const line of createInterface(f.child.stdout)) {
			f.url = 'http://127.0.0.1:' + /^ready (\d+)$/.exec(line)[1] + '/';
			break;
		}
		return f;
	}

	/** All of core with a store of its own (tests/lib/tools/core_fixture.c); token(name) makes one. */
	static async startCore() {
		const f = new Fixture();

		f.child = spawn(join(BUILD, 'tools/core_fixture'), [], { stdio: ['pipe', 'pipe', 'inherit'] });
		for await (const line of createInterface(f.child.stdout)) {
			const [, port, socket] = /^ready (\d+) (.+)$/.exec(line);

			f.url = `http://127.0.0.1:${port}/`;
			f.socket = socket;
			break;
		}
		return f;
	}

	/** An agent over a kernel with IPVS, in a guest where this one has none (lib/kernel_ground). */
	static async startKernel() {
		const f = new Fixture(), port = await freePort();

		f.child = spawn(IN_KERNEL, ['env', 'PARASAUS_BUILD=' + BUILD, GROUND, String(port)], { stdio: ['pipe', 'pipe', 'inherit'],
			env: { ...process.env, GUEST_FORWARD: port + ':9090', GUEST_INPUT: '1', GUEST_TIMEOUT: process.env.GUEST_TIMEOUT || '3000' } });
		f.lines = createInterface(f.child.stdout)[Symbol.asyncIterator]();
		f.url = `http://127.0.0.1:${port}/`;
		while (!f.ready) {
			const { value, done } = await f.lines.next();

			if (done) {
				console.log('no kernel with IPVS, and no guest: deploy/install-deps guest');
				process.exit(77);
			}
			f.ready = value === 'ready';
		}
		return f;
	}

	/** What that says there, with all that lib/kernel_ground has. */
	async tell(command) {
		const said = [];

		this.child.stdin.write(command + '\n');
		for (;;) {
			const { value, done } = await this.lines.next();

			if (done)
				throw new Error('it ended: ' + command);
			if (/^= \d+$/.test(value)) {
				assert.equal(value, '= 0', command + ': ' + said.join('\n'));
				return said.join('\n');
			}
			said.push(value);
		}
	}

	ctl(...words) {
		return execFileSync(join(BUILD, 'parasausctl'), ['-s', this.socket, ...words], { encoding: 'utf8' });
	}

	token(name) {
		return this.ctl('token', 'create', name).trim();
	}

	do(what) {
		this.child.stdin.write(what);
	}

	/** The agent is gone; the address is free. */
	async stop() {
		const ended = new Promise((done) => this.child.once('exit', done));

		this.child.stdin.end();
		await ended;
		if (this.dir)
			rmSync(this.dir, { recursive: true, force: true });
	}
}

export async function startBrowser() {
	return chromium.launch({
		executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
		args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync',
			'--no-first-run', '--disable-quic', '--disable-dev-shm-usage'],
	});
}

/**
 * A page of its own: nothing is remembered from others. `hash` is what follows the address; `writable` of the
 * options stands before the fixture (writable.mjs), `before` gets the context before anything is loaded.
 */
export async function openPage(browser, fixture, hash = '', { writable, before, ...options } = {}) {
	const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US', ...options });
	const page = await context.newPage();

	page.faults = [];
	page.allowed = []; // what a test brings about on purpose
	page.setDefaultTimeout(PATIENCE_MS);
	page.on('console', (m) => ['error', 'warning'].includes(m.type()) && page.faults.push('console: ' + m.text()));
	page.on('pageerror', (e) => page.faults.push('error: ' + e.message));
	await page.exposeFunction('tellViolation', (text) => page.faults.push('policy: ' + text));
	await page.addInitScript(() => addEventListener('securitypolicyviolation', (e) =>
		window.tellViolation(e.violatedDirective + ' ' + e.blockedURI)));
	await writable?.install(context);
	await before?.(context);
	await context.route((url) => url.origin + '/' !== fixture.url, (route) => {
		page.faults.push('asks elsewhere: ' + route.request().url());
		return route.abort();
	});
	await page.goto(fixture.url + hash);
	return page;
}

export async function closePage(page) {
	const faults = page.faults.filter((f) => !page.allowed.some((a) => a.test(f)));

	await page.context().close();
	assert.deepEqual(faults, []);
}

/** What axe-core finds against WCAG 2.2 AA. It is not of the page, so its policy does not hold for it. */
export async function axe(page) {
	const client = await page.context().newCDPSession(page);

	await client.send('Page.setBypassCSP', { enabled: true });
	await page.evaluate(readFileSync(AXE, 'utf8'));
	const { violations } = await page.evaluate(() => window.axe.run(document,
		{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));

	return violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target + ' ' + (n.any[0]?.message || '')).join(' | ')}`);
}

export async function picture(page, name) {
	mkdirSync(PLACE, { recursive: true });
	await page.screenshot({ path: join(PLACE, name + '.png') });
}

/** Runs tests one after the other and tells in TAP what became of them. */
export async function run(tests) {
	let bad = 0;

	console.log('1..' + tests.length);
	for (const [i, test] of tests.entries()) {
		const name = test.name.replaceAll('_', ' ');

		try {
			await test();
			console.log(`ok ${i + 1} - ${name}`);
		} catch (e) {
			bad++;
			console.log(`not ok ${i + 1} - ${name}`);
			console.log(e.stack.replace(/^/gm, '# '));
		}
	}
	process.exitCode = bad ? 1 : 0;
}
