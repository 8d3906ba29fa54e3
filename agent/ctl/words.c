/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/api/schema.h"
#include "agent/base/value.h"

int64_t words_int(const struct doc *d, const char *key)
{
	int64_t v = 0;

	return doc_integer(doc_get(d, key), INT64_MIN, INT64_MAX, &v) ? v : 0;
}

const char *words_text(const struct doc *d, const char *key)
{
	const char *s = doc_string(doc_get(d, key));

	return s ? s : "";
}

bool words_bool(const struct doc *d, const char *key)
{
	bool v;

	return doc_bool(doc_get(d, key), &v) && v;
}

bool words_list_has(const struct doc *list, const char *text)
{
	for (const struct doc *i = list ? list->first : NULL; i; i = i->next)
		if (doc_string(i) && strcmp(doc_string(i), text) == 0)
			return true;
	return false;
}

/* --- times ----------------------------------------------------------------------- */

bool words_time(const char *text, int64_t *out_ms)
{
	struct tm tm = { 0 };
	int ms, end = 0;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms, &end) != 7 ||
	    !end || text[end])
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*out_ms = (int64_t)timegm(&tm) * 1000 + ms;
	return true;
}

const char *words_span(int64_t ms, char out[static WORDS_SPAN_MAX])
{
	int64_t s = ms > 0 ? ms / 1000 : 0;

	if (s < 120)
		snprintf(out, WORDS_SPAN_MAX, "%" PRId64 "s", s);
	else if (s < 120 * 60)
		snprintf(out, WORDS_SPAN_MAX, "%" PRId64 "m", s / 60);
	else if (s < 48 * 3600)
		snprintf(out, WORDS_SPAN_MAX, "%" PRId64 "h", s / 3600);
	else
		snprintf(out, WORDS_SPAN_MAX, "%" PRId64 "d", s / 86400);
	return out;
}

const char *words_age(const struct doc *d, const char *key, int64_t now_ms,
		      char out[static WORDS_SPAN_MAX])
{
	int64_t then;

	out[0] = '\0';
	return words_time(words_text(d, key), &then) ? words_span(now_ms - then, out) : out;
}

const char *words_until(const struct doc *d, const char *key, int64_t now_ms,
			char out[static WORDS_SPAN_MAX])
{
	int64_t then;

	out[0] = '\0';
	return words_time(words_text(d, key), &then) ? words_span(then - now_ms, out) : out;
}

const char *words_endpoint(const struct doc *d, char out[static WORDS_ENDPOINT_MAX])
{
	const char *address = words_text(d, REST_ADDRESS);
	bool v6 = strchr(address, ':') != NULL;

	snprintf(out, WORDS_ENDPOINT_MAX, "%s%.48s%s:%" PRId64, v6 ? "[" : "", address,
		 v6 ? "]" : "", words_int(d, REST_PORT));
	return out;
}

/* --- checks ---------------------------------------------------------------------- */

static const char *interval(const struct doc *check, const char *key,
			    char out[static VALUE_DURATION_TEXT_MAX])
{
	return value_duration_text((uint32_t)words_int(check, key), out);
}

/* Of one without a login: whom it trusts. */
static void put_trust(const struct doc *check, struct buf *out)
{
	if (strcmp(words_text(check, REST_TLS), "required") == 0)
		buf_str(out, " in TLS,");
	if (*words_text(check, REST_SECRET))
		buf_printf(out, " by the certificates in Secret %s,",
			   words_text(check, REST_SECRET));
}

/* Of those that can log in: by whose account, in what role. */
static void put_login(const struct doc *check, struct buf *out)
{
	const char *role = words_text(check, REST_ROLE), *tls = words_text(check, REST_TLS);
	/* All of it, and so the Secret need not hold an account. */
	bool is_secured = doc_get(check, REST_SERVER_NAME) && strcmp(tls, "required") == 0;

	if (!*words_text(check, REST_SECRET))
		buf_str(out, " without a login");
	else
		buf_printf(out, " by %s in Secret %s", is_secured ? "what is" : "the account",
			   words_text(check, REST_SECRET));
	if ((*words_text(check, REST_SECRET) || is_secured) && *tls && strcmp(tls, "off") != 0)
		buf_printf(out, ", TLS %s", tls);
	if (strcmp(role, "any") != 0)
		buf_printf(out, ", role %s", role);
	if (words_int(check, REST_MAX_LAG_SECONDS))
		buf_printf(out, " with at most %" PRId64 " s of lag",
			   words_int(check, REST_MAX_LAG_SECONDS));
	if (*words_text(check, REST_SECRET) || is_secured || strcmp(role, "any") != 0)
		buf_str(out, ",");
}

