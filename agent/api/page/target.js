// SPDX-License-Identifier: GPL-2.0-or-later
// How it is just now with what is probed for a member, and what became of it.
import { get } from './api.js';
import { badge } from './badges.js';
import { Copy } from './command.js';
import { Dialog } from './dialog.js';
import { Component, html } from './html.js';
import { age, duration, microseconds, number, t, time, word } from './i18n.js';
import { soon } from './later.js';
import { failure, poolLink } from './notes.js';
import { checkWords, span } from './reasons.js';
import { endpoint } from './spec.js';
import { table } from './table.js';

const AGAIN_MS = 2000; // probes are in no stream
const SOON_MS = 300;

function since(target) {
	return html`${badge('state', target.state)} <span title=${time(target.since)}>${target.since ? age(target.since) : ''}</span>${
		!target.proven && html` <span class="dim">${t('target.unproven')}</span>`}`;
}

/** What speaks against its state. */
function streak(target, { streak: n, streakNeeded: m }) {
	return t(n ? target.state === 'down' ? 'target.streak.up' : 'target.streak.down' : 'target.streak.none', { n, m });
}

function next(probe) {
	const left = Date.parse(probe.dueAt) - Date.now(), every = span(probe.intervalMilliseconds);

	if (probe.underWay)
		return t('target.next.now', { every });
	if (left >= 1000)
		return t('target.next.in', { in: duration(left / 1000), every });
	return t(left > 0 ? 'target.next.soon' : 'target.next.due', { every });
}

function flaps({ flaps: n, heldUntil }) {
	const left = (Date.parse(heldUntil) - Date.now()) / 1000;

	return left > 0 ? t('target.flaps.held', { n, in: duration(left) }) : n > 0 && t('target.flaps.n', { n });
}

function facts(target) {
	const { probe } = target;
	const all = [
		['state', since(target)],
		['check', checkWords(target.check)],
		['streak', probe && streak(target, probe)],
		['flaps', flaps(target)],
		['next', probe ? next(probe) : t('target.unseen')],
		['began', probe?.beganAt && html`<span title=${time(probe.beganAt)}>${t('target.ago', { age: age(probe.beganAt) })}</span>`],
		['took', probe?.tookMicroseconds > 0 && microseconds(probe.tookMicroseconds)],
		['ok', number(target.ok)],
		['failed', number(target.failed)],
		['latency', target.latencyMicroseconds > 0 && microseconds(target.latencyMicroseconds)],
		['id', target.id],
	];

	return html`<dl class="facts">${all.filter(([, v]) => v).map(([key, v]) =>
		html`<div key=${key}><dt>${t('target.' + key)}</dt><dd class=${'t-' + key}>${v}</dd></div>`)}</dl>`;
}

function changes({ transitions }) {
	if (!transitions.length)
		return html`<p class="dim">${t('target.unchanged')}</p>`;
	return table(t('target.changes'), [t('col.at'), t('target.became'), t('target.why')], transitions.map((x) =>
		[time(x.at), badge('state', x.state), html`<span title=${word('about', x.reason)}>${x.text}</span>`]), 'plain record');
}

function users({ members, memberCount }) {
	return html`${table(t('target.users'), [t('col.pool'), t('col.member')], members.map((m) => [poolLink(m.pool), endpoint(m)]), 'plain record')}
		${memberCount > members.length && html`<p class="dim">${t('count', { n: members.length, m: memberCount })}</p>`}`;
}

/** Props: member, subscribe, onClose. */
export class Target extends Component {
	state = {};
	again = soon(() => this.load(), SOON_MS);

	componentDidMount() {
		this.unsubscribe = this.props.subscribe(this.again, this.again);
		this.timer = setInterval(() => document.hidden || this.load(), AGAIN_MS);
		this.load();
	}

	componentWillUnmount() {
		this.unsubscribe();
		this.again.stop();
		clearInterval(this.timer);
		this.asking?.abort();
	}

	async load() {
		this.asking?.abort();
		this.asking = new AbortController();
		try {
			this.setState({ target: await get('targets/' + this.props.member.target, {}, this.asking.signal), error: undefined });
		} catch (error) {
			if (error.name !== 'AbortError')
				this.setState({ error });
		}
	}

	render({ member, onClose }, { target, error }) {
		const title = t('target.title', { target: target ? endpoint(target) : endpoint(member) });

		return html`<${Dialog} title=${title} size="wide" onClose=${onClose} self=${(d) => { this.dialog = d; }}>
			<div class="sheet-body target">${error && failure(error, () => this.load())}
			${target ? html`<p class="found" role="status">${target.text}</p>
					${target.reason !== 'ok' && html`<p class="dim">${word('about', target.reason)}</p>`}${facts(target)}${changes(target)}
					<div onClick=${(e) => e.target.closest('a') && this.dialog.shut()}>${users(target)}</div>`
				: !error && html`<p class="dim">${t('loading')}</p>`}</div>
			<div class="sheet-foot"><${Copy} command=${'parasausctl describe target ' + member.target} /><span class="space"></span>
				<button type="button" class="main" data-first="" onClick=${() => this.dialog.shut()}>${t('close')}</button></div></${Dialog}>`;
	}
}
