// SPDX-License-Identifier: GPL-2.0-or-later
// The agent itself: its sources and processes, and what it knows of nodes.
import { get } from './api.js';
import { Component, html } from './html.js';
import { age, duration, number, t, time, word } from './i18n.js';
import { table } from './table.js';

function ms(n) {
	return t('unit.ms', { n: Math.round(n * 1000) / 1000 });
}

function read(s) {
	return s.complete ? t('yes') : s.delivered ? t('no.more') : t('not.yet');
}

function tableOf(what, heads, rows) {
	return table(t('agent.' + what), heads.map((h) => t('agent.' + h)), rows);
}

const NODE_FACTS = ['node', 'version', 'started', 'ready', 'generation', 'pools', 'members', 'services', 'destinations', 'problems'];

/** What of the status tells that nodes are to be asked for. */
function sign(s) {
	return s && [s.generation, s.appliedGeneration, s.ready, s.problems].join();
}

/** The nodes there are. Props: status. */
class Nodes extends Component {
	state = { items: [] };

	componentDidMount() {
		this.load();
	}

	componentDidUpdate(before) {
		if (sign(before.status) !== sign(this.props.status))
			this.load();
	}

	async load() {
		try {
			this.setState(await get('nodes'));
		} catch { /* the status bar tells how old it is */ }
	}

	render(_, { items }) {
		return items.length > 0 && tableOf('nodes', NODE_FACTS, items.map((n) => [n.name, n.version,
			html`<span title=${time(n.startedAt)}>${age(n.startedAt)}</span>`, t(n.ready ? 'yes' : 'not.yet'),
			number(n.generation) + ' / ' + number(n.appliedGeneration), ...NODE_FACTS.slice(5).map((fact) => number(n[fact]))]));
	}
}

/** How far checks are kept from connection tracking; '' where that is not wanted. */
function untracked({ ipv4, ipv6 }) {
	return ipv4 === 'off' && ipv6 === 'off' ? '' : `IPv4: ${word('notrack', ipv4)}, IPv6: ${word('notrack', ipv6)}`;
}

/** Props: status. */
export function Agent({ status: s }) {
	if (!s)
		return html`<p class="nothing">${t('loading')}</p>`;
	const facts = [
		['node', s.node], ['version', s.version],
		['started', html`<span title=${time(s.startedAt)}>${age(s.startedAt)}</span>`],
		['generation', number(s.generation) + ' / ' + number(s.appliedGeneration)],
		['members', number(s.members)], ['targets', number(s.targets)],
		['kernelWrites', number(s.kernelWrites)], ['otherWrites', number(s.otherWrites)],
		['repairs', number(s.repairs)], ['lastSync', t('unit.ms', { n: Math.round(s.lastSyncSeconds * 1000) })],
		['mhDisordered', number(s.mhDisordered)], ['notrack', untracked(s.notrack)],
	].filter(([, v]) => v !== '');

	return html`<section class="screen agent" aria-label=${t('title.agent')}>
		<dl class="facts">${facts.map(([key, v]) => html`<div key=${key}><dt>${t('agent.' + key)}</dt><dd>${v}</dd></div>`)}</dl>
		${tableOf('sources', ['type', 'complete', 'objects', 'heard', 'why'], s.sources.map((x) =>
			[x.type + ':' + x.where, read(x), number(x.objects), x.heardAt ? duration((Date.now() - Date.parse(x.heardAt)) / 1000) : '–', x.why || '']))}
		<${Nodes} status=${s} />
		${tableOf('processes', ['role', 'memory', 'restarts'], Object.entries(s.processes).map(([role, p]) =>
			[`${role} (${p.pid})`, (p.residentBytes / 2 ** 20).toFixed(1) + ' MiB', number(p.restarts)]))}
		${s.probing.latency.length > 0 && tableOf('latency', ['check', 'ok', 'mean', 'half', 'most'], s.probing.latency.map((x) =>
			[word('check', x.type), number(x.ok), ms(x.meanMicroseconds / 1000), ms(x.halfSeconds * 1000), ms(x.mostSeconds * 1000)]))}
	</section>`;
}
