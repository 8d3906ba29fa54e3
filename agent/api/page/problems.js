// SPDX-License-Identifier: GPL-2.0-or-later
// The list of what is wrong.
import { badge } from './badges.js';
import { Copy, listCommand } from './command.js';
import { chips, search } from './filters.js';
import { Grid } from './grid.js';
import { Component, html } from './html.js';
import { t } from './i18n.js';
import { soon } from './later.js';
import { ListStore } from './list_store.js';
import { failure, nothing, poolLink } from './notes.js';

const FILTERS = ['q', 'severity', 'sort'];

/** Props: params, set(params, push), counts, subscribe. */
export class Problems extends Component {
	store = new ListStore(() => this.setState({}));
	again = soon(() => this.store.reload(), 500);

	componentDidMount() {
		this.unsubscribe = this.props.subscribe(this.again, this.again);
		this.open();
	}

	componentWillUnmount() {
		this.unsubscribe();
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
		this.store.open('problems', this.filters());
	}

	columns() {
		return [
			{ key: 'severity', sort: 'severity', cell: (p) => badge('severity', p.severity) },
			{ key: 'where', cell: (p) => html`<span title=${p.where}>${p.where || '–'}${p.line ? ':' + p.line : ''}</span>` },
			{ key: 'pool', sort: 'pool', cell: (p) => poolLink(p.pool) },
			{ key: 'text', cell: (p) => html`<span title=${p.text}>${p.text}</span>` },
		].map((c) => ({ ...c, label: t('col.' + c.key) }));
	}

	render({ params, set, counts }) {
		const { store } = this, severity = counts?.problems.severity;

		return html`<section class="screen" aria-label=${t('title.problems')}>
			<div class="toolbar">
				${search('problems', params.q, (q) => set({ q }))}
				${chips('severity', ['error', 'warning'].map((s) => [s, severity?.[s]]), params.severity, (s) => set({ severity: s }))}
			</div>
			<div class="summary"><span role="status" class="count">${store.total === undefined ? t('loading')
				: t('count', { n: store.total, m: counts ? counts.problems.total : store.total })}</span>
				<span class="space"></span><${Copy} command=${listCommand('problems', this.filters())} key=${this.question()} /></div>
			${store.error && failure(store.error, () => store.reload())}
			<${Grid} name="problems" label=${t('title.problems')} columns=${this.columns()} total=${store.total || 0}
				rowAt=${(i) => store.rowAt(i)} want=${(a, b) => store.total && store.want(a, b)} list=${store.loaded}
				question=${this.question()} sort=${params.sort} onSort=${(sort) => set({ sort }, true)} />
			${store.total === 0 && nothing(t('empty.problems'))}
		</section>`;
	}
}
