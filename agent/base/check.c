/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/check.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/value.h"
#include "agent/base/xalloc.h"

#define INTERVAL_MIN_MS 100
#define INTERVAL_MAX_MS 60000
#define STREAK_MAX	10

/* In the byte of the type: options follow the rest, each behind its tag, in the order of tags, and
 * then 0. A check without any is named by the bytes it always was. */
#define HAS_OPTIONS 0x80
enum {
	OPTION_HOLD_DOWN = 1,
	OPTION_DRAIN = 2,
	OPTION_DEGRADED = 3,
	OPTION_REUSE = 4,
	OPTION_TLS = 5,
	OPTION_SECRET = 6,
	OPTION_SERVER_NAME = 7,
	OPTION_VIA = 8,
};

/* Of tunnels, the kernel's numbers. */
#define TUNNEL_TYPE_GUE	 1
#define TUNNEL_TYPE_LAST 2

#define ROLE(name) (1u << CHECK_ROLE_##name)

static const struct {
	const char *text; /* NULL: there is none */
	uint8_t protocol;
	unsigned has;	/* CHECK_HAS_... */
	unsigned roles; /* besides any */
} types[CHECK_TYPES] = {
	[CHECK_NONE] = { "none", 0, 0, 0 },
	[CHECK_TCP] = { "tcp", IPPROTO_TCP, CHECK_HAS_VIA, 0 },
	[CHECK_TCP_FULL] = { "tcp-full", IPPROTO_TCP, CHECK_HAS_WORDS | CHECK_HAS_VIA, 0 },
	[CHECK_REDIS] = { "redis", IPPROTO_TCP,
			  CHECK_HAS_LOGIN | CHECK_HAS_TLS | CHECK_HAS_CERTIFICATE | CHECK_TLS_FIRST,
			  ROLE(WRITER) | ROLE(READER) },
	[CHECK_POSTGRESQL] = { "postgresql", IPPROTO_TCP,
			       CHECK_HAS_LOGIN | CHECK_HAS_TLS | CHECK_ROLE_NEEDS_SECRET,
			       ROLE(WRITER) | ROLE(READER) },
	[CHECK_HTTP] = { "http", IPPROTO_TCP, CHECK_HAS_REQUEST | CHECK_HAS_HOST | CHECK_HAS_VIA,
			 0 },
	[CHECK_GRPC] = { "grpc", IPPROTO_TCP,
			 CHECK_HAS_HOST | CHECK_HAS_SERVICE | CHECK_HAS_TLS |
				 CHECK_HAS_CERTIFICATE | CHECK_TLS_FIRST,
			 0 },
	[CHECK_HTTPS] = { "https", IPPROTO_TCP,
			  CHECK_HAS_REQUEST | CHECK_HAS_HOST | CHECK_HAS_CERTIFICATE |
				  CHECK_HAS_VIA,
			  0 },
	[CHECK_MYSQL] = { "mysql", IPPROTO_TCP,
			  CHECK_HAS_LOGIN | CHECK_HAS_TLS | CHECK_HAS_LAG | CHECK_ROLE_NEEDS_SECRET,
			  ROLE(WRITER) | ROLE(READER) | ROLE(GALERA) },
	[CHECK_DNS] = { "dns", IPPROTO_UDP, CHECK_HAS_QUESTION, 0 },
	[CHECK_UDP] = { "udp", IPPROTO_UDP, CHECK_HAS_WORDS, 0 },
};

bool check_is_type(enum check_type type)
{
	return (unsigned)type < CHECK_TYPES && types[type].text;
}

struct check *check_new(enum check_type type)
{
	struct check *c = xcalloc(1, sizeof(*c));

