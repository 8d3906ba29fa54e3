/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each annotation on its own: which there are, and what their values say. */
#include <assert.h>
#include <string.h>

#include "agent/base/value.h"
#include "agent/pool/annotations.h"
#include "agent/pool/object_build.h"
#include "agent/pool/settings.h"
#include "agent/pool/weights.h"

#define TIME_MIN_MS 100
#define TIME_MAX_MS 60000
#define DRAIN_MAX_S 86400
#define CONNS_MAX   1000000

const char *const annotation_check_words =
	"tcp, tcp-full, http, grpc, https, mysql, redis, postgresql, dns, udp or none";

static const char *read_type(struct draft *d, const char *value)
{
	return check_type_parse(value, &d->type) ? NULL : annotation_check_words;
}

static const char *read_port(struct draft *d, const char *value)
{
	uint64_t port;

	if (value_uint(value, 1, UINT16_MAX, &port) < 0)
		return "a port from 1 to 65535";
	d->port = (uint16_t)port;
	return NULL;
}

static const char *read_path(struct draft *d, const char *value)
{
	if (!value_is_http_path(value))
		return "a path: '/' first, printable ASCII without blanks or '#', 256 at most";
	d->path = value;
	return NULL;
}

static const char *read_host(struct draft *d, const char *value)
{
	if (!value_is_http_host(value))
		return "a host name or an address, perhaps with a port";
	d->host = value;
	return NULL;
}

static const char *read_expect(struct draft *d, const char *value)
{
	if (value_statuses(value, d->expect, &d->expect_count) < 0)
		return "a list of at most 8 HTTP statuses such as 200-299,301";
	return NULL;
}

/* An empty one says that there are none, whatever the configuration has. */
static const char *read_some(struct check_status_range *out, unsigned *count, const char *value)
{
	if (!*value)
		*count = 0;
	else if (value_statuses(value, out, count) < 0)
		return "a list of at most 8 HTTP statuses such as 503,520-529, or empty";
	return NULL;
}

static const char *read_drain_status(struct draft *d, const char *value)
{
	return read_some(d->drain, &d->drain_count, value);
}

static const char *read_degraded_status(struct draft *d, const char *value)
{
	return read_some(d->degraded, &d->degraded_count, value);
}

static const char *read_reuse(struct draft *d, const char *value)
{
	uint64_t n;

	static_assert(CHECK_REUSE_MAX == 1000, "it is said here");
	if (value_uint(value, 1, CHECK_REUSE_MAX, &n) < 0)
		return "a whole number from 1 (a connection for each probe) to 1000";
	d->reuse = (uint16_t)n;
	return NULL;
}

static const char *read_match(struct draft *d, const char *value)
{
	if (!*value || strlen(value) > CHECK_MATCH_MAX)
		return "a text of 1 to 128 bytes";
	d->match = value;
	return NULL;
}

static const char *read_bytes(const char **out, const char *value)
{
	uint8_t bytes[CHECK_BYTES_MAX];
	size_t len;

	if (value_bytes(value, bytes, &len) < 0)
		return "1 to 128 bytes, with \\r, \\n, \\t, \\0, \\\\ and \\xHH for those that "
		       "cannot be written";
	*out = value;
	return NULL;
}

static const char *read_send(struct draft *d, const char *value)
{
	return read_bytes(&d->send, value);
}

static const char *read_answer(struct draft *d, const char *value)
{
	return read_bytes(&d->answer, value);
}

static const char *read_dns_name(struct draft *d, const char *value)
{
	uint8_t wire[CHECK_DNS_WIRE_MAX];
	size_t len;

	if (value_dns_name(value, wire, &len) < 0)
		return "the name of a domain, such as example.org, or . for the root";
	d->dns_name = value;
	return NULL;
}

static const char *read_dns_type(struct draft *d, const char *value)
{
	uint32_t type;

	if (value_word(&value_dns_types, value, &type) < 0)
		return "A, NS, CNAME, SOA, PTR, MX, TXT, AAAA or SRV";
	d->dns_type = (uint16_t)type;
	return NULL;
}

