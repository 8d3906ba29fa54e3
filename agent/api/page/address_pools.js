// SPDX-License-Identifier: GPL-2.0-or-later
// The address pools: what of each is given out, to whom, and who has a certain address.
import { AddAddressPool, addressPoolPath, DeleteAddressPool, EditAddressPool, flatAddressPool, loadAddressPool } from './address_pool_form.js';
import { get } from './api.js';
import { Copy, listCommand } from './command.js';
import { search } from './filters.js';
import { Grid } from './grid.js';
import { Component, html } from './html.js';
import { number, t, time, word } from './i18n.js';
import { isForPage, lettersAreKeys } from './keys.js';
import { soon } from './later.js';
import { failure, nothing, PAGE, pager, poolLink } from './notes.js';
import { Rollback } from './rollback.js';
import { readOnlyWords, WhyNot } from './why_not.js';

const HOLDERS = 5;
const AGAIN_MS = 2000; // the count of what is used goes through all pools
const TYPING_MS = 150;
const KEYS = { e: 'edit', Delete: 'delete', n: 'add', h: 'record', b: 'rollback' };
const DIALOGS = { add: AddAddressPool, edit: EditAddressPool, delete: DeleteAddressPool, rollback: Rollback };

/** A text of nothing but what addresses are made of. */
function likeAddress(text) {
	return /[.:]/.test(text) && /^[0-9a-f.:[\]]{3,}$/i.test(text);
}

function matches(p, q) {
	return [p.name, p.ports, ...p.addresses].some((x) => String(x).toLowerCase().includes(q.toLowerCase()));
}

function total(p) {
	return p.total ?? p.size;
}

/** How full it is: as a bar, and in numbers beside it. */
function fill(p) {
	const n = total(p), part = n ? p.used / n : 0;

	return html`<span class="fill"><span class=${'bar' + (part > .9 ? ' full' : '')} aria-hidden="true"><span
		style=${{ width: Math.min(100, part * 100) + '%' }}></span></span>${number(p.used)}</span>`;
}

/** Who has what of one of them. Props: pool. */
class Holders extends Component {
	state = { offset: 0 };

	componentDidMount() {
		this.load();
	}

	componentDidUpdate(before, was) {
		if (was.offset !== this.state.offset || before.pool.used !== this.props.pool.used)
			this.load();
	}

	async load() {
		const { offset } = this.state;

		try {
			const list = await get(addressPoolPath(this.props.pool.name, '/allocations'), { limit: PAGE, offset });

			if (offset === this.state.offset)
				this.setState({ list, error: undefined });
		} catch (error) {
			this.setState({ error });
		}
	}

	pager({ total, items }) {
		return pager({ previous: t('holders.previous'), next: t('holders.next') },
			{ offset: this.state.offset, shown: items.length, total }, (offset) => this.setState({ offset }));
	}

	facts(p) {
		const all = [['addresses', p.addresses.join('  ')], ['ports', p.ports], ['reserved', p.reserved?.join('  ')],
			['namespaces', p.namespaces?.join('  ')],
			['autoAssign', p.autoAssign === undefined ? undefined : t(p.autoAssign ? 'yes' : 'no')], ['operator', p.user && [p.user, time(p.at)].join(', ')]];

		return html`<dl class="facts">${all.filter(([, v]) => v).map(([key, v]) =>
			html`<div key=${key}><dt>${t(key === 'operator' ? 'fact.operated' : 'ap.' + key)}</dt><dd>${v}</dd></div>`)}</dl>`;
	}

	render({ pool }, { list, error }) {
		return html`<div class="detail">${this.facts(pool)}
			${error && failure(error, () => this.load())}
			${!list ? !error && html`<p class="dim">${t('loading')}</p>` : !list.items.length ? html`<p class="dim">${t('holders.none')}</p>`
				: html`<table class="members holders" aria-label=${t('holders', { name: pool.name })}><thead><tr>
					<th scope="col">${t('holders.frontend')}</th><th scope="col">${t('col.pool')}</th></tr></thead>
					<tbody>${list.items.map((a) => html`<tr key=${a.frontend + a.protocol}>
						<td>${a.frontend}${a.protocol && '/' + a.protocol}</td><td>${poolLink(a.pool)}</td></tr>`)}</tbody></table>
				<div class="under">${this.pager(list)}</div>`}</div>`;
	}
}

