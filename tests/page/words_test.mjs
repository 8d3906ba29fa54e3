#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// The words of the page: the same keys in each language, and all that the code asks for.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from './lib/ground.mjs';

const PAGE = new URL('../../agent/api/page/', import.meta.url).pathname;
const SPEC = JSON.parse(readFileSync(join(PAGE, '../openapi.json'), 'utf8'));
const load = async (name) => (await import('data:text/javascript,' +
	encodeURIComponent(readFileSync(join(PAGE, name), 'utf8')))).default;
const en = await load('words_en.js'), zh = await load('words_zh.js');
const read = (name) => readFileSync(join(PAGE, name), 'utf8');
const modules = readdirSync(PAGE).filter((f) => f.endsWith('.js'));
const sources = modules.filter((f) => !f.startsWith('words_')).map(read);

/** A module and all that it imports, and what they do, in turn. */
function neededBy(file, found = new Set()) {
	if (found.has(file))
		return found;
	found.add(file);
	for (const [, other] of read(file).matchAll(/^(?:import|export) [^']*'(\.\/\S+)';$/gm))
		neededBy(join(dirname(file), other), found);
	return found;
}

const names = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();

await run([
	async function each_language_has_the_same_keys() {
		assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
	},
	async function texts_have_the_same_places_and_none_is_empty() {
		for (const key of Object.keys(en)) {
			assert.deepEqual(names(zh[key]), names(en[key]), key);
			assert.ok(en[key] && zh[key], key);
		}
	},
	async function every_text_that_is_asked_for_is_there() {
		let asked = 0;

		for (const source of sources)
			for (const [, key] of source.matchAll(/\bt\('([\w.-]+)'[,)]/g)) {
				assert.ok(en[key], key);
				asked++;
			}
		assert.ok(asked > 50);
	},
	async function what_the_first_look_needs_is_asked_for_at_once_and_nothing_else() {
		const html = readFileSync(join(PAGE, 'index.html'), 'utf8');
		const listed = [...html.matchAll(/(?:href|src)="\/page\/(\S+?js)"/g)].map((m) => m[1]);

		assert.deepEqual(listed.sort(), [...neededBy('main.js')].sort());
	},
	async function every_module_is_reached() {
		const reached = neededBy('main.js'), vendored = readdirSync(join(PAGE, 'vendor')).filter((f) => f.endsWith('.mjs'));

		for (const file of reached) // grows while it is walked
			for (const [, later] of read(file).matchAll(/\bimport\('\.\/(\S+)'\)/g))
				neededBy(later, reached);
		assert.deepEqual([...reached].sort(), [...modules, ...vendored.map((f) => 'vendor/' + f)].sort());
	},
	async function what_comes_later_is_called_that_where_it_is() {
		let seen = 0;

		for (const file of modules)
			for (const [, from, name] of read(file).matchAll(/\blater\(\(\) => import\('\.\/(\S+)'\), '(\w+)'\)/g)) {
				assert.match(read(from), new RegExp(`^export (class|function) ${name}\\b`, 'm'), name);
				seen++;
			}
		assert.ok(seen > 15);
	},
	async function every_word_of_the_interface_has_a_text() {
		const { schemas } = SPEC.components;
		const groups = {
			health: schemas.Pool.properties.health.enum,
			unhealthy: schemas.Pool.properties.onUnhealthy.enum,
			policy: schemas.Pool.properties.failPolicy.enum,
			state: schemas.Member.properties.state.enum,
			reason: schemas.Member.properties.reasons.items.enum,
			severity: schemas.ProblemItem.properties.severity.enum,
			event: schemas.Event.properties.type.enum,
		};

		for (const [group, words] of Object.entries(groups))
			for (const w of words)
				assert.ok(en[group + '.' + w], group + '.' + w);
	},
	async function every_action_on_record_can_be_filtered_for() {
		const [, list] = /^const ACTIONS = \[(.*)\];$/m.exec(read('operations.js'));
		const named = Object.keys(en).filter((key) => key.startsWith('action.')).map((key) => key.slice(7));

		assert.deepEqual([...list.matchAll(/'([\w-]+)'/g)].map((m) => m[1]).sort(), named.sort());
	},
	async function every_finding_of_a_probe_has_a_text() {
		const source = readFileSync(join(PAGE, '../../../healthcheck/message.c'), 'utf8');
		const findings = [...source.matchAll(/\[HC_REASON_\w+\] = "([^"]+)"/g)].map((m) => m[1].replaceAll(' ', '-'));

		assert.ok(findings.length > 20);
		for (const f of findings)
			for (const group of ['probe.', 'about.']) // in short, and what it means
				assert.ok(en[group + f], group + f);
	},
]);
