// SPDX-License-Identifier: GPL-2.0-or-later
// What became of members and pools, the newest first.
import { get } from './api.js';
import { Copy, listCommand } from './command.js';
import { badge } from './badges.js';
import { chips } from './filters.js';
import { Grid } from './grid.js';
import { Component, html } from './html.js';
import { t, time, word } from './i18n.js';
import { soon } from './later.js';
import { failure, nothing, poolLink } from './notes.js';

const LIMIT = 1000;
const TYPES = ['member-health', 'pool-health', 'sync'];

function change(e) {
	return html`${badge('change', e.from)} <span aria-hidden="true">→</span> ${badge('change', e.to)}`;
}

/** Props: params, set(params, push), subscribe. */
export class Events extends Component {
	state = { loaded: 0 };
	again = soon(() => this.load(), 300);

	componentDidMount() {
		this.unsubscribe = this.props.subscribe(this.again, this.again);
		this.load();
	}

	componentWillUnmount() {
		this.unsubscribe();
		this.again.stop();
		this.asking?.abort();
	}

	componentDidUpdate(before) {
		if (before.params.type !== this.props.params.type)
			this.load();
	}

	async load() {
		this.asking?.abort();
		this.asking = new AbortController();
		try {
			const list = await get('events', { type: this.props.params.type, limit: LIMIT }, this.asking.signal);

			this.setState((s) => ({ list, error: undefined, loaded: s.loaded + 1 }));
		} catch (error) {
			if (error.name !== 'AbortError')
				this.setState({ error });
		}
	}

	columns() {
		return [
			{ key: 'at', cell: (e) => time(e.at) },
			{ key: 'type', cell: (e) => html`<span title=${e.type}>${word('event', e.type)}</span>` },
			{ key: 'pool', cell: (e) => poolLink(e.pool) },
			{ key: 'member', cell: (e) => e.member || '–' },
			{ key: 'change', cell: change },
			{ key: 'reason', cell: (e) => e.reason ? html`<span title=${word('about', e.reason)}>${word('probe', e.reason)}</span>` : '' },
		].map((c) => ({ ...c, label: t('col.' + c.key) }));
	}

	render({ params, set }, { list, error, loaded }) {
		const items = list?.items || [];

		return html`<section class="screen" aria-label=${t('title.events')}>
			<div class="toolbar">${chips('event', TYPES.map((type) => [type]), params.type, (type) => set({ type }))}</div>
			<div class="summary"><span role="status" class="count">${!list ? t('loading') : list.total > items.length
				? t('count', { n: items.length, m: list.total }) : t('count.all', { n: list.total })}</span>
				<span class="space"></span><${Copy} command=${listCommand('events', { type: params.type })} key=${params.type} /></div>
			${error && failure(error, () => this.load())}
			<${Grid} name="events" label=${t('title.events')} columns=${this.columns()} total=${items.length}
				rowAt=${(i) => items[i]} want=${() => {}} list=${loaded} question=${params.type || 'all'} onSort=${() => {}} />
			${list && !items.length && nothing(t('empty.events'))}
		</section>`;
	}
}
