// SPDX-License-Identifier: GPL-2.0-or-later
// The list of pools.
import { get } from './api.js';
import { badge, frontend, kernelState } from './badges.js';
import { Copy, listCommand } from './command.js';
import { chips, choice, search, Typed } from './filters.js';
import { Grid } from './grid.js';
import { Component, html } from './html.js';
import { number, t, time, word } from './i18n.js';
import { isForPage, lettersAreKeys } from './keys.js';
import { later } from './later.js';
import { ListStore } from './list_store.js';
import { memberPast } from './member_past.js';
import { failure, nothing } from './notes.js';
import { CHECKS, endpoint, loadSpec, poolPath } from './spec.js';
import { elsewhere, isOurs, readOnlyWords, WhyNot } from './why_not.js';

const HEALTHS = ['down', 'degraded', 'up', 'unmonitored'];
const FILTERS = ['q', 'health', 'protocol', 'check', 'namespace', 'source'];
const TYPING_MS = 40;
const FLASH_MS = 2000;
const OWN_MS = 5000;
const ACTS = ['edit', 'delete', 'rollback', 'record'];
const KEYS = { e: 'edit', Delete: 'delete', h: 'record', b: 'rollback', n: 'add', d: 'drain', a: 'bulk', x: 'choose' };
const MEMBER_KEYS = { e: 'weight', Delete: 'deleteMember', d: 'drain', h: 'record', b: 'rollback' };
const Members = later(() => import('./members.js'), 'Members');
const Drain = later(() => import('./acts.js'), 'Drain'), Bulk = later(() => import('./bulk.js'), 'Bulk');
const DIALOGS = {
	add: later(() => import('./pool_form.js'), 'AddPool'),
	edit: later(() => import('./pool_form.js'), 'EditPool'),
	delete: later(() => import('./acts.js'), 'DeletePool'),
	drainAll: later(() => import('./acts.js'), 'DrainAll'),
	rollback: later(() => import('./rollback.js'), 'Rollback'),
	record: later(() => import('./record.js'), 'Record'),
	target: later(() => import('./target.js'), 'Target'),
	addMember: later(() => import('./acts.js'), 'AddMember'),
	deleteMember: later(() => import('./acts.js'), 'DeleteMember'),
	weight: later(() => import('./acts.js'), 'Weight'),
	bulkUndo: later(() => import('./bulk.js'), 'BulkUndo'),
	drain: Drain, resume: Drain, bulk: Bulk, drainAllOf: Bulk, resumeAll: Bulk,
};
const READ_ONLY = ['record', 'target'];
const WITHOUT_BASE = ['add', 'record', 'target', 'bulk', 'bulkUndo', 'drainAllOf', 'resumeAll'];

function name(p) {
	return html`<span class="name" title=${p.id}><span class="dim">${p.namespace}/</span>${p.service}<span
		class="dim">:${p.port}</span></span>`;
}

function address(p) {
	const more = p.frontends.length - 1;

	return p.frontends.length ? html`<span title=${p.frontends.join('\n')}>${frontend(p.frontends[0]).ip}${more > 0
		&& html` <span class="dim">+${more}</span>`}</span>` : '–';
}

function membersUp({ members: m }) {
	const title = ['up', 'down', 'unknown', 'draining'].map((k) => t('members.' + k, { n: m[k] })).join(', ');

	return html`<span title=${title}>${m.up}<span class="dim">/${m.total}</span></span>`;
}

/** What a rollback has to know: what is there now (absent: nothing), and its revisions. */
export async function loadPast(pool) {
	const [base, { items }] = await Promise.all([loadSpec(pool.id).catch((e) => {
		if (e.status !== 404) // it is gone, and may come back
			throw e;
	}), get(poolPath(pool.id, '/revisions'))]);

	return { base, revisions: items };
}

