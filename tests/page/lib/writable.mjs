// SPDX-License-Identifier: GPL-2.0-or-later
// An agent that can be written to, as parasaus-rest(7) has it: pools of its store over the fixture's own.
// It stands before the fixture in a browser's context; several contexts see the same one.
const TOKENS = { pst_alice: ['token:alice', true], pst_bob: ['token:bob', true], pst_view: ['token:view', false],
	kube_alice: ['kube:alice', true] };
const PROBLEMS = { 'token-needed': 401, 'unknown-token': 401, 'stale-revision': 412, 'precondition-required': 428,
	'cluster-token-needed': 401, 'not-of-the-store': 409, 'already-exists': 409, 'pool-not-found': 404, validation: 422 };
Object.assign(PROBLEMS, { 'expected-count-mismatch': 409, 'in-use': 409, unauthorized: 401, forbidden: 403 });
const FIRST_PORT = 40000;

const at = (m) => (m.address.includes(':') ? `[${m.address}]` : m.address) + ':' + m.port;
const copy = (x) => structuredClone(x);

/** As the agent compares: lists of one length item by item, others as a whole. */
function diff(a, b, path = '', out = []) {
	const both = [a, b].every((x) => typeof x === 'object' && x !== null);

	if (a === undefined)
		out.push({ op: 'add', path, value: b });
	else if (b === undefined)
		out.push({ op: 'remove', path });
	else if (both && (Array.isArray(a) ? a.length === b.length : true))
		for (const k of new Set([...Object.keys(a), ...Object.keys(b)]))
			diff(a[k], b[k], path + '/' + k.replaceAll('~', '~0').replaceAll('/', '~1'), out);
	else if (JSON.stringify(a) !== JSON.stringify(b))
		out.push({ op: 'replace', path, value: b });
	return out;
}

/** The two documents that a pool is made of. */
function documents(p) {
	const metadata = { namespace: p.namespace, name: p.name };
	const weights = p.members.filter((m) => m.weight !== null).map((m) => at(m) + '=' + m.weight).join(',');
	const annotations = Object.fromEntries(Object.entries({ ...p.settings, ...(weights && { weights }) })
		.map(([k, v]) => ['parasaus.io/' + k, v]));

	return {
		Service: { kind: 'Service', metadata, spec: { type: 'NodePort', ports: [{ name: p.portName, nodePort: p.port, protocol: p.protocol }] } },
		Endpoints: { kind: 'Endpoints', metadata: { ...metadata, annotations },
			subsets: [{ addresses: p.members.map((m) => ({ ip: m.address })), ports: p.members.map((m) => ({ port: m.port })) }] },
	};
}

function documentOf({ name, addresses, ports, reserved = [], namespaces = [], autoAssign }) {
	return { apiVersion: 'parasaus.io/v1', kind: 'AddressPool', metadata: { name }, spec: { addresses, ports, ...(reserved.length && { reserved }),
		...(namespaces.length && { namespaces }), ...(autoAssign === false && { autoAssign }) } };
}

class Problem extends Error {
	constructor(code, detail, more = {}) {
		super(detail);
		this.body = { type: 'about:blank', title: code, status: PROBLEMS[code], code, detail, requestId: 'r-1', ...more };
	}
}

export class Writable {
	pools = new Map();
	past = []; // { revision, id, pool or undefined, user, action, at, reason, source, dry }
	revision = 0;
	requests = []; // { method, path, auth, reason, dry }
	tokens = { ...TOKENS };
	reason = 'token-needed';
	cluster = new Set(); // ids of pools that take a token of the cluster
	size = 0; // pools that are there besides
	addressPools = []; // { name, addresses, ports, reserved, namespaces, autoAssign, source, revision, user, at }
	addressPast = [];
	warning = undefined; // what every dry run warns of
	forbids = undefined; // why nobody may write
	closed = false; // true: nothing is read without a token

	add(id, over) {
		const [namespace, name, rest] = id.split('.');

		this.put(id, { namespace, name, portName: rest.replace(/-tcp$/, ''), protocol: 'TCP', port: FIRST_PORT + this.pools.size,
			settings: {}, members: [], ...over }, { user: 'unix:root', action: 'apply', source: 'cli', reason: '' });
	}

