// SPDX-License-Identifier: GPL-2.0-or-later
// One change to many pools or members: to those that were chosen, or to all that a filter shows. How many that
// are is said along; where it is not so any more, nothing is done.
import { get, send, target } from './api.js';
import { Dialog, field, named } from './dialog.js';
import { difference } from './difference.js';
import { Component, html } from './html.js';
import { number, t, word } from './i18n.js';
import { WEIGHT_MAX } from './member_list.js';
import { SCHEDULERS } from './pool_form.js';
import { CHECKS, poolPath } from './spec.js';
import { Write } from './write.js';

const OPS = { pools: ['drain', 'undrain', 'weight', 'scheduler', 'check', 'delete'], members: ['drain', 'undrain', 'weight', 'delete'] };
const SHOWN = 100; // results in one table
const WARNINGS = 10;
const MEMBER_FILTERS = ['q', 'namespace', 'check', 'source']; // that a list of members has as well

/** What the filters of a list are, as its query. */
function query(filters) {
	return target('', filters).split('?')[1] || '';
}

function outcome(r) {
	return r.problem ? html`<span class="t-bad">✕ ${r.problem.detail || r.problem.title}</span>`
		: html`<span>${word('result', r.result || '')}</span>`;
}

/** What became, or would become, of each: those that failed first. */
function results({ results: all = [], total = all.length, dryRun }) {
	const bad = all.filter((r) => r.problem), rows = [...bad, ...all.filter((r) => !r.problem)].slice(0, SHOWN);

	return html`<p>${t(dryRun ? 'bulk.can' : 'bulk.outcome', { n: total - bad.length, m: total })}${bad.length > 0
			&& html` <strong class="t-bad">${t('bulk.failed', { n: bad.length })}</strong>`}</p>
		<div class="scrolls results"><table class="plain" aria-label=${t('bulk.results')}><thead><tr>${['pool', 'member', 'result'].map((c) =>
			html`<th key=${c} scope="col">${t(c === 'result' ? 'record.result' : 'col.' + c)}</th>`)}</tr></thead>
		<tbody>${rows.map((r, i) => html`<tr key=${i}><td>${r.pool}</td><td>${r.member || '–'}</td><td>${outcome(r)}</td></tr>`)}
		${total > rows.length && html`<tr><td colspan="3" class="dim">${t('count', { n: rows.length, m: total })}</td></tr>`}</tbody></table></div>`;
}

/** A dry run as that of one: what is in it of each, together. */
function together(body) {
	const answers = body.results.map((r) => r.answer).filter(Boolean), plan = answers.flatMap((a) => a.plan || []);

	return { ...body, results: body.results.map((r) => ({ ...r, items: r.answer?.items, changed: r.result !== 'unchanged' })),
		plan: answers.some((a) => a.plan) ? plan : undefined, planTotal: Math.max(plan.length, answers.reduce((n, a) => n + (a.planTotal || 0), 0)),
		warnings: answers.flatMap((a) => a.warnings || []).slice(0, WARNINGS) };
}

/** The first of the differences stands for all: they are one change. */
function preview(answer) {
	const first = answer.results.find((r) => r.items?.some((x) => x.before || x.diff?.some((d) => d.op === 'add')));

	return html`${results(answer)}${first && html`<h4>${t('bulk.example', { id: first.pool })}</h4>${difference(first.items)}`}`;
}

/**
 * Props: filters and total (of the list of pools), or chosen [pools]; of ('pools', 'members') and op to begin with;
 * allow, onDone(answer, request), onUndo(results), onClose.
 */
export class Bulk extends Component {
	state = { op: this.props.op || 'drain', of: this.props.of || 'pools', weight: '', scheduler: SCHEDULERS[0], check: CHECKS[0], typed: '',
		total: this.props.chosen ? this.props.chosen.length : this.props.of === 'members' ? undefined : this.props.total };

	componentDidMount() {
		if (this.state.of === 'members')
			this.count('members');
	}

