/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/logins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "agent/base/hash.h"
#include "agent/base/map.h"
#include "agent/base/xalloc.h"

/* What is to be told: of an account that is missing, or of how a login went. */
struct news {
	bool is_pending;
	TAILQ_ENTRY(news) entry;
	const struct account *account; /* one of both */
	const struct hc_login *login;
};

/* By the name of the Secret; kept as long as it is known or asked for. */
struct account {
	char *name;
	struct hc_account *known; /* NULL: not, or not yet */
	uint32_t round, users;
	bool is_told; /* that it is missing */
	struct news news;
};

struct server {
	struct endpoint endpoint;
	uint32_t users;
	uint32_t broken;     /* logins in a row */
	mono_t spared_until; /* no login before */
	bool is_blocked;     /* that is why */
};

struct hc_login {
	struct hc_logins *logins;
	struct account *account;
	struct server *server;
	enum check_type type;
	unsigned uses;		   /* CHECK_USES_... */
	bool is_full;		   /* the probe under way */
	struct hc_outcome trouble; /* that holds and was told, or will be */
	struct news news;
};

struct hc_logins {
	struct map accounts, servers;
	uint32_t round;
	TAILQ_HEAD(, news) news;
};

static bool is_account(const void *object, const void *key)
{
	return strcmp(((const struct account *)object)->name, key) == 0;
}

static bool is_server(const void *object, const void *key)
{
	return endpoint_cmp(&((const struct server *)object)->endpoint, key) == 0;
}

struct hc_logins *hc_logins_new(void)
{
	struct hc_logins *l = xcalloc(1, sizeof(*l));

	map_init(&l->accounts, is_account);
	map_init(&l->servers, is_server);
	TAILQ_INIT(&l->news);
	return l;
}

static void tell(struct hc_logins *l, struct news *n)
{
	if (n->is_pending)
		return;
	n->is_pending = true;
	TAILQ_INSERT_TAIL(&l->news, n, entry);
}

static void untell(struct hc_logins *l, struct news *n)
{
	if (n->is_pending)
		TAILQ_REMOVE(&l->news, n, entry);
	n->is_pending = false;
}

/* --- accounts --------------------------------------------------------------------- */

static struct account *account_of(struct hc_logins *l, const char *name)
{
	uint64_t hash = hash_table_str(name);
	struct account *a = map_get(&l->accounts, hash, name);

	if (a)
		return a;
	a = xcalloc(1, sizeof(*a));
	a->name = xstrdup(name);
	a->round = l->round - 1;
	a->news.account = a;
	map_put(&l->accounts, hash, a);
	return a;
}

static void drop_if_unused(struct hc_logins *l, struct account *a)
{
	if (a->known || a->users)
		return;
	untell(l, &a->news);
	map_take(&l->accounts, hash_table_str(a->name), a->name);
	free(a->name);
	free(a);
}

static void set_known(struct account *a, struct hc_account *known)
{
	hc_account_unref(a->known);
	a->known = known;
	if (known)
		a->is_told = false; /* gone again, it is news again */
}

void hc_logins_put(struct hc_logins *l, const struct hc_secret *s)
{
	struct account *a = account_of(l, s->name);

	set_known(a, s->present ? hc_account_new(s) : NULL);
	if (a->known)
		untell(l, &a->news);
	a->round = l->round;
	drop_if_unused(l, a);
}

void hc_logins_begin(struct hc_logins *l)
{
	l->round++;
}

void hc_logins_commit(struct hc_logins *l)
{
	struct account *a;
	size_t pos = 0;

	while ((a = map_next(&l->accounts, &pos))) {
		if (a->round == l->round || a->users)
			continue;
		set_known(a, NULL);
		drop_if_unused(l, a);
	}
}

void hc_logins_free(struct hc_logins *l)
{
	struct account *a;
	size_t pos = 0;

	if (!l)
		return;
	while ((a = map_next(&l->accounts, &pos))) {
		set_known(a, NULL);
		drop_if_unused(l, a);
	}
	map_done(&l->accounts);
	map_done(&l->servers);
	free(l);
}

/* --- servers ---------------------------------------------------------------------- */

static uint64_t hash_of(const struct endpoint *e)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	wire_put_endpoint(&b, e);
	return hash_table(b.data, b.len);
}

static struct server *server_of(struct hc_logins *l, const struct endpoint *e)
{
	uint64_t hash = hash_of(e);
	struct server *s = map_get(&l->servers, hash, e);

	if (s)
		return s;
	s = xcalloc(1, sizeof(*s));
	s->endpoint = *e;
	map_put(&l->servers, hash, s);
	return s;
}

struct hc_login *hc_login_new(struct hc_logins *l, const struct check *c,
			      const struct endpoint *where)
{
	struct hc_login *g = xcalloc(1, sizeof(*g));

	g->logins = l;
	g->type = c->type;
	g->uses = check_uses(c);
	g->account = account_of(l, c->secret);
	g->account->users++;
	g->server = server_of(l, where);
	g->server->users++;
	g->news.login = g;
	return g;
}

