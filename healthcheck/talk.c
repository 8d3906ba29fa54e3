/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/talk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "agent/base/xalloc.h"
#include "healthcheck/tls.h"

#define READ_SIZE 4096
/*
 * In one event: more than a whole conversation takes. By TLS each read is a record of a few bytes,
 * if its server likes to write so: so many take some milliseconds.
 */
#define READS_MAX   64
#define RECORDS_MAX 1024

struct hc_talk {
	const struct hc_protocol *protocol;
	struct hc_talk_head *words; /* the protocol's, with more behind it */
	struct hc_tls *tls;
	bool is_secured;
	bool has_answer; /* a byte of it, since it was asked last */
	uint32_t waits_for;
};

void hc_talk_conclude(struct hc_talk_head *h, enum hc_reason reason, int32_t detail)
{
	if (h->phase >= HC_TALK_GOODBYE)
		return;
	h->phase = HC_TALK_OVER;
	h->outcome = (struct hc_outcome){ reason, detail };
}

bool hc_talk_trusts(struct hc_talk_head *h, enum hc_reason trust)
{
	h->phase = HC_TALK_ON;
	if (trust != HC_REASON_OK)
		hc_talk_conclude(h, trust, 0);
	return trust == HC_REASON_OK;
}

static void begin_talk(struct hc_probe *p, const struct hc_protocol *protocol)
{
	p->talk = xcalloc(1, sizeof(*p->talk));
	p->talk->protocol = protocol;
	p->talk->words = xcalloc(1, protocol->size);
	p->talk->waits_for = EPOLLOUT;
	protocol->begin(p->talk->words, p->check, p->to, p->account);
}

static bool fail(struct hc_outcome *out, enum hc_reason reason)
{
	*out = (struct hc_outcome){ reason, 0 };
	return true;
}

static bool fail_secured(const struct hc_talk *t, struct hc_outcome *out)
{
	*out = hc_tls_fault(t->tls);
	return true;
}

/* What -errno of a send or receive means: *out and true, or false for "later". */
static bool over(const struct hc_talk *t, ssize_t n, struct hc_outcome *out)
{
	if (n == -EAGAIN)
		return false;
	if (t->is_secured)
		return fail_secured(t, out);
	*out = hc_outcome_of_connection((int)-n);
	return true;
}

/* Sends what there is to say. True: over. */
static bool say(struct hc_probe *p, const struct hc_io *io, struct hc_outcome *out)
{
	struct hc_talk *t = p->talk;
	struct buf *b = &t->words->out;

	while (b->len > 0) {
		ssize_t n = t->is_secured ? hc_tls_send(t->tls, b->data, b->len)
					  : io->send(io->arg, p->fd, b->data, b->len);

		if (n < 0)
			return over(t, n, out);
		memmove(b->data, b->data + n, b->len - (size_t)n);
		b->len -= (size_t)n;
	}
	if (t->words->phase < HC_TALK_OVER)
		return false;
	*out = t->words->outcome;
	return true;
}

/* NULL: no memory. */
static struct hc_tls *begin_tls(struct hc_probe *p, const struct hc_io *io)
{
	const char *alpn = p->talk->protocol->alpn;
	char name[CHECK_HOST_MAX + 1];
	struct hc_tls *t;

	check_server_name(p->check, name);
	t = hc_tls_new(io, p->fd, p->account ? p->account->trust : NULL, name[0] ? name : NULL);
	if (!t || !alpn || hc_tls_offer(t, alpn))
		return t;
	hc_tls_free(t);
	return NULL;
}

/* All that comes before TLS is said: it begins, or goes on. True: over. */
static bool secure(struct hc_probe *p, const struct hc_io *io, struct hc_outcome *out)
{
	struct hc_talk *t = p->talk;
	int r;

	if (t->words->phase != HC_TALK_SECURING || t->words->out.len > 0)
		return false;
	if (!t->tls)
		t->tls = begin_tls(p, io);
	if (!t->tls) {
		*out = hc_outcome_of_start(ENOMEM);
		return true;
	}
	r = hc_tls_handshake(t->tls);
	if (r == -EAGAIN)
		return false;
	if (r < 0)
		return fail_secured(t, out);
	t->is_secured = true;
	t->protocol->secured(t->words, hc_tls_trusts(t->tls));
	return say(p, io, out);
}

/* The server closed: our own close by FIN leaves no TIME_WAIT with us. */
static bool hear_close(struct hc_probe *p, struct hc_outcome *out)
{
	p->talk->protocol->closed(p->talk->words);
	*out = p->talk->words->outcome;
	return true;
}

