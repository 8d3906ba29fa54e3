/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/snapshots.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/xalloc.h"
#include "agent/plan/pool_index.h"
#include "agent/pool/pool_make.h"

#define HOUR_MS INT64_C(3600000)
/* And a half: text in hours stays the same for half an hour either way. */
#define HOURS(n) ((n)*HOUR_MS + HOUR_MS / 2)

static struct endpoint endpoint_of(const char *text, uint8_t protocol)
{
	struct endpoint e;

	if (endpoint_parse(text, protocol, &e) < 0)
		abort();
	return e;
}

static struct check *http_check(void)
{
	struct check *c = check_new(CHECK_HTTP);

	free(c->path);
	c->path = xstrdup("/healthz");
	c->interval_ms = 5000;
	c->timeout_ms = 2000;
	c->fast_ms = 1000;
	c->rise = 2;
	c->fall = 3;
	c->expect_count = 1;
	c->expect[0] = (struct check_status_range){ 200, 399 };
	return c;
}

static struct check *mysql_check(void)
{
	struct check *c = check_new(CHECK_MYSQL);

	c->secret = xstrdup("db/check@1");
	c->role = CHECK_ROLE_WRITER;
	return c;
}

static struct check *check_of(enum check_type type)
{
	if (type == CHECK_HTTP)
		return http_check();
	return type == CHECK_MYSQL ? mysql_check() : check_new(type);
}

struct recipe {
	const char *ns, *service, *port;
	uint8_t protocol;
	unsigned source;
	const char *frontend; /* NULL: none */
	enum check_type check;
};

/* Those of the views that are still the pool's. */
static struct pool_member *members_of(const struct member_view *views, size_t count,
				      uint32_t *out_count)
{
	struct pool_member *members = xcalloc(count, sizeof(*members));

	*out_count = 0;
	for (size_t i = 0; i < count; i++)
		if (!(views[i].reasons & MEMBER_REMOVED))
			members[(*out_count)++] = (struct pool_member){
				.endpoint = views[i].endpoint,
				.weight = (uint16_t)views[i].nominal,
				.terminating = views[i].reasons & MEMBER_TERMINATING,
			};
	return members;
}

static struct pool *make_pool(const struct recipe *r, const struct member_view *views, size_t count)
{
	struct check *check = check_of(r->check);
	struct endpoint frontend;
	struct pool parts = {
		.ns = (char *)(uintptr_t)r->ns, /* copied, never written to */
		.service = (char *)(uintptr_t)r->service,
		.port_name = (char *)(uintptr_t)r->port,
		.source = r->source,
		.protocol = r->protocol,
		.set = { .scheduler = "wrr",
			 .masquerade = true,
			 .drain_s = 60,
			 .weight = 1,
			 .check = check },
	};
	struct pool *made;

	if (r->frontend) {
		frontend = endpoint_of(r->frontend, r->protocol);
		parts.frontends = &frontend;
		parts.frontend_count = 1;
	}
	parts.members.any = members_of(views, count, &parts.member_count);
	parts.id = xasprintf("%s.%s.%s-%s", r->ns, r->service, r->port, protocol_text(r->protocol));
	made = pool_make(&parts);
	free(parts.id);
	free(parts.members.any);
	check_unref(check);
	return made;
}

static struct member_view member_of(const char *text, enum verdict_state state, uint32_t weight,
				    uint32_t reasons, int64_t since_ms)
{
	return (struct member_view){ .endpoint = endpoint_of(text, IPPROTO_TCP),
				     .nominal = 1,
				     .weight = weight,
				     .in_table = true,
				     .reasons = reasons,
				     .state = state,
				     .checked = true,
				     .since_ms = since_ms };
}

/* Of a pool that has these members, of its protocol, but for those that were removed. */
static struct pool_view *make_view(const struct recipe *r, struct member_view *members,
				   size_t count)
{
	struct pool_view *v;

	for (size_t i = 0; i < count; i++)
		members[i].endpoint.protocol = r->protocol;
	v = pool_view_new(make_pool(r, members, count), members, count);
	v->generation = 7;
	return v;
}

