// SPDX-License-Identifier: GPL-2.0-or-later
// What a change does to documents, line by line: what was, what will be.
import { html } from './html.js';
import { t, word } from './i18n.js';

const LINES = 40;
const SIGNS = { add: '+', remove: '−', replace: '~' };

const SAID = /^(apiVersion|kind|metadata\.(name|namespace))$/; // of a document as a whole: it stands above

const isBranch = (v) => typeof v === 'object' && v !== null;

export function words(pointer) {
	return pointer.split('/').slice(1).map((s) => s.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function valueAt(tree, path) {
	return path.reduce((v, key) => isBranch(v) ? v[key] : undefined, tree);
}

/** Those of an array are told apart by what they are, not by where they stand. */
function nameOf(v, i) {
	return isBranch(v) ? v.ip ?? v.name ?? v.port ?? String(i) : JSON.stringify(v);
}

function branches(v) {
	if (!isBranch(v))
		return new Map();
	return new Map(Array.isArray(v) ? v.map((x, i) => [String(nameOf(x, i)), x]) : Object.entries(v));
}

/** Lines { op, path, before, after } of where two trees differ, leaf by leaf. */
function compare(path, before, after, out) {
	if (isBranch(before) || isBranch(after)) {
		const a = branches(before), b = branches(after);

		for (const key of new Set([...a.keys(), ...b.keys()]))
			compare([...path, key], a.get(key), b.get(key), out);
	} else if (before !== after) {
		out.push({ op: before === undefined ? 'add' : after === undefined ? 'remove' : 'replace', path, before, after });
	}
}

/**
 * What the interface tells as operations of RFC 6902, with what was there where that is known. Where both are,
 * items of lists are told apart by name: it knows them by place alone.
 */
function lines({ diff, before, after }) {
	const out = [];

	if (before && after)
		compare([], before, after, out);
	for (const { op, path, value } of out.length ? [] : diff) {
		const at = words(path), was = valueAt(before, at);

		if (before === undefined && op !== 'add' && !isBranch(value))
			out.push({ op, path: at, after: value });
		else
			compare(at, was, op === 'remove' ? undefined : value, out);
	}
	return out.filter((l) => !SAID.test(l.path.join('.')));
}

/** "10.0.0.1 › ip" with the value 10.0.0.1 says it twice. */
function place({ path, before, after }) {
	const [first, second, ...rest] = path;

	if (path.length > 2 && path.at(-2) === String(after ?? before))
		path = path.slice(0, -2);

	return first === 'metadata' && second === 'annotations' && rest.length ? rest.join('/').replace(/^parasaus\.io\//, '')
		: path.join(' › ');
}

function value(v) {
	return v === undefined ? html`<span class="dim">–</span>` : html`<code>${isBranch(v) ? JSON.stringify(v) : String(v)}</code>`;
}

const KERNEL_SIGNS = { new: '+', set: '~', delete: '−' };

/** What the kernel would be told, of a dry run that says so. */
export function kernelPlan({ plan, planTotal }) {
	if (!plan)
		return null;
	if (!plan.length)
		return html`<p class="dim">${t('plan.none')}</p>`;
	return html`<table class="plain diff plan"><caption>${t('plan.title')}</caption>
		<thead><tr>${['what', 'frontend', 'server', 'setting'].map((c) => html`<th key=${c} scope="col">${t('plan.' + c)}</th>`)}</tr></thead>
		<tbody>${plan.slice(0, LINES).map((p, i) => html`<tr key=${i}>
			<td><span class="sign" aria-hidden="true">${KERNEL_SIGNS[p.op.split('-')[0]]}</span> ${word('plan', p.op)}</td>
			<td><code>${p.frontend}/${p.protocol}</code></td><td>${p.server ? html`<code>${p.server}</code>` : value()}</td>
			<td>${p.weight === undefined ? p.scheduler && html`<code>${p.scheduler}</code>` : t('plan.weight', { n: p.weight })}</td></tr>`)}
		${planTotal > LINES && html`<tr><td colspan="4" class="dim">${t('count', { n: LINES, m: planTotal })}</td></tr>`}
		</tbody></table>`;
}

/** Items { kind, namespace, name, result, diff, before, after }: the document as it was and as it will be, where known. */
export function difference(items) {
	const changed = items.filter((x) => x.diff?.length);

	if (!changed.length)
		return html`<p class="dim">${t('diff.none')}</p>`;
	return changed.map((x) => {
		const all = lines(x);

		return html`<table key=${x.kind + x.name} class="plain diff"><caption>${x.kind} ${x.namespace ? x.namespace + '/' : ''}${x.name}${' '}
				<span class="dim">${word('result', x.result || '')}</span></caption>
			<thead><tr>${['field', 'before', 'after'].map((c) => html`<th key=${c} scope="col">${t('diff.' + c)}</th>`)}</tr></thead>
			<tbody>${all.slice(0, LINES).map((l, i) => html`<tr key=${i} class=${'d-' + l.op}>
				<td><span class="sign" title=${word('op', l.op)}>${SIGNS[l.op]}</span> ${place(l)}</td>
				<td>${value(l.before)}</td><td>${value(l.after)}</td></tr>`)}
			${all.length > LINES && html`<tr><td colspan="3" class="dim">${t('count', { n: LINES, m: all.length })}</td></tr>`}
			</tbody></table>`;
	});
}
