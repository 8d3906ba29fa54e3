// SPDX-License-Identifier: GPL-2.0-or-later
// What is done to a pool or a member in one go: each shows at once what it would change.
import { command, memberCommand } from './command.js';
import { field, named } from './dialog.js';
import { Component, html } from './html.js';
import { duration, number, t } from './i18n.js';
import { readMembers, WEIGHT_MAX } from './member_list.js';
import { endpoint, flat, poolPath } from './spec.js';
import { Write } from './write.js';

/** Props of each: pool, member, base { spec, etag }, allow, onDone, onClose, onAct(what, pool, member). */
class Act extends Component {
	state = { base: this.props.base };

	rebase = (now, how, then) => {
		this.setState({ base: now }, then);
	};

	/** Something else is done instead of this. */
	instead(what) {
		this.write.shut();
		this.props.onAct(what, this.props.pool, this.props.member);
	}

	writing({ pool, allow, onDone, onClose }, more) {
		return html`<${Write} self=${(w) => { this.write = w; }} pool=${pool.id} base=${this.state.base} allow=${allow} rebase=${this.rebase}
			onDone=${onDone} onClose=${onClose} ...${more} />`;
	}
}

function counts({ members: m }) {
	return html`<ul class="counts">${['up', 'draining', 'down', 'unknown'].filter((k) => m[k]).map((k) =>
		html`<li key=${k}>${t('members.' + k, { n: m[k] })}</li>`)}${!m.total && html`<li>${t('empty.members')}</li>`}</ul>`;
}

export class DeletePool extends Act {
	render(props, { base }) {
		const { pool } = props;

		return this.writing(props, { title: t('delete.title', { id: pool.id }), verb: t('delete'), danger: true, atOnce: true,
			request: () => ({ method: 'DELETE', path: poolPath(pool.id), etag: base.etag }), mine: () => ({}),
			command: (_, reason) => command(['delete', 'pool', pool.id], reason),
			more: pool.members.up > 0 && html`<button type="button" onClick=${() => this.instead('drainAll')}>${t('drain.first')}</button>`,
			fields: () => html`<p>${t('delete.text', { frontends: pool.frontends.join(', ') || '–' })}</p>${counts(pool)}` });
	}
}

/** Every member gets weight 0: what is there goes on, nothing new comes. */
export class DrainAll extends Act {
	render(props, { base }) {
		const { pool } = props, own = base.spec.members.map(endpoint);
		/* The annotation is that of all pools of the Service. */
		const others = (base.spec.settings.weights || '').split(',').map((x) => x.trim()).filter((x) => x && !own.includes(x.split('=')[0].trim()));
		const weights = [...others, ...own.map((at) => at + '=0')].join(',');

		return this.writing(props, { title: t('drain.all.title', { id: pool.id }), verb: t('drain'), atOnce: true,
			request: () => ({ method: 'PATCH', path: poolPath(pool.id), body: { settings: { weights } }, etag: base.etag }),
			mine: () => ({ ...flat({ ...base.spec, members: base.spec.members.map((m) => ({ ...m, weight: 0 })) }) }),
			fields: () => html`<p>${t('drain.all.text', { n: base.spec.members.length })}</p>` });
	}
}

function memberPath({ pool, member }) {
	return poolPath(pool.id, '/members/' + encodeURIComponent(member.id));
}

/** A spec's names with another weight of that member; undefined: without it. */
function flatWith(spec, member, weight) {
	const at = endpoint(member);
	const members = spec.members.filter((m) => endpoint(m) !== at || weight !== undefined);

	return flat({ ...spec, members: members.map((m) => endpoint(m) === at ? { ...m, weight } : m) });
}

export class DeleteMember extends Act {
	render(props, { base }) {
		const { pool, member } = props, at = endpoint(member);

		return this.writing(props, { title: t('member.delete.title', { member: at, id: pool.id }), verb: t('delete'), danger: true, atOnce: true,
			request: () => ({ method: 'DELETE', path: memberPath(props), etag: base.etag }), mine: () => flatWith(base.spec, member),
			more: member.effectiveWeight > 0 && html`<button type="button" onClick=${() => this.instead('drain')}>${t('drain.first')}</button>`,
			fields: () => html`<p>${t('member.delete.text', { time: duration(pool.drainSeconds) })}</p>` });
	}
}