static struct pool_view *sample_dns(void)
{
	struct member_view m[] = { member_of("10.100.2.1:53", VERDICT_UNKNOWN, 1, 0, 0),
				   member_of("10.100.2.2:53", VERDICT_UNKNOWN, 1, 0, 0) };

	m[0].checked = m[1].checked = false;
	return make_view(&(struct recipe){ "default", "dns", "dns", IPPROTO_UDP, 0,
					   "10.0.0.1:30053", CHECK_NONE },
			 m, ARRAY_LEN(m));
}

static struct pool_view *sample_origin(int64_t now)
{
	struct member_view m[] = {
		member_of("10.100.1.53:8090", VERDICT_UP, 1, 0, now - HOURS(12)),
		member_of("10.100.1.77:30253", VERDICT_DOWN, 0, MEMBER_UNHEALTHY, now - HOURS(2)),
	};
	struct pool_view *v;

	m[1].remove_at_ms = now + HOURS(3);
	v = make_view(&(struct recipe){ "parasaus", "snake-demo-svc4", "dcmp-svc4", IPPROTO_TCP, 0,
					"10.0.0.1:40796", CHECK_HTTP },
		      m, ARRAY_LEN(m));
	problems_add_in(&v->pool->problems, false, "/etc/parasaus/pools/snake.yaml", 12,
			"`type` stands inside `ports`; taken as the Service's");
	return v;
}

/* Two that take writes, one of which is in use, and what else may become of a server. */
static struct pool_view *sample_db(int64_t now)
{
	struct member_view m[] = {
		member_of("10.100.4.1:3306", VERDICT_UP, 1, MEMBER_SATURATED, now - HOURS(40)),
		member_of("10.100.4.2:3306", VERDICT_UP, 0, MEMBER_STANDBY, now - HOURS(3)),
		member_of("10.100.4.3:3306", VERDICT_DOWN, 0, MEMBER_ROLE, now - HOURS(40)),
	};
	struct pool_view *v = make_view(&(struct recipe){ "db", "orders", "mysql", IPPROTO_TCP, 0,
							  "10.0.0.1:43306", CHECK_MYSQL },
					m, ARRAY_LEN(m));

	v->members[1].in_table = v->members[2].in_table = false;
	v->pool->set.unhealthy = UNHEALTHY_RESET;
	v->pool->set.fail_policy = FAIL_CLOSED;
	v->fault = xstrdup("more than one member accepts writes: 10.100.4.1:3306, "
			   "10.100.4.2:3306; only 10.100.4.1:3306 is used");
	return v;
}

static struct pool_view *sample_web(int64_t now)
{
	struct member_view m[] = {
		member_of("10.100.3.1:80", VERDICT_UP, 1, 0, now - HOURS(30)),
		member_of("10.100.3.2:80", VERDICT_UP, 0, MEMBER_TERMINATING, now - HOURS(30)),
		member_of("10.100.3.3:80", VERDICT_UP, 0, MEMBER_REMOVED, now - HOURS(30)),
		member_of("10.100.3.4:80", VERDICT_UP, 0, MEMBER_WEIGHT_ZERO, now - HOURS(30)),
		member_of("10.100.3.5:80", VERDICT_UNKNOWN, 0, MEMBER_UNPROVEN, 0),
		member_of("10.100.3.6:80", VERDICT_DOWN, 0, MEMBER_UNHEALTHY, now - HOURS(9)),
	};
	struct pool_view *v;

	m[2].remove_at_ms = now + HOURS(4);
	m[3].nominal = 0;
	m[5].in_table = false;
	v = make_view(&(struct recipe){ "shop", "web", "http", IPPROTO_TCP, 0, "10.0.0.1:40080",
					CHECK_HTTP },
		      m, ARRAY_LEN(m));
	v->pool->local_wanted = v->pool->local_only = true;
	v->pool->elsewhere = 3;
	v->pool->set.min_healthy = 50;
	v->pool->set.slow_start_s = 60;
	v->pool->set.masquerade = false;
	return v;
}