/** Props: params, set(params, push), counts, status, whoami, subscribe(fn) for changes, allow, note. */
export class Pools extends Component {
	store = new ListStore(() => this.setState({}));
	flashes = new Map(); // id to when it changed
	outdated = new Set(); // ids whose place in the list may be another by now
	gone = new Set();
	chosen = new Map(); // ids to pools, of those that have a mark
	own = new Map(); // ids of what was changed here, and until when the list shows it without being asked

	componentDidMount() {
		addEventListener('keydown', this.onKey);
		this.unsubscribe = this.props.subscribe((frames) => this.change(frames), () => this.reload());
		this.open(Number(this.props.params.at) || 0);
	}

	componentWillUnmount() {
		this.unsubscribe();
		this.props.note(undefined); // nobody would be there to undo it
		removeEventListener('keydown', this.onKey);
		clearTimeout(this.typing);
		clearTimeout(this.calming);
		this.store.stop();
	}

	question(params = this.props.params) {
		return JSON.stringify([...FILTERS, 'sort'].map((f) => params[f]));
	}

	componentDidUpdate(before) {
		this.total ??= this.props.counts?.pools.total;
		if (this.question(before.params) === this.question())
			return;
		clearTimeout(this.typing);
		if (before.params.q === this.props.params.q)
			this.open(0);
		else
			this.typing = setTimeout(() => this.open(0), TYPING_MS);
	}

	filters() {
		const { params } = this.props;

		return Object.fromEntries([...FILTERS, 'sort'].map((f) => [f, params[f]?.trim()]));
	}

	open(at) {
		this.forget();
		this.asked = this.question();
		this.store.open('pools', this.filters(), at);
	}

	reload() {
		this.forget();
		this.store.reload();
	}

	forget() {
		this.outdated.clear();
		this.gone.clear();
		this.flashes.clear();
		this.total = this.props.counts?.pools.total;
	}

	// --- changes ------------------------------------------------------------------

	/** Rows become what they are at once; none moves under the pointer, that takes a click. */
	change(frames) {
		const { sort, health } = this.props.params;
		const moves = health || (sort && !/^-?(id|vip|vipPort|protocol|check)(,|$)/.test(sort));

		for (const { event, data } of frames) {
			if (/^pool/.test(event) && this.isOwn(data.id)) {
				this.reload();
				return;
			}
			if (event === 'pool.delete') {
				this.gone.add(data.id);
				this.outdated.add(data.id);
			} else if (event === 'pool.upsert') {
				this.gone.delete(data.id);
				if (this.store.patch(data))
					this.flashes.set(data.id, Date.now());
				if (moves)
					this.outdated.add(data.id);
			}
		}
		clearTimeout(this.calming);
		this.calming = setTimeout(() => this.setState({}), FLASH_MS + 50);
		this.setState({});
	}

	/** For a while, for what comes first may be of the change before, and the list older than either. */
	isOwn(id) {
		if (this.own.get(id) > Date.now())
			return true;
		this.own.delete(id);
		return false;
	}

	rowClass = (p) => {
		if (this.gone.has(p.id))
			return 'gone';
		if (Date.now() - (this.flashes.get(p.id) || 0) < FLASH_MS)
			return 'flash';
		this.flashes.delete(p.id);
		return '';
	};

	/** What is to be clicked for the list as it is now: of new pools only their number is known. */
	outOfDate() {
		const { counts, params } = this.props;
		const total = FILTERS.some((f) => params[f]) ? this.total : this.store.total;

		if (this.outdated.size)
			return t('changed', { n: this.outdated.size });
		return counts && total !== undefined && total !== counts.pools.total && t('changed.list');
	}

	// --- what is done -----------------------------------------------------------------