	atomic_init(&c->refs, 1);
	c->type = type;
	c->rise = 2;
	c->fall = 3;
	c->interval_ms = 2000;
	c->timeout_ms = 1000;
	c->fast_ms = 500;
	c->reuse = 1;
	if (check_has(type) & CHECK_HAS_REQUEST) {
		c->path = xstrdup("/");
		c->expect[0] = (struct check_status_range){ 200, 399 };
		c->expect_count = 1;
	}
	if (check_has(type) & CHECK_HAS_QUESTION) {
		c->dns_name = xstrdup(".");
		c->dns_type = CHECK_DNS_SOA;
		c->dns_rcodes = 1u << 0; /* NOERROR */
	}
	if (check_has(type) & CHECK_HAS_TLS && !(check_has(type) & CHECK_TLS_FIRST))
		c->tls = CHECK_TLS_PREFERRED;
	return c;
}

struct check *check_ref(struct check *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void check_unref(struct check *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(c->path);
	free(c->host);
	free(c->match);
	free(c->secret);
	free(c->server_name);
	free(c->send);
	free(c->answer);
	free(c->dns_name);
	free(c->service);
	free(c);
}

const char *check_type_text(enum check_type type)
{
	return check_is_type(type) ? types[type].text : "?";
}

unsigned check_has(enum check_type type)
{
	return check_is_type(type) ? types[type].has : 0;
}

uint8_t check_protocol(enum check_type type)
{
	return check_is_type(type) ? types[type].protocol : 0;
}

bool check_has_role(enum check_type type, enum check_role role)
{
	if (role == CHECK_ROLE_ANY)
		return true;
	return check_is_type(type) && role <= CHECK_ROLE_GALERA && types[type].roles & 1u << role;
}

bool check_names_secret(const struct check *c)
{
	const char *slash = c->secret ? strchr(c->secret, '/') : NULL;
	const size_t len = strlen(CHECK_SECRET_NONE);

	return slash &&
	       (strcspn(slash + 1, "@") != len || memcmp(slash + 1, CHECK_SECRET_NONE, len) != 0);
}

bool check_goes_by_certificates(enum check_type type, enum check_tls tls)
{
	unsigned has = check_has(type);

	return has & CHECK_HAS_CERTIFICATE &&
	       (!(has & CHECK_TLS_FIRST) || tls == CHECK_TLS_REQUIRED);
}

unsigned check_uses(const struct check *c)
{
	bool certificates = check_goes_by_certificates(c->type, c->tls);
	bool tls = certificates || (check_has(c->type) & CHECK_HAS_TLS && c->tls != CHECK_TLS_OFF);

	return (check_has(c->type) & CHECK_HAS_LOGIN ? CHECK_USES_LOGIN : 0u) |
	       (certificates ? CHECK_USES_CERTIFICATES : 0u) | (tls ? CHECK_USES_TLS : 0u);
}

bool check_type_parse(const char *s, enum check_type *out)
{
	for (enum check_type t = CHECK_NONE; t < CHECK_TYPES; t++) {
		if (check_is_type(t) && strcmp(s, types[t].text) == 0) {
			*out = t;
			return true;
		}
	}
	return false;
}

const char *verdict_state_text(enum verdict_state s)
{
	switch (s) {
	case VERDICT_UNKNOWN:
		return "unknown";
	case VERDICT_UP:
		return "up";
	case VERDICT_DOWN:
		return "down";
	}
	return "?";
}

/* Some types had this and that from their beginning, and their bytes a place for it. */

static bool secret_is_option(enum check_type type)
{
	return check_has(type) & CHECK_TLS_FIRST && !(check_has(type) & CHECK_HAS_LOGIN);
}

static bool tls_is_option(const struct check *c)
{
	return secret_is_option(c->type) && c->tls;
}

static bool server_name_is_option(enum check_type type)
{
	return check_has(type) & CHECK_TLS_FIRST;
}

static bool has_options(const struct check *c)
{
	return c->hold_down_s > 0 || c->drain_count > 0 || c->degraded_count > 0 || c->reuse > 1 ||
	       tls_is_option(c) || (secret_is_option(c->type) && c->secret) ||
	       (server_name_is_option(c->type) && c->server_name) || c->via;
}

static void put_way(struct buf *b, const struct check_way *w)
{
	wire_put_addr(b, &w->vip_v4);
	wire_put_addr(b, &w->vip_v6);
	wire_put_u8(b, w->is_tunnel);
	wire_put_u8(b, w->tunnel_type);
	wire_put_u16(b, w->tunnel_port);
}

static void put_statuses(struct buf *b, const struct check_status_range *ranges, unsigned count)
{
	wire_put_u8(b, (uint8_t)count);
	for (unsigned i = 0; i < count; i++) {
		wire_put_u16(b, ranges[i].first);
		wire_put_u16(b, ranges[i].last);
	}
}

static void put_options(struct buf *b, const struct check *c, const struct check_way *way)
{
	if (c->hold_down_s) {
		wire_put_u8(b, OPTION_HOLD_DOWN);
		wire_put_u16(b, c->hold_down_s);
	}
	if (c->drain_count) {
		wire_put_u8(b, OPTION_DRAIN);
		put_statuses(b, c->drain, c->drain_count);
	}
	if (c->degraded_count) {
		wire_put_u8(b, OPTION_DEGRADED);
		put_statuses(b, c->degraded, c->degraded_count);
	}
	if (c->reuse > 1) {
		wire_put_u8(b, OPTION_REUSE);
		wire_put_u16(b, c->reuse);
	}
	if (tls_is_option(c)) {
		wire_put_u8(b, OPTION_TLS);
		wire_put_u8(b, (uint8_t)c->tls);
	}
	if (secret_is_option(c->type) && c->secret) {
		wire_put_u8(b, OPTION_SECRET);
		wire_put_str(b, c->secret);
	}
	if (server_name_is_option(c->type) && c->server_name) {
		wire_put_u8(b, OPTION_SERVER_NAME);
		wire_put_str(b, c->server_name);
	}
	if (c->via) {
		wire_put_u8(b, OPTION_VIA);
		put_way(b, way);
	}
	wire_put_u8(b, 0);
}

/* What the check asks and how it judges, and by which way: all of it but where it goes. */
static void put_question(struct buf *b, const struct check *c, const struct check_way *way)
{
	wire_put_u8(b, (uint8_t)(c->type | (has_options(c) ? HAS_OPTIONS : 0)));
	wire_put_u8(b, c->rise);
	wire_put_u8(b, c->fall);
	wire_put_u32(b, c->interval_ms);
	wire_put_u32(b, c->timeout_ms);
	wire_put_u32(b, c->fast_ms);
	wire_put_str(b, c->path ? c->path : "");
	wire_put_str(b, c->host ? c->host : "");
	wire_put_str(b, c->match ? c->match : "");
	put_statuses(b, c->expect, c->expect_count);
	/* Types that are older are named by the bytes so far, for ever. */
	if (check_has(c->type) & CHECK_HAS_LOGIN) {
		wire_put_str(b, c->secret ? c->secret : "");
		wire_put_u8(b, (uint8_t)c->role);
		wire_put_u8(b, (uint8_t)c->tls);
		wire_put_u32(b, c->max_lag_s);
	}
	if (check_has(c->type) & CHECK_HAS_WORDS) {
		wire_put_str(b, c->send ? c->send : "");
		wire_put_str(b, c->answer ? c->answer : "");
	}
	if (check_has(c->type) & CHECK_HAS_QUESTION) {
		wire_put_str(b, c->dns_name);
		wire_put_u16(b, c->dns_type);
		wire_put_u16(b, c->dns_rcodes);
	}
	if (check_has(c->type) & CHECK_HAS_SERVICE)
		wire_put_str(b, c->service ? c->service : "");
	if (check_has(c->type) & CHECK_HAS_CERTIFICATE && !server_name_is_option(c->type)) {
		wire_put_str(b, c->secret ? c->secret : "");
		wire_put_str(b, c->server_name ? c->server_name : "");
	}
	if (has_options(c))
		put_options(b, c, way);
}

void wire_put_check(struct buf *b, const struct check *c)
{
	wire_put_u16(b, c->port);
	put_question(b, c, &c->way);
}

bool check_equal(const struct check *a, const struct check *b)
{
	CLEANUP(buf_done) struct buf left = { 0 };
	CLEANUP(buf_done) struct buf right = { 0 };

	if (a == b)
		return true;
	wire_put_check(&left, a);
	wire_put_check(&right, b);
	return left.len == right.len && memcmp(left.data, right.data, left.len) == 0;
}

/* An empty string stands for NULL: none of the texts may be empty. */
static char *read_text(struct wire *w, size_t max)
{
	char text[CHECK_BYTES_TEXT_MAX + 1]; /* the longest there is */

	wire_str(w, text, max + 1);
	return w->bad || text[0] == '\0' ? NULL : xstrdup(text);
}

static bool times_are_sane(const struct check *c)
{
	return c->interval_ms >= INTERVAL_MIN_MS && c->interval_ms <= INTERVAL_MAX_MS &&
	       c->timeout_ms >= INTERVAL_MIN_MS && c->timeout_ms <= c->interval_ms &&
	       c->fast_ms >= INTERVAL_MIN_MS && c->fast_ms <= c->interval_ms && c->rise >= 1 &&
	       c->rise <= STREAK_MAX && c->fall >= 1 && c->fall <= STREAK_MAX &&
	       c->hold_down_s <= CHECK_HOLD_MAX_S;
}

static bool statuses_are_sane(const struct check_status_range *ranges, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct check_status_range *r = &ranges[i];

		if (r->first < 100 || r->last > 599 || r->first > r->last)
			return false;
	}
	return true;
}