	filters(of) {
		const { sort, ...all } = this.props.filters || {};

		return of === 'members' ? Object.fromEntries(MEMBER_FILTERS.map((f) => [f, all[f]])) : all;
	}

	/** How many there are now. */
	async count(of) {
		try {
			const { total } = await get(of, { ...this.filters(of), limit: 1 });

			if (this.state.of === of)
				this.setState({ total, typed: '' });
		} catch { /* the preview says what is wrong */ }
	}

	setOf = (of) => {
		this.setState({ of, op: OPS[of].includes(this.state.op) ? this.state.op : 'drain', total: undefined, typed: '' }, () => this.count(of));
	};

	set = (name) => (e) => {
		this.setState({ [name]: e.target.value, ...(name === 'op' && { typed: '' }) });
	};

	weight() {
		const text = this.state.weight.trim();

		return /^\d{1,5}$/.test(text) && Number(text) <= WEIGHT_MAX ? Number(text) : undefined;
	}

	/** As the interface has it; undefined: something is missing. */
	change() {
		const { op, scheduler, check } = this.state, weight = this.weight();

		if (op === 'weight')
			return weight === undefined ? undefined : { op, weight };
		if (op === 'scheduler')
			return { op: 'patch', patch: { settings: { scheduler } } };
		return op === 'check' ? { op: 'patch', patch: { settings: { 'health-check-type': check } } } : { op };
	}

	request = () => {
		const { of, total } = this.state, { chosen } = this.props, change = this.change();

		if (!change || !total)
			return undefined;
		return { method: 'POST', path: 'pools:batch', body: chosen
			? { ops: chosen.map((p) => ({ pool: p.id, revision: 'r' + p.revision, ...change })) }
			: { filter: query(this.filters(of)), of, expectedCount: total, ...change } };
	};

	/** Others are meant by now: they are counted and looked at again. */
	onFail = (error) => {
		if (error.code === 'expected-count-mismatch')
			this.count(this.state.of);
	};

	value(found) {
		const { op, weight } = this.state, wrong = weight && this.weight() === undefined ? t('weight.wrong.bulk', { max: WEIGHT_MAX }) : found.weight;
		const words = op === 'scheduler' ? SCHEDULERS : CHECKS;

		if (op === 'weight')
			return field('weight', t('col.weight'), html`<input ...${named('weight', wrong)} inputmode="numeric" value=${weight}
				onInput=${this.set('weight')} />`, wrong);
		return ['scheduler', 'check'].includes(op) && field(op, t('bulk.to'), html`<select ...${named(op)} value=${this.state[op]}
			onChange=${this.set(op)}>${words.map((w) => html`<option key=${w}>${w}</option>`)}</select>`);
	}

	what() {
		const { of, total } = this.state, { chosen } = this.props;

		if (total === undefined)
			return t('loading');
		return chosen ? t('bulk.chosen', { n: total }) : t('bulk.count.' + of, { n: total });
	}

	fields = (found) => {
		const { of, op, total, typed } = this.state, { chosen, fixed } = this.props, filters = query(this.filters(of));

		return html`<p class="what"><strong>${this.what()}</strong>${!chosen && html` <span class="dim">${filters
				? t('bulk.filter', { filter: decodeURIComponent(filters.replaceAll('+', ' ')) }) : t('bulk.all')}</span>`}</p>
			<div class="fields">
			${!chosen && !fixed && field('of', t('bulk.of'), html`<select ...${named('of')} value=${of} onChange=${(e) => this.setOf(e.target.value)}>
				${Object.keys(OPS).map((o) => html`<option key=${o} value=${o}>${t('bulk.of.' + o)}</option>`)}</select>`)}
			${field('op', t('bulk.op'), html`<select ...${named('op')} data-first="" value=${op} onChange=${this.set('op')}>
				${OPS[of].map((o) => html`<option key=${o} value=${o}>${t('bulk.op.' + o)}</option>`)}</select>`)}
			${this.value(found)}
			${op === 'delete' && !!total && field('typed', t('bulk.type', { n: String(total) }), html`<input ...${named('typed')} value=${typed} inputmode="numeric"
				autocomplete="off" onInput=${this.set('typed')} />`)}</div>`;
	};

