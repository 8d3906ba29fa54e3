/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Annotations to settings.
 *
 * Each is read on its own into a draft; what only makes sense together (a
 * timeout and its interval, flags and their scheduler) is judged at the end,
 * so that the order in which they are written does not matter.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/value.h"
#include "agent/base/xalloc.h"
#include "agent/pool/pool.h"
#include "agent/pool/settings.h"
#include "agent/pool/weights.h"

#define PREFIX	    "parasaus.io/"
#define TIME_MIN_MS 100
#define TIME_MAX_MS 60000
#define DRAIN_MAX_S 86400
#define CONNS_MAX   1000000

/* What the check will be; its strings are borrowed. */
struct draft {
	struct pool_settings *set;
	struct problems *problems;
	bool new_check;
	enum check_type type;
	uint16_t port;
	uint8_t rise, fall;
	uint32_t interval_ms, timeout_ms, fast_ms;
	const char *path, *host, *match;
	struct check_status_range expect[CHECK_EXPECT_MAX];
	unsigned expect_count;
	/* Which annotation said so, where that matters at the end. */
	const struct object_annotation *timeout_by, *fast_by, *flags_by, *type_by;
	const struct object_annotation *http_by[4]; /* path, host, expect, match */
	size_t http_count;
	unsigned unknown; /* keys so far */
};

/* Each returns NULL, or what the value should have been ("... is not WHAT"). */
typedef const char *read_fn(struct draft *d, const char *value);

static const char *const check_word_list = "tcp, http or none";