static const char *read_dns_rcodes(struct draft *d, const char *value)
{
	if (value_dns_rcodes(value, &d->dns_rcodes) < 0)
		return "a list of NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP and REFUSED, with "
		       "commas between";
	return NULL;
}

static const char *read_service(struct draft *d, const char *value)
{
	if (!value_is_grpc_service(value))
		return "the name of a gRPC service: 1 to 255 printable characters of ASCII without "
		       "blanks, such as shop.v1.Cart";
	d->service = value;
	return NULL;
}

static const char *read_time(uint32_t *out, const char *value)
{
	if (value_duration_ms(value, TIME_MIN_MS, TIME_MAX_MS, out) < 0)
		return "a time from 100ms to 60s";
	return NULL;
}

static const char *read_interval(struct draft *d, const char *value)
{
	return read_time(&d->interval_ms, value);
}

static const char *read_timeout(struct draft *d, const char *value)
{
	return read_time(&d->timeout_ms, value);
}

static const char *read_fast(struct draft *d, const char *value)
{
	return read_time(&d->fast_ms, value);
}

static const char *read_streak(uint8_t *out, const char *value)
{
	uint64_t n;

	if (value_uint(value, 1, 10, &n) < 0)
		return "a whole number from 1 to 10";
	*out = (uint8_t)n;
	return NULL;
}

static const char *read_rise(struct draft *d, const char *value)
{
	return read_streak(&d->rise, value);
}

static const char *read_fall(struct draft *d, const char *value)
{
	return read_streak(&d->fall, value);
}

/* "90" or "90s": a duration, of whole seconds. */
static bool read_seconds(const char *value, uint32_t min, uint32_t max, uint32_t *out)
{
	uint32_t ms;

	if (value_duration_ms(value, min * 1000, max * 1000, &ms) < 0 || ms % 1000)
		return false;
	*out = ms / 1000;
	return true;
}

static const char *read_hold_down(struct draft *d, const char *value)
{
	uint32_t seconds;

	if (!read_seconds(value, 0, CHECK_HOLD_MAX_S, &seconds))
		return "a whole number of seconds from 0 (not at all) to 300";
	d->hold_down_s = (uint16_t)seconds;
	return NULL;
}

static const char *read_scheduler(struct draft *d, const char *value)
{
	uint32_t index;

	if (strcmp(value, "lblc") == 0 || strcmp(value, "lblcr") == 0)
		return "offered: lblc and lblcr keep a cache for each client address that nothing "
		       "bounds; mh or sh also keep a client on its server";
	if (value_word(&pool_scheduler_words, value, &index) < 0)
		return "a scheduler: rr, wrr, lc, wlc, sed, nq, sh, mh, dh, fo, ovf or twos";
	strcpy(d->set->scheduler, value); /* a known word: it fits */
	return NULL;
}

static const char *read_scheduler_flags(struct draft *d, const char *value)
{
	if (pool_scheduler_flags_parse(value, &d->set->scheduler_flags) < 0)
		return "none, fallback, port, or \"fallback,port\"";
	return NULL;
}

static const char *read_forwarding(struct draft *d, const char *value)
{
	uint32_t forward;

	if (value_word(&pool_forward_words, value, &forward) < 0)
		return "nat, dr or tunnel";
	d->set->forward = (enum pool_forward)forward;
	return NULL;
}

static const char *read_tunnel(struct draft *d, const char *value)
{
	if (pool_tunnel_parse(value, &d->set->tunnel) < 0)
		return "ipip, gre, gue, or gue and a port such as gue:6080";
	return NULL;
}

static const char *read_persistence(struct draft *d, const char *value)
{
	if (pool_prefixes_parse(value, &d->set->persistence) < 0)
		return "the length of a prefix, 1 to 32, perhaps with one for IPv6 behind it, such "
		       "as 24 or 24,64";
	return NULL;
}

static const char *read_snat(struct draft *d, const char *value)
{
	uint32_t masquerade;

	if (value_word(&pool_snat_words, value, &masquerade) < 0)
		return "auto or none";
	d->set->masquerade = masquerade != 0;
	return NULL;
}

static const char *read_number(uint32_t *out, const char *value, uint32_t max, const char *what)
{
	uint64_t n;

	if (value_uint(value, 0, max, &n) < 0)
		return what;
	*out = (uint32_t)n;
	return NULL;
}

