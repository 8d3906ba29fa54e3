// SPDX-License-Identifier: GPL-2.0-or-later
// The record of operations on all pools: who did what, when, with the difference and the way back.
import { get } from './api.js';
import { Copy, listCommand } from './command.js';
import { choice, Typed } from './filters.js';
import { Grid } from './grid.js';
import { Component, html } from './html.js';
import { t, time, word } from './i18n.js';
import { soon } from './later.js';
import { ListStore } from './list_store.js';
import { failure, nothing } from './notes.js';
import { loadPast } from './pools.js';
import { details, fromWords, resultWords } from './record.js';
import { Rollback } from './rollback.js';
import { WhyNot } from './why_not.js';

const FILTERS = ['user', 'action', 'pool', 'name', 'result', 'since', 'until'];
const ACTIONS = ['create', 'update', 'patch', 'apply', 'delete', 'rollback', 'drain', 'resume', 'set-weight', 'add-member', 'delete-member', 'batch'];
const RESULTS = ['ok', 'stale', 'taken', 'exists', 'absent', 'in-use'];
const AGAIN_MS = 1000;
const POOLS = 5;

/** The ids of the pools of a Service, as its ports have them. */
function idsOf(service) {
	return (service?.spec?.ports || []).map((p) => [service.metadata.namespace || 'default', service.metadata.name,
		(p.name || p.nodePort || p.port) + '-' + (p.protocol || 'TCP').toLowerCase()].join('.'));
}

/** One operation: what it changed, and the pools that it was about. Props: id, operation, onBack(pool). */
class Operation extends Component {
	async componentDidMount() {
		try {
			const one = await get('operations/' + this.props.id);

			this.setState({ one, pools: await this.pools(one) });
		} catch (error) {
			this.setState({ error });
		}
	}

	async pools({ kind, namespace, name, afterObject, beforeObject }) {
		if (kind === 'Service')
			return idsOf(afterObject || beforeObject);
		if (kind !== 'Endpoints')
			return [];
		const { items } = await get('pools', { q: `${namespace}.${name}.`, limit: POOLS });

		return items.filter((p) => p.namespace === namespace && p.service === name).map((p) => p.id);
	}

	render({ onBack }, { one, pools = [], error }) {
		if (error)
			return html`<div class="detail">${failure(error, () => this.componentDidMount())}</div>`;
		return html`<div class="detail record">${one ? details(one) : html`<p class="dim">${t('loading')}</p>`}
			<div class="under">${pools.map((id) => html`<button key=${id} type="button" onClick=${() => onBack({ id })}>${t('rollback.pool', { id })}</button>`)}
				${pools.map((id) => html`<a key=${id} href=${'#/pools?q=' + encodeURIComponent(id) + '&open=' + encodeURIComponent(id)}>${id}</a>`)}</div></div>`;
	}
}

/** The time of an input, which knows no zone, and back. */
function instant(local) {
	return local && !isNaN(new Date(local)) ? new Date(local).toISOString().replace(/\.\d+Z/, 'Z') : undefined;
}