static bool login_is_sane(const struct check *c)
{
	unsigned has = check_has(c->type);
	bool may_lag = has & CHECK_HAS_LAG && c->role == CHECK_ROLE_READER;

	if (!c->secret && has & CHECK_ROLE_NEEDS_SECRET && c->role != CHECK_ROLE_ANY)
		return false;
	return check_has_role(c->type, c->role) && c->max_lag_s <= (may_lag ? CHECK_LAG_MAX_S : 0);
}

static bool words_are_sane(const struct check *c)
{
	uint8_t bytes[CHECK_BYTES_MAX];
	size_t len;

	return (!c->send || value_bytes(c->send, bytes, &len) == 0) &&
	       (!c->answer || value_bytes(c->answer, bytes, &len) == 0);
}

static bool dns_question_is_sane(const struct check *c)
{
	uint8_t wire[CHECK_DNS_WIRE_MAX];
	size_t len;

	return c->dns_name && value_dns_name(c->dns_name, wire, &len) == 0 &&
	       strcmp(value_word_text(&value_dns_types, c->dns_type), "?") != 0 && c->dns_rcodes &&
	       !(c->dns_rcodes & ~value_dns_rcodes_all());
}

static bool tls_is_sane(const struct check *c)
{
	unsigned has = check_has(c->type);

	if (!(has & CHECK_HAS_TLS))
		return c->tls == CHECK_TLS_OFF;
	return c->tls <= CHECK_TLS_REQUIRED &&
	       !(has & CHECK_TLS_FIRST && c->tls == CHECK_TLS_PREFERRED);
}

