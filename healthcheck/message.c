/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/message.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/value.h"
#include "agent/base/xalloc.h"

static const char *const reason_texts[HC_REASON_COUNT] = {
	[HC_REASON_NONE] = "not probed yet",
	[HC_REASON_INHERITED] = "inherited",
	[HC_REASON_OK] = "ok",
	[HC_REASON_REFUSED] = "refused",
	[HC_REASON_TIMEOUT] = "timeout",
	[HC_REASON_UNREACHABLE] = "unreachable",
	[HC_REASON_CLOSED] = "closed early",
	[HC_REASON_BAD_REPLY] = "bad reply",
	[HC_REASON_STATUS] = "status",
	[HC_REASON_NO_MATCH] = "no match",
	[HC_REASON_TOO_LONG] = "answer too long",
	[HC_REASON_NO_RESOURCE] = "no resource",
	[HC_REASON_LATE] = "we were late",
	[HC_REASON_LOCAL] = "our own network",
	[HC_REASON_OVER_QUOTA] = "over quota",
	[HC_REASON_NOT_ALLOWED] = "not allowed",
	[HC_REASON_AUTH] = "account refused",
	[HC_REASON_BLOCKED] = "we are locked out",
	[HC_REASON_SATURATED] = "too many connections",
	[HC_REASON_NOT_READY] = "not ready",
	[HC_REASON_SHUTDOWN] = "shutting down",
	[HC_REASON_ROLE] = "not in that role",
	[HC_REASON_LAG] = "lags behind",
	[HC_REASON_NO_SECRET] = "no credentials",
	[HC_REASON_TLS] = "no trusted tls",
	[HC_REASON_HELD_BACK] = "login held back",
	[HC_REASON_SILENT] = "silent",
	[HC_REASON_DNS_ERROR] = "dns error",
	[HC_REASON_NOT_SERVING] = "not serving",
	[HC_REASON_SERVICE_UNKNOWN] = "service unknown",
	[HC_REASON_NO_HEALTH_SERVICE] = "no health service",
	[HC_REASON_GRPC_STATUS] = "grpc status",
	[HC_REASON_BROKEN_OFF] = "broken off",
	[HC_REASON_NOT_TLS] = "not tls",
	[HC_REASON_EXPIRED] = "certificate expired",
	[HC_REASON_NAME] = "certificate of others",
	[HC_REASON_CLIENT_CERTIFICATE] = "client cert demanded",
	[HC_REASON_DRAINING] = "draining",
	[HC_REASON_DEGRADED] = "degraded",
	[HC_REASON_NO_HTTP2] = "no http2",
};

const char *hc_reason_text(enum hc_reason r)
{
	return (unsigned)r < HC_REASON_COUNT ? reason_texts[r] : "?";
}

bool hc_reason_is_of_login(enum hc_reason r)
{
	return r >= HC_REASON_AUTH && r <= HC_REASON_HELD_BACK;
}

/* Ours are never longer than a byte; anything else is a stranger's. */
static unsigned read_enum(struct wire *w, unsigned count)
{
	unsigned v = wire_u8(w);

	if (v < count)
		return v;
	w->bad = true;
	return 0;
}

void wire_put_hc_target(struct buf *b, const struct hc_target *t)
{
	wire_put_u64(b, t->id);
	wire_put_endpoint(b, &t->endpoint);
	wire_put_check(b, t->check);
	wire_put_u8(b, (uint8_t)t->initial);
	wire_put_u16(b, t->from_port);
}

/* Both sides work the id out of the same bytes: they cannot differ but by a mistake. */
static bool target_is_sane(const struct hc_target *t)
{
	struct endpoint probed = check_endpoint(t->check, &t->endpoint);

	/* Its own is for those alone whose connections it is to tell apart. */
	if (t->from_port && !check_vip(t->check, t->endpoint.addr.family))
		return false;
	return t->endpoint.addr.family && t->endpoint.port &&
	       endpoint_cmp(&probed, &t->endpoint) == 0 &&
	       t->id == check_target_id(t->check, &t->endpoint);
}

void wire_hc_target(struct wire *w, struct hc_target *out)
{
	out->id = wire_u64(w);
	out->endpoint = wire_endpoint(w);
	out->check = wire_check(w);
	out->initial = (enum verdict_state)read_enum(w, VERDICT_DOWN + 1);
	out->from_port = wire_u16(w);
	if (!w->bad && !target_is_sane(out))
		w->bad = true;
	if (w->bad) {
		check_unref(out->check);
		out->check = NULL;
	}
}