	render({ allow, onDone, onUndo, onClose }, { op, total, typed }) {
		const verb = total === undefined ? t('loading') : t(op === 'delete' ? 'bulk.verb.delete' : 'bulk.verb', { n: total });

		return html`<${Write} title=${t('bulk.title')} verb=${verb} danger=${op === 'delete'}
			names=${['weight']} request=${this.request} fields=${this.fields} shape=${together} show=${preview} after=${(answer) => {
				this.made = answer.results;
				return results(answer);
			}} holds=${op === 'delete' && typed.trim() !== String(total)} allow=${allow} onFail=${this.onFail} onDone=${onDone}
			onUndo=${() => onUndo(this.made)} onClose=${onClose} />`;
	}
}

/** { to, etag } from behind all that a change made of a pool: where it has been changed since, that is no way back. */
async function wayBack({ pool, revisions }) {
	const { items } = await get(poolPath(pool, '/revisions'), { limit: revisions.size + 1 });
	const is = (r) => revisions.has(r.revision) || r.documents?.some((d) => revisions.has(d.revision));
	const before = items.find((r) => !is(r));

	if (!items[0] || !is(items[0]))
		throw new Error(t('bulk.undo.since', { user: items[0]?.user || '?' }));
	if (!before)
		throw new Error(t('bulk.undo.none'));
	return { to: before.revision, etag: items[0].removed ? undefined : `"r${items[0].revision}"` };
}

/** Of each pool all revisions that a change made. */
function madeOf(all) {
	const pools = new Map();

	for (const { pool, revision, problem } of all)
		if (revision && !problem)
			pools.set(pool, (pools.get(pool) || new Set()).add(Number(/\d+/.exec(String(revision))[0])));
	return [...pools].map(([pool, revisions]) => ({ pool, revisions }));
}

/** Each pool back to what it was, one after the other. Props: results (of the change), onDone(), onClose. */
export class BulkUndo extends Component {
	state = { made: [] };
	pools = madeOf(this.props.results);

	componentWillUnmount() {
		this.ended = true;
	}

	async one(r) {
		try {
			const { to, etag } = await wayBack(r);

			await send({ method: 'POST', path: poolPath(r.pool, ':rollback'), body: { toRevision: to }, etag }, { reason: t('undo') });
			return { pool: r.pool, result: 'configured' };
		} catch (e) {
			return { pool: r.pool, problem: { detail: e.message } };
		}
	}

	run = async () => {
		this.setState({ runs: true });
		for (const r of this.pools) {
			if (this.ended)
				break;
			const made = await this.one(r);

			this.setState((s) => ({ made: [...s.made, made] }));
		}
		this.props.onDone();
		this.setState({ runs: false, over: true }, () => document.querySelector('.sheet-foot .main')?.focus());
	};

	render({ onClose }, { made, runs, over }) {
		const n = this.pools.length;

		return html`<${Dialog} title=${t('bulk.undo.title')} size="wide" onClose=${onClose} self=${(d) => { this.dialog = d; }}>
			<div class="sheet-body"><p>${t('bulk.undo.text', { n })}</p>
				${(runs || over) && html`<progress aria-label=${t('bulk.undo.title')} max=${n} value=${made.length}></progress>`}
				<p role="status" class="dim">${(runs || over) && t('count', { n: made.length, m: n })}</p>
				${over && results({ results: made })}</div>
			<div class="sheet-foot"><span class="space"></span>
				<button type="button" class=${over ? 'main' : ''} onClick=${() => this.dialog.shut()}>${t(over ? 'close' : 'cancel')}</button>
				${!over && html`<button type="button" class="main" data-first="" disabled=${runs || !n}
					onClick=${this.run}>${t('bulk.undo.verb', { n: number(n) })}</button>`}</div></${Dialog}>`;
	}
}