	put(id, pool, who) {
		const before = this.pools.get(id);

		this.revision++;
		if (pool)
			this.pools.set(id, { ...pool, id, revision: this.revision, who: { ...who, at: new Date().toISOString() } });
		else
			this.pools.delete(id);
		this.past.push({ revision: this.revision, id, pool: copy(this.pools.get(id)), before: copy(before), ...who,
			at: new Date().toISOString() });
	}

	/** What is asked of the interface in this context is answered here, where it is about pools of the store. */
	async install(context) {
		await context.route('**/api/v1/**', async (route) => {
			const r = route.request(), url = new URL(r.url()), path = decodeURIComponent(url.pathname.slice('/api/v1/'.length));
			const auth = r.headers().authorization, asked = { method: r.method(), path, auth, reason: url.searchParams.get('reason'),
				dry: url.searchParams.has('dryRun') };

			this.requests.push(asked);
			try {
				const answer = this.answer(asked, url, r, auth);

				if (!answer) { // the fixture knows no tokens
					const { authorization, ...headers } = r.headers();

					return route.fallback({ headers });
				}
				return route.fulfill({ status: answer.status || 200, json: answer.body,
					headers: answer.etag ? { ETag: answer.etag } : {} });
			} catch (e) {
				if (!e.body)
					throw e;
				return route.fulfill({ status: e.body.status, contentType: 'application/problem+json', body: JSON.stringify(e.body),
					headers: e.etag ? { ETag: e.etag } : {} });
			}
		});
	}

	answer(asked, url, r, auth) {
		const { method, path } = asked, [user, may] = this.tokens[auth?.replace('Bearer ', '')] || [];

		this.asker = user;
		if (auth && !user)
			throw new Problem('unknown-token', 'the token is not known');
		if (this.closed && !user)
			throw new Problem('unauthorized', 'say who you are');
		if (path === 'whoami')
			return { body: { user: user ?? null, via: 'tcp', roles: may ? ['viewer', 'editor'] : ['viewer'], writeEnabled: !!may,
				reason: may ? null : user ? 'forbidden' : this.reason, writesTo: this.cluster.size ? ['store', 'kubernetes'] : ['store'] } };
		if (method !== 'GET') {
			if (!may)
				throw new Problem('token-needed', 'a write needs a token');
			if (this.forbids)
				throw new Problem('forbidden', this.forbids);
			if (path === 'pools:batch')
				return this.batch(JSON.parse(r.postData()), asked, user);
			if (path.startsWith('address-pools'))
				return this.writeAddressPool(asked, r, user);
			return this.write(asked, r, user);
		}
		return this.read(path, url);
	}

	// --- reading ---------------------------------------------------------------------------

	json(p) {
		return { id: p.id, namespace: p.namespace, service: p.name, port: p.portName, protocol: 'tcp', source: 'store:/var/lib/parasaus/state.db',
			frontends: [`10.0.0.1:${p.port}/tcp`], scheduler: p.settings.scheduler || 'wrr', forwarding: 'nat', masquerade: true,
			persistenceSeconds: 0, drainSeconds: Number(p.settings['drain-seconds'] || 300), onUnhealthy: 'drain', failPolicy: 'open-last',
			check: { type: 'none' }, health: 'up', failOpen: false, inherited: false, generation: 7, problemCount: 0, problems: [],
			members: { total: p.members.length, up: p.members.length, down: 0, unknown: 0, draining: 0, elsewhere: 0 },
			externalTrafficPolicy: 'Cluster', localOnly: false,
			revision: p.revision, lastOperator: p.who.user, lastAction: p.who.action, lastOperationTime: p.who.at };
	}

	member(m, p) {
		return { pool: p.id, id: `${m.address}-${m.port}`, address: m.address, port: m.port, weight: m.weight ?? 1, effectiveWeight: m.weight ?? 1,
			state: 'up', inTable: true, reasons: m.weight === 0 ? ['weight-zero'] : [], since: '2026-01-01T00:00:00Z', removeAt: null, lastCheck: null };
	}

