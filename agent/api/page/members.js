// SPDX-License-Identifier: GPL-2.0-or-later
// What a pool is made of: shown below its row.
import { get } from './api.js';
import { badge } from './badges.js';
import { Copy, poolCommand } from './command.js';
import { Component, html } from './html.js';
import { age, duration, microseconds, number, t, time, word } from './i18n.js';
import { lettersAreKeys } from './keys.js';
import { lastOperations } from './member_past.js';
import { PAGE, pager } from './notes.js';
import { aboutWords, checkWords, whyWords } from './reasons.js';
import { endpoint } from './spec.js';

const AGAIN_MS = 5000; // counts of probes are in no stream
const HEAD = 22, LINE = 25; // pixels; at least, as in style.css

function weight(m) {
	if (!m.inTable)
		return html`<span class="dim">${t('not.in.table')}</span>`;
	const title = t('effective.title', { w: m.weight, e: m.effectiveWeight });

	return html`<span title=${title}>${m.weight === m.effectiveWeight ? number(m.weight)
		: t('effective', { w: m.weight, e: m.effectiveWeight })}</span>`;
}

function latency(m) {
	const us = m.lastCheck?.latencyMicroseconds;

	return us ? microseconds(us) : '–';
}

const ACTS = [['weight', 'edit'], ['deleteMember', 'delete'], ['rollback', 'rollback'], ['record', 'record']]; // and their signs

const COLUMNS = [
	['member', endpoint],
	['state', (m) => badge('state', m.state)],
	['check', (m, pool, last, look) => look],
	['ok', (m) => m.lastCheck ? number(m.lastCheck.ok) : '–'],
	['failed', (m) => m.lastCheck ? number(m.lastCheck.failed) : '–'],
	['latency', latency],
	['weight', weight],
	['since', (m) => html`<span title=${time(m.since)}>${age(m.since)}</span>`],
	['operator', (m, pool, last) => last?.user || '–'],
	['operated', (m, pool, last) => last ? html`<span title=${word('action', last.action)}>${time(last.at)}</span>` : '–'],
	['reason', (m) => { const why = whyWords(m); return html`<span title=${aboutWords(m)}>${why}</span>`; }],
];

function facts(p) {
	const forwarding = p.forwarding + (p.forwarding === 'nat' && p.masquerade ? ', ' + t('fact.masquerade') : '');
	const all = [
		['frontends', p.frontends.join('  ') || '–'],
		['check', checkWords(p.check)],
		['scheduler', p.scheduler],
		['forwarding', forwarding],
		['persistence', p.persistenceSeconds ? duration(p.persistenceSeconds) : ''],
		['drain', duration(p.drainSeconds)],
		['unhealthy', word('unhealthy', p.onUnhealthy)],
		['policy', word('policy', p.failPolicy)],
		['minHealthy', p.minHealthyPercent ? p.minHealthyPercent + ' %' : ''],
		['slowStart', p.slowStartSeconds ? duration(p.slowStartSeconds) : ''],
		['traffic', p.externalTrafficPolicy === 'Local' && (p.localOnly
			? t('fact.localOnly', { n: p.members.elsewhere }) : t('fact.localNone'))],
		['source', p.source || '–'],
		['operated', p.lastOperator && [p.lastOperator, word('action', p.lastAction), time(p.lastOperationTime)].join(', ')],
	];

	return html`<dl class="facts">${all.filter(([, v]) => v).map(([key, v]) =>
		html`<div key=${key}><dt>${t('fact.' + key)}</dt><dd>${v}</dd></div>`)}</dl>`;
}

function troubles(p) {
	const few = p.minHealthyPercent ? t('fact.failOpen.few', { n: p.minHealthyPercent }) : t('fact.failOpen');
	const said = [p.failOpen && few, p.inherited && t('fact.inherited')].filter(Boolean);

	if (!said.length && !p.problems.length)
		return null;
	return html`<ul class="troubles">
		${said.map((text) => html`<li key=${text}>${badge('severity', 'warning')} ${text}</li>`)}
		${p.problems.slice(0, 10).map((x, i) => html`<li key=${i}>${badge('severity', x.severity)} <span class="dim"
			>${x.where}${x.line ? ':' + x.line : ''}</span> ${x.text}</li>`)}
		${p.problemCount > 10 && html`<li key="more"><a href=${'#/problems?q=' + encodeURIComponent(p.id)}
			>${t('count', { n: 10, m: p.problemCount })}</a></li>`}</ul>`;
}

/** Props: pool, act(what, pool, member), why(what) { text }: why it cannot be done; self(this). */
export class Members extends Component {
	state = { offset: 0, active: 0 };

	componentDidMount() {
		this.props.self(this);
		this.load();
		this.timer = setInterval(() => document.hidden || this.load(), AGAIN_MS);
	}

	componentWillUnmount() {
		this.props.self(undefined);
		clearInterval(this.timer);
		this.asking?.abort();
	}

	componentDidUpdate(before, was) {
		if (before.pool !== this.props.pool || was.offset !== this.state.offset)
			this.load();
	}

