/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Annotations to settings.
 *
 * Each is read on its own into a draft; what only makes sense together (a
 * timeout and its interval, flags and their scheduler) is judged at the end,
 * so that the order in which they are written does not matter.
 */
#include "agent/pool/annotations.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/value.h"
#include "agent/base/xalloc.h"
#include "agent/pool/settings.h"

#define PREFIX ANNOTATION_PREFIX

#define ONLY_MAX 32 /* keys that not every check has; more than there are */

/* Which annotation said what, where that matters at the end. */
struct said {
	const struct object_annotation *by[KEY_COUNT]; /* good or not; NULL: none */
	bool good[KEY_COUNT];
	const struct object_annotation *only[ONLY_MAX];
	unsigned only_for[ONLY_MAX]; /* CHECK_HAS_... */
	size_t only_count;
};

/* What was meant is looked for a few times only: it costs as much as all the rest. */
#define UNKNOWN_HELPED 4

static void unknown_key(struct draft *d, const struct object_annotation *a)
{
	const char *near = NULL;

	if (d->unknown++ < UNKNOWN_HELPED)
		near = annotation_nearest(a->key);
	problems_add(d->problems, true, a->line,
		     "annotation " PREFIX "%.64s is unknown; not used%s%s%s", a->key,
		     near ? "; did you mean " PREFIX : "", near ? near : "", near ? "?" : "");
}

static void remember(struct said *s, const struct object_annotation *a,
		     const struct annotation_key *k)
{
	s->by[k->id] = a;
	s->good[k->id] = true;
	if (k->use == USE_ANY || k->use == USE_CHECK || s->only_count == ONLY_MAX)
		return;
	s->only[s->only_count] = a;
	s->only_for[s->only_count++] = k->use;
}

static void not_that(struct draft *d, const struct object_annotation *a, const char *want,
		     const char *then)
{
	problems_add(d->problems, true, a->line, "annotation " PREFIX "%s: \"%.64s\" is not %s; %s",
		     a->key, a->value, want, then);
}

static void read_one(struct draft *d, const struct object_annotation *a, struct said *said)
{
	const struct annotation_key *k = annotation_key(a->key);
	const char *want;

	if (!k) {
		unknown_key(d, a);
		return;
	}
	if (!k->read) {
		problems_add(d->problems, true, a->line,
			     "annotation " PREFIX "%s is not available in this version; not used",
			     a->key);
		return;
	}
	want = k->read(d, a->value);
	if (want) {
		said->by[k->id] = a;
		if (k->id != KEY_TLS) /* what it should be goes by the type: check_tls() */
			not_that(d, a, want, "left as it was");
		return;
	}
	remember(said, a, k);
	d->new_check |= k->use != USE_ANY;
}

