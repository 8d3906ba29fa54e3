// SPDX-License-Identifier: GPL-2.0-or-later
// A pool as a form: to add one, to edit one.
import { field, named } from './dialog.js';
import { Component, html } from './html.js';
import { t, word } from './i18n.js';
import { MemberGrid } from './member_grid.js';
import { readMembers, writeMembers } from './member_list.js';
import { CHECKS, endpoint, flat, poolPath, settingsOf } from './spec.js';
import { Write } from './write.js';

export const SCHEDULERS = ['rr', 'wrr', 'lc', 'wlc', 'sed', 'nq', 'sh', 'mh', 'dh', 'fo', 'ovf', 'twos'];
// The usual ones; what is in them without being said is in grey. Others are rows of their own.
const USUAL = [['scheduler', SCHEDULERS, 'wrr'], ['drain-seconds', null, '300'], ['health-check-type', CHECKS, 'tcp'],
	['health-check-path', null, '/'], ['health-check-port', null, ''], ['health-check-interval', null, '2s'],
	['health-check-rise', null, '2'], ['health-check-fall', null, '3']];
const KEYS = USUAL.map(([key]) => key);
/** The fields that settings have, and what of them is other than it was. */
class Settings {
	constructor(settings) {
		this.usual = Object.fromEntries(KEYS.map((k) => [k, settings[k] ?? '']));
		this.rows = Object.entries(settings).filter(([k]) => !KEYS.includes(k)).map(([key, text]) => ({ key, text }));
	}