static struct pool_view *sample_secure(int64_t now)
{
	struct member_view m[] = {
		member_of("[2001:db8::1]:8443", VERDICT_DOWN, 1,
			  MEMBER_UNHEALTHY | MEMBER_FAIL_OPEN, now - HOURS(5)),
		member_of("[2001:db8::2]:8443", VERDICT_DOWN, 1,
			  MEMBER_UNHEALTHY | MEMBER_FAIL_OPEN, now - HOURS(6)),
	};
	struct pool_view *v = make_view(&(struct recipe){ "shop", "web", "https", IPPROTO_TCP, 0,
							  "[2001:db8:1::1]:40443", CHECK_TCP },
					m, ARRAY_LEN(m));

	v->pool->local_wanted = true;
	v->fail_open = true;
	v->kernel_problem =
		xstrdup("service [2001:db8:1::1]:40443/tcp: Address family not supported");
	return v;
}

static struct pool_view *sample_empty(void)
{
	struct pool_view *v = make_view(&(struct recipe){ "team", "empty", "80", IPPROTO_TCP, 1,
							  "10.0.0.1:40081", CHECK_TCP },
					NULL, 0);

	v->inherited = true;
	return v;
}

/* What probes could have said to make a member what it is. */
static struct target_view target_of(const struct pool_view *v, const struct member_view *m)
{
	struct target_view t = { .id = check_target_id(v->pool->set.check, &m->endpoint),
				 .endpoint = check_endpoint(v->pool->set.check, &m->endpoint),
				 .state = m->state,
				 .proven = m->state != VERDICT_UNKNOWN,
				 .since_ms = m->since_ms,
				 .users = 1 };

	snprintf(t.type, sizeof(t.type), "%s", check_type_text(v->pool->set.check->type));
	if (v->pool->set.check->type == CHECK_MYSQL)
		t.login = check_ref(v->pool->set.check);
	switch (m->state) {
	case VERDICT_UP:
		snprintf(t.reason, sizeof(t.reason), "ok");
		t.ok = 151;
		t.latency_us = 412;
		break;
	case VERDICT_DOWN:
		snprintf(t.reason, sizeof(t.reason), "%s",
			 t.login	    ? "not in that role"
			 : t.type[0] == 'h' ? "status"
					    : "refused");
		t.detail = t.type[0] == 'h' ? 503 : 0;
		t.ok = 127;
		t.failed = 24;
		break;
	case VERDICT_UNKNOWN:
		snprintf(t.reason, sizeof(t.reason), "not probed yet");
		break;
	}
	return t;
}

static int by_endpoint(const void *a, const void *b)
{
	const struct target_view *x = a, *y = b;

	return endpoint_cmp(&x->endpoint, &y->endpoint);
}

static void set_pools(struct snapshot *s, struct pool_index *x)
{
	snapshot_set_pools(s, pool_index_list(x));
	pool_index_free(x);
}

static void add_targets(struct snapshot *s)
{
	struct target_list *list = target_list_new(s->member_count);
	size_t count = 0;

	for (size_t i = 0; i < s->pool_count; i++)
		for (size_t k = 0; k < s->pools[i]->member_count; k++) {
			const struct member_view m = pool_view_member(s->pools[i], k);

			if (m.checked)
				list->items[count++] = target_of(s->pools[i], &m);
		}
	list->count = count;
	qsort(list->items, count, sizeof(list->items[0]), by_endpoint);
	s->targets = list;
}

static const struct pool_rules *sample_rules(void)
{
	static struct addr_range ranges[3];
	static struct address_pool pools[] = {
		{ .name = (char *)(uintptr_t) "main",
		  .addresses = &ranges[0],
		  .address_count = 2,
		  .ports = { 30000, 64999 } },
		{ .name = (char *)(uintptr_t) "six",
		  .addresses = &ranges[2],
		  .address_count = 1,
		  .ports = { 40443, 40443 } },
	};
	static const struct pool_rules rules = { .address_pools = pools,
						 .address_pool_count = ARRAY_LEN(pools) };

	if (addr_range_parse("10.0.0.1-10.0.0.9", &ranges[0]) < 0 ||
	    addr_range_parse("10.0.1.0/24", &ranges[1]) < 0 ||
	    addr_range_parse("2001:db8:1::1", &ranges[2]) < 0)
		abort();
	return &rules;
}

