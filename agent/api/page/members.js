// SPDX-License-Identifier: GPL-2.0-or-later
// What a pool is made of: shown below its row.
import { get } from './api.js';
import { badge } from './badges.js';
import { Copy, poolCommand } from './command.js';
import { Component, html } from './html.js';
import { age, duration, number, t, time, word } from './i18n.js';
import { checkWords, whyWords } from './reasons.js';

const PAGE = 20;
const AGAIN_MS = 5000; // counts of probes are in no stream

function weight(m) {
	if (!m.inTable)
		return html`<span class="dim">${t('not.in.table')}</span>`;
	const title = t('effective.title', { w: m.weight, e: m.effectiveWeight });

	return html`<span title=${title}>${m.weight === m.effectiveWeight ? number(m.weight)
		: t('effective', { w: m.weight, e: m.effectiveWeight })}</span>`;
}

function endpoint(m) {
	return m.address.includes(':') ? `[${m.address}]:${m.port}` : `${m.address}:${m.port}`;
}

function latency(m) {
	const us = m.lastCheck?.latencyMicroseconds;

	return us ? t('unit.ms', { n: Math.round(us / 10) / 100 }) : '–';
}

const COLUMNS = [
	['member', endpoint],
	['state', (m) => badge('state', m.state)],
	['check', (m, pool) => word('check', pool.check.type)],
	['ok', (m) => m.lastCheck ? number(m.lastCheck.ok) : '–'],
	['failed', (m) => m.lastCheck ? number(m.lastCheck.failed) : '–'],
	['latency', latency],
	['weight', weight],
	['since', (m) => html`<span title=${time(m.since)}>${age(m.since)}</span>`],
	['reason', (m) => { const why = whyWords(m); return html`<span title=${m.reasons.join(', ')}>${why}</span>`; }],
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
		['source', p.source || '–'],
	];

	return html`<dl class="facts">${all.filter(([, v]) => v).map(([key, v]) =>
		html`<div key=${key}><dt>${t('fact.' + key)}</dt><dd>${v}</dd></div>`)}</dl>`;
}

function troubles(p) {
	const said = [p.failOpen && t('fact.failOpen'), p.inherited && t('fact.inherited')].filter(Boolean);

	if (!said.length && !p.problems.length)
		return null;
	return html`<ul class="troubles">
		${said.map((text) => html`<li key=${text}>${badge('severity', 'warning')} ${text}</li>`)}
		${p.problems.slice(0, 10).map((x, i) => html`<li key=${i}>${badge('severity', x.severity)} <span class="dim"
			>${x.where}${x.line ? ':' + x.line : ''}</span> ${x.text}</li>`)}
		${p.problemCount > 10 && html`<li key="more"><a href=${'#/problems?q=' + encodeURIComponent(p.id)}
			>${t('count', { n: 10, m: p.problemCount })}</a></li>`}</ul>`;
}

/** Props: pool. */
export class Members extends Component {
	state = { offset: 0 };

	componentDidMount() {
		this.load();
		this.timer = setInterval(() => document.hidden || this.load(), AGAIN_MS);
	}

	componentWillUnmount() {
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

			this.setState({ list: await get(path, params, this.asking.signal), error: undefined });
		} catch (e) {
			if (e.name !== 'AbortError')
				this.setState({ error: e });
		}
	}

	pager({ total, offset, items }) {
		if (total <= PAGE)
			return null;
		const go = (to) => () => this.setState({ offset: to });

		return html`<div class="pager">
			<button type="button" disabled=${!offset} aria-label=${t('members.previous')} onClick=${go(offset - PAGE)}>‹</button>
			<span>${t('members.page', { first: offset + 1, last: offset + items.length, n: total })}</span>
			<button type="button" disabled=${offset + PAGE >= total} aria-label=${t('members.next')}
				onClick=${go(offset + PAGE)}>›</button></div>`;
	}

	table(list) {
		const { pool } = this.props;

		if (!list.total)
			return html`<p class="dim">${t('empty.members')}</p>`;
		return html`<table class="members" aria-label=${t('expand', { id: pool.id })}>
			<thead><tr>${COLUMNS.map(([key]) => html`<th key=${key} scope="col" class=${'m-' + key}>${t('col.' + key)}</th>`)}</tr></thead>
			<tbody>${list.items.map((m) => html`<tr key=${m.id}>${COLUMNS.map(([key, cell]) =>
				html`<td key=${key} class=${'m-' + key}>${cell(m, pool)}</td>`)}</tr>`)}</tbody></table>`;
	}

	render({ pool }, { list, error }) {
		return html`<div class="detail">${facts(pool)}${troubles(pool)}
			${error && html`<p role="alert">${error.message}</p>`}
			${list ? html`${this.table(list)}<div class="under">${this.pager(list)}<${Copy} command=${poolCommand(pool.id)} /></div>`
				: !error && html`<p class="dim">${t('loading')}</p>`}</div>`;
	}
}