static const char *read_type(struct draft *d, const char *value)
{
	uint32_t type;

	if (value_word(&pool_check_words, value, &type) < 0)
		return check_word_list;
	d->type = (enum check_type)type;
	return NULL;
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

static const char *read_match(struct draft *d, const char *value)
{
	if (!*value || strlen(value) > CHECK_MATCH_MAX)
		return "a text of 1 to 128 bytes";
	d->match = value;
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
	uint32_t ms;

	if (value_duration_ms(value, 0, DRAIN_MAX_S * 1000u, &ms) < 0 || ms % 1000)
		return "a whole number of seconds from 0 to 86400";
	d->set->drain_s = ms / 1000;
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

static const char *read_one_packet(struct draft *d, const char *value)
{
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return "true or false";
	d->set->one_packet = value[0] == 't';
	return NULL;
}

enum key_use { USE_ANY, USE_CHECK, USE_HTTP };

static const struct key {
	const char *name;
	enum key_use use;
	read_fn *read; /* NULL: known, but not in this version */
} keys[] = {
	{ "health-check-type", USE_CHECK, read_type },
	{ "health-check-port", USE_CHECK, read_port },
	{ "health-check-path", USE_HTTP, read_path },
	{ "health-check-host", USE_HTTP, read_host },
	{ "health-check-expect", USE_HTTP, read_expect },
	{ "health-check-match", USE_HTTP, read_match },
	{ "health-check-interval", USE_CHECK, read_interval },
	{ "health-check-timeout", USE_CHECK, read_timeout },
	{ "health-check-fast", USE_CHECK, read_fast },
	{ "health-check-rise", USE_CHECK, read_rise },
	{ "health-check-fall", USE_CHECK, read_fall },
	{ "health-check-secret", USE_ANY, NULL },
	{ "health-check-tls", USE_ANY, NULL },
	{ "health-check-role", USE_ANY, NULL },
	{ "health-check-max-lag", USE_ANY, NULL },
	{ "scheduler", USE_ANY, read_scheduler },
	{ "scheduler-flags", USE_ANY, read_scheduler_flags },
	{ "forwarding", USE_ANY, read_forwarding },
	{ "snat", USE_ANY, read_snat },
	{ "weight", USE_ANY, read_weight },
	{ "weights", USE_ANY, read_weights },
	{ "drain-seconds", USE_ANY, read_drain },
	{ "on-unhealthy", USE_ANY, read_unhealthy },
	{ "fail-policy", USE_ANY, read_fail_policy },
	{ "max-connections", USE_ANY, read_max_connections },
	{ "udp-one-packet", USE_ANY, read_one_packet },
	{ "pin", USE_ANY, NULL },
};

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

/* What was meant is looked for a few times only: it costs as much as all the rest. */
#define UNKNOWN_HELPED 4

static void unknown_key(struct draft *d, const struct object_annotation *a)
{
	const char *names[ARRAY_LEN(keys)];
	const char *near = NULL;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		names[i] = keys[i].name;
	if (d->unknown++ < UNKNOWN_HELPED)
		near = value_nearest(a->key, names, ARRAY_LEN(keys));
	problems_add(d->problems, true, a->line,
		     "annotation " PREFIX "%.64s is unknown; not used%s%s%s", a->key,
		     near ? "; did you mean " PREFIX : "", near ? near : "", near ? "?" : "");
}

static void remember(struct draft *d, const struct object_annotation *a, read_fn *read)
{
	if (read == read_timeout)
		d->timeout_by = a;
	else if (read == read_fast)
		d->fast_by = a;
	else if (read == read_scheduler_flags)
		d->flags_by = a;
	else if (read == read_type)
		d->type_by = a;
}

static void read_one(struct draft *d, const struct object_annotation *a)
{
	const struct key *k = find_key(a->key);
	const char *want;

	if (!k) {
		unknown_key(d, a);
		return;
	}
	if (!k->read || (k->read == read_type && strcmp(a->value, "mysql") == 0)) {
		problems_add(d->problems, true, a->line,
			     "annotation " PREFIX "%s%s is not available in this version; not used",
			     a->key, k->read ? ": mysql" : "");
		return;
	}
	want = k->read(d, a->value);
	if (want) {
		problems_add(d->problems, true, a->line,
			     "annotation " PREFIX "%s: \"%.64s\" is not %s; left as it was", a->key,
			     a->value, want);
		return;
	}
	remember(d, a, k->read);
	if (k->use == USE_HTTP && d->http_count < ARRAY_LEN(d->http_by))
		d->http_by[d->http_count++] = a;
	d->new_check |= k->use != USE_ANY;
}

/* The origin's own key. What is said by the prefixed one wins. */
static void read_origin_type(struct draft *d, const struct object_annotation *a)
{
	char value[8] = "";

	if (d->type_by)
		return;
	for (size_t i = 0; a->value[i] && i < sizeof(value) - 1; i++)
		value[i] = (char)(a->value[i] | 0x20); /* "HTTP" was taken there too */
	if (strlen(a->value) < sizeof(value) && !read_type(d, value)) {
		d->new_check = true;
		return;
	}
	problems_add(d->problems, true, a->line,
		     "annotation healthCheckType: \"%.64s\" is not %s; left as it was", a->value,
		     check_word_list);
}

/* --- what only makes sense together ---------------------------------------- */

static void bound_by_interval(struct draft *d, uint32_t *ms, const struct object_annotation *by)
{
	char longer[VALUE_DURATION_TEXT_MAX], interval[VALUE_DURATION_TEXT_MAX];

	if (*ms <= d->interval_ms)
		return;
	/* Said by a default, it follows a shorter interval without a word. */
	if (by)
		problems_add(d->problems, true, by->line,
			     "annotation " PREFIX
			     "%s: %s is longer than the interval, %s; taken as "
			     "that",
			     by->key, value_duration_text(*ms, longer),
			     value_duration_text(d->interval_ms, interval));
	*ms = d->interval_ms;
}

static void check_flags(struct draft *d)
{
	struct pool_settings *set = d->set;
	bool hashes = strcmp(set->scheduler, "mh") == 0 || strcmp(set->scheduler, "sh") == 0;

	if (!hashes && set->scheduler_flags) {
		if (d->flags_by)
			problems_add(d->problems, true, d->flags_by->line,
				     "annotation " PREFIX
				     "scheduler-flags is for mh and sh, not for "
				     "%s; not used",
				     set->scheduler);
		set->scheduler_flags = 0;
	}
}

static void check_http_only(struct draft *d)
{
	for (size_t i = 0; i < d->http_count && d->type != CHECK_HTTP; i++)
		problems_add(d->problems, false, d->http_by[i]->line,
			     "annotation " PREFIX "%s has no effect with a health check of type %s",
			     d->http_by[i]->key, check_type_text(d->type));
}

static char *replace_text(char *old, const char *text)
{
	char *copy = text ? xstrdup(text) : NULL;

	free(old);
	return copy;
}

static struct check *make_check(const struct draft *d)
{
	struct check *c = check_new(d->type);

	c->port = d->type == CHECK_NONE ? 0 : d->port;
	c->rise = d->rise;
	c->fall = d->fall;
	c->interval_ms = d->interval_ms;
	c->timeout_ms = d->timeout_ms;
	c->fast_ms = d->fast_ms;
	if (d->type != CHECK_HTTP)
		return c;
	if (d->path)
		c->path = replace_text(c->path, d->path);
	c->host = replace_text(c->host, d->host);
	c->match = replace_text(c->match, d->match);
	if (d->expect_count) {
		memcpy(c->expect, d->expect, sizeof(c->expect));
		c->expect_count = d->expect_count;
	}
	return c;
}

static struct draft draft_of(struct pool_settings *set, struct problems *problems)
{
	const struct check *c = set->check;
	struct draft d = {
		.set = set,
		.problems = problems,
		.type = c->type,
		.port = c->port,
		.rise = c->rise,
		.fall = c->fall,
		.interval_ms = c->interval_ms,
		.timeout_ms = c->timeout_ms,
		.fast_ms = c->fast_ms,
		.path = c->path,
		.host = c->host,
		.match = c->match,
		.expect_count = c->expect_count,
	};

	memcpy(d.expect, c->expect, sizeof(d.expect));
	return d;
}

void pool_annotations(const struct object_annotation *items, size_t count,
		      struct pool_settings *set, struct problems *problems)
{
	struct draft d = draft_of(set, problems);
	const struct object_annotation *origin_type = NULL;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(items[i].key, "healthCheckType") == 0)
			origin_type = &items[i];
		else if (strcmp(items[i].key, "calledSource") != 0) /* says who wrote it */
			read_one(&d, &items[i]);
	}
	if (origin_type)
		read_origin_type(&d, origin_type);
	check_flags(&d);
	check_http_only(&d);
	if (d.new_check) {
		struct check *c;

		bound_by_interval(&d, &d.timeout_ms, d.timeout_by);
		bound_by_interval(&d, &d.fast_ms, d.fast_by);
		c = make_check(&d);
		check_unref(set->check);
		set->check = c;
	}
}