/* Listens, and answers, until nothing more comes. True: over. */
static bool hear(struct hc_probe *p, const struct hc_io *io, struct hc_outcome *out)
{
	struct hc_talk *t = p->talk;
	uint8_t data[READ_SIZE];

	for (unsigned i = 0; i < (t->is_secured ? RECORDS_MAX : READS_MAX); i++) {
		ssize_t n;

		if (t->words->phase == HC_TALK_SECURING)
			return false;
		n = t->is_secured ? hc_tls_recv(t->tls, data, sizeof(data))
				  : io->recv(io->arg, p->fd, data, sizeof(data));
		if (n == 0 || (n < 0 && n != -EAGAIN && t->words->phase == HC_TALK_GOODBYE))
			return hear_close(p, out);
		if (n < 0)
			return over(t, n, out);
		t->has_answer = true;
		t->protocol->feed(t->words, data, (size_t)n);
		if (say(p, io, out) || secure(p, io, out))
			return true;
	}
	/* A server that never ends; what was settled holds. */
	return fail(out, HC_REASON_TOO_LONG);
}

/* Waits for what the conversation needs next. True: over, for want of resources. */
static bool wait_on(struct hc_probe *p, const struct hc_io *io, uint64_t token,
		    struct hc_outcome *out)
{
	struct hc_talk *t = p->talk;
	uint32_t events = EPOLLIN;
	int r;

	if (t->words->out.len > 0 || (t->tls && hc_tls_wants_write(t->tls)))
		events |= EPOLLOUT;
	if (events == t->waits_for)
		return false;
	t->waits_for = events;
	r = io->wait(io->arg, p->fd, token, events);
	if (r == 0)
		return false;
	*out = hc_outcome_of_start(-r);
	return true;
}

static bool talk(struct hc_probe *p, const struct hc_io *io, uint64_t token, struct hc_outcome *out)
{
	struct hc_outcome settled;

	if (!say(p, io, out) && !secure(p, io, out) && !hear(p, io, out))
		return wait_on(p, io, token, out);
	/* Whatever the connection came to, what was settled before holds. */
	if (hc_talk_is_settled(p->talk, &settled))
		*out = settled;
	return true;
}

bool hc_talk_event(struct hc_probe *p, const struct hc_protocol *protocol, const struct hc_io *io,
		   uint64_t token, uint32_t events, struct hc_outcome *out)
{
	int error;

	if (p->talk)
		return talk(p, io, token, out);
	if (events & (EPOLLERR | EPOLLHUP)) {
		error = io->error(io->arg, p->fd);
		*out = hc_outcome_of_connection(error ? error : ECONNRESET);
		return true;
	}
	if (!(events & EPOLLOUT))
		return false;
	begin_talk(p, protocol);
	return talk(p, io, token, out);
}

bool hc_talk_is_settled(const struct hc_talk *t, struct hc_outcome *out)
{
	if (t->words->phase < HC_TALK_GOODBYE)
		return false;
	*out = t->words->outcome;
	return true;
}

enum hc_login_end hc_talk_login_end(const struct hc_talk *t)
{
	return t->protocol->login_end ? t->protocol->login_end(t->words) : HC_LOGIN_NONE;
}

void hc_talk_stop(struct hc_probe *p, const struct hc_io *io)
{
	struct hc_talk *t = p->talk;

	/* All that had to be said is said: an end in peace. */
	if (p->fd >= 0 &&
	    (t->words->phase == HC_TALK_GOODBYE || t->words->phase == HC_TALK_LEAVING)) {
		io->close(io->arg, p->fd, false);
		p->fd = -1;
	}
	hc_tls_free(t->tls);
	t->protocol->end(t->words);
	free(t->words);
	free(t);
	p->talk = NULL;
}

/* --- several probes ---------------------------------------------------------------------- */

static bool keep(struct hc_probe *p, const struct hc_io *io)
{
	struct hc_talk *t = p->talk;

	if (!t || t->words->phase != HC_TALK_OVER || !t->protocol->may_go_on(t->words) ||
	    (t->tls && hc_tls_has_more(t->tls)) || io->wait(io->arg, p->fd, 0, EPOLLONESHOT) < 0)
		return false;
	t->waits_for = 0;
	t->has_answer = false;
	return true;
}

static bool ask(struct hc_probe *p, const struct hc_io *io, uint64_t token, struct hc_outcome *out)
{
	p->talk->protocol->go_on(p->talk->words, hc_probe_is_last(p));
	return talk(p, io, token, out);
}

static bool has_answer(const struct hc_probe *p)
{
	return p->talk && p->talk->has_answer;
}

const struct hc_reuse hc_talk_reuse = { .keep = keep, .ask = ask, .has_answer = has_answer };
