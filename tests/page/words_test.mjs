#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// The words of the page: the same keys in each language, and all that the code asks for.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './lib/ground.mjs';

const PAGE = new URL('../../agent/api/page/', import.meta.url).pathname;
const SPEC = JSON.parse(readFileSync(join(PAGE, '../openapi.json'), 'utf8'));
const load = async (name) => (await import('data:text/javascript,' +
	encodeURIComponent(readFileSync(join(PAGE, name), 'utf8')))).default;
const en = await load('words_en.js'), zh = await load('words_zh.js');
const sources = readdirSync(PAGE).filter((f) => f.endsWith('.js') && !f.startsWith('words_'))
	.map((f) => readFileSync(join(PAGE, f), 'utf8'));

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
	async function every_module_is_asked_for_at_once() {
		const html = readFileSync(join(PAGE, 'index.html'), 'utf8');
		const files = readdirSync(PAGE).filter((f) => f.endsWith('.js'));
		const vendored = readdirSync(join(PAGE, 'vendor')).filter((f) => f.endsWith('.mjs')).map((f) => 'vendor/' + f);
		const listed = [...html.matchAll(/(?:href|src)="\/page\/(\S+?js)"/g)].map((m) => m[1]);

		assert.deepEqual(listed.sort(), [...files, ...vendored].sort());
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
	async function every_finding_of_a_probe_has_a_text() {
		const source = readFileSync(join(PAGE, '../../../healthcheck/message.c'), 'utf8');
		const findings = [...source.matchAll(/\[HC_REASON_\w+\] = "([^"]+)"/g)].map((m) => m[1].replaceAll(' ', '-'));

		assert.ok(findings.length > 20);
		for (const f of findings)
			assert.ok(en['probe.' + f], f);
	},
]);