static void put_secret(const struct doc *check, struct buf *out)
{
	if (*words_text(check, REST_ROLE))
		put_login(check, out);
	else
		put_trust(check, out);
	if (*words_text(check, REST_SERVER_NAME))
		buf_printf(out, " as %s,", words_text(check, REST_SERVER_NAME));
}

void words_check(const struct doc *check, struct buf *out)
{
	const char *type = words_text(check, REST_TYPE);
	char every[VALUE_DURATION_TEXT_MAX], timeout[VALUE_DURATION_TEXT_MAX];

	if (strcmp(type, "none") == 0) {
		buf_str(out, "none: members are always taken to be up");
		return;
	}
	buf_str(out, type);
	put_secret(check, out);
	if (*words_text(check, REST_SERVICE))
		buf_printf(out, " service %s", words_text(check, REST_SERVICE));
	if (*words_text(check, REST_PATH))
		buf_printf(out, " GET %s", words_text(check, REST_PATH));
	if (*words_text(check, REST_HOST))
		buf_printf(out, " of %s", words_text(check, REST_HOST));
	if (*words_text(check, REST_DNS_NAME))
		buf_printf(out, " %s %s", words_text(check, REST_DNS_NAME),
			   words_text(check, REST_DNS_TYPE));
	if (words_int(check, REST_PORT))
		buf_printf(out, " to port %" PRId64, words_int(check, REST_PORT));
	else
		buf_str(out, " to the member's port");
	if (strcmp(words_text(check, REST_VIA), "vip") == 0)
		buf_str(out, ", by the VIP");
	if (*words_text(check, REST_EXPECT))
		buf_printf(out, ", status %s expected", words_text(check, REST_EXPECT));
	if (*words_text(check, REST_DRAIN_STATUS))
		buf_printf(out, ", %s: it drains", words_text(check, REST_DRAIN_STATUS));
	if (*words_text(check, REST_DEGRADED_STATUS))
		buf_printf(out, ", %s: it is degraded", words_text(check, REST_DEGRADED_STATUS));
	if (*words_text(check, REST_MATCH))
		buf_printf(out, ", \"%s\" in the body", words_text(check, REST_MATCH));
	if (*words_text(check, REST_DNS_RCODES))
		buf_printf(out, ", %s expected", words_text(check, REST_DNS_RCODES));
	if (*words_text(check, REST_SEND))
		buf_printf(out, ", sends \"%s\"", words_text(check, REST_SEND));
	if (*words_text(check, REST_ANSWER))
		buf_printf(out, ", \"%s\" in the answer", words_text(check, REST_ANSWER));
	if (words_int(check, REST_REUSE) > 1)
		buf_printf(out, ", up to %" PRId64 " probes by one connection",
			   words_int(check, REST_REUSE));
	buf_printf(out,
		   ", every %s, timeout %s; %" PRId64 " failures in a row: down, %" PRId64
		   " successes: up",
		   interval(check, REST_INTERVAL_MS, every),
		   interval(check, REST_TIMEOUT_MS, timeout), words_int(check, REST_FALL),
		   words_int(check, REST_RISE));
	if (words_int(check, REST_HOLD_DOWN_S))
		buf_printf(out, "; flapping holds it down for %" PRId64 " s and longer",
			   words_int(check, REST_HOLD_DOWN_S));
}