function local(iso) {
	if (!iso || isNaN(new Date(iso)))
		return '';
	const d = new Date(iso);

	return new Date(d - d.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

/** Props: params, set(params, push), subscribe, allow, note. */
export class Operations extends Component {
	store = new ListStore(() => this.setState({}));
	again = soon(() => this.store.reload(), AGAIN_MS);

	componentDidMount() {
		this.unsubscribe = this.props.subscribe(this.again, this.again);
		this.open();
	}

	componentWillUnmount() {
		this.unsubscribe();
		this.props.note(undefined);
		this.again.stop();
		this.store.stop();
	}

	question({ params } = this.props) {
		return JSON.stringify(FILTERS.map((f) => params[f]));
	}

	componentDidUpdate(before) {
		if (this.question(before) !== this.question())
			this.open();
	}

	filters() {
		return Object.fromEntries(FILTERS.map((f) => [f, this.props.params[f]?.trim()]));
	}

	open() {
		this.store.open('operations', this.filters());
	}

	rowAt = (i) => {
		const o = this.store.rowAt(i);

		return o && { ...o, id: String(o.id) };
	};

	/** What people wrote who are in sight, for the filter to offer. */
	users() {
		const all = new Set();

		for (const rows of this.store.pages.values())
			for (const o of rows)
				if (o.user)
					all.add(o.user);
		return [...all].sort();
	}

	back = async (pool) => {
		try {
			if (await this.props.allow())
				this.setState({ dialog: { pool, ...await loadPast(pool) } });
		} catch (e) {
			this.setState({ dialog: { why: e.message } });
		}
	};

	onDone = () => {
		this.props.note({ text: t('done.rollback', { id: this.state.dialog.pool.id }) });
		this.store.reload();
	};

	dialog() {
		const { why, ...more } = this.state.dialog, onClose = () => this.setState({ dialog: undefined });

		return why ? html`<${WhyNot} title=${t('why.title')} text=${why} onClose=${onClose} />`
			: html`<${Rollback} ...${more} allow=${this.props.allow} onDone=${this.onDone} onClose=${onClose} />`;
	}

	columns() {
		return [
			{ key: 'at', cell: (o) => time(o.at) },
			{ key: 'user', cell: (o) => o.user || '–' },
			{ key: 'action', cell: (o) => word('action', o.action) + (o.forced ? ' (' + t('record.forced') + ')' : '') },
			{ key: 'what', cell: (o) => html`<span title=${`${o.kind} ${o.namespace}/${o.name}`}><span class="dim">${o.kind}</span> ${o.namespace
				? o.namespace + '/' : ''}${o.name}</span>` },
			{ key: 'from', cell: fromWords },
			{ key: 'result', cell: (o) => html`<span class=${o.result === 'ok' ? '' : 't-bad'} title=${o.detail || o.result}>${resultWords(o)}</span>` },
			{ key: 'reason', cell: (o) => html`<span title=${o.reason}>${o.reason || ''}</span>` },
		].map((c) => ({ ...c, label: t('record.' + c.key) }));
	}

	when(name) {
		const { params, set } = this.props;

		return html`<label class="choice"><span>${t('filter.' + name)}</span><input type="datetime-local" name=${name} value=${local(params[name])}
			onChange=${(e) => set({ [name]: instant(e.target.value) })} /></label>`;
	}

	toolbar() {
		const { params, set } = this.props, to = (name) => (v) => set({ [name]: v, open: undefined });

		return html`<div class="toolbar">
			<${Typed} name="user" words=${this.users()} chosen=${params.user} onChange=${to('user')} />
			${choice('action', ACTIONS, params.action, to('action'), (w) => word('action', w))}
			<${Typed} name="pool" words=${[]} chosen=${params.pool} onChange=${(v) => set({ pool: v, name: undefined, open: undefined })} />
			${params.name && html`<${Typed} name="document" words=${[]} chosen=${params.name} onChange=${to('name')} />`}
			${choice('result', RESULTS, params.result, to('result'), (w) => word('outcome', w))}
			${this.when('since')}${this.when('until')}
			${FILTERS.some((f) => params[f]) && html`<button type="button" onClick=${() => set(Object.fromEntries([...FILTERS, 'open'].map((f) =>
				[f, undefined])))}>${t('clear')}</button>`}</div>`;
	}

	render({ params, set }, { dialog }) {
		const { store } = this;

		return html`<section class="screen" aria-label=${t('title.record')}>
			${this.toolbar()}
			<div class="summary"><span role="status" class="count">${store.total === undefined ? t('loading') : t('count.all', { n: store.total })}</span>
				<span class="space"></span><${Copy} command=${listCommand('operations', this.filters())} key=${this.question()} /></div>
			${store.error && failure(store.error, () => store.reload())}
			<${Grid} name="record" label=${t('title.record')} columns=${this.columns()} total=${store.total || 0} rowAt=${this.rowAt}
				want=${(a, b) => store.total && store.want(a, b)} list=${store.loaded} question=${this.question()} onSort=${() => {}}
				open=${params.open} onOpen=${(open) => set({ open })} expandLabel=${(o) => t('record.expand', { id: o.id })}
				panel=${(o) => html`<${Operation} key=${o.id} id=${o.id} onBack=${this.back} />`} />
			${store.total === 0 && nothing(t('record.empty.all'))}
			${dialog && this.dialog()}
		</section>`;
	}
}
