// SPDX-License-Identifier: GPL-2.0-or-later
// Who did what to a pool, or to one of its members, when, from where, and what came of it.
import { get } from './api.js';
import { Copy, listCommand } from './command.js';
import { Dialog } from './dialog.js';
import { difference } from './difference.js';
import { Component, html } from './html.js';
import { t, time, word } from './i18n.js';
import { memberPast, PAST_MAX } from './member_past.js';
import { failure, PAGE, pager } from './notes.js';
import { endpoint } from './spec.js';

const COLUMNS = ['at', 'user', 'action', 'what', 'from', 'result', 'reason'];

/** Who did it from where, as words. */
export function fromWords(o) {
	return [word('from', o.source), o.peer].filter(Boolean).join(' · ');
}

export function resultWords(o) {
	return o.result === 'ok' && !o.changed ? word('result', 'unchanged') : word('outcome', o.result);
}

/** One operation with all that it changed. */
export function details(one) {
	return html`${one.detail && html`<p class="t-bad">${one.detail}</p>`}
		${difference([{ ...one, result: undefined, before: one.beforeObject ?? undefined, after: one.afterObject ?? undefined }])}
		${one.requestId && html`<p class="dim">${t('request', { id: one.requestId })}</p>`}`;
}

/** Props: pool, member (of one alone), onClose, onAct. */
export class Record extends Component {
	state = { offset: 0 };

	componentDidMount() {
		this.load(0);
	}

	async load(offset) {
		const { pool, member } = this.props;

		try {
			const list = member ? await this.ofMember(pool, member)
				: await get('operations', { pool: pool.id, limit: PAGE, offset: offset || undefined });

			this.setState({ list, offset, open: undefined, error: undefined });
		} catch (error) {
			this.setState({ error });
		}
	}

	async ofMember(pool, member) {
		const items = await memberPast(pool, member);

		return { items, total: 0 }; // all of them are there
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
		return html`<tr key=${o.id}><td><button type="button" class="expand" aria-expanded=${open} aria-label=${t('record.expand', { id: String(o.id) })}
				onClick=${() => this.toggle(o.id)}><span aria-hidden="true">${open ? '▾' : '▸'}</span></button>${time(o.at)}</td>
			<td>${o.user || '–'}</td><td>${word('action', o.action)}${o.forced ? ' (' + t('record.forced') + ')' : ''}</td>
			<td>${o.kind} ${o.name}</td><td>${fromWords(o)}</td>
			<td class=${o.result === 'ok' ? '' : 't-bad'} title=${o.detail || o.result}>${resultWords(o)}</td>
			<td>${o.reason || ''}</td></tr>
			${open && html`<tr key=${o.id + '-more'} class="more"><td colspan=${COLUMNS.length}>
				${one ? details(one) : html`<p class="dim">${t('loading')}</p>`}</td></tr>`}`;
	}

	pager({ total, items }, offset) {
		return pager({ previous: t('record.newer'), where: 'record.page', next: t('record.older') },
			{ offset, shown: items.length, total }, (to) => this.load(to));
	}

	render({ pool, member, onClose, onAct }, { list, offset, error }) {
		const back = () => {
			this.dialog.shut();
			onAct('rollback', pool, member);
		};
		const title = member ? t('record.title.member', { member: endpoint(member), id: pool.id }) : t('record.title', { id: pool.id });

		return html`<${Dialog} title=${title} size="wide" onClose=${onClose} self=${(d) => { this.dialog = d; }}>
			<div class="sheet-body">${error && failure(error, () => this.load(offset))}
			${!list ? !error && html`<p class="dim">${t('loading')}</p>` : !list.items.length ? html`<p class="nothing">${t('record.empty')}</p>`
				: html`<div class="scrolls"><table class="plain record" aria-label=${title}><thead><tr>
					${COLUMNS.map((c) => html`<th key=${c} scope="col">${t('record.' + c)}</th>`)}</tr></thead>
					<tbody>${list.items.map((o) => this.row(o))}</tbody></table></div>`}
			${member && list && html`<p class="dim">${t('record.bound', { n: PAST_MAX })}</p>`}</div>
			<div class="sheet-foot">${!member && html`<${Copy} command=${listCommand('operations', { pool: pool.id })} />`}${list && this.pager(list, offset)}
				<span class="space"></span><button type="button" onClick=${back}>${t('rollback.go')}</button>
				<button type="button" class="main" data-first="" onClick=${() => this.dialog.shut()}>${t('close')}</button></div></${Dialog}>`;
	}
}