void words_result(const struct doc *result, struct buf *out)
{
	static const struct {
		const char *reason;
		const char *words;
	} known[] = {
		{ "ok", "it answered well" },
		{ "not-probed-yet", "not probed yet" },
		{ "inherited", "not probed yet since the start" },
		{ "refused", "it refused the connection" },
		{ "timeout", "no answer in time" },
		{ "unreachable", "it cannot be reached" },
		{ "closed-early", "it closed the connection without an answer" },
		{ "bad-reply", "it answered, but not in the check's protocol" },
		{ "no-match", "its answer lacks the text that is looked for" },
		{ "answer-too-long", "its answer was too long" },
		{ "no-resource", "the probe could not be run: this node lacks resources" },
		{ "we-were-late", "the probe could not be judged: this node was too busy" },
		{ "our-own-network",
		  "the probe could not be run: this node's own network is down" },
		{ "over-quota", "not probed: its namespace has its quota of checks" },
		{ "not-allowed", "not probed: this node must not probe its address" },
		{ "account-refused", "it is alive, but does not let the check's account in" },
		{ "we-are-locked-out", "it does not talk to this node: its own FLUSH HOSTS helps" },
		{ "too-many-connections", "it is alive, with as many connections as it takes" },
		{ "not-ready", "its cluster does not let it serve" },
		{ "shutting-down", "it is shutting down" },
		{ "not-in-that-role", "it is alive, but not in the role that is asked for" },
		{ "lags-behind", "it does not replicate, or cannot say how far it is behind" },
		{ "no-credentials",
		  "it accepts connections; the Secret of its check is not known, or lacks what it "
		  "needs" },
		{ "no-trusted-tls", "TLS is required and not offered, or not to be trusted" },
		{ "silent", "it said nothing, and nobody said that it is not there" },
		{ "login-held-back",
		  "too many logins broke off: this node logs in once a minute only" },
		{ "not-serving", "it says that it does not serve" },
		{ "service-unknown", "it has no service of that name" },
		{ "no-health-service", "it does not implement grpc.health.v1.Health" },
		{ "broken-off", "it broke the call off" },
		{ "draining", "it answered that it is about to go" },
		{ "degraded", "it answered that it is not at its best" },
		{ "not-tls", "it answered, but not in TLS" },
		{ "certificate-expired", "its certificate is expired, or not valid yet" },
		{ "certificate-of-others", "its certificate is for other names" },
		{ "client-cert-demanded", "it demands a client certificate that it trusts" },
		{ "no-http2", "it speaks TLS, but did not choose HTTP/2 in it (ALPN: h2)" },
	};
	const char *reason = words_text(result, REST_REASON);

	if (strcmp(reason, "status") == 0) {
		buf_printf(out, "it answered with status %" PRId64, words_int(result, REST_DETAIL));
		return;
	}
	if (strcmp(reason, "dns-error") == 0) {
		buf_str(out, "it answered ");
		value_dns_rcode_put(out, words_int(result, REST_DETAIL));
		return;
	}
	if (strcmp(reason, "grpc-status") == 0) {
		buf_printf(out, "it answered with gRPC status %" PRId64,
			   words_int(result, REST_DETAIL));
		return;
	}
	if (strcmp(reason, "lags-behind") == 0 && words_int(result, REST_DETAIL) >= 0) {
		buf_printf(out, "it is %" PRId64 " s behind", words_int(result, REST_DETAIL));
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(reason, known[i].reason) == 0) {
			buf_str(out, known[i].words);
			return;
		}
	buf_str(out, *reason ? reason : "nothing is known");
}

/* --- a member -------------------------------------------------------------------- */

static void put_last_check(const struct doc *member, struct buf *out)
{
	const struct doc *last = doc_get(member, REST_LAST_CHECK);
	int64_t us = words_int(last, REST_LATENCY_US);

	if (!last || last->type != DOC_MAP)
		return;
	buf_str(out, " Last check: ");
	words_result(last, out);
	if (strcmp(words_text(last, REST_REASON), "ok") == 0 && us > 0)
		buf_printf(out, ", after %" PRId64 ".%03" PRId64 " ms", us / 1000, us % 1000);
	buf_str(out, ".");
}

static void put_state(const struct doc *member, int64_t now_ms, struct buf *out)
{
	const char *state = words_text(member, REST_STATE);
	char age[WORDS_SPAN_MAX];

	if (!*words_text(member, REST_TARGET)) {
		buf_str(out, " It is not checked.");
		return;
	}
	if (strcmp(state, REST_UNKNOWN) == 0)
		buf_str(out, " Whether it is up is not known yet.");
	else if (*words_age(member, REST_SINCE, now_ms, age))
		buf_printf(out, " It has been %s for %s.", state, age);
	else
		buf_printf(out, " It is %s.", state);
	put_last_check(member, out);
}

static void put_hold(const struct doc *member, int64_t now_ms, struct buf *out)
{
	const struct doc *last = doc_get(member, REST_LAST_CHECK);
	int64_t flaps = words_int(last, REST_FLAPS);
	char span[WORDS_SPAN_MAX];

	buf_str(out, " It is held down");
	if (*words_until(last, REST_HELD_UNTIL, now_ms, span))
		buf_printf(out, " for another %s, whatever its check finds", span);
	if (flaps > 1)
		buf_printf(out, ": it came up and fell again within 10 minutes %" PRId64 " times",
			   flaps);
	buf_str(out, ".");
}