export class Drain extends Act {
	render(props, { base }) {
		const { pool, member } = props, resume = props.what === 'resume', at = endpoint(member), verb = t(resume ? 'resume' : 'drain');

		return this.writing(props, { title: t(resume ? 'resume.title' : 'drain.title', { member: at, id: pool.id }), verb, atOnce: true,
			request: () => ({ method: 'PATCH', path: memberPath(props), body: { drain: !resume }, etag: base.etag }),
			command: (_, reason) => memberCommand(resume ? 'undrain' : 'drain', pool, at, [], reason),
			mine: () => flatWith(base.spec, member, resume ? null : 0),
			more: html`<button type="button" onClick=${() => this.instead(resume ? 'resumeAll' : 'drainAllOf')}>${t('everywhere',
				{ address: member.address })}</button>`,
			fields: () => html`<p>${t(resume ? 'resume.text' : 'drain.text')}</p>` });
	}
}

export class Weight extends Act {
	state = { base: this.props.base, text: String(this.own(this.props.base) ?? '') };

	own({ spec }) {
		return spec.members.find((m) => endpoint(m) === endpoint(this.props.member))?.weight;
	}

	value() {
		const text = this.state.text.trim();

		return text === '' ? null : /^\d{1,5}$/.test(text) && Number(text) <= WEIGHT_MAX ? Number(text) : undefined;
	}

	rebase = (now, how, then) => {
		this.setState({ base: now, ...(how === 'theirs' && { text: String(this.own(now) ?? '') }) }, then);
	};

	fields = (found) => {
		const wrong = found.weight || (this.value() === undefined ? t('weight.wrong', { max: WEIGHT_MAX }) : undefined);

		return field('weight', t('col.weight'), html`<input ...${named('weight', wrong, true)} data-first="" inputmode="numeric" size="8"
			value=${this.state.text} onInput=${(e) => this.setState({ text: e.target.value })} />`, wrong,
		t('weight.hint', { weight: number(this.props.member.weight ?? 1) }));
	};

	render(props, { base }) {
		const { pool, member } = props, at = endpoint(member), weight = this.value();
		const same = weight === (this.own(base) ?? null);

		return this.writing(props, { title: t('weight.title', { member: at, id: pool.id }), verb: t('save'), names: ['weight'], fields: this.fields,
			request: () => weight === undefined || same ? undefined : { method: 'PATCH', path: memberPath(props), body: { weight }, etag: base.etag },
			command: (request, reason) => weight === null ? memberCommand('undrain', pool, at, [], reason)
				: memberCommand('weight', pool, at, [String(weight)], reason),
			mine: () => flatWith(base.spec, member, weight ?? null) });
	}
}

export class AddMember extends Act {
	state = { base: this.props.base, text: '' };

	fields = (found) => {
		const { members, errors } = readMembers(this.state.text);
		const bad = errors.length ? errors[0].text : members.length > 1 ? t('members.one')
			: ['address', 'port', 'weight'].map((k) => found[k]).filter(Boolean).join('; ');

		return field('address', t('col.member'), html`<input ...${named('address', bad, true)} data-first="" autocomplete="off" spellcheck=${false}
			value=${this.state.text} placeholder="10.0.0.11:8080 5" onInput=${(e) => this.setState({ text: e.target.value })} />`, bad,
		t('members.hint.one'));
	};

	render(props, { base, text }) {
		const { pool } = props, { members, errors } = readMembers(text);
		const one = members.length === 1 && !errors.length ? members[0] : undefined;

		return this.writing(props, { title: t('member.add.title', { id: pool.id }), verb: t('member.add.verb'), fields: this.fields,
			names: ['address', 'port', 'weight'],
			request: () => one && { method: 'POST', path: poolPath(pool.id, '/members'), body: one, etag: base.etag },
			mine: () => flat({ ...base.spec, members: [...base.spec.members, ...(one ? [one] : [])] }) });
	}
}