/** Props: params, set(params, push), whoami, subscribe, allow, note. */
export class AddressPools extends Component {
	state = { loaded: 0 };
	again = soon(() => this.load(), AGAIN_MS);

	componentDidMount() {
		addEventListener('keydown', this.onKey);
		this.unsubscribe = this.props.subscribe(this.again, this.again);
		this.load();
		this.find();
	}

	componentWillUnmount() {
		removeEventListener('keydown', this.onKey);
		this.unsubscribe();
		this.props.note(undefined);
		this.again.stop();
		clearTimeout(this.typing);
	}

	componentDidUpdate(before) {
		if (before.params.q === this.props.params.q)
			return;
		clearTimeout(this.typing);
		this.typing = setTimeout(() => this.find(), TYPING_MS);
	}

	async load() {
		try {
			const list = await get('address-pools');

			this.setState((s) => ({ list, error: undefined, loaded: s.loaded + 1 }));
		} catch (error) {
			this.setState({ error });
		}
	}

	/** Which pools have the address that was typed. */
	async find() {
		const q = this.props.params.q?.trim() || '';

		if (!likeAddress(q)) {
			this.setState({ held: undefined });
			return;
		}
		const found = await get('pools', { q, limit: HOLDERS }).catch(() => undefined);
		const items = found?.items.map((p) => ({ pool: p.id, frontends: p.frontends.filter((f) => f.includes(q)) }));

		if (q === this.props.params.q?.trim())
			this.setState({ held: items && { q, items: items.filter((h) => h.frontends.length) } });
	}