	spec(p) {
		return { id: p.id, namespace: p.namespace, name: p.name, portName: p.portName, protocol: p.protocol, port: p.port, settings: p.settings,
			members: p.members.map((m) => ({ id: `${m.address}-${m.port}`, ...m })), revision: p.revision,
			documents: ['Service', 'Endpoints'].map((kind) => ({ kind, name: p.name, revision: p.revision })) };
	}

	items() {
		const own = [...this.pools.values()].sort((a, b) => a.id < b.id ? -1 : 1);

		if (this.size)
			return Array.from({ length: this.size }, (_, i) => this.json({ ...this.pools.values().next().value, id: `ns.s${String(i).padStart(5, '0')}.http-tcp`,
				name: 's' + String(i).padStart(5, '0') }));
		return own.map((p) => this.json(p)).concat(this.foreign || []);
	}

	/** What a list has of those filters that the page's tests use. */
	listed(of, given) {
		const q = given.get('q') || '', member = /^member:(.*)$/.exec(q)?.[1];
		const has = (m) => m.address === member || at(m) === member;

		if (of === 'members')
			return [...this.pools.values()].flatMap((p) => p.members.filter((m) => member ? has(m) : !q || p.id.includes(q)).map((m) => this.member(m, p)));
		return this.items().filter((p) => member ? this.pools.get(p.id)?.members.some(has) : p.id.includes(q) || p.lastOperator?.includes(q)
			|| p.frontends.some((f) => f.includes(q)));
	}

	find(id) {
		const p = this.pools.get(id), foreign = this.foreign?.find((f) => f.id === id);

		if (foreign)
			throw new Problem('not-of-the-store', 'this pool is of ' + foreign.source);
		if (!p)
			throw new Problem('pool-not-found', 'no pool has the id ' + id);
		if (this.cluster.has(id) && !this.asker?.startsWith('kube:'))
			throw new Problem('cluster-token-needed', 'its documents are those of a cluster');
		return p;
	}

	read(path, url) {
		const [what, id, more] = path.split('/'), offset = Number(url.searchParams.get('offset') || 0), limit = Number(url.searchParams.get('limit') || 100);

		if (path === 'counts') {
			const total = this.items().length;

			return { body: { pools: { total, health: {}, namespace: [], source: [] }, problems: { total: 0, severity: {} }, snapshot: 's' } };
		}
		if (path === 'pools') {
			const items = this.listed('pools', url.searchParams);

			return { body: { items: items.slice(offset, offset + limit), total: items.length, offset, limit, snapshot: 's' } };
		}
		if (path === 'members') {
			const items = this.listed('members', url.searchParams);

			return { body: { items: items.slice(offset, offset + limit), total: items.length, offset, limit, snapshot: 's' } };
		}
		if (what === 'address-pools')
			return this.readAddressPools(id, more, offset, limit);
		if (what === 'operations')
			return id ? this.operation(Number(id)) : this.operations(url.searchParams, offset, limit);
		if (what === 'namespaces') {
			const [, ns, kind, name] = path.split('/');
			const p = [...this.pools.values()].find((x) => x.namespace === ns && x.name === name);

			if (!p)
				throw new Problem('pool-not-found', 'there is no such document');
			return { body: documents(p)[kind === 'services' ? 'Service' : 'Endpoints'] };
		}
		if (what !== 'pools')
			return undefined;
		if (more === 'members') {
			const p = this.foreign?.some((f) => f.id === id) ? { members: [] } : this.pools.get(id) || this.pools.values().next().value;

			return { body: { items: p.members.slice(offset, offset + limit).map((m) => this.member(m, p)), total: p.members.length, offset, limit,
				snapshot: 's' } };
		}
		if (more === 'spec')
			return { body: this.spec(this.find(id)), etag: `"r${this.find(id).revision}"` };
		if (more === 'revisions')
			return { body: { items: this.past.filter((x) => x.id === id && !x.refused).reverse().map((x) => ({ revision: x.revision, user: x.user,
				action: x.action, at: x.at, reason: x.reason, removed: !x.pool, documents: [{ kind: 'Endpoints', name: x.id.split('.')[1],
				revision: x.revision, removed: !x.pool }] })) } };
		return undefined;
	}