	onKey = (e) => {
		if (!isForPage(e) || (e.key.length === 1 && !lettersAreKeys()) || !KEYS[e.key])
			return;
		const row = this.grid?.focusedRow(), at = document.activeElement?.closest('tr[data-member]');
		const member = at && this.members?.memberOf(at.dataset.member);

		if (e.key === 'n' || (e.key === 'a' && (this.chosen.size || this.store.total)))
			this.act(KEYS[e.key]);
		else if (e.key === 'x' && row)
			this.choose(row);
		else if (member && MEMBER_KEYS[e.key])
			this.act(e.key === 'd' && member.weight === 0 ? 'resume' : MEMBER_KEYS[e.key], row, member);
		else if (row && e.key !== 'd')
			this.act(KEYS[e.key], row);
		else
			return;
		e.preventDefault();
	};

	/** Why this cannot be done to a pool: { text, command }; undefined: it can, as far as is known. */
	whyNot(pool, what) {
		const { whoami } = this.props;

		if (what === 'target') // wherever its pool is kept
			return undefined;
		if (pool && !isOurs(pool))
			return elsewhere(pool);
		if (!READ_ONLY.includes(what) && whoami && !whoami.writeEnabled && whoami.reason !== 'token-needed')
			return { text: readOnlyWords(whoami) };
		return undefined;
	}

	explain(pool, why) {
		this.setState({ dialog: { what: 'why', pool, ...why } });
	}

	/** What a dialog needs is there before it opens. `more`: to (a revision) and reason of a rollback. */
	act = async (what, pool, member, more) => {
		const why = this.whyNot(pool, what);

		if (why) {
			this.explain(pool, why);
			return;
		}
		if (this.acting)
			return;
		let again = false;

		this.acting = true;
		try {
			if (READ_ONLY.includes(what) || await this.props.allow())
				this.setState({ dialog: { what, pool, member, ...more, ...await this.needed(what, pool, member) } });
		} catch (e) {
			again = e.code === 'cluster-token-needed' || e.code === 'cluster-unauthorized';
			if (again)
				again = await this.props.allow(e.code === 'cluster-unauthorized', true);
			else
				this.explain(pool, e.code === 'not-of-the-store' ? { ...elsewhere(pool), text: e.message } : { text: e.message });
		} finally {
			this.acting = false;
		}
		if (again)
			await this.act(what, pool, member, more);
	};

	async needed(what, pool, member) {
		if (what === 'rollback')
			return { ...await loadPast(pool), operations: member && new Set((await memberPast(pool, member)).map((o) => o.id)) };
		return WITHOUT_BASE.includes(what) ? this.many(what, member) : { base: await loadSpec(pool.id) };
	}

	/** What is meant by a change to many: those that have a mark, all that are shown, all members of an address. */
	many(what, member) {
		if (what === 'bulk')
			return this.chosen.size ? { chosen: [...this.chosen.values()] } : { filters: this.filters(), total: this.store.total };
		return ['drainAllOf', 'resumeAll'].includes(what) && { filters: { q: 'member:' + member.address }, of: 'members', fixed: true,
			op: what === 'resumeAll' ? 'undrain' : 'drain' };
	}

	choose(pool) {
		if (!this.chosen.delete(pool.id))
			this.chosen.set(pool.id, pool);
		this.setState({});
	}

	dropChoice = () => {
		this.chosen.clear();
		this.setState({});
	};

	onManyDone = ({ body }) => {
		const results = body.results || [], good = results.filter((r) => !r.problem);

		for (const r of good)
			this.own.set(r.pool, Date.now() + OWN_MS);
		this.dropChoice();
		this.reload();
		this.members?.load();
		this.props.note({ text: t('done.bulk', { n: good.length, m: body.total ?? results.length }),
			undo: good.some((r) => r.revision) && (() => this.undoMany(results)) });
	};

	undoMany = (results) => {
		this.props.note(undefined);
		this.act('bulkUndo', undefined, undefined, { results });
	};