void hc_login_free(struct hc_login *g)
{
	if (!g)
		return;
	untell(g->logins, &g->news);
	g->account->users--;
	drop_if_unused(g->logins, g->account);
	if (--g->server->users == 0) {
		map_take(&g->logins->servers, hash_of(&g->server->endpoint), &g->server->endpoint);
		free(g->server);
	}
	free(g);
}

/* Known, and with what its check needs of it. */
static bool is_at_hand(const struct hc_login *g)
{
	return g->account->known && hc_account_serves(g->account->known, g->uses);
}

static bool is_to_be_spared(const struct server *s)
{
	return s->broken == HC_LOGINS_BROKEN || s->is_blocked;
}

struct hc_account *hc_login_account(struct hc_login *g, mono_t now)
{
	struct account *a = g->account;
	struct server *s = g->server;

	g->is_full = is_at_hand(g) && !mono_before(now, s->spared_until);
	if (g->is_full) {
		/* Others of this server do not try at the same time. */
		if (is_to_be_spared(s))
			s->spared_until = mono_add_ms(now, HC_LOGINS_PAUSE_MS);
		return hc_account_ref(a->known);
	}
	if (!is_at_hand(g) && !a->is_told) {
		a->is_told = true;
		tell(g->logins, &a->news);
	}
	return NULL;
}

/* What a person should see to; told when it is another than before. */
static void note(struct hc_login *g, struct hc_outcome o)
{
	bool is_trouble = o.reason == HC_REASON_AUTH || o.reason == HC_REASON_BLOCKED ||
			  o.reason == HC_REASON_TLS || o.reason == HC_REASON_HELD_BACK ||
			  o.reason == HC_REASON_CLIENT_CERTIFICATE;
	bool is_new = o.reason != g->trouble.reason || o.detail != g->trouble.detail;

	if (is_trouble && is_new)
		tell(g->logins, &g->news);
	else if (!is_trouble)
		untell(g->logins, &g->news);
	g->trouble = is_trouble ? o : (struct hc_outcome){ 0 };
}

static void count_login(struct hc_login *g, enum hc_login_end end, struct hc_outcome o, mono_t now)
{
	struct server *s = g->server;

	if (end == HC_LOGIN_NONE)
		return;
	if (end == HC_LOGIN_GOOD) {
		s->broken = 0;
		s->spared_until = now;
	} else if (end == HC_LOGIN_BROKEN && s->broken < HC_LOGINS_BROKEN)
		s->broken++;
	s->is_blocked = o.reason == HC_REASON_BLOCKED;
	if (s->broken == HC_LOGINS_BROKEN && !s->is_blocked)
		o = (struct hc_outcome){ HC_REASON_HELD_BACK, 0 };
	if (is_to_be_spared(s))
		s->spared_until = mono_add_ms(now, HC_LOGINS_PAUSE_MS);
	note(g, o);
}

/* Half-open and well, which says less than it was asked for. */
static struct hc_outcome doubtful(const struct hc_login *g)
{
	if (!is_at_hand(g))
		return (struct hc_outcome){ HC_REASON_NO_SECRET, 0 };
	if (g->server->is_blocked)
		return (struct hc_outcome){ HC_REASON_BLOCKED, 0 };
	return (struct hc_outcome){ HC_REASON_HELD_BACK, 0 };
}

struct hc_outcome hc_login_ended(struct hc_login *g, enum hc_login_end end, struct hc_outcome o,
				 mono_t now)
{
	if (g->is_full)
		count_login(g, end, o, now);
	else if (o.reason == HC_REASON_OK)
		o = doubtful(g);
	return o;
}

/* --- notices ---------------------------------------------------------------------- */

static const char *advice(enum hc_reason r)
{
	switch ((int)r) {
	case HC_REASON_AUTH:
		return "it is alive, but does not let the check's account in";
	case HC_REASON_BLOCKED:
		return "it does not talk to this address; FLUSH HOSTS there ends a lock-out";
	case HC_REASON_CLIENT_CERTIFICATE:
		return "it asks for a client certificate: tls.crt and tls.key of the Secret";
	case HC_REASON_TLS:
		return "TLS is required and not offered, or its certificate is not to be trusted";
	default:
		return "logins broke off again and again; it is asked once a minute, "
		       "before it locks this address out";
	}
}

static void describe(const struct news *n, char *out, size_t size)
{
	char where[ENDPOINT_TEXT_MAX];
	const struct hc_login *g = n->login;
	int len;

	if (n->account) {
		snprintf(out, size,
			 "Secret %s is not known, or lacks what its check needs: servers it is "
			 "for are probed half-open",
			 n->account->name);
		return;
	}
	len = snprintf(out, size, "%s server %s: %s", check_type_text(g->type),
		       endpoint_text(&g->server->endpoint, where), advice(g->trouble.reason));
	if (g->trouble.detail > 0 && len > 0 && (size_t)len < size)
		snprintf(out + len, size - (size_t)len, " (error %d)", g->trouble.detail);
}

bool hc_logins_notice(struct hc_logins *l, char *out, size_t size)
{
	struct news *n = TAILQ_FIRST(&l->news);

	if (!n)
		return false;
	untell(l, n);
	describe(n, out, size);
	return true;
}