/* What happens next. */
static void put_outlook(const struct doc *pool, const struct doc *member, int64_t now_ms,
			struct buf *out)
{
	const struct doc *reasons = doc_get(member, REST_REASONS);
	int64_t rise = words_int(doc_get(pool, REST_CHECK), REST_RISE);
	char span[WORDS_SPAN_MAX];

	if (*words_until(member, REST_REMOVE_AT, now_ms, span) && words_bool(member, REST_IN_TABLE))
		buf_printf(out, " It leaves the kernel's table in %s%s.", span,
			   words_list_has(reasons, REST_REASON_UNHEALTHY) ? " unless it is back"
									  : "");
	if (words_list_has(reasons, REST_REASON_HELD))
		put_hold(member, now_ms, out);
	else if (words_list_has(reasons, REST_REASON_UNHEALTHY) &&
		 !words_list_has(reasons, REST_REASON_REMOVED))
		buf_printf(out, " %" PRId64 " %s it %s.", rise,
			   rise == 1 ? "success brings" : "successes in a row bring",
			   words_list_has(reasons, REST_REASON_FAIL_OPEN) ? "up" : "back");
	else if (words_list_has(reasons, REST_REASON_UNPROVEN))
		buf_str(out, " Its first success brings it in.");
}

/* Each as "; ...", the weightiest first; one that is not known here as it stands. */
static void put_reasons(const struct doc *reasons, struct buf *out)
{
	static const struct {
		const char *reason;
		const char *words;
	} known[] = {
		{ REST_REASON_REMOVED, "it was taken out of the pool and drains" },
		{ REST_REASON_TERMINATING, "it is terminating and drains" },
		{ REST_REASON_FAIL_OPEN,
		  "it is down, and kept because no member of the pool is up, or too few are" },
		{ REST_REASON_UNHEALTHY, "its check fails" },
		{ REST_REASON_HELD, "it came up and fell again too often" },
		{ REST_REASON_UNPROVEN, "it was never seen up, and others are" },
		{ REST_REASON_ROLE, "it is not in the role that the pool asks for" },
		{ REST_REASON_STANDBY, "the pool has one writer, and it is another one" },
		{ REST_REASON_WEIGHT_ZERO, "its weight was set to 0" },
		{ REST_REASON_MASS, "it went down with many others at once, and is kept as yet" },
		{ REST_REASON_SLOW_START, "it is up again, and its weight grows by and by" },
		{ REST_REASON_DRAINING, "it says that it is about to go" },
		{ REST_REASON_DEGRADED, "it says that it is not at its best" },
		{ REST_REASON_SATURATED, "it has as many connections as it takes" },
		{ REST_REASON_INHERITED, "its state is from before the agent's start" },
	};
	bool fail_open = words_list_has(reasons, REST_REASON_FAIL_OPEN);

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (fail_open && strcmp(known[i].reason, REST_REASON_UNHEALTHY) == 0)
			continue; /* said already */
		if (words_list_has(reasons, known[i].reason))
			buf_printf(out, "; %s", known[i].words);
	}
	for (const struct doc *r = reasons ? reasons->first : NULL; r; r = r->next) {
		bool is_known = !doc_string(r);

		for (size_t i = 0; i < ARRAY_LEN(known) && !is_known; i++)
			is_known = strcmp(known[i].reason, doc_string(r)) == 0;
		if (!is_known)
			buf_printf(out, "; %s", doc_string(r));
	}
}

void words_member(const struct doc *pool, const struct doc *member, int64_t now_ms, struct buf *out)
{
	const struct doc *reasons = doc_get(member, REST_REASONS);
	int64_t nominal = words_int(member, REST_WEIGHT);
	int64_t weight = words_int(member, REST_EFFECTIVE_WEIGHT);

	if (!words_bool(member, REST_IN_TABLE))
		buf_str(out, "OUT: not in the kernel's table");
	else if (weight == 0)
		buf_str(out, "OUT: in the kernel's table with weight 0, so no new connections");
	else if (weight != nominal)
		buf_printf(out, "IN: weight %" PRId64 " of %" PRId64, weight, nominal);
	else
		buf_printf(out, "IN: weight %" PRId64, weight);
	put_reasons(reasons, out);
	buf_str(out, ".");
	put_state(member, now_ms, out);
	put_outlook(pool, member, now_ms, out);
}
