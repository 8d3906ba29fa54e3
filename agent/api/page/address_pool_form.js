// SPDX-License-Identifier: GPL-2.0-or-later
// An address pool of the store: added, edited, deleted. What would come of it is shown first, as with pools.
import { getTagged } from './api.js';
import { field, named } from './dialog.js';
import { difference } from './difference.js';
import { Component, html } from './html.js';
import { t } from './i18n.js';
import { Write } from './write.js';

const LISTS = ['addresses', 'reserved', 'namespaces'];
const FIELDS = ['addresses', 'ports', 'reserved', 'namespaces', 'autoAssign'];

export function addressPoolPath(name, more = '') {
	return 'address-pools/' + encodeURIComponent(name) + more;
}

function listOf(text) {
	return text.split(/[\s,;]+/).filter(Boolean);
}

/** As names and texts: what two people can be of two minds about. */
export function flatAddressPool(spec) {
	return spec ? Object.fromEntries(FIELDS.map((f) => [t('ap.' + f), LISTS.includes(f) ? (spec[f] || []).join(' ') : String(spec[f] ?? '')])) : {};
}

/** { spec, etag } as it is now; the spec has name, revision and the document besides. */
export async function loadAddressPool(name) {
	const { body, etag } = await getTagged(addressPoolPath(name));

	return { spec: { ...body.spec, autoAssign: body.spec.autoAssign !== false, name, revision: Number(/\d+/.exec(etag || '')?.[0] || 0), document: body }, etag };
}

/** What is in it by then, and who gets or keeps something. */
function outcome(preview) {
	const { addressPools = [], gained } = preview; // who keeps one outside of all of them is a warning

	return html`${addressPools.map((p) => html`<p key=${p.name}>${t('ap.room', { name: p.name, n: p.size, used: p.used, free: p.free })}</p>`)}
		${!!gained && html`<p>${t('ap.gained', { n: gained })}</p>`}
		${difference(preview.items)}`;
}

class AddressPoolForm extends Component {
	texts(spec = {}) {
		return { ...Object.fromEntries(LISTS.map((f) => [f, (spec[f] || []).join('\n')])), ports: String(spec.ports ?? ''), autoAssign: spec.autoAssign !== false };
	}

	set = (name) => (e) => {
		this.setState({ [name]: e.target.type === 'checkbox' ? e.target.checked : e.target.value });
	};

	/** As the interface has it. */
	spec() {
		const { ports, autoAssign } = this.state;

		return { ...Object.fromEntries(LISTS.map((f) => [f, listOf(this.state[f])])), ports: ports.trim(), autoAssign };
	}

	list(name, found, first) {
		return field(name, t('ap.' + name), html`<textarea ...${named(name, found[name], true)} rows=${name === 'addresses' ? 3 : 2} spellcheck=${false}
			data-first=${first} value=${this.state[name]} onInput=${this.set(name)} />`, found[name], t('ap.hint.' + name));
	}

	rest(found, first) {
		return html`${this.list('addresses', found, first)}
			<div class="fields two">${this.list('reserved', found)}${this.list('namespaces', found)}</div>
			<p><label><input type="checkbox" checked=${this.state.autoAssign} onChange=${this.set('autoAssign')} /> ${t('ap.hint.autoAssign')}</label></p>`;
	}

	ports(found) {
		return field('ports', t('ap.ports'), html`<input ...${named('ports', found.ports)} value=${this.state.ports} autocomplete="off" placeholder="30000-64999"
			onInput=${this.set('ports')} />`, found.ports);
	}
}

/** Props: allow, onDone, onClose. */
export class AddAddressPool extends AddressPoolForm {
	state = { name: '', ...this.texts() };

	request = () => {
		const { addresses, ports, reserved, namespaces, autoAssign } = this.spec(), name = this.state.name.trim();

		return name && addresses.length ? { method: 'POST', path: 'address-pools', body: { name, addresses, ports: ports || undefined,
			reserved: reserved.length ? reserved : undefined, namespaces: namespaces.length ? namespaces : undefined, autoAssign } } : undefined;
	};

	fields = (found) => html`<div class="fields">${field('name', t('ap.name'), html`<input ...${named('name', found.name)} data-first="" required maxlength="63"
		value=${this.state.name} autocomplete="off" spellcheck=${false} onInput=${this.set('name')} />`, found.name)}${this.ports(found)}</div>${this.rest(found)}`;

	render({ allow, onDone, onClose }) {
		return html`<${Write} title=${t('ap.add')} verb=${t('ap.add')} names=${['name', ...FIELDS]} request=${this.request} fields=${this.fields}
			before=${() => undefined} show=${outcome} allow=${allow} onDone=${onDone} onClose=${onClose} />`;
	}
}

/** Props: pool, base { spec, etag }, reload(), allow, onDone, onClose. */
export class EditAddressPool extends AddressPoolForm {
	state = { base: this.props.base, ...this.texts(this.props.base.spec) };

	patch({ spec }) {
		const now = this.spec(), was = { ...this.spec(), ...Object.fromEntries(LISTS.map((f) => [f, spec[f] || []])), ports: String(spec.ports ?? ''),
			autoAssign: spec.autoAssign !== false };

		return Object.fromEntries(FIELDS.filter((f) => JSON.stringify(now[f]) !== JSON.stringify(was[f])).map((f) => [f, now[f]]));
	}

	request = () => {
		const { base } = this.state, body = this.patch(base);

		return Object.keys(body).length ? { method: 'PATCH', path: addressPoolPath(this.props.pool.name), body: { spec: body }, etag: base.etag } : undefined;
	};

	/** What I changed goes onto what is there now, or all of mine does, or nothing. */
	rebase = (now, how, then) => {
		const mine = how === 'over' ? this.spec() : how === 'top' ? this.patch(this.state.base) : {};

		this.setState({ base: now, ...this.texts({ ...now.spec, ...mine }) }, then);
	};

	fields = (found) => html`<div class="fields">${this.ports(found)}</div>${this.rest(found, '')}`;

	render({ pool, reload, allow, onDone, onClose }, { base }) {
		return html`<${Write} title=${t('ap.edit', { name: pool.name })} verb=${t('save')} names=${FIELDS} request=${this.request} fields=${this.fields}
			base=${base} reload=${reload} flat=${flatAddressPool} mine=${() => flatAddressPool(this.spec())} several=${true} rebase=${this.rebase}
			before=${() => base.spec.document} show=${outcome} allow=${allow} onDone=${onDone} onClose=${onClose} />`;
	}
}

/** Props: as above. */
export class DeleteAddressPool extends Component {
	state = { base: this.props.base };

	render({ pool, reload, allow, onDone, onClose }, { base }) {
		return html`<${Write} title=${t('ap.delete', { name: pool.name })} verb=${t('delete')} danger=${true} atOnce=${true} mine=${() => ({})}
			request=${() => ({ method: 'DELETE', path: addressPoolPath(pool.name), etag: base.etag })} base=${base} reload=${reload} flat=${flatAddressPool}
			rebase=${(now, how, then) => this.setState({ base: now }, then)} before=${() => base.spec.document} show=${outcome}
			fields=${() => html`<p>${t(pool.used ? 'ap.delete.used' : 'ap.delete.text', { n: pool.used })}</p>`} allow=${allow} onDone=${onDone} onClose=${onClose} />`;
	}
}