static const char *read_weight(struct draft *d, const char *value)
{
	return read_number(&d->set->weight, value, POOL_WEIGHT_MAX,
			   "a whole number from 0 to 65535");
}

static const char *read_max_connections(struct draft *d, const char *value)
{
	return read_number(&d->set->max_connections, value, CONNS_MAX,
			   "a whole number from 0 (no limit) to 1000000");
}

static const char *read_weights(struct draft *d, const char *value)
{
	struct weights w = { 0 };

	(void)d; /* the model applies them, for it knows the members */
	if (weights_parse(value, &w) < 0)
		return "a list such as 10.0.0.1=5,10.0.0.2:8080=1 with weights from 0 to 65535, "
		       "each "
		       "address once";
	weights_done(&w);
	return NULL;
}

static const char *read_drain(struct draft *d, const char *value)
{
	uint32_t seconds;

	if (!read_seconds(value, 0, DRAIN_MAX_S, &seconds))
		return "a whole number of seconds from 0 to 86400";
	d->set->drain_s = seconds;
	return NULL;
}

static const char *read_unhealthy(struct draft *d, const char *value)
{
	uint32_t word;

	if (value_word(&pool_unhealthy_words, value, &word) < 0)
		return "drain, keep or reset";
	d->set->unhealthy = (enum pool_unhealthy)word;
	return NULL;
}

static const char *read_fail_policy(struct draft *d, const char *value)
{
	uint32_t word;

	if (value_word(&pool_fail_policy_words, value, &word) < 0)
		return "open-last, open-all or closed";
	d->set->fail_policy = (enum pool_fail_policy)word;
	return NULL;
}

static const char *read_min_healthy(struct draft *d, const char *value)
{
	uint64_t percent;

	if (value_uint(value, 0, 100, &percent) < 0)
		return "a percentage from 0 to 100, without a sign";
	d->set->min_healthy = (uint8_t)percent;
	return NULL;
}

static const char *read_slow_start(struct draft *d, const char *value)
{
	uint32_t seconds;

	if (!read_seconds(value, 0, POOL_SLOW_START_MAX_S, &seconds))
		return "a whole number of seconds from 0 (at once) to 900";
	d->set->slow_start_s = (uint16_t)seconds;
	return NULL;
}

static const char *read_one_packet(struct draft *d, const char *value)
{
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return "true or false";
	d->set->one_packet = value[0] == 't';
	return NULL;
}

static const char *read_secret(struct draft *d, const char *value)
{
	if (!object_is_name(value))
		return "the name of a Secret: lower-case letters, digits, '-' and '.', at most 253";
	d->secret = value;
	return NULL;
}

static const char *read_server_name(struct draft *d, const char *value)
{
	if (!value_is_server_name(value))
		return "a host name or an address, without a port";
	d->server_name = value;
	return NULL;
}

static const char *read_role(struct draft *d, const char *value)
{
	uint32_t word;

	if (value_word(&value_check_roles, value, &word) < 0)
		return "any, writer, reader or galera";
	d->role = (enum check_role)word;
	return NULL;
}

static const char *read_tls(struct draft *d, const char *value)
{
	uint32_t word;

	if (value_word(&value_check_tls, value, &word) < 0)
		return "off, preferred or required";
	d->tls = (enum check_tls)word;
	return NULL;
}

static const char *read_via(struct draft *d, const char *value)
{
	uint32_t word;

	if (value_word(&value_check_vias, value, &word) < 0)
		return "direct or vip";
	d->via = (enum check_via)word;
	return NULL;
}

static const char *read_max_lag(struct draft *d, const char *value)
{
	uint32_t seconds;

	if (!read_seconds(value, 1, CHECK_LAG_MAX_S, &seconds))
		return "a whole number of seconds from 1 to 86400";
	d->max_lag_s = seconds;
	return NULL;
}