static bool secret_is_sane(const struct check *c)
{
	return (!c->secret || (check_uses(c) && value_is_secret_name(c->secret))) &&
	       (!c->server_name ||
		(check_uses(c) & CHECK_USES_CERTIFICATES && value_is_server_name(c->server_name)));
}

static bool request_is_sane(const struct check *c)
{
	return c->path && value_is_http_path(c->path) && c->expect_count > 0 &&
	       statuses_are_sane(c->expect, c->expect_count) &&
	       statuses_are_sane(c->drain, c->drain_count) &&
	       statuses_are_sane(c->degraded, c->degraded_count) && c->reuse <= CHECK_REUSE_MAX;
}

static bool way_is_sane(const struct check_way *w)
{
	bool is_gue = w->is_tunnel && w->tunnel_type == TUNNEL_TYPE_GUE;

	if (!w->vip_v4.family && !w->vip_v6.family && w->is_tunnel)
		return false;
	return (!w->vip_v4.family || w->vip_v4.family == AF_INET) &&
	       (!w->vip_v6.family || w->vip_v6.family == AF_INET6) &&
	       w->tunnel_type <= (w->is_tunnel ? TUNNEL_TYPE_LAST : 0) &&
	       (w->tunnel_port != 0) == is_gue;
}

static bool question_is_sane(const struct check *c)
{
	bool asks = c->path || c->match || c->expect_count > 0 || c->drain_count > 0 ||
		    c->degraded_count > 0 || c->reuse > 1;
	unsigned has = check_has(c->type);

	if (!check_is_type(c->type))
		return false;
	return (has & CHECK_HAS_REQUEST ? request_is_sane(c) : !asks) &&
	       (!c->host || (has & CHECK_HAS_HOST && value_is_http_host(c->host))) &&
	       (!c->service || value_is_grpc_service(c->service)) && tls_is_sane(c) &&
	       secret_is_sane(c) && (!(has & CHECK_HAS_LOGIN) || login_is_sane(c)) &&
	       (!(has & CHECK_HAS_WORDS) || words_are_sane(c)) &&
	       (!(has & CHECK_HAS_QUESTION) || dns_question_is_sane(c)) &&
	       (c->via == CHECK_VIA_DIRECT || (has & CHECK_HAS_VIA && way_is_sane(&c->way)));
}