	/** All where it was an address that was searched for: it need not be written in any. */
	items() {
		const q = this.props.params.q?.trim() || '', { sort } = this.props.params, down = sort?.startsWith('-'), by = sort?.replace('-', '') || 'name';
		const items = (this.state.list?.items || []).filter((p) => !q || this.state.held || matches(p, q));
		const value = { name: (p) => p.name, used: (p) => p.used, free: (p) => p.free, total, source: (p) => p.source || '', at: (p) => p.at || '' }[by];

		if (!value)
			return items;
		return items.map((p) => ({ ...p, id: p.name })).sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (down ? -1 : 1));
	}

	// --- what is done -----------------------------------------------------------------

	onKey = (e) => {
		if (!isForPage(e) || (e.key.length === 1 && !lettersAreKeys()) || !KEYS[e.key])
			return;
		const row = this.grid?.focusedRow();

		if (e.key !== 'n' && !row)
			return;
		this.act(KEYS[e.key], row);
		e.preventDefault();
	};

	whyNot(pool, what) {
		const { whoami } = this.props;

		if (what === 'record')
			return undefined;
		if (pool && pool.source !== 'store')
			return { text: t('ap.elsewhere', { name: pool.name }) };
		return whoami && !whoami.writeEnabled && whoami.reason !== 'token-needed' ? { text: readOnlyWords(whoami) } : undefined;
	}

	/** `more`: to (a revision) and reason of a rollback. */
	act = async (what, pool, more) => {
		const why = this.whyNot(pool, what);

		if (what === 'record') {
			location.hash = '#/record?name=' + encodeURIComponent(pool.name);
			return;
		}
		if (why) {
			this.setState({ dialog: { what: 'why', ...why } });
			return;
		}
		if (this.acting)
			return;
		this.acting = true;
		try {
			if (await this.props.allow())
				this.setState({ dialog: { what, pool, ...more, ...await this.needed(what, pool) } });
		} catch (e) {
			this.setState({ dialog: { what: 'why', text: e.message } });
		} finally {
			this.acting = false;
		}
	};

	async needed(what, pool) {
		if (what === 'add')
			return {};
		const base = await loadAddressPool(pool.name).catch((e) => {
			if (e.status !== 404 || what !== 'rollback') // it is gone, and may come back
				throw e;
		});

		return what !== 'rollback' ? { base } : { base, revisions: (await get(addressPoolPath(pool.name, '/revisions'))).items };
	}

	onDone = (_, request) => {
		const { what, base } = this.state.dialog, name = this.state.dialog.pool?.name || request.body.name;
		const back = base && (() => this.act('rollback', { name, source: 'store' }, { to: base.spec.revision, reason: t('undo') }));

		this.load();
		this.props.note({ text: t('done.ap.' + what, { name }), undo: back || (() => this.act('delete', { used: 0, source: 'store', name })) });
	};

	closed = () => {
		this.setState({ dialog: undefined }, () => {
			if (document.activeElement === document.body)
				this.grid?.focusAgain();
		});
	};

	/** What a rollback needs to be one of an address pool. */
	past(what, { pool, base }) {
		return what === 'rollback' && { pool: { ...pool, id: pool.name }, path: addressPoolPath(pool.name, ':rollback'),
			words: ['address-pool', pool.name], flat: flatAddressPool, before: () => base?.spec.document };
	}

	dialog() {
		const { what, ...more } = this.state.dialog, props = { ...more, allow: this.props.allow, onDone: this.onDone, onClose: this.closed };

		if (what === 'why')
			return html`<${WhyNot} ...${props} title=${t('why.title')} />`;
		return html`<${DIALOGS[what]} key=${what} ...${props} ...${this.past(what, more)}
			reload=${() => loadAddressPool(more.pool.name)} />`;
	}

	// --- what is seen ---------------------------------------------------------------

	acts = (p, i, tab) => html`<span class="acts">${['edit', 'delete', 'rollback', 'record'].map((what) => {
		const why = this.whyNot(p, what);

		return html`<button key=${what} type="button" class=${'act a-' + what} tabindex=${tab} aria-label=${t('act.' + what, { id: p.name })}
			aria-disabled=${why ? 'true' : undefined} title=${why ? why.text : t(what)} onClick=${() => this.act(what, p)} />`;
	})}</span>`;

	columns() {
		return [
			{ key: 'name', sort: 'name', cell: (p) => html`<span class="name">${p.name}</span>` },
			{ key: 'addresses', cell: (p) => html`<span title=${p.addresses.join('\n')}>${p.addresses.join(', ')}</span>` },
			{ key: 'ports', cell: (p) => p.ports },
			{ key: 'used', sort: 'used', down: true, cell: fill },
			{ key: 'free', sort: 'free', cell: (p) => number(p.free) },
			{ key: 'total', sort: 'total', down: true, cell: (p) => number(total(p)) },
			{ key: 'source', sort: 'source', cell: (p) => word('ap.source', p.source || 'configuration') },
			{ key: 'operator', cell: (p) => p.user || '–' },
			{ key: 'operated', sort: 'at', down: true, cell: (p) => time(p.at) || '–' },
			{ key: 'acts', cell: this.acts },
		].map((c) => ({ ...c, label: t((['operator', 'operated', 'acts'].includes(c.key) ? 'col.' : 'ap.') + c.key) }));
	}

	held() {
		const { held } = this.state;

		return held && html`<div class="held" role="status">${!held.items.length ? t('holders.nobody', { q: held.q })
			: held.items.map((h) => html`<span key=${h.pool}><code>${h.frontends.join(' ')}</code>${' '}
			<span aria-hidden="true">→</span> ${poolLink(h.pool)}</span>`)}</div>`;
	}

	render({ params, set }, { list, error, loaded, dialog }) {
		const items = this.items(), why = this.whyNot(undefined, 'add');

		return html`<section class="screen" aria-label=${t('title.addresses')}>
			<div class="toolbar">${search('addresses', params.q, (q) => set({ q }))}${this.held()}</div>
			<div class="summary"><span role="status" class="count">${!list ? t('loading') : t('count', { n: items.length, m: list.items.length })}</span>
				<span class="space"></span>
				<button type="button" class="add" aria-keyshortcuts="n" aria-disabled=${why ? 'true' : undefined} title=${why?.text}
					onClick=${() => this.act('add')}>+ ${t('ap.add')}</button>
				<${Copy} command=${listCommand('address-pools', {})} /></div>
			${error && failure(error, () => this.load())}
			<${Grid} self=${(g) => { this.grid = g; }} name="addresses" label=${t('title.addresses')} columns=${this.columns()} total=${items.length}
				rowAt=${(i) => items[i]} want=${() => {}} list=${loaded} sort=${params.sort || 'name'} onSort=${(sort) => set({ sort: sort.split(',')[0] }, true)}
				open=${params.open} onOpen=${(open) => set({ open })} expandLabel=${(p) => t('holders', { name: p.name })}
				panel=${(p) => html`<${Holders} key=${p.name} pool=${p} />`} />
			${list && !items.length && nothing(t(params.q ? 'ap.empty.filter' : 'ap.empty'))}
			${dialog && this.dialog()}
		</section>`;
	}
}