	onDone = ({ body }, request) => {
		const { what, pool, member, base } = this.state.dialog;
		const id = body.pool || pool?.id;

		this.own.set(id, Date.now() + OWN_MS);
		this.reload();
		this.members?.load();
		this.props.note({ text: t('done.' + what, { id, member: member ? endpoint(member) : request.body?.address
			? endpoint(request.body) : '' }), undo: this.undoOf(what, pool || { id }, base, request.etag) });
	};

	/** The way back from what was just done: to the revision before, or, of what is new, away with it. */
	undoOf(what, pool, base, etag) {
		if (what === 'add')
			return () => this.act('delete', { id: pool.id, revision: 0, members: { total: 0, up: 0 }, frontends: [], ...this.store.find(pool.id) });
		return base && (() => this.act('rollback', pool, undefined, { to: Number(/\d+/.exec(etag || '')?.[0] || base.spec.revision), reason: t('undo') }));
	}

	dialog() {
		const { what, pool, ...more } = this.state.dialog;
		const props = { ...more, what, pool, allow: this.props.allow, subscribe: this.props.subscribe, onDone: this.onDone, onAct: this.act, onClose: this.closed };

		if (what === 'why')
			return html`<${WhyNot} ...${props} title=${t('why.title')} />`;
		if (DIALOGS[what] === Bulk)
			return html`<${Bulk} key=${what} ...${props} onDone=${this.onManyDone} onUndo=${this.undoMany} />`;
		if (what === 'bulkUndo')
			return html`<${DIALOGS.bulkUndo} key=${what} ...${props} onDone=${() => this.reload()} />`;
		return html`<${DIALOGS[what]} key=${what} ...${props} namespace=${this.props.params.namespace} />`;
	}

	/** One dialog may have taken the place of another by the time that tells of its end. */
	closed = () => {
		this.setState({ dialog: undefined }, () => {
			if (document.activeElement === document.body)
				this.grid?.focusAgain();
		});
	};

	/** The words are for who cannot see what the signs show. */
	acts = (pool, i, tab) => {
		return html`<span class="acts">${ACTS.map((what) => {
			const why = this.whyNot(pool, what), label = t('act.' + what, { id: pool.id });

			return html`<button key=${what} type="button" class=${'act a-' + what} tabindex=${tab} aria-label=${label}
				aria-disabled=${why ? 'true' : undefined} title=${why ? why.text : t(what)} onClick=${() => this.act(what, pool)} />`;
		})}</span>`;
	};

	mark(pool, tab) {
		return html`<input type="checkbox" class="mark acts" tabindex=${tab} checked=${this.chosen.has(pool.id)}
			aria-label=${t('choose', { id: pool.id })} onChange=${() => this.choose(pool)} />`;
	}

	// --- what is seen ---------------------------------------------------------------

	columns() {
		const { status } = this.props;
		const health = (p) => badge('health', this.gone.has(p.id) ? 'gone' : p.health);

		return [
			{ key: 'name', sort: 'id', cell: (p, i, tab) => html`${this.mark(p, tab)}${name(p)}` },
			{ key: 'ip', sort: 'vip', cell: address },
			{ key: 'port', sort: 'vipPort', cell: (p) => p.frontends.length ? frontend(p.frontends[0]).port : '–' },
			{ key: 'protocol', sort: 'protocol', cell: (p) => p.protocol },
			{ key: 'check', sort: 'check', cell: (p) => word('check', p.check.type) },
			{ key: 'members', sort: 'up', cell: membersUp },
			{ key: 'health', sort: 'health', cell: health },
			{ key: 'kernel', sort: 'generation', down: true, title: t('sort.kernel'),
				cell: (p) => badge('kernel', kernelState(p, status)) },
			{ key: 'problems', sort: 'problemCount', down: true, cell: (p) => p.problemCount || '' },
			{ key: 'operator', cell: (p) => p.lastOperator || '–' },
			{ key: 'operated', sort: 'lastOperationTime', down: true, cell: (p) => time(p.lastOperationTime) || '–' },
			{ key: 'acts', cell: this.acts },
		].map((c) => ({ ...c, label: t('col.' + c.key) }));
	}