static unsigned read_statuses(struct wire *w, struct check_status_range out[CHECK_EXPECT_MAX])
{
	unsigned count = wire_u8(w);

	if (count > CHECK_EXPECT_MAX) {
		w->bad = true;
		return 0;
	}
	for (unsigned i = 0; i < count; i++) {
		out[i].first = wire_u16(w);
		out[i].last = wire_u16(w);
	}
	return count;
}

static bool read_way(struct wire *w, struct check *c)
{
	uint8_t is_tunnel;

	c->via = CHECK_VIA_VIP;
	c->way.vip_v4 = wire_addr(w);
	c->way.vip_v6 = wire_addr(w);
	is_tunnel = wire_u8(w);
	c->way.is_tunnel = is_tunnel;
	c->way.tunnel_type = wire_u8(w);
	c->way.tunnel_port = wire_u16(w);
	return is_tunnel <= 1;
}

/* One that is there says something, or it would not be. */
static bool read_option(struct wire *w, struct check *c, uint8_t tag)
{
	switch (tag) {
	case OPTION_HOLD_DOWN:
		return (c->hold_down_s = wire_u16(w)) > 0;
	case OPTION_DRAIN:
		return (c->drain_count = read_statuses(w, c->drain)) > 0;
	case OPTION_DEGRADED:
		return (c->degraded_count = read_statuses(w, c->degraded)) > 0;
	case OPTION_REUSE:
		return (c->reuse = wire_u16(w)) > 1;
	case OPTION_TLS:
		return secret_is_option(c->type) && (c->tls = (enum check_tls)wire_u8(w));
	case OPTION_SECRET:
		return secret_is_option(c->type) && (c->secret = read_text(w, CHECK_SECRET_MAX));
	case OPTION_SERVER_NAME:
		return server_name_is_option(c->type) &&
		       (c->server_name = read_text(w, CHECK_HOST_MAX));
	case OPTION_VIA:
		return read_way(w, c);
	default:
		return false;
	}
}

static void read_options(struct wire *w, struct check *c)
{
	uint8_t before = 0, tag;

	while ((tag = wire_u8(w)) && !w->bad) {
		if (tag <= before || !read_option(w, c, tag))
			w->bad = true;
		before = tag;
	}
	if (!before)
		w->bad = true;
}

struct check *wire_check(struct wire *w)
{
	struct check *c = xcalloc(1, sizeof(*c));
	uint8_t type;