	entry(x) {
		return { id: x.revision, at: x.at, user: x.user, source: x.source, peer: '127.0.0.1', requestId: 'r-' + x.revision, action: x.action,
			reason: x.reason, kind: 'Endpoints', namespace: 'shop', name: x.id.split('.')[1], before: x.before?.revision ?? 0, changed: true,
			removed: !x.pool, forced: false, result: 'ok', detail: null };
	}

	operations(given, offset, limit) {
		const [pool, user, action, since] = ['pool', 'user', 'action', 'since'].map((k) => given.get(k));
		const all = this.past.filter((x) => (!pool || x.id === pool) && (!user || x.user === user) && (!action || x.action === action)
			&& (!since || x.at >= since)).reverse();

		return { body: { items: all.slice(offset, offset + limit).map((x) => this.entry(x)), total: all.length } };
	}

	operation(n) {
		const x = this.past.find((y) => y.revision === n);
		const [a, b] = [x.before, x.pool].map((p) => p && documents(p).Endpoints);

		return { body: { ...this.entry(x), beforeObject: a ?? null, afterObject: b ?? null, diff: diff(a, b) } };
	}

	// --- writing ------------------------------------------------------------------------------

	write({ method, path, reason, dry }, r, user) {
		const body = r.postData() ? JSON.parse(r.postData()) : {}, action = { POST: 'create', PATCH: 'patch', DELETE: 'delete' }[method];
		const [, part, more, mid] = path.split('/'), rollback = part?.endsWith(':rollback'), id = rollback ? part.slice(0, -9) : part;
		const who = { user, action: rollback ? 'rollback' : action, source: 'web', reason };

		if (!id)
			return this.finish(`${body.namespace || 'default'}.${body.name}.${body.portName || this.free(body)}-tcp`, this.create(body), who, dry, 201);
		const now = rollback ? this.pools.get(id) : this.find(id);

		if (now)
			this.check(r, now);
		if (rollback)
			return this.finish(id, copy(this.past.find((x) => x.id === id && x.revision === body.toRevision).pool), who, dry);
		const next = copy(now);

		if (more === 'members')
			this.changeMember(next, method, mid, body);
		else if (method === 'DELETE')
			return this.finish(id, undefined, who, dry);
		else
			this.patch(next, body);
		return this.finish(id, next, who, dry, method === 'POST' ? 201 : 200);
	}

	check(r, now) {
		const etag = `"r${now.revision}"`, said = r.headers()['if-match'];

		if (!said)
			throw new Problem('precondition-required', 'say which revision is meant');
		if (said !== etag && said !== '*')
			throw Object.assign(new Problem('stale-revision', 'there is another revision by now', { current: { revision: now.revision,
				user: now.who.user, action: now.who.action, at: now.who.at, diff: [] } }), { etag });
	}

	free(body) {
		const taken = new Set([...this.pools.values()].map((p) => p.port));
		let port = body.port || FIRST_PORT;

		while (!body.port && taken.has(port))
			port++;
		return port;
	}

	judge(settings) {
		if (settings.scheduler === 'lblc' || settings['fail-policy'] === 'maybe')
			throw new Problem('validation', 'What was sent cannot be used', { errors: [{ pointer: settings.scheduler === 'lblc'
				? '/settings/scheduler' : '/settings/fail-policy', line: null, detail: 'it cannot be this' }] });
	}

	create(body) {
		const { namespace = 'default', name, protocol = 'TCP', settings = {}, members = [] } = body, port = this.free(body);

		if ([...this.pools.values()].some((p) => p.namespace === namespace && p.name === name))
			throw new Problem('already-exists', 'the name is taken');
		if (/[^a-z0-9-]/.test(name))
			throw new Problem('validation', 'What was sent cannot be used', { errors: [{ pointer: '/name', line: null, detail: 'not a DNS label' }] });
		this.judge(settings);
		return { namespace, name, portName: body.portName || String(port), protocol, port, settings,
			members: members.map((m) => ({ weight: null, ...m })) };
	}