static void add_frame(struct snapshot *s, int64_t now)
{
	static const char *const names[] = { "parent", "core", "healthcheck", "ipvs" };

	snprintf(s->version, sizeof(s->version), "1.2.3");
	s->node = xstrdup("node-1");
	s->started_ms = now - HOURS(72);
	s->generation = s->applied_generation = 7;
	s->synced = s->ready = true;
	s->rules = sample_rules();
	s->kernel_writes = 42;
	s->other_writes = 11;
	s->repairs = 1;
	s->kernel.mh_disordered = 2;
	s->notrack_v4 = NOTRACK_ALL;
	s->mass = (struct mass_view){ .freeze = true,
				      .since_ms = now - HOURS(1),
				      .targets = 900,
				      .fallen = 500,
				      .waiting = 480 };
	s->probing = (struct probe_view){
		.probes = 5120,
		.inconclusive = 3,
		.in_flight = 1,
		.lag_ms = 2,
		.lag_max_ms = 31,
		.deferred = 4,
		.late = { .counts = { 5000, 110, 10 } },
		.latency = { [CHECK_TCP] = { .counts = { 3990, 10 }, .sum_us = 1200000 },
			     [CHECK_HTTP] = { .counts = { 500, 400, 90, 9 }, .sum_us = 1998000 } },
	};
	s->last_sync_seconds = 0.408266;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(s->processes[i].name, sizeof(s->processes[i].name), "%s", names[i]);
		s->processes[i].pid = (pid_t)(1000 + i);
		s->processes[i].resident_bytes = (i + 1) * 4 * 1024 * 1024;
	}
	s->processes[2].restarts = 1;
}

struct snapshot *snapshot_sample(int64_t now_ms)
{
	struct snapshot *s = snapshot_new();
	struct pool_index *pools = pool_index_new();

	add_frame(s, now_ms);
	pool_index_put(pools, sample_db(now_ms));
	pool_index_put(pools, sample_dns());
	pool_index_put(pools, sample_origin(now_ms));
	pool_index_put(pools, sample_web(now_ms));
	pool_index_put(pools, sample_secure(now_ms));
	pool_index_put(pools, sample_empty());
	set_pools(s, pools);
	add_targets(s);

	s->source_count = 3;
	s->sources = xcalloc(3, sizeof(*s->sources));
	s->sources[0] = (struct source_view){ .type = "directory",
					      .where = xstrdup("/etc/parasaus/pools"),
					      .complete = true,
					      .delivered = true,
					      .objects = 8 };
	s->sources[1] = (struct source_view){ .type = "directory",
					      .where = xstrdup("/srv/team/pools"),
					      .delivered = true,
					      .why = xstrdup("No such file or directory"),
					      .objects = 2 };
	s->sources[2] = (struct source_view){ .type = "kubernetes",
					      .where = xstrdup("in-cluster"),
					      .complete = true,
					      .delivered = true,
					      .objects = 3,
					      .heard_ms = now_ms - HOURS(1),
					      .revision = xstrdup("811/810/807") };
	s->problem_count = 1;
	s->problems = xcalloc(1, sizeof(*s->problems));
	s->problems[0] = (struct problem_view){ .where = xstrdup("/etc/parasaus/pools/api.yaml:3"),
						.text = xstrdup("mapping values are not allowed in "
								"this context"),
						.error = true };
	return s;
}

struct snapshot *snapshot_large(size_t pools, size_t members)
{
	struct member_view *m = xcalloc(members, sizeof(*m));
	struct pool_index *index = pool_index_new();
	struct snapshot *s = snapshot_new();

