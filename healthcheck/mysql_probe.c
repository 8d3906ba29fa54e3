/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mysql probe: a true login on a connection of its own, perhaps in TLS.
 *
 * The conversation is mysql.c's; here its bytes are carried. A connection is
 * closed by FIN once the server has closed it, or was told goodbye, and by RST
 * where it hangs.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "agent/base/xalloc.h"
#include "healthcheck/account.h"
#include "healthcheck/mysql.h"
#include "healthcheck/probe.h"
#include "healthcheck/tls.h"

#define READ_SIZE 4096
#define READS_MAX 64 /* in one event: more than a whole conversation takes */

struct hc_mysql_talk {
	struct hc_mysql mysql;
	struct hc_tls *tls;
	bool is_secured;
	uint32_t waits_for;
};

static void begin_talk(struct hc_probe *p)
{
	struct hc_mysql_who who = { p->account->username, p->account->password };

	p->talk = xcalloc(1, sizeof(*p->talk));
	p->talk->waits_for = EPOLLOUT;
	hc_mysql_init(&p->talk->mysql, p->check, who);
}

static bool fail(struct hc_outcome *out, enum hc_reason reason)
{
	*out = (struct hc_outcome){ reason, 0 };
	return true;
}

/* What -errno of a send or receive means: *out and true, or false for "later". */
static bool over(ssize_t n, struct hc_outcome *out)
{
	if (n == -EAGAIN)
		return false;
	*out = hc_outcome_of_connection((int)-n);
	return true;
}

/* Sends what there is to say. True: over. */
static bool say(struct hc_probe *p, const struct hc_io *io, struct hc_outcome *out)
{
	struct hc_mysql_talk *t = p->talk;
	struct buf *b = &t->mysql.out;

	while (b->len > 0) {
		ssize_t n = t->is_secured ? hc_tls_send(t->tls, b->data, b->len)
					  : io->send(io->arg, p->fd, b->data, b->len);

		if (n < 0)
			return over(n, out);
		hc_mysql_sent(&t->mysql, (size_t)n);
	}
	return false;
}

/* SSLRequest is out: TLS begins, or goes on. True: over. */
static bool secure(struct hc_probe *p, const struct hc_io *io, struct hc_outcome *out)
{
	struct hc_mysql_talk *t = p->talk;
	int r;

	if (t->mysql.state != HC_MYSQL_SECURING || t->mysql.out.len > 0)
		return false;
	if (!t->tls)
		t->tls = hc_tls_new(io, p->fd, p->account->trust);
	if (!t->tls) {
		*out = hc_outcome_of_start(ENOMEM);
		return true;
	}
	r = hc_tls_handshake(t->tls);
	if (r == -EAGAIN)
		return false;
	if (r < 0)
		return fail(out, HC_REASON_TLS);
	t->is_secured = true;
	hc_mysql_secured(&t->mysql, hc_tls_is_trusted(t->tls));
	return say(p, io, out);
}

/* The server closed: our own close by FIN leaves no TIME_WAIT with us. */
static bool hear_close(struct hc_probe *p, struct hc_outcome *out)
{
	hc_mysql_closed(&p->talk->mysql);
	*out = p->talk->mysql.outcome;
	return true;
}

/* Listens, and answers, until nothing more comes. True: over. */
static bool hear(struct hc_probe *p, const struct hc_io *io, struct hc_outcome *out)
{
	struct hc_mysql_talk *t = p->talk;
	uint8_t data[READ_SIZE];

	for (unsigned i = 0; i < READS_MAX; i++) {
		ssize_t n;

		if (t->mysql.state == HC_MYSQL_SECURING)
			return false;
		n = t->is_secured ? hc_tls_recv(t->tls, data, sizeof(data))
				  : io->recv(io->arg, p->fd, data, sizeof(data));
		if (n == 0 || (n < 0 && n != -EAGAIN && t->mysql.state == HC_MYSQL_GOODBYE))
			return hear_close(p, out);
		if (n < 0)
			return over(n, out);
		hc_mysql_feed(&t->mysql, data, (size_t)n);
		if (say(p, io, out) || secure(p, io, out))
			return true;
	}
	/* A server that never ends; what was settled holds. */
	if (!hc_mysql_is_settled(p, out))
		*out = (struct hc_outcome){ HC_REASON_TOO_LONG, 0 };
	return true;
}

/* Waits for what the conversation needs next. True: over, for want of resources. */
static bool wait_on(struct hc_probe *p, const struct hc_io *io, uint64_t token,
		    struct hc_outcome *out)
{
	struct hc_mysql_talk *t = p->talk;
	uint32_t events = EPOLLIN;
	int r;

	if (t->mysql.out.len > 0 || (t->tls && !t->is_secured && hc_tls_wants_write(t->tls)))
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
	if (hc_mysql_is_settled(p, &settled))
		*out = settled;
	return true;
}

bool hc_mysql_event(struct hc_probe *p, const struct hc_io *io, uint64_t token, uint32_t events,
		    struct hc_outcome *out)
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
	begin_talk(p);
	return talk(p, io, token, out);
}

bool hc_mysql_is_settled(const struct hc_probe *p, struct hc_outcome *out)
{
	if (p->talk->mysql.state != HC_MYSQL_GOODBYE)
		return false;
	*out = p->talk->mysql.outcome;
	return true;
}

enum hc_login_end hc_mysql_login_end(const struct hc_probe *p)
{
	const struct hc_mysql *m = &p->talk->mysql;

	if (hc_mysql_is_owed(m))
		return HC_LOGIN_BROKEN;
	return m->logged_in ? HC_LOGIN_GOOD : HC_LOGIN_REFUSED;
}

void hc_mysql_stop(struct hc_probe *p, const struct hc_io *io)
{
	struct hc_mysql_talk *t = p->talk;

	/* All that had to be said is said: an end in peace. */
	if (p->fd >= 0 && t->mysql.state == HC_MYSQL_GOODBYE && t->mysql.answered) {
		io->close(io->arg, p->fd, false);
		p->fd = -1;
	}
	hc_tls_free(t->tls);
	hc_mysql_done(&t->mysql);
	free(t);
	p->talk = NULL;
}
