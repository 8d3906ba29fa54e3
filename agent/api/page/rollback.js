// SPDX-License-Identifier: GPL-2.0-or-later
// Back to what a pool was; also to one that was deleted.
import { command } from './command.js';
import { Component, html } from './html.js';
import { number, t, time, word } from './i18n.js';
import { endpoint, poolPath } from './spec.js';
import { Write } from './write.js';

/**
 * Those that touched a member, and what each of them changed: the one before it. `operations` are ids, which are
 * revisions of documents.
 */
function about(revisions, operations) {
	const is = (r) => !!r && (operations.has(r.revision) || r.documents?.some((d) => operations.has(d.revision)));

	return revisions.filter((r, i) => is(r) || is(revisions[i - 1]));
}

/**
 * Props: pool, base (absent: it is gone), revisions, to (chosen already), reason, allow, onDone, onClose;
 * member and operations (a set of ids): only those about it, at first. What is no pool has path, words (of its
 * command), reload, flat and before, as write.js has them.
 */
export class Rollback extends Component {
	state = { base: this.props.base, to: this.props.to };

	request = () => {
		const { to, base } = this.state;

		return to && { method: 'POST', path: this.props.path ?? poolPath(this.props.pool.id, ':rollback'), body: { toRevision: to }, etag: base?.etag };
	};

	choose(to) {
		this.setState({ to }, () => this.write.attempt(true));
	}

	row(r, now) {
		const cannot = r.revision === now;

		return html`<tr key=${r.revision} class=${this.state.to === r.revision ? 'chosen' : ''}>
			<td><label><input type="radio" name="to" disabled=${cannot} data-first=${cannot ? undefined : ''} checked=${this.state.to === r.revision}
				onChange=${() => this.choose(r.revision)} /> ${number(r.revision)}</label></td>
			<td>${time(r.at)}</td><td>${r.user || '–'}</td><td>${word('action', r.action)}${r.removed && r.action !== 'delete'
				? ' (' + t('removed') + ')' : ''}${cannot && html` <span class="dim">${t('rollback.now')}</span>`}</td>
			<td>${r.reason || ''}</td></tr>`;
	}

	fields = () => {
		const { revisions, member, operations } = this.props, some = member && !this.state.all ? about(revisions, operations) : revisions;
		const now = this.state.base?.spec.revision ?? (revisions[0]?.removed ? revisions[0].revision : undefined);

		return html`<div class="scrolls revisions"><table class="plain" aria-label=${t('rollback.revisions')}><thead><tr>
			${['revision', 'at', 'user', 'action', 'reason'].map((c) => html`<th key=${c} scope="col">${t('record.' + c)}</th>`)}</tr></thead>
			<tbody>${some.map((r) => this.row(r, now))}</tbody></table></div>
			${member && html`<p><label><input type="checkbox" checked=${!this.state.all} onChange=${(e) => this.setState({ all: !e.target.checked })}
				/> ${t('rollback.only', { member: endpoint(member) })}</label></p>`}
			${!this.state.to && html`<p class="dim">${t('rollback.choose')}</p>`}`;
	};

	render({ pool, words = ['pool', pool.id], to, reason, reload, flat, before, allow, onDone, onClose }, { base }) {
		return html`<${Write} self=${(w) => { this.write = w; }} title=${t('rollback.title', { id: pool.id })} verb=${t('rollback')}
			atOnce=${!!to} request=${this.request} fields=${this.fields} pool=${pool.id} base=${base} mine=${() => ({})} reason=${reason}
			command=${(request, reason) => command(['rollback', ...words, '--to', String(request.body.toRevision)], reason)}
			rebase=${(now, how, then) => this.setState({ base: now }, then)} reload=${reload} flat=${flat} before=${before}
			allow=${allow} onDone=${onDone} onClose=${onClose} />`;
	}
}