/* The origin's own key. What is said by the prefixed one wins. */
static void read_origin_type(struct draft *d, const struct object_annotation *a,
			     const struct said *said)
{
	char value[16] = "";

	if (said->good[KEY_TYPE])
		return;
	for (size_t i = 0; a->value[i] && i < sizeof(value) - 1; i++)
		value[i] = (char)(a->value[i] | 0x20); /* "HTTP" was taken there too */
	if (strlen(a->value) < sizeof(value) &&
	    !annotation_key("health-check-type")->read(d, value)) {
		d->new_check = true;
		return;
	}
	problems_add(d->problems, true, a->line,
		     "annotation healthCheckType: \"%.64s\" is not %s; left as it was", a->value,
		     annotation_check_words);
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

static void check_flags(struct draft *d, const struct said *said)
{
	struct pool_settings *set = d->set;
	bool hashes = strcmp(set->scheduler, "mh") == 0 || strcmp(set->scheduler, "sh") == 0;

	if (hashes || !set->scheduler_flags)
		return;
	if (said->good[KEY_SCHEDULER_FLAGS])
		problems_add(d->problems, true, said->by[KEY_SCHEDULER_FLAGS]->line,
			     "annotation " PREFIX
			     "scheduler-flags is for mh and sh, not for %s; not used",
			     set->scheduler);
	set->scheduler_flags = 0;
}

static void check_tunnel(struct draft *d, const struct said *said)
{
	if (d->set->forward != FORWARD_TUNNEL && said->good[KEY_TUNNEL])
		problems_add(d->problems, false, said->by[KEY_TUNNEL]->line,
			     "annotation " PREFIX "tunnel-type has no effect with " PREFIX
			     "forwarding: %s",
			     value_word_text(&pool_forward_words, d->set->forward));
}

/* What the plan does where there is no such thing: said by a default, it goes without a word. */
static void check_min_healthy(struct draft *d, const struct said *said)
{
	const struct object_annotation *by = said->by[KEY_MIN_HEALTHY];

	if (!said->good[KEY_MIN_HEALTHY] || !d->set->min_healthy)
		return;
	if (check_has(d->type) & CHECK_HAS_LOGIN && d->role == CHECK_ROLE_WRITER)
		problems_add(d->problems, false, by->line,
			     "annotation " PREFIX
			     "min-healthy has no effect in a pool for one writer");
	else if (d->set->fail_policy == FAIL_CLOSED)
		problems_add(d->problems, false, by->line,
			     "annotation " PREFIX "min-healthy has no effect with " PREFIX
			     "fail-policy: closed, which takes nobody back in; set that to "
			     "open-last or open-all");
}

/* Said by a default, it has no effect without a word. */
static void check_slow_start(struct draft *d, const struct said *said)
{
	const struct object_annotation *by = said->by[KEY_SLOW_START];
	const char *why = pool_scheduler_no_shares(d->set->scheduler);

	if (!said->good[KEY_SLOW_START] || !d->set->slow_start_s)
		return;
	if (why)
		problems_add(d->problems, false, by->line,
			     "annotation " PREFIX "slow-start has no effect: the scheduler %s %s",
			     d->set->scheduler, why);
	else if (d->type == CHECK_NONE)
		problems_add(d->problems, false, by->line,
			     "annotation " PREFIX
			     "slow-start has no effect without a health check");
	else if (d->set->weight <= 1 && !said->good[KEY_WEIGHTS])
		problems_add(d->problems, false, by->line,
			     "annotation " PREFIX
			     "slow-start has no effect with weight %u, of which a tenth, rounded "
			     "up, is all of it; set " PREFIX "weight to 10 or more",
			     d->set->weight);
}

static void check_only(struct draft *d, const struct said *said)
{
	for (size_t i = 0; i < said->only_count; i++) {
		if (!(check_has(d->type) & said->only_for[i]))
			problems_add(d->problems, false, said->only[i]->line,
				     "annotation " PREFIX
				     "%s has no effect with a health check of type %s",
				     said->only[i]->key, check_type_text(d->type));
	}
}

static void no_effect_without_tls(const struct draft *d, const struct said *said, enum key_id id)
{
	if (said->good[id])
		problems_add(d->problems, false, said->by[id]->line,
			     "annotation " PREFIX "%s has no effect with a health check of type "
			     "%s without " PREFIX "health-check-tls: required",
			     said->by[id]->key, check_type_text(d->type));
}

/* As by a Secret that is not there, whatever the defaults have. */
static void be_half_open(struct draft *d)
{
	d->secret = CHECK_SECRET_NONE;
	d->new_check = true;
}

/*
 * A word that cannot be used is not guessed at: with TLS a server would be taken out that has none,
 * and without, a password be told to everybody on the way. So nothing is asked at all.
 */
static void cannot_secure(struct draft *d, const struct object_annotation *by, bool is_word)
{
	if (is_word)
		problems_add(
			d->problems, true, by->line,
			"annotation " PREFIX
			"health-check-tls: a check of type %s begins with TLS or does without, and "
			"cannot ask the server first: off or required; checked half-open",
			check_type_text(d->type));
	else
		not_that(d, by, "off or required", "checked half-open");
	d->tls = CHECK_TLS_REQUIRED;
	be_half_open(d);
}

static void check_tls(struct draft *d, const struct said *said)
{
	unsigned has = check_has(d->type);
	const struct object_annotation *by = said->by[KEY_TLS];

	if (!(has & CHECK_TLS_FIRST)) {
		if (by && !said->good[KEY_TLS])
			not_that(d, by, "off, preferred or required", "left as it was");
		return;
	}
	if (!by)
		d->tls = CHECK_TLS_OFF;
	else if (!said->good[KEY_TLS] || d->tls == CHECK_TLS_PREFERRED)
		cannot_secure(d, by, said->good[KEY_TLS]);
	if (check_goes_by_certificates(d->type, d->tls))
		return;
	no_effect_without_tls(d, said, KEY_SERVER_NAME);
	d->server_name = NULL;
	if (has & CHECK_HAS_LOGIN)
		return;
	no_effect_without_tls(d, said, KEY_SECRET);
	d->secret = NULL;
}

/*
 * Most can be asked for a role after a login only. But where a Secret was meant and its name is a
 * slip, every server of a pool for one writer must not become one of equals: the role stays, with
 * a Secret that is not there.
 */
static void check_role(struct draft *d, const struct said *said)
{
	/* Nor must any server do where whom to trust was meant. */
	if (check_goes_by_certificates(d->type, d->tls) && !d->secret && said->by[KEY_SECRET])
		be_half_open(d);
	if (!(check_has(d->type) & CHECK_HAS_LOGIN))
		return;
	if (!check_has_role(d->type, d->role)) {
		problems_add(d->problems, true, said->by[KEY_ROLE] ? said->by[KEY_ROLE]->line : 0,
			     "annotation " PREFIX
			     "health-check-role: %s is no role that a check of type %s can ask "
			     "for; left as it was",
			     value_word_text(&value_check_roles, d->role),
			     check_type_text(d->type));
		d->role = CHECK_ROLE_ANY;
	} else if (d->role != CHECK_ROLE_ANY && !d->secret && said->by[KEY_SECRET]) {
		be_half_open(d);
	} else if (d->role != CHECK_ROLE_ANY && !d->secret &&
		   check_has(d->type) & CHECK_ROLE_NEEDS_SECRET) {
		problems_add(d->problems, true, said->by[KEY_ROLE] ? said->by[KEY_ROLE]->line : 0,
			     "annotation " PREFIX
			     "health-check-role: %s needs a login, and so " PREFIX
			     "health-check-secret; left as it was",
			     value_word_text(&value_check_roles, d->role));
		d->role = CHECK_ROLE_ANY;
	}
	if (check_has(d->type) & CHECK_HAS_LAG && d->role != CHECK_ROLE_READER && d->max_lag_s) {
		problems_add(
			d->problems, false, said->by[KEY_MAX_LAG] ? said->by[KEY_MAX_LAG]->line : 0,
			"annotation " PREFIX "health-check-max-lag is for the role reader, not for "
			"%s; not used",
			value_word_text(&value_check_roles, d->role));
		d->max_lag_s = 0;
	}
}

/*
 * Who asks for a role wants no server that is not in it, and an application that is in doubt about
 * its database is better off with a broken connection. An annotation that says otherwise holds.
 */
static void default_policies(const struct draft *d, const struct said *said)
{
	if (!(check_has(d->type) & CHECK_HAS_LOGIN))
		return;
	if (!said->good[KEY_ON_UNHEALTHY])
		d->set->unhealthy = UNHEALTHY_RESET;
	if (d->role != CHECK_ROLE_ANY && !said->good[KEY_FAIL_POLICY])
		d->set->fail_policy = FAIL_CLOSED;
}

/* Where that tells nothing, or cannot be done, checks go on as they do everywhere. */
static void check_via(struct draft *d, const struct said *said)
{
	const struct object_annotation *by = said->by[KEY_VIA];

	if (d->via != CHECK_VIA_VIP)
		return;
	if (!(check_has(d->type) & CHECK_HAS_VIA))
		problems_add(d->problems, true, by->line,
			     "annotation " PREFIX
			     "health-check-via: vip is for health checks of type tcp, tcp-full, "
			     "http and https, not of type %s; checked directly",
			     check_type_text(d->type));
	else if (d->set->forward == FORWARD_NAT)
		problems_add(d->problems, true, by->line,
			     "annotation " PREFIX
			     "health-check-via: vip is of no use with forwarding nat, where "
			     "servers see no VIP: leave it out, or set " PREFIX
			     "forwarding to dr or tunnel; checked directly");
	else
		return;
	d->via = CHECK_VIA_DIRECT;
}

static char *replace_text(char *old, const char *text)
{
	char *copy = text ? xstrdup(text) : NULL;

	free(old);
	return copy;
}

/* As the check has it: no other source's Secret of that name is meant. */
static char *full_secret(const struct draft *d, const struct pool_home *home)
{
	if (!d->secret)
		return NULL;
	if (home->source == 0)
		return xasprintf("%s/%s", home->ns, d->secret);
	return xasprintf("%s/%s@%u", home->ns, d->secret, home->source);
}

static void put_question(struct check *c, const struct draft *d)
{
	if (d->dns_name)
		c->dns_name = replace_text(c->dns_name, d->dns_name);
	if (d->dns_type)
		c->dns_type = d->dns_type;
	if (d->dns_rcodes)
		c->dns_rcodes = d->dns_rcodes;
}

static struct check *make_check(const struct draft *d, const struct pool_home *home)
{
	struct check *c = check_new(d->type);
	unsigned has = check_has(d->type);

	c->port = d->type == CHECK_NONE ? 0 : d->port;
	c->rise = d->rise;
	c->fall = d->fall;
	c->interval_ms = d->interval_ms;
	c->timeout_ms = d->timeout_ms;
	c->fast_ms = d->fast_ms;
	c->hold_down_s = d->type == CHECK_NONE ? 0 : d->hold_down_s;
	c->via = d->via;
	if (has & (CHECK_HAS_LOGIN | CHECK_HAS_CERTIFICATE))
		c->secret = full_secret(d, home);
	if (has & CHECK_HAS_LOGIN)
		c->role = d->role;
	if (has & CHECK_HAS_TLS)
		c->tls = d->tls;
	if (has & CHECK_HAS_CERTIFICATE)
		c->server_name = replace_text(c->server_name, d->server_name);
	if (has & CHECK_HAS_LAG)
		c->max_lag_s = d->max_lag_s;
	if (has & CHECK_HAS_WORDS) {
		c->send = replace_text(c->send, d->send);
		c->answer = replace_text(c->answer, d->answer);
	}
	if (has & CHECK_HAS_QUESTION)
		put_question(c, d);
	if (has & CHECK_HAS_HOST)
		c->host = replace_text(c->host, d->host);
	if (has & CHECK_HAS_SERVICE)
		c->service = replace_text(c->service, d->service);
	if (!(has & CHECK_HAS_REQUEST))
		return c;
	if (d->path)
		c->path = replace_text(c->path, d->path);
	c->match = replace_text(c->match, d->match);
	memcpy(c->drain, d->drain, sizeof(c->drain));
	c->drain_count = d->drain_count;
	memcpy(c->degraded, d->degraded, sizeof(c->degraded));
	c->degraded_count = d->degraded_count;
	c->reuse = d->reuse;
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
		.hold_down_s = c->hold_down_s,
		.path = c->path,
		.host = c->host,
		.match = c->match,
		.expect_count = c->expect_count,
		.drain_count = c->drain_count,
		.degraded_count = c->degraded_count,
		.reuse = c->reuse,
		.server_name = c->server_name,
		.tls = CHECK_TLS_PREFERRED, /* the configuration has no other */
	};

	memcpy(d.expect, c->expect, sizeof(d.expect));
	memcpy(d.drain, c->drain, sizeof(d.drain));
	memcpy(d.degraded, c->degraded, sizeof(d.degraded));
	return d;
}