	toolbar() {
		const { params, counts } = this.props;
		const set = (name) => (value) => this.props.set({ [name]: value, open: undefined, at: undefined });
		const names = (list) => list?.map((x) => x.name) || [];
		const some = FILTERS.some((f) => params[f]);

		return html`<div class="toolbar">
			${search('pools', params.q, set('q'))}
			${chips('health', HEALTHS.map((h) => [h, counts?.pools.health[h]]), params.health, set('health'))}
			${choice('protocol', ['tcp', 'udp', 'sctp'], params.protocol, set('protocol'))}
			${choice('check', CHECKS, params.check, set('check'), (w) => word('check', w))}
			<${Typed} name="namespace" words=${names(counts?.pools.namespace)} chosen=${params.namespace} onChange=${set('namespace')} />
			${choice('source', names(counts?.pools.source), params.source, set('source'))}
			${some && html`<button type="button" onClick=${() => this.props.set(Object.fromEntries(
				[...FILTERS, 'open', 'at'].map((f) => [f, undefined])))}>${t('clear')}</button>`}
		</div>`;
	}

	summary() {
		const { counts, params } = this.props, { total } = this.store;
		const news = this.outOfDate();

		return html`<div class="summary">
			<span role="status" class="count">${total === undefined ? t('loading')
				: t('count', { n: total, m: Math.max(total, counts?.pools.total ?? 0) })}</span>
			${news && html`<button type="button" class="news" onClick=${() => this.reload()}>${news}</button>`}
			<span class="space"></span>
			${this.changeMany(total)}
			<button type="button" class="add" aria-keyshortcuts="n" aria-disabled=${this.whyNot(undefined, 'add') ? 'true' : undefined}
				title=${this.whyNot(undefined, 'add')?.text} onClick=${() => this.act('add')}>+ ${t('add')}</button>
			<${Copy} command=${listCommand('pools', this.filters())} key=${this.question(params)} />
		</div>`;
	}

	changeMany(total) {
		const why = this.whyNot(undefined, 'bulk'), { size } = this.chosen;

		if (!size && !total)
			return null;
		return html`${size > 0 && html`<button type="button" class="quiet" onClick=${this.dropChoice}>${t('choice.drop')}</button>`}
			<button type="button" class="bulk" aria-keyshortcuts="a" aria-disabled=${why ? 'true' : undefined} title=${why?.text}
				onClick=${() => this.act('bulk')}>${size ? t('bulk.change.chosen', { n: size }) : t('bulk.change', { n: total })}</button>`;
	}

	render({ params, set, counts }, { dialog }) {
		const { store } = this;
		const empty = counts?.pools.total === 0 ? 'empty.nothing.pools' : 'empty.pools';

		return html`<section class="screen" aria-label=${t('title.pools')}>
			${this.toolbar()}${this.summary()}
			${store.error && failure(store.error, () => store.reload())}
			<${Grid} self=${(g) => { this.grid = g; }} name="pools" label=${t('title.pools')} columns=${this.columns()} total=${store.total || 0}
				rowAt=${(i) => store.rowAt(i)} want=${(a, b) => store.total && store.want(a, b)} list=${store.loaded}
				question=${this.asked} sort=${params.sort || 'id'} onSort=${(sort) => set({ sort, at: undefined }, true)}
				at=${Number(params.at) || 0} onAt=${(at) => set({ at: at ? String(at) : undefined })}
				open=${params.open} onOpen=${(open) => set({ open })} rowClass=${this.rowClass}
				expandLabel=${(p) => t('expand', { id: p.id })} panel=${(p) => html`<${Members}
					key=${p.id} self=${(m) => { this.members = m; }} pool=${p} act=${this.act} why=${(what) => this.whyNot(p, what)} />`} />
			${store.total === 0 && nothing(t(empty))}
			${dialog && this.dialog()}
		</section>`;
	}
}
