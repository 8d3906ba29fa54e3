// SPDX-License-Identifier: GPL-2.0-or-later
// The table of the kernel as it is wanted, as ipvsadm -Ln has it: its frontends, and whether the kernel has them so.
import { badge, frontend } from './badges.js';
import { Copy, listCommand } from './command.js';
import { choice, search, Typed } from './filters.js';
import { Grid } from './grid.js';
import { Component, html } from './html.js';
import { duration, number, t } from './i18n.js';
import { soon } from './later.js';
import { ListStore } from './list_store.js';
import { failure, nothing, PAGE, pager, poolLink } from './notes.js';
import { endpoint } from './spec.js';

const FILTERS = ['q', 'vip', 'protocol', 'sort'];
const AGAIN_MS = 500;
const OPTIONS = { tcp: '-t', udp: '-u', sctp: '--sctp-service' };

function flags(f) {
	return f.flags.map((flag) => flag === 'persistent' ? flag + ' ' + f.persistenceSeconds : flag).join(' ');
}

function state(f) {
	return badge('kernel', f.problem ? 'refused' : f.applied ? 'synced' : 'pending', f.problem);
}

function ipvsadm(f) {
	return `ipvsadm -Ln ${OPTIONS[frontend(f.frontend).protocol]} ${f.frontend.replace(/\/\w+$/, '')}`;
}

/** What one of them sends to. Props: of (a frontend). */
class Destinations extends Component {
	state = { offset: 0 };

	pager({ destinations: { length: total } }, offset) {
		return pager({ previous: t('destinations.previous'), next: t('destinations.next') },
			{ offset, shown: Math.min(PAGE, total - offset), total }, (to) => this.setState({ offset: to }));
	}

	table(f, offset) {
		return html`<table class="members destinations" aria-label=${t('destinations', { frontend: f.frontend })}><thead><tr>${['destination',
			'weight', 'state'].map((key) => html`<th key=${key} scope="col" class=${'m-' + key}>${t('col.' + key)}</th>`)}</tr></thead>
			<tbody>${f.destinations.slice(offset, offset + PAGE).map((d) => html`<tr key=${endpoint(d)}><td>${endpoint(d)}</td>
				<td class="m-weight">${number(d.weight)}</td><td>${badge('state', d.state)}${d.draining && html` <span class="dim"
				>${t('draining')}</span>`}</td></tr>`)}</tbody></table>`;
	}

	render({ of: f }, { offset }) {
		const { length } = f.destinations, at = offset < length ? offset : 0; // there may be fewer by now

		return html`<div class="detail">
			${f.problem && html`<ul class="troubles"><li>${badge('severity', 'error')} ${f.problem}</li></ul>`}
			${f.persistenceSeconds > 0 && html`<dl class="facts"><div><dt>${t('fact.persistence')}</dt><dd>${duration(f.persistenceSeconds)}</dd></div></dl>`}
			${length ? this.table(f, at) : html`<p class="dim">${t('destinations.none')}</p>`}
			<div class="under">${this.pager(f, at)}${f.destinationCount > length && html`<span class="dim">${t('destinations.more',
				{ n: length, m: f.destinationCount })}</span>`}<${Copy} command=${ipvsadm(f)} /></div></div>`;
	}
}

/** Props: params, set(params, push), status, subscribe. */
export class Kernel extends Component {
	store = new ListStore(() => this.setState({}));
	again = soon(() => this.store.reload(), AGAIN_MS);

	componentDidMount() {
		this.unsubscribe = this.props.subscribe(this.again, this.again);
		this.open(Number(this.props.params.at) || 0);
	}

	componentWillUnmount() {
		this.unsubscribe();
		this.again.stop();
		this.store.stop();
	}

	question({ params } = this.props) {
		return JSON.stringify(FILTERS.map((f) => params[f]));
	}

	/** What the kernel has got done is told by the status, not by what becomes of pools. */
	componentDidUpdate(before) {
		const applied = ({ status }) => status?.appliedGeneration;

		if (this.question(before) !== this.question())
			this.open(0);
		else if (before.status && applied(before) !== applied(this.props))
			this.again();
	}

	filters() {
		return Object.fromEntries(FILTERS.map((f) => [f, this.props.params[f]?.trim()]));
	}

	open(at) {
		this.asked = this.question();
		this.store.open('ipvs', this.filters(), at);
	}

	/** A frontend is its own id. */
	rowAt = (i) => {
		const f = this.store.rowAt(i);

		return f && { ...f, id: f.frontend };
	};

	columns() {
		return [
			{ key: 'ip', sort: 'vip', cell: (f) => html`<span class="name">${frontend(f.frontend).ip}</span>` },
			{ key: 'port', sort: 'vipPort', cell: (f) => frontend(f.frontend).port },
			{ key: 'protocol', sort: 'protocol', cell: (f) => frontend(f.frontend).protocol },
			{ key: 'scheduler', cell: (f) => f.scheduler },
			{ key: 'flags', cell: (f) => html`<span title=${flags(f)}>${flags(f)}</span>` },
			{ key: 'forwarding', cell: (f) => f.forwarding },
			{ key: 'destinations', cell: (f) => number(f.destinationCount) },
			{ key: 'kernel', cell: state },
			{ key: 'pool', sort: 'pool', cell: (f) => poolLink(f.pool) },
		].map((c) => ({ ...c, label: t('col.' + c.key) }));
	}

	toolbar() {
		const { params } = this.props, set = (name) => (value) => this.props.set({ [name]: value, open: undefined, at: undefined });

		return html`<div class="toolbar">${search('kernel', params.q, set('q'))}
			<${Typed} name="vip" words=${[]} chosen=${params.vip} onChange=${set('vip')} />
			${choice('protocol', Object.keys(OPTIONS), params.protocol, set('protocol'))}</div>`;
	}

	render({ params, set }) {
		const { store } = this;

		return html`<section class="screen" aria-label=${t('title.kernel')}>
			${this.toolbar()}
			<div class="summary"><span role="status" class="count">${store.total === undefined ? t('loading') : t('count.all', { n: store.total })}</span>
				<span class="space"></span><${Copy} command=${listCommand('ipvs', this.filters())} key=${this.question()} /></div>
			${store.error && failure(store.error, () => store.reload())}
			<${Grid} name="kernel" label=${t('title.kernel')} columns=${this.columns()} total=${store.total || 0}
				rowAt=${this.rowAt} want=${(a, b) => store.total && store.want(a, b)} list=${store.loaded}
				question=${this.asked} sort=${params.sort} onSort=${(sort) => set({ sort, at: undefined }, true)}
				at=${Number(params.at) || 0} onAt=${(at) => set({ at: at ? String(at) : undefined })}
				open=${params.open} onOpen=${(open) => set({ open })} expandLabel=${(f) => t('destinations', { frontend: f.frontend })}
				panel=${(f) => html`<${Destinations} key=${f.id} of=${f} />`} />
			${store.total === 0 && nothing(t(FILTERS.some((f) => params[f]) ? 'empty.kernel' : 'empty.nothing.kernel'))}
		</section>`;
	}
}