	patch(p, { port, settings = {}, members }) {
		p.port = port ?? p.port;
		if (members?.some((m) => m.address === '10.9.66.6'))
			throw new Problem('validation', 'What was sent cannot be used', { errors: [{ pointer: '', line: null,
				detail: 'members[0].address is of the other family' }] });
		if (members)
			p.members = members.map((m) => ({ weight: null, ...m }));
		for (const [k, v] of Object.entries(settings))
			if (v === null)
				delete p.settings[k];
			else
				p.settings[k] = v;
		this.judge(p.settings);
		for (const one of p.settings.weights?.split(',') || []) // a setting, but shown at the members
			p.members.find((m) => one.startsWith(at(m) + '=')).weight = Number(one.split('=')[1]);
		delete p.settings.weights;
	}

	changeMember(p, method, mid, body) {
		const i = p.members.findIndex((m) => `${m.address}-${m.port}` === mid);

		if (method === 'POST')
			p.members.push({ weight: null, ...body });
		else if (method === 'DELETE')
			p.members.splice(i, 1);
		else
			p.members[i].weight = 'drain' in body ? (body.drain ? 0 : null) : body.weight;
	}

	// --- many at once ---------------------------------------------------------------------------

	/** Each { pool, member } that is meant. */
	meant({ ops, filter, of, expectedCount, ...change }) {
		if (ops)
			return ops.map((o) => ({ ...o }));
		const items = this.listed(of, new URLSearchParams(filter));

		if (items.length !== expectedCount)
			throw new Problem('expected-count-mismatch', `${items.length} fit the filter, not ${expectedCount}`, { count: items.length });
		return items.map((i) => of === 'members' ? { pool: i.pool, member: i.id, ...change } : { pool: i.id, ...change });
	}

	batch(body, asked, user) {
		const who = { user, action: body.op || body.ops[0].op, source: 'web', reason: asked.reason };
		const results = this.meant(body).map((o) => this.oneOf(o, who, asked.dry));

		asked.body = body;
		return { body: { results, total: results.length, dryRun: asked.dry, warnings: [] } };
	}

	oneOf({ pool, member, op, patch, weight, revision }, who, dry) {
		const now = this.pools.get(pool), next = copy(now);
		const said = { pool, ...(member && { member }) };

		if (!now || (revision && revision !== 'r' + now.revision) || this.refused === pool)
			return { ...said, status: 412, result: 'refused', problem: { code: 'stale-revision', detail: 'there is another revision by now' } };
		for (const m of next.members)
			if (!member || `${m.address}-${m.port}` === member)
				m.weight = op === 'drain' ? 0 : op === 'undrain' ? null : op === 'weight' ? weight : m.weight;
		if (op === 'patch')
			this.patch(next, patch);
		const { body } = this.finish(pool, op === 'delete' && !member ? undefined : next, who, dry);

		return { ...said, status: 200, result: op === 'delete' ? 'removed' : body.items.some((x) => x.changed) ? 'configured'
			: 'unchanged', answer: dry ? { ...body, plan: [{ op: 'set-server', frontend: `10.0.0.1:${now.port}`, protocol: 'tcp', server: 'x', weight: 0 }] }
			: undefined, revision: dry ? undefined : this.revision };
	}

	// --- address pools ---------------------------------------------------------------------------

	allocations(p) {
		return p.addresses[0] === '10.0.0.1' ? [...this.pools.values()].map((x) => ({ frontend: `10.0.0.1:${x.port}`, protocol: 'tcp', pool: x.id })) : [];
	}

	addressPool(p) {
		const used = this.allocations(p).length, [first, last = first] = p.ports.split('-').map(Number), size = last - first + 1;

		return { reserved: [], namespaces: [], autoAssign: true, vip: p.addresses[0], source: 'configuration', revision: 0, user: null, at: null, ...p,
			size, used, free: size - used };
	}