void wire_put_hc_verdict(struct buf *b, const struct hc_verdict *v)
{
	wire_put_u64(b, v->id);
	wire_put_u64(b, v->sequence);
	wire_put_u8(b, (uint8_t)v->state);
	wire_put_u8(b, (uint8_t)v->reason);
	wire_put_u32(b, (uint32_t)v->detail);
	wire_put_u8(b, v->proven);
	wire_put_u8(b, (uint8_t)v->standing);
	wire_put_i64(b, v->since_ms);
	wire_put_u32(b, v->ok);
	wire_put_u32(b, v->failed);
	wire_put_u32(b, v->latency_us);
	wire_put_u8(b, v->flaps);
	wire_put_u32(b, v->held_ms);
}

void wire_hc_verdict(struct wire *w, struct hc_verdict *out)
{
	out->id = wire_u64(w);
	out->sequence = wire_u64(w);
	out->state = (enum verdict_state)read_enum(w, VERDICT_DOWN + 1);
	out->reason = (enum hc_reason)read_enum(w, HC_REASON_COUNT);
	out->detail = (int32_t)wire_u32(w);
	out->proven = read_enum(w, 2) == 1;
	out->standing = (enum hc_standing)read_enum(w, HC_STANDING_DRAINING + 1);
	out->since_ms = wire_i64(w);
	out->ok = wire_u32(w);
	out->failed = wire_u32(w);
	out->latency_us = wire_u32(w);
	out->flaps = wire_u8(w);
	out->held_ms = wire_u32(w);
}

static void put_histogram(struct buf *b, const struct histogram *h)
{
	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
		wire_put_u64(b, h->counts[i]);
	wire_put_u64(b, h->sum_us);
}

static void read_histogram(struct wire *w, struct histogram *out)
{
	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
		out->counts[i] = wire_u64(w);
	out->sum_us = wire_u64(w);
}

static bool is_empty(const struct histogram *h)
{
	static const struct histogram nothing;

	return memcmp(h, &nothing, sizeof(nothing)) == 0;
}

/* How many, then each with its type, the least first: those that are empty are left out. */
static void put_latency(struct buf *b, const struct histogram latency[CHECK_TYPES])
{
	uint8_t count = 0;

	for (unsigned i = 0; i < CHECK_TYPES; i++)
		count = (uint8_t)(count + !is_empty(&latency[i]));
	wire_put_u8(b, count);
	for (unsigned i = 0; i < CHECK_TYPES; i++) {
		if (is_empty(&latency[i]))
			continue;
		wire_put_u8(b, (uint8_t)i);
		put_histogram(b, &latency[i]);
	}
}

static void read_latency(struct wire *w, struct histogram out[CHECK_TYPES])
{
	unsigned count = read_enum(w, CHECK_TYPES + 1), next = 0;

	memset(out, 0, CHECK_TYPES * sizeof(out[0]));
	for (unsigned i = 0; i < count && !w->bad; i++) {
		unsigned type = read_enum(w, CHECK_TYPES);

		read_histogram(w, &out[type]);
		if (type < next || is_empty(&out[type]))
			w->bad = true;
		next = type + 1;
	}
}

void wire_put_hc_status(struct buf *b, const struct hc_status *s)
{
	wire_put_u32(b, s->targets);
	wire_put_u32(b, s->up);
	wire_put_u32(b, s->down);
	wire_put_u32(b, s->in_flight);
	wire_put_u64(b, s->probes);
	wire_put_u64(b, s->inconclusive);
	wire_put_u32(b, s->lag_ms);
	wire_put_u64(b, s->deferred);
	put_histogram(b, &s->late);
	put_latency(b, s->latency);
}

void wire_hc_status(struct wire *w, struct hc_status *out)
{
	out->targets = wire_u32(w);
	out->up = wire_u32(w);
	out->down = wire_u32(w);
	out->in_flight = wire_u32(w);
	out->probes = wire_u64(w);
	out->inconclusive = wire_u64(w);
	out->lag_ms = wire_u32(w);
	out->deferred = wire_u64(w);
	read_histogram(w, &out->late);
	read_latency(w, out->latency);
}

void wire_put_hc_sight(struct buf *b, const struct hc_sight *s)
{
	wire_put_u64(b, s->id);
	wire_put_u8(b, s->is_known);
	wire_put_u8(b, s->is_probed);
	wire_put_u8(b, s->is_under_way);
	wire_put_u8(b, s->has_begun);
	wire_put_u8(b, s->streak);
	wire_put_u32(b, s->interval_ms);
	wire_put_u32(b, s->took_us);
	wire_put_i64(b, s->began_ago_ms);
	wire_put_i64(b, s->due_in_ms);
	wire_put_u8(b, (uint8_t)s->reason);
	wire_put_u32(b, (uint32_t)s->detail);
	wire_put_u32(b, s->ok);
	wire_put_u32(b, s->failed);
	wire_put_u32(b, s->latency_us);
}

