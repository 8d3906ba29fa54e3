// SPDX-License-Identifier: GPL-2.0-or-later
// Who did what to a pool, when, from where, and what came of it.
import { get } from './api.js';
import { Copy, listCommand } from './command.js';
import { Dialog } from './dialog.js';
import { difference } from './difference.js';
import { Component, html } from './html.js';
import { t, time, word } from './i18n.js';
import { failure } from './notes.js';

const PAGE = 20;
const COLUMNS = ['at', 'user', 'action', 'what', 'from', 'result', 'reason'];

/** Props: pool, onClose, onAct. */
export class Record extends Component {
	state = { offset: 0 };

	componentDidMount() {
		this.load(0);
	}

	async load(offset) {
		try {
			const list = await get('operations', { pool: this.props.pool.id, limit: PAGE, offset: offset || undefined });

			this.setState({ list, offset, open: undefined, error: undefined });
		} catch (error) {
			this.setState({ error });
		}
	}

	async toggle(id) {
		if (this.state.open === id) {
			this.setState({ open: undefined });
			return;
		}
		this.setState({ open: id, one: undefined });
		try {
			const one = await get('operations/' + id);

			if (this.state.open === id)
				this.setState({ one });
		} catch (error) {
			this.setState({ error });
		}
	}

	row(o) {
		const open = this.state.open === o.id, { one } = this.state;
		const from = [word('from', o.source), o.peer].filter(Boolean).join(' · ');

		return html`<tr key=${o.id}><td><button type="button" class="expand" aria-expanded=${open} aria-label=${t('record.expand', { id: String(o.id) })}
				onClick=${() => this.toggle(o.id)}><span aria-hidden="true">${open ? '▾' : '▸'}</span></button>${time(o.at)}</td>
			<td>${o.user || '–'}</td><td>${word('action', o.action)}${o.forced ? ' (' + t('record.forced') + ')' : ''}</td>
			<td>${o.kind} ${o.name}</td><td>${from}</td>
			<td class=${o.result === 'ok' ? '' : 't-bad'} title=${o.detail || o.result}>${o.result === 'ok' && !o.changed
				? word('result', 'unchanged') : word('outcome', o.result)}</td>
			<td>${o.reason || ''}</td></tr>
			${open && html`<tr key=${o.id + '-more'} class="more"><td colspan=${COLUMNS.length}>
				${o.detail && html`<p class="t-bad">${o.detail}</p>`}
				${one ? difference([{ ...one, result: undefined, before: one.beforeObject ?? undefined, after: one.afterObject ?? undefined }]) : html`<p class="dim">${t('loading')}</p>`}
				${o.requestId && html`<p class="dim">${t('request', { id: o.requestId })}</p>`}</td></tr>`}`;
	}

	pager({ total, items }, offset) {
		if (total <= PAGE)
			return null;
		return html`<div class="pager">
			<button type="button" disabled=${!offset} aria-label=${t('record.newer')} onClick=${() => this.load(Math.max(0, offset - PAGE))}>‹</button>
			<span>${t('record.page', { first: offset + 1, last: offset + items.length, n: total })}</span>
			<button type="button" disabled=${offset + PAGE >= total} aria-label=${t('record.older')}
				onClick=${() => this.load(offset + PAGE)}>›</button></div>`;
	}

	render({ pool, onClose, onAct }, { list, offset, error }) {
		const back = () => {
			this.dialog.shut();
			onAct('rollback', pool);
		};

		return html`<${Dialog} title=${t('record.title', { id: pool.id })} size="wide" onClose=${onClose} self=${(d) => { this.dialog = d; }}>
			<div class="sheet-body">${error && failure(error, () => this.load(offset))}
			${!list ? !error && html`<p class="dim">${t('loading')}</p>` : !list.items.length ? html`<p class="nothing">${t('record.empty')}</p>`
				: html`<div class="scrolls"><table class="plain record" aria-label=${t('record.title', { id: pool.id })}><thead><tr>
					${COLUMNS.map((c) => html`<th key=${c} scope="col">${t('record.' + c)}</th>`)}</tr></thead>
					<tbody>${list.items.map((o) => this.row(o))}</tbody></table></div>`}</div>
			<div class="sheet-foot"><${Copy} command=${listCommand('operations', { pool: pool.id })} />${list && this.pager(list, offset)}
				<span class="space"></span><button type="button" onClick=${back}>${t('rollback.go')}</button>
				<button type="button" class="main" data-first="" onClick=${() => this.dialog.shut()}>${t('close')}</button></div></${Dialog}>`;
	}
}