void pool_annotations(const struct object_annotation *items, size_t count,
		      const struct pool_home *home, struct pool_settings *set,
		      struct problems *problems)
{
	struct draft d = draft_of(set, problems);
	const struct object_annotation *origin_type = NULL;
	struct said said = { .only_count = 0 };

	for (size_t i = 0; i < count; i++) {
		if (strcmp(items[i].key, "healthCheckType") == 0)
			origin_type = &items[i];
		else if (strcmp(items[i].key, "calledSource") != 0) /* says who wrote it */
			read_one(&d, &items[i], &said);
	}
	if (origin_type)
		read_origin_type(&d, origin_type, &said);
	check_flags(&d, &said);
	check_tunnel(&d, &said);
	check_slow_start(&d, &said);
	check_only(&d, &said);
	check_tls(&d, &said);
	check_role(&d, &said);
	check_via(&d, &said);
	default_policies(&d, &said);
	check_min_healthy(&d, &said);
	if (d.new_check) {
		struct check *c;

		bound_by_interval(&d, &d.timeout_ms,
				  said.good[KEY_TIMEOUT] ? said.by[KEY_TIMEOUT] : NULL);
		bound_by_interval(&d, &d.fast_ms, said.good[KEY_FAST] ? said.by[KEY_FAST] : NULL);
		c = make_check(&d, home);
		check_unref(set->check);
		set->check = c;
	}
}