	add_frame(s, INT64_C(1795316400000));
	for (size_t i = 0; i < pools; i++) {
		char service[32], frontend[32];

		for (size_t k = 0; k < members; k++) {
			size_t n = i * members + k;

			m[k] = (struct member_view){
				.endpoint = { addr_v4((uint32_t)(0x0a800000 + n)), IPPROTO_TCP,
					      8080 },
				.nominal = 1,
				.weight = 1,
				.in_table = true,
				.state = VERDICT_UP,
				.checked = true,
				.since_ms = s->started_ms
			};
		}
		snprintf(service, sizeof(service), "service-%05zu", i);
		snprintf(frontend, sizeof(frontend), "10.0.0.1:%zu", 30000 + i % 35000);
		pool_index_put(index,
			       make_view(&(struct recipe){ "ns", service, "http", IPPROTO_TCP, 0,
							   frontend, CHECK_HTTP },
					 m, members));
	}
	set_pools(s, index);
	add_targets(s);
	free(m);
	return s;
}

/* As views are made of them; the caller frees. */
static struct member_view *members_in(const struct pool_view *v)
{
	struct member_view *m = xcalloc(v->member_count, sizeof(*m));

	for (size_t i = 0; i < v->member_count; i++)
		m[i] = pool_view_member(v, i);
	return m;
}

/* All but its pools, of which *out has those of s. */
static struct snapshot *same_frame(const struct snapshot *s, struct pool_index **out)
{
	struct snapshot *n = snapshot_new();

	add_frame(n, s->started_ms + HOURS(72));
	n->synced = s->synced;
	n->targets = s->targets ? target_list_ref(s->targets) : NULL;
	*out = pool_index_new();
	for (size_t i = 0; i < s->pool_count; i++)
		pool_index_put(*out, pool_view_ref(s->pools[i]));
	return n;
}

struct snapshot *snapshot_turned(const struct snapshot *s, size_t pool, size_t member,
				 enum verdict_state state, int64_t now_ms)
{
	const struct pool_view *old = s->pools[pool];
	struct member_view *members = members_in(old);
	struct pool_index *pools;
	struct snapshot *n = same_frame(s, &pools);
	struct pool_view *v;

	members[member].state = state;
	members[member].since_ms = now_ms;
	v = pool_view_new(pool_ref(old->pool), members, old->member_count);
	v->generation = old->generation + 1;
	pool_index_put(pools, v);
	set_pools(n, pools);
	free(members);
	return n;
}

struct snapshot *snapshot_moved(const struct snapshot *s, size_t pool, size_t member, uint16_t port)
{
	const struct pool_view *old = s->pools[pool];
	struct member_view *members = members_in(old);
	struct pool parts = *old->pool;
	struct pool_index *pools;
	struct snapshot *n = same_frame(s, &pools);

	members[member].endpoint.port = port;
	parts.members = (struct pool_members){ .any = members_of(members, old->member_count,
								 &parts.member_count) };
	pool_index_put(pools, pool_view_new(pool_make(&parts), members, old->member_count));
	set_pools(n, pools);
	free(parts.members.any);
	free(members);
	return n;
}

struct snapshot *snapshot_without(const struct snapshot *s, size_t pool)
{
	struct pool_index *pools;
	struct snapshot *n = same_frame(s, &pools);

	pool_index_remove(pools, s->pools[pool]->pool->id);
	set_pools(n, pools);
	return n;
}

static int listen_on(const struct sockaddr *address, socklen_t len)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, address, len) < 0 || listen(fd, 64) < 0)
		abort();
	return fd;
}

int snapshot_listen_unix(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(a.sun_path))
		abort();
	memcpy(a.sun_path, path, strlen(path) + 1);
	unlink(path);
	return listen_on((const struct sockaddr *)&a, sizeof(a));
}

int snapshot_listen_tcp(uint16_t *out_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = listen_on((const struct sockaddr *)&a, len);

	if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		abort();
	*out_port = ntohs(a.sin_port);
	return fd;
}