	all() {
		const rows = this.rows.map(({ key, text }) => [key.trim().replace(/^parasaus\.io\//, ''), text.trim()]);

		return Object.fromEntries([...Object.entries(this.usual).map(([k, v]) => [k, v.trim()]), ...rows].filter(([k, v]) => k && v));
	}

	/** A merge patch from those to these. */
	patch(before) {
		const now = this.all();
		const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter((k) => before[k] !== now[k]);

		return Object.fromEntries(keys.map((k) => [k, now[k] ?? null]));
	}
}

class PoolForm extends Component {
	change = (name) => (e) => {
		this.setState({ [name]: e.target.value });
	};

	setUsual = (key) => (e) => {
		this.state.settings.usual[key] = e.target.value;
		this.setState({});
	};

	setRows(rows) {
		this.state.settings.rows = rows;
		this.setState({});
	}

	text(name, label, found, more = {}, hint = undefined) {
		return field(name, label, html`<input ...${named(name, found[name], hint)} value=${this.state[name]} autocomplete="off"
			spellcheck=${false} ...${more} onInput=${this.change(name)} />`, found[name], hint);
	}

	usual([key, options, usually], found) {
		const name = 'settings.' + key, v = this.state.settings.usual[key];
		const control = options ? html`<select ...${named(name, found[name])} value=${v} onChange=${this.setUsual(key)}>
				<option value="">${t('usually', { what: usually })}</option>
				${[...options, ...(v && !options.includes(v) ? [v] : [])].map((o) => html`<option key=${o} value=${o}>${o}</option>`)}</select>`
			: html`<input ...${named(name, found[name])} value=${v} placeholder=${usually} autocomplete="off" onInput=${this.setUsual(key)} />`;

		return field(name, word('setting', key), control, found[name]);
	}

	row(r, i, found) {
		const { rows } = this.state.settings, wrong = found['settings.' + r.key];
		const set = (name) => (e) => this.setRows(rows.map((x, n) => n === i ? { ...x, [name]: e.target.value } : x));

		return html`<div key=${i} class="pair"><input aria-label=${t('settings.key')} value=${r.key} placeholder="fail-policy"
				aria-invalid=${wrong ? 'true' : undefined} spellcheck=${false} onInput=${set('key')} />
			<span aria-hidden="true">=</span><input aria-label=${t('settings.value', { key: r.key })} value=${r.text} onInput=${set('text')} />
			<button type="button" class="quiet" aria-label=${t('settings.drop', { key: r.key })}
				onClick=${() => this.setRows(rows.filter((_, n) => n !== i))}>✕</button>
			${wrong && html`<p class="wrong">✕ ${wrong}</p>`}</div>`;
	}

	settings(found) {
		const { rows, usual } = this.state.settings;
		const shown = USUAL.filter(([k]) => k !== 'health-check-path' || ['http', 'https'].includes(usual['health-check-type']) || usual[k]);

		return html`<fieldset><legend>${t('settings')}</legend>
			<div class="fields">${shown.map((u) => this.usual(u, found))}</div>
			<div class="pairs">${rows.map((r, i) => this.row(r, i, found))}
				<button type="button" onClick=${() => this.setRows([...rows, { key: '', text: '' }])}>+ ${t('settings.more')}</button></div></fieldset>`;
	}

	/** The findings of the agent that are about members stand below them. */
	members(found) {
		const said = Object.keys(found).filter((k) => k.startsWith('members')).map((k) => found[k]).join('; ');

		return html`<${MemberGrid} text=${this.state.members} onWrite=${(members) => this.setState({ members })} found=${said} />`;
	}

	settingNames() {
		return [...KEYS, ...this.state.settings.rows.map((r) => r.key)].map((k) => 'settings.' + k);
	}
}

function port(text) {
	return text.trim() ? Number(text) : undefined;
}

/** Props: namespace, allow, onDone, onClose. */
export class AddPool extends PoolForm {
	state = { namespace: this.props.namespace || 'default', name: '', portName: '', protocol: 'TCP', port: '', members: '',
		settings: new Settings({}) };

	request = () => {
		const { namespace, name, portName, protocol, members, settings } = this.state, read = readMembers(members);
		const all = settings.all();

		if (!name.trim() || read.errors.length)
			return undefined;
		return { method: 'POST', path: 'pools', body: { namespace: namespace.trim() || undefined, name: name.trim(),
			portName: portName.trim() || undefined, protocol, port: port(this.state.port),
			settings: Object.keys(all).length ? all : undefined, members: read.members } };
	};

	fields = (found) => html`<div class="fields">
			${this.text('name', t('field.name'), found, { 'data-first': '', required: true, maxlength: 63 })}
			${this.text('namespace', t('filter.namespace'), found, { maxlength: 63 })}
			${field('protocol', t('col.protocol'), html`<select ...${named('protocol', found.protocol)} value=${this.state.protocol}
				onChange=${this.change('protocol')}>${['TCP', 'UDP', 'SCTP'].map((p) => html`<option key=${p}>${p}</option>`)}</select>`, found.protocol)}
			${this.text('port', t('col.port'), found, { inputmode: 'numeric', pattern: '[0-9]*', placeholder: t('port.given') })}
			${this.text('portName', t('field.portName'), found, { placeholder: t('optional'), maxlength: 15 })}</div>
			${this.members(found)}
			${this.settings(found)}`;

	render({ allow, onDone, onClose }) {
		return html`<${Write} title=${t('add.title')} verb=${t('add.verb')} request=${this.request} fields=${this.fields} allow=${allow}
			names=${['name', 'namespace', 'protocol', 'port', 'portName', 'members', ...this.settingNames()]}
			onDone=${onDone} onClose=${onClose} />`;
	}
}

function byEndpoint(members) {
	return new Map(members.map((m) => [endpoint(m), m]));
}

function sameMembers(a, b) {
	const others = byEndpoint(b);

	return a.length === b.length && a.every((m) => others.has(endpoint(m)) && (others.get(endpoint(m)).weight ?? null) === (m.weight ?? null));
}

/** What was changed from `base` to `mine`, done to `theirs`. */
function ontoTheirs(base, mine, theirs) {
	const [before, after, out] = [base, mine, theirs].map(byEndpoint);

	for (const at of new Set([...before.keys(), ...after.keys()])) {
		const a = before.get(at), b = after.get(at);

		if (a && !b)
			out.delete(at);
		else if (!a || (a.weight ?? null) !== (b.weight ?? null))
			out.set(at, b);
	}
	return [...out.values()];
}

/** Props: pool, base { spec, etag }, allow, onDone, onClose. */
export class EditPool extends PoolForm {
	state = this.from(this.props.base);

	from(base) {
		return { base, port: String(base.spec.port ?? ''), members: writeMembers(base.spec.members), settings: new Settings(settingsOf(base.spec)) };
	}

	patch(base) {
		const settings = this.state.settings.patch(settingsOf(base.spec)), to = port(this.state.port);

		return { ...(to !== undefined && to !== base.spec.port && { port: to }), ...(Object.keys(settings).length && { settings }),
			...(!sameMembers(base.spec.members, this.wanted()) && { members: this.wanted() }) };
	}

	wanted() {
		return readMembers(this.state.members).members;
	}

	request = () => {
		const { base } = this.state, body = this.patch(base);

		if (!Object.keys(body).length || readMembers(this.state.members).errors.length)
			return undefined;
		return { method: 'PATCH', path: poolPath(this.props.pool.id), body, etag: base.etag };
	};

	mine = () => {
		const { spec } = this.state.base;

		return flat({ ...spec, port: port(this.state.port) ?? spec.port, settings: this.state.settings.all(), members: this.wanted() });
	};

	/** What I changed goes onto what is there now, or all of mine does, or nothing. */
	rebase = (now, how, then) => {
		if (how === 'theirs')
			return this.setState(this.from(now), then);
		if (how === 'over')
			return this.setState({ base: now }, then);
		const changed = this.patch(this.state.base);
		const settings = { ...settingsOf(now.spec), ...changed.settings };

		for (const [k, v] of Object.entries(settings))
			if (v === null)
				delete settings[k];
		return this.setState({ base: now, port: String(changed.port ?? now.spec.port ?? ''), settings: new Settings(settings),
			members: writeMembers(changed.members ? ontoTheirs(this.state.base.spec.members, changed.members, now.spec.members) : now.spec.members) }, then);
	};

	fields = (found) => html`<div class="fields">
		${this.text('port', t('col.port'), found, { 'data-first': '', inputmode: 'numeric', pattern: '[0-9]*' })}</div>
		${this.members(found)}
		${this.settings(found)}`;

	render({ pool, allow, onDone, onClose }, { base }) {
		return html`<${Write} title=${t('edit.title', { id: pool.id })} verb=${t('save')} request=${this.request} fields=${this.fields} allow=${allow}
			names=${['port', 'members', ...this.settingNames()]} pool=${pool.id} base=${base} mine=${this.mine} several=${true}
			rebase=${this.rebase} onDone=${onDone} onClose=${onClose} />`;
	}
}