static const struct annotation_key keys[] = {
	{ "health-check-type", USE_CHECK, read_type, KEY_TYPE },
	{ "health-check-port", USE_CHECK, read_port, KEY_OTHER },
	{ "health-check-path", CHECK_HAS_REQUEST, read_path, KEY_OTHER },
	{ "health-check-host", CHECK_HAS_HOST, read_host, KEY_OTHER },
	{ "health-check-expect", CHECK_HAS_REQUEST, read_expect, KEY_OTHER },
	{ "health-check-drain-status", CHECK_HAS_REQUEST, read_drain_status, KEY_OTHER },
	{ "health-check-degraded-status", CHECK_HAS_REQUEST, read_degraded_status, KEY_OTHER },
	{ "health-check-reuse", CHECK_HAS_REQUEST, read_reuse, KEY_OTHER },
	{ "health-check-match", CHECK_HAS_REQUEST, read_match, KEY_OTHER },
	{ "health-check-send", CHECK_HAS_WORDS, read_send, KEY_OTHER },
	{ "health-check-answer", CHECK_HAS_WORDS, read_answer, KEY_OTHER },
	{ "health-check-dns-name", CHECK_HAS_QUESTION, read_dns_name, KEY_OTHER },
	{ "health-check-dns-type", CHECK_HAS_QUESTION, read_dns_type, KEY_OTHER },
	{ "health-check-dns-rcodes", CHECK_HAS_QUESTION, read_dns_rcodes, KEY_OTHER },
	{ "health-check-grpc-service", CHECK_HAS_SERVICE, read_service, KEY_OTHER },
	{ "health-check-interval", USE_CHECK, read_interval, KEY_OTHER },
	{ "health-check-timeout", USE_CHECK, read_timeout, KEY_TIMEOUT },
	{ "health-check-fast", USE_CHECK, read_fast, KEY_FAST },
	{ "health-check-rise", USE_CHECK, read_rise, KEY_OTHER },
	{ "health-check-fall", USE_CHECK, read_fall, KEY_OTHER },
	{ "health-check-hold-down", USE_CHECK, read_hold_down, KEY_OTHER },
	{ "health-check-server-name", CHECK_HAS_CERTIFICATE, read_server_name, KEY_SERVER_NAME },
	{ "health-check-secret", CHECK_HAS_LOGIN | CHECK_HAS_CERTIFICATE, read_secret, KEY_SECRET },
	{ "health-check-tls", CHECK_HAS_TLS, read_tls, KEY_TLS },
	{ "health-check-role", CHECK_HAS_LOGIN, read_role, KEY_ROLE },
	{ "health-check-max-lag", CHECK_HAS_LAG, read_max_lag, KEY_MAX_LAG },
	{ "health-check-via", USE_CHECK, read_via, KEY_VIA },
	{ "scheduler", USE_ANY, read_scheduler, KEY_OTHER },
	{ "scheduler-flags", USE_ANY, read_scheduler_flags, KEY_SCHEDULER_FLAGS },
	{ "forwarding", USE_ANY, read_forwarding, KEY_OTHER },
	{ "tunnel-type", USE_ANY, read_tunnel, KEY_TUNNEL },
	{ "snat", USE_ANY, read_snat, KEY_OTHER },
	{ "weight", USE_ANY, read_weight, KEY_OTHER },
	{ "weights", USE_ANY, read_weights, KEY_WEIGHTS },
	{ "drain-seconds", USE_ANY, read_drain, KEY_OTHER },
	{ "on-unhealthy", USE_ANY, read_unhealthy, KEY_ON_UNHEALTHY },
	{ "fail-policy", USE_ANY, read_fail_policy, KEY_FAIL_POLICY },
	{ "min-healthy", USE_ANY, read_min_healthy, KEY_MIN_HEALTHY },
	{ "slow-start", USE_ANY, read_slow_start, KEY_SLOW_START },
	{ "max-connections", USE_ANY, read_max_connections, KEY_OTHER },
	{ "persistence-netmask", USE_ANY, read_persistence, KEY_OTHER },
	{ "udp-one-packet", USE_ANY, read_one_packet, KEY_OTHER },
	{ "pin", USE_ANY, NULL, KEY_OTHER },
};

const struct annotation_key *annotation_key(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

const char *annotation_nearest(const char *name)
{
	const char *names[ARRAY_LEN(keys)];

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		names[i] = keys[i].name;
	return value_nearest(name, names, ARRAY_LEN(keys));
}