	async load() {
		const params = { limit: PAGE, offset: this.state.offset, sort: 'state,address' };

		this.asking?.abort();
		this.asking = new AbortController();
		try {
			const path = 'pools/' + encodeURIComponent(this.props.pool.id) + '/members';

			const list = await get(path, params, this.asking.signal);

			this.setState({ list, error: undefined });
			await this.loadPast(list.items);
		} catch (e) {
			if (e.name !== 'AbortError')
				this.setState({ error: e });
		}
	}

	/** Who did what to each of them last: of pools whose past is kept. */
	async loadPast(shown) {
		const { pool } = this.props;

		if (!pool.revision)
			return;
		const last = await lastOperations(pool, shown).catch(() => ({})); // the rest is there all the same

		if (this.props.pool === pool)
			this.setState({ last });
	}

	pager({ total, offset, items }) {
		return pager({ previous: t('members.previous'), next: t('members.next') },
			{ offset, shown: items.length, total }, (to) => this.setState({ offset: to }));
	}

	memberOf(id) {
		return this.state.list?.items.find((m) => m.id === id);
	}

	/** One member's buttons can be tabbed to; from there it goes up and down. */
	onKey = (e) => {
		const step = { ArrowDown: 1, ArrowUp: -1, ...(lettersAreKeys() && { j: 1, k: -1 }) }[e.key];
		const row = e.target.closest('tr[data-member]'), to = step > 0 ? row?.nextElementSibling : row?.previousElementSibling;

		if (!step || e.ctrlKey || e.altKey || e.metaKey || !row)
			return;
		e.preventDefault();
		to?.querySelectorAll('button')[[...row.querySelectorAll('button')].indexOf(e.target)]?.focus();
	};

	acts(m, i) {
		const { pool, act, why } = this.props, at = endpoint(m), tab = i === this.state.active ? 0 : -1;
		const left = m.reasons.includes('removed'); // what has left the pool is there only until it has drained
		const drain = m.weight === 0 ? 'resume' : 'drain';
		const button = (what, props, text) => html`<button key=${what} type="button" tabindex=${tab} aria-label=${t('member.' + what, { member: at })}
			aria-disabled=${why(what) ? 'true' : undefined} onFocus=${() => this.setState({ active: i })} onClick=${() => act(what, pool, m)}
			...${props} title=${why(what)?.text || props.title}>${text}</button>`;

		return html`<td key="acts" class="m-acts acts">${!left && button(drain, { class: 'word' }, t(drain))}${ACTS.filter(([what]) =>
			!left || ['rollback', 'record'].includes(what)).map(([what, sign]) => button(what, { class: 'act a-' + sign, title: t(sign) }))}</td>`;
	}

	/** The way to what its probes find. */
	look(m, i) {
		const { pool, act } = this.props, text = word('check', pool.check.type);

		if (!m.target)
			return text;
		return html`<button type="button" class="word" tabindex=${i === this.state.active ? 0 : -1} aria-label=${t('member.target',
			{ check: text, member: endpoint(m) })} title=${t('target.open')} onFocus=${() => this.setState({ active: i })} onClick=${() =>
			act('target', pool, m)}>${text}</button>`;
	}

	table(list) {
		const { pool } = this.props;

		if (!list.total)
			return html`<p class="dim">${t('empty.members')}</p>`;
		return html`<table class="members" aria-label=${t('expand', { id: pool.id })}>
			<thead><tr>${COLUMNS.map(([key]) => html`<th key=${key} scope="col" class=${'m-' + key}>${t('col.' + key)}</th>`)}<th
				scope="col" class="m-acts">${t('col.acts')}</th></tr></thead>
			<tbody onKeyDown=${this.onKey}>${list.items.map((m, i) => html`<tr key=${m.id} data-member=${m.id}>${COLUMNS.map(([key, cell]) =>
				html`<td key=${key} class=${'m-' + key}>${cell(m, pool, this.state.last?.[endpoint(m)], key === 'check' && this.look(m, i))}</td>`)}${this.acts(m, i)}</tr>`)}</tbody></table>`;
	}

	/** So that the rows below move once, and those that will be out of sight are gone before these are there. */
	heightToCome() {
		const n = Math.min(this.props.pool.members.total, PAGE);

		return n ? HEAD + n * LINE : LINE;
	}

	render({ pool, act, why: whyNot }, { list, error }) {
		const why = whyNot('addMember');

		return html`<div class="detail">${facts(pool)}${troubles(pool)}
			${error && html`<p role="alert">${error.message}</p>`}
			${list ? html`${this.table(list)}<div class="under">${this.pager(list)}<button type="button"
					aria-disabled=${why ? 'true' : undefined} title=${why?.text} onClick=${() => act('addMember', pool)}>+ ${t('member.add')}</button>
				<${Copy} command=${poolCommand(pool.id)} /></div>`
				: !error && html`<p class="dim" style=${{ height: this.heightToCome() + 'px' }}>${t('loading')}</p>`}</div>`;
	}
}
