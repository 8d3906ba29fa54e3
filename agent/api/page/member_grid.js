// SPDX-License-Identifier: GPL-2.0-or-later
// The members of a pool as a small table to write in, or as text. The text is what is kept: a line is a row.
import { named } from './dialog.js';
import { Component, html } from './html.js';
import { t } from './i18n.js';
import { readMembers, writeMembers } from './member_list.js';

const TABLE_MAX = 60; // rows of two inputs; with more of them it begins as text
const ERRORS = 5;

function cells(line) {
	const [, at, weight] = /^\s*([^\s,;=]*)[\s,;=]*(.*?)\s*$/.exec(line);

	return { at, weight };
}

/** Props: text, onWrite(text), found: what the agent says is wrong. */
export class MemberGrid extends Component {
	state = { plain: this.props.text.split('\n').length > TABLE_MAX, said: '' };

	rows() {
		const rows = this.props.text.split('\n').map(cells), last = rows.at(-1);

		return last.at || last.weight ? [...rows, { at: '', weight: '' }] : rows;
	}

	write(rows) {
		const lines = rows.map(({ at, weight }) => at + (weight ? ' ' + weight : ''));

		while (lines.length && !lines.at(-1))
			lines.pop();
		this.props.onWrite(lines.join('\n'));
	}

	set = (i, name) => (e) => {
		this.write(this.rows().map((r, n) => n === i ? { ...r, [name]: e.target.value.replace(/\s/g, '') } : r));
	};

	drop = (i) => () => {
		this.write(this.rows().filter((_, n) => n !== i));
		this.table.querySelectorAll('tbody input.at')[i]?.focus();
	};

	/** A list takes rows of its own; a single address is pasted as anywhere. */
	paste = (i) => (e) => {
		const text = e.clipboardData.getData('text').replaceAll('\r', '').trim(), { members, errors } = readMembers(text);
		const lines = this.props.text.split('\n');

		if (!/[\s,;=]/.test(text))
			return;
		e.preventDefault();
		lines.splice(i, 1, ...(errors.length ? text : writeMembers(members)).split('\n'));
		this.props.onWrite(lines.filter((l) => l.trim()).join('\n'));
		this.setState({ said: t('members.pasted', { n: errors.length ? text.split('\n').length : members.length }) });
	};

	onKey = (e) => {
		const step = { ArrowDown: 1, ArrowUp: -1 }[e.key], name = e.target.className;
		const all = [...this.table.querySelectorAll('tbody input.' + name)];

		if (!step || !name)
			return;
		e.preventDefault();
		all[all.indexOf(e.target) + step]?.focus();
	};

	row({ at, weight }, i, wrong, last) {
		const n = i + 1, bad = wrong.has(n) ? 'true' : undefined;

		return html`<tr key=${i}><td class="line" aria-hidden="true">${n}</td>
			<td><input class="at" aria-label=${t('members.at', { n })} aria-invalid=${bad} value=${at} autocomplete="off" spellcheck=${false}
				placeholder=${last ? '10.0.0.11:8080' : ''} onInput=${this.set(i, 'at')} onPaste=${this.paste(i)} /></td>
			<td><input class="weight" aria-label=${t('members.weight', { n })} aria-invalid=${bad} value=${weight} inputmode="numeric"
				placeholder="1" autocomplete="off" onInput=${this.set(i, 'weight')} /></td>
			<td>${!last && html`<button type="button" class="act a-delete" aria-label=${t('members.drop', { n })} title=${t('members.drop', { n })}
				onClick=${this.drop(i)} />`}</td></tr>`;
	}

	body(errors) {
		const { text, onWrite } = this.props, rows = this.rows(), wrong = new Set(errors.map((e) => e.line));

		if (this.state.plain)
			return html`<textarea ...${named('members', errors.length > 0, true)} aria-label=${t('field.members')} rows="7" spellcheck=${false}
				value=${text} placeholder=${'10.0.0.11:8080\n10.0.0.12:8080 5'} onInput=${(e) => onWrite(e.target.value)} />`;
		return html`<div class="scrolls member-rows" ref=${(e) => { this.table = e; }}><table class="plain" aria-label=${t('field.members')}
			onKeyDown=${this.onKey}><thead><tr><th scope="col" class="line">${t('members.line')}</th><th scope="col">${t('members.endpoint')}</th>
			<th scope="col">${t('col.weight')}</th><th scope="col"><span class="hidden">${t('col.acts')}</span></th></tr></thead>
			<tbody>${rows.map((r, i) => this.row(r, i, wrong, i === rows.length - 1))}</tbody></table></div>`;
	}

	render({ text, found }, { plain, said }) {
		const { members, errors } = readMembers(text);

		return html`<fieldset class="f-members"><legend>${t('field.members')} <span class="n">${t('members.number', { n: members.length })}</span></legend>
			<div class="fieldset-act"><button type="button" aria-pressed=${plain ? 'true' : 'false'}
				onClick=${() => this.setState({ plain: !plain })}>${t('members.plain')}</button></div>
			${this.body(errors)}
			<p id="e-members" class="hint">${t(plain ? 'members.hint' : 'members.hint.table')}</p>
			<div role="status">${said && html`<p class="hint">✓ ${said}</p>`}
				${[...errors.slice(0, ERRORS).map((e) => t('members.wrong', { n: e.line, text: e.text })), errors.length > ERRORS
					&& t('members.wrong.more', { n: errors.length - ERRORS }), found].filter(Boolean).map((w) => html`<p key=${w} class="wrong">✕ ${w}</p>`)}</div>
			</fieldset>`;
	}
}