	atomic_init(&c->refs, 1);
	c->port = wire_u16(w);
	type = wire_u8(w);
	c->type = (enum check_type)(type & ~HAS_OPTIONS);
	c->rise = wire_u8(w);
	c->fall = wire_u8(w);
	c->interval_ms = wire_u32(w);
	c->timeout_ms = wire_u32(w);
	c->fast_ms = wire_u32(w);
	c->path = read_text(w, CHECK_PATH_MAX);
	c->host = read_text(w, CHECK_HOST_MAX);
	c->match = read_text(w, CHECK_MATCH_MAX);
	c->expect_count = read_statuses(w, c->expect);
	c->reuse = 1;
	if (check_has(c->type) & CHECK_HAS_LOGIN) {
		c->secret = read_text(w, CHECK_SECRET_MAX);
		c->role = (enum check_role)wire_u8(w);
		c->tls = (enum check_tls)wire_u8(w);
		c->max_lag_s = wire_u32(w);
	}
	if (check_has(c->type) & CHECK_HAS_WORDS) {
		c->send = read_text(w, CHECK_BYTES_TEXT_MAX);
		c->answer = read_text(w, CHECK_BYTES_TEXT_MAX);
	}
	if (check_has(c->type) & CHECK_HAS_QUESTION) {
		c->dns_name = read_text(w, CHECK_DNS_NAME_MAX);
		c->dns_type = wire_u16(w);
		c->dns_rcodes = wire_u16(w);
	}
	if (check_has(c->type) & CHECK_HAS_SERVICE)
		c->service = read_text(w, CHECK_SERVICE_MAX);
	if (check_has(c->type) & CHECK_HAS_CERTIFICATE && !server_name_is_option(c->type)) {
		c->secret = read_text(w, CHECK_SECRET_MAX);
		c->server_name = read_text(w, CHECK_HOST_MAX);
	}
	if (type & HAS_OPTIONS)
		read_options(w, c);
	if (w->bad || !times_are_sane(c) || !question_is_sane(c)) {
		w->bad = true;
		check_unref(c);
		return NULL;
	}
	return c;
}

size_t check_bytes(const char *text, uint8_t out[static CHECK_BYTES_MAX])
{
	size_t len = 0;
	int r = text ? value_bytes(text, out, &len) : 0;

	assert(r == 0);
	(void)r;
	return len;
}

void check_server_name(const struct check *c, char out[static CHECK_HOST_MAX + 1])
{
	const char *host = c->host ? c->host : "";
	size_t len = strcspn(host, ":");

	/* "[2001:db8::1]:443"; and who writes an address of IPv6 without brackets means no port. */
	if (host[0] == '[')
		len = strcspn(++host, "]");
	else if (host[len] && strchr(host + len + 1, ':'))
		len = strlen(host);
	snprintf(out, CHECK_HOST_MAX + 1, "%.*s", (int)len, host);
	if (c->server_name)
		snprintf(out, CHECK_HOST_MAX + 1, "%s", c->server_name);
	else if (!value_is_server_name(out))
		out[0] = '\0'; /* good for a Host header, and in no certificate */
}

struct check *check_on_way(const struct check *c, const struct check_way *way)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct check *copy;
	struct wire w;

	assert(c->via == CHECK_VIA_VIP && way_is_sane(way));
	wire_put_check(&b, c);
	w = wire_of(b.data, b.len);
	copy = wire_check(&w);
	assert(copy);
	copy->way = *way;
	return copy;
}

const struct addr *check_vip(const struct check *c, uint8_t family)
{
	const struct addr *vip = family == AF_INET6 ? &c->way.vip_v6 : &c->way.vip_v4;

	return vip->family ? vip : NULL;
}

struct endpoint check_endpoint(const struct check *c, const struct endpoint *member)
{
	struct endpoint e = *member;

	if (c->port)
		e.port = c->port;
	/* A member that serves UDP can have a TCP port that tells how it is. */
	if (check_protocol(c->type))
		e.protocol = check_protocol(c->type);
	return e;
}

uint64_t check_target_id(const struct check *c, const struct endpoint *member)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct endpoint e = check_endpoint(c, member);
	struct check_way way = c->way;
	uint64_t id;

	/* A VIP of the other family is of no concern to it, and may come and go. */
	if (e.addr.family == AF_INET6)
		way.vip_v4 = (struct addr){ 0 };
	else
		way.vip_v6 = (struct addr){ 0 };

	/* The same probe is the same target, whether its port is the member's or the check's. */
	wire_put_endpoint(&b, &e);
	put_question(&b, c, &way);
	id = hash_id(b.data, b.len);
	return id ? id : 1;
}