void wire_hc_sight(struct wire *w, struct hc_sight *out)
{
	out->id = wire_u64(w);
	out->is_known = read_enum(w, 2) == 1;
	out->is_probed = read_enum(w, 2) == 1;
	out->is_under_way = read_enum(w, 2) == 1;
	out->has_begun = read_enum(w, 2) == 1;
	out->streak = wire_u8(w);
	out->interval_ms = wire_u32(w);
	out->took_us = wire_u32(w);
	out->began_ago_ms = wire_i64(w);
	out->due_in_ms = wire_i64(w);
	out->reason = (enum hc_reason)read_enum(w, HC_REASON_COUNT);
	out->detail = (int32_t)wire_u32(w);
	out->ok = wire_u32(w);
	out->failed = wire_u32(w);
	out->latency_us = wire_u32(w);
	/* Times of day are made of them. */
	if (out->began_ago_ms < 0 || out->began_ago_ms > HC_SIGHT_MAX_MS ||
	    out->due_in_ms < -HC_SIGHT_MAX_MS || out->due_in_ms > HC_SIGHT_MAX_MS)
		w->bad = true;
}

static void put_optional(struct buf *b, const char *s)
{
	wire_put_str(b, s ? s : "");
}

static size_t text_len(const char *s)
{
	return s ? strlen(s) : 0;
}

enum {
	SECRET_IS_THERE = 1u << 0,
	SECRET_CA_REFUSED = 1u << 1,
	SECRET_PAIR_REFUSED = 1u << 2,
	SECRET_FLAGS = 1u << 3, /* all are less */
};

void wire_put_hc_secret(struct buf *b, const struct hc_secret *s)
{
	buf_reserve(b, 24 + strlen(s->name) + text_len(s->username) + text_len(s->password) +
			       text_len(s->ca_pem) + text_len(s->certificate) + text_len(s->key));
	wire_put_str(b, s->name);
	wire_put_u8(b, (uint8_t)((s->present ? SECRET_IS_THERE : 0) |
				 (s->ca_refused ? SECRET_CA_REFUSED : 0) |
				 (s->pair_refused ? SECRET_PAIR_REFUSED : 0)));
	put_optional(b, s->username);
	put_optional(b, s->password);
	put_optional(b, s->ca_pem);
	put_optional(b, s->certificate);
	put_optional(b, s->key);
}

/* Into memory of just its size: no other copy is made. */
static char *read_secret_text(struct wire *w, size_t max)
{
	size_t len = w->left >= 2 ? w->data[0] | (size_t)w->data[1] << 8 : 0;
	char *s;

	if (len > max)
		w->bad = true;
	if (w->bad)
		return NULL;
	s = xmalloc(len + 1);
	wire_str(w, s, len + 1);
	return s;
}

static void wipe(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

/* An empty one stands for none. */
static void settle_text(char **s)
{
	if (*s && !**s) {
		free(*s);
		*s = NULL;
	}
}

/* Where there is none, nothing may be said of it; an empty password is one where there is a name. */
static bool settle_secret(struct hc_secret *s)
{
	settle_text(&s->username);
	settle_text(&s->ca_pem);
	settle_text(&s->certificate);
	settle_text(&s->key);
	if (!s->username && s->password[0])
		return false;
	if (!s->username)
		settle_text(&s->password);
	if ((s->ca_refused && (!s->present || s->ca_pem)) ||
	    (s->pair_refused && (!s->present || s->key)))
		return false;
	return value_is_secret_name(s->name) && !s->certificate == !s->key &&
	       s->present == (s->username || s->ca_pem || s->certificate);
}

void wire_hc_secret(struct wire *w, struct hc_secret *out)
{
	unsigned flags;

	*out = (struct hc_secret){ 0 };
	out->name = read_secret_text(w, CHECK_SECRET_MAX);
	flags = read_enum(w, SECRET_FLAGS);
	out->present = flags & SECRET_IS_THERE;
	out->ca_refused = flags & SECRET_CA_REFUSED;
	out->pair_refused = flags & SECRET_PAIR_REFUSED;
	out->username = read_secret_text(w, HC_SECRET_USERNAME_MAX);
	out->password = read_secret_text(w, HC_SECRET_PASSWORD_MAX);
	out->ca_pem = read_secret_text(w, HC_SECRET_CA_MAX);
	out->certificate = read_secret_text(w, HC_SECRET_CERTIFICATE_MAX);
	out->key = read_secret_text(w, HC_SECRET_KEY_MAX);
	if (!w->bad && !settle_secret(out))
		w->bad = true;
	if (w->bad)
		hc_secret_done(out);
}

void hc_secret_done(struct hc_secret *s)
{
	free(s->name);
	wipe(s->username);
	wipe(s->password);
	free(s->ca_pem);
	free(s->certificate);
	wipe(s->key);
	*s = (struct hc_secret){ 0 };
}