	readAddressPools(name, more, offset, limit) {
		const p = this.addressPools.find((x) => x.name === name);

		if (!name)
			return { body: { items: this.addressPools.map((x) => this.addressPool(x)), total: this.addressPools.length } };
		if (more === 'revisions')
			return { body: { items: this.addressPast.filter((x) => x.name === name).map(({ pool, ...x }) => ({ ...x, removed: !pool })).reverse() } };
		if (!p)
			throw new Problem('pool-not-found', 'no address pool has that name');
		if (!more)
			return { body: documentOf(p), etag: p.source === 'store' ? `"r${p.revision}"` : undefined };
		const items = this.allocations(p);

		return { body: { items: items.slice(offset, offset + limit), total: items.length, offset, limit } };
	}

	/** What it becomes; undefined: nothing. */
	nextAddressPool(method, name, body, now) {
		if (body.toRevision)
			return this.addressPast.find((x) => x.name === name && x.revision === body.toRevision).pool;
		return method === 'DELETE' ? undefined : method === 'POST' ? body : { ...now, ...body.spec };
	}

	writeAddressPool({ method, path, dry, reason }, r, user) {
		const body = r.postData() ? JSON.parse(r.postData()) : {}, [, rest] = path.split('/'), name = rest?.replace(':rollback', '') || body.name;
		const now = this.addressPools.find((p) => p.name === name), next = this.nextAddressPool(method, name, body, now);

		if (now && rest)
			this.check(r, { revision: now.revision, who: { user: now.user, action: 'patch', at: now.at } });
		if (next?.addresses.some((a) => a.startsWith('192.')))
			throw new Problem('validation', 'What was sent cannot be used', { errors: [{ pointer: '', line: null,
				detail: 'spec.addresses[0]: 192.0.2.1 is outside of vipRanges' }] });
		if (!next && this.allocations(now).length)
			throw new Problem('in-use', `2 pools have frontends from it: ${this.allocations(now).map((a) => a.pool).join(', ')}`);
		const action = body.toRevision ? 'rollback' : { POST: 'create', PATCH: 'patch', DELETE: 'delete' }[method];

		if (!dry)
			this.putAddressPool(name, next, { user, action, reason });
		return { status: method === 'POST' && !dry && !body.toRevision ? 201 : 200, etag: dry ? undefined : `"r${this.revision}"`,
			body: this.addressChange(name, now, next, dry) };
	}

	putAddressPool(name, pool, who) {
		const at = new Date().toISOString(), made = pool && { ...pool, name, source: 'store', revision: ++this.revision, user: who.user, at };

		this.addressPast.push({ name, pool: made, revision: this.revision, at, ...who });
		this.addressPools = this.addressPools.filter((p) => p.name !== name).concat(made || []);
	}

	addressChange(name, now, next, dry) {
		const d = diff(now && documentOf(now), next && documentOf(next)), { size, used, free } = next ? this.addressPool(next) : {};
		const moved = next && now && next.ports !== now.ports;

		return { items: [{ kind: 'AddressPool', name, result: !next ? 'removed' : now ? 'configured' : 'created', changed: d.length > 0, diff: d,
			object: next ? documentOf(next) : null }], dryRun: dry, addressPools: next ? [{ name, size, used, free }] : [], gained: 0, outside: moved ? 1 : 0,
		warnings: moved ? [{ detail: '1 pools keep their frontends outside of every address pool: shop/web (10.0.0.1:40000)' }] : [] };
	}

	finish(id, next, who, dry, status = 200) {
		const [a, b] = [this.pools.get(id), next].map((p) => p && documents(p));

		if (!dry)
			this.put(id, next, who);
		const items = ['Service', 'Endpoints'].map((kind) => {
			const d = diff(a?.[kind], b?.[kind]);

			return { kind, namespace: id.split('.')[0], name: id.split('.')[1], result: !d.length ? 'unchanged' : !b ? 'removed'
				: a ? 'configured' : 'created', revision: this.revision, changed: d.length > 0, diff: d, object: b?.[kind] ?? null };
		});

		return { status: dry ? 200 : status, body: { items, pool: id, dryRun: dry, warnings: this.warning ? [{ detail: this.warning }] : [] }, etag: dry || !b ? undefined : `"r${this.revision}"` };
	}
}
