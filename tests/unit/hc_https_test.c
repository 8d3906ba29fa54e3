/* SPDX-License-Identifier: GPL-2.0-or-later */
/* https probes of real servers: whom they trust, what they show, and what they make of the rest. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "healthcheck/account.h"
#include "healthcheck/io.h"
#include "healthcheck/talk.h"
#include "tests/lib/https_server.h"
#include "tests/lib/pki.h"

#define PATIENCE_MS 5000 /* for what a server on this host does at once */
#define NAME	    "www.example.org"

static const char *const ok_answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell";

struct ground {
	struct hc_net *net;
	struct hc_io io;
	struct pki *ours, *others;
	char head[2048];	    /* what the server heard last */
	const char *_Atomic answer; /* the server's threads look at it */
	bool stays;		    /* and waits for the next question */
	struct https_options server;
};

static bool serve(struct https_connection *c, const char *head, void *arg)
{
	struct ground *g = arg;

	snprintf(g->head, sizeof(g->head), "%s", head);
	if (!g->answer)
		https_reset(c);
	else
		https_send_text(c, g->answer);
	return g->answer && g->stays;
}

static int ground_up(void **state)
{
	struct ground *g = xcalloc(1, sizeof(*g));

	assert_int_equal(hc_net_new(NULL, &g->net), 0);
	g->io = hc_net_io(g->net);
	g->ours = pki_new("ours");
	g->others = pki_new("others");
	g->answer = ok_answer;
	g->server = (struct https_options){ .serve = serve, .arg = g };
	*state = g;
	return 0;
}

static int ground_down(void **state)
{
	struct ground *g = *state;

	pki_free(g->ours);
	pki_free(g->others);
	hc_net_free(g->net);
	free(g);
	return 0;
}

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

/* What the probe's Secret holds; nothing: it has none. */
static struct hc_account *account_of(const char *ca, const struct pki_pair *own)
{
	struct hc_secret s = { .present = true, .ca_pem = copy(ca) };
	struct hc_account *a;

	if (!ca && !own)
		return NULL;
	s.certificate = own ? copy(own->cert) : NULL;
	s.key = own ? copy(own->key) : NULL;
	a = hc_account_new(&s);
	hc_secret_done(&s);
	return a;
}

static struct hc_outcome hear(struct ground *g, struct hc_probe *p)
{
	struct pollfd wait = { .fd = hc_net_fd(g->net), .events = POLLIN };
	struct hc_outcome out = { 0 };
	struct hc_ready ready;

	for (;;) {
		assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
		if (g->io.poll(g->io.arg, &ready, 1) == 1 &&
		    hc_probe_event(p, &g->io, 77, ready.events, &out))
			return out;
	}
}

static struct hc_outcome run(struct ground *g, struct hc_probe *p)
{
	struct hc_outcome out = hear(g, p);

	hc_probe_stop(p, &g->io);
	return out;
}

static struct hc_outcome probe_port(struct ground *g, const struct check *c, unsigned port,
				    struct hc_account *a)
{
	const struct endpoint to = { .addr = addr_v4(0x7f000001),
				     .port = (uint16_t)port,
				     .protocol = 6 };
	struct hc_outcome out;
	struct hc_probe p;

	assert_false(hc_probe_start(&p, &g->io, c, &to, 0, a, 77, &out));
	return run(g, &p);
}

/* One probe of a server that has that certificate; NULL: none, and it does not speak TLS. */
static struct hc_outcome probe(struct ground *g, const struct check *c, const struct pki_pair *has,
			       struct hc_account *a)
{
	struct https_server *s;
	struct hc_outcome out;

	g->server.cert = has ? has->cert : NULL;
	g->server.key = has ? has->key : NULL;
	s = https_server_start(&g->server);
	out = probe_port(g, c, https_server_port(s), a);
	https_server_stop(s);
	return out;
}

static struct check *check_of(const char *secret, const char *host, const char *server_name)
{
	struct check *c = check_new(CHECK_HTTPS);

	c->secret = copy(secret);
	c->host = copy(host);
	c->server_name = copy(server_name);
	return c;
}

static void any_certificate_will_do_where_nobody_is_named(void **state)
{
	struct ground *g = *state;
	struct pki_pair stale = pki_issue_dated(g->others, "elsewhere.example", -9, -8);
	struct check *c = check_of(NULL, NULL, NULL);

	assert_int_equal(probe(g, c, &stale, NULL).reason, HC_REASON_OK);
	assert_memory_equal(g->head, "GET / HTTP/1.1\r\nHost: 127.0.0.1:", 32);
	pki_pair_done(&stale);
	check_unref(c);
}

/* Each with its own reason, and nothing is asked of who is not trusted. */
static void who_is_trusted(void **state)
{
	struct ground *g = *state;
	const struct {
		const char *host, *server_name;
		const char *names; /* of the certificate */
		int from, to;
		bool by_others;
		enum hc_reason reason;
	} rows[] = {
		{ NULL, NULL, NAME, -1, 1, false, HC_REASON_OK }, /* nobody said who */
		{ NAME ":8443", NULL, NAME, -1, 1, false, HC_REASON_OK },
		{ NULL, NAME, NAME, -1, 1, false, HC_REASON_OK },
		{ "elsewhere.example", NAME, NAME, -1, 1, false, HC_REASON_OK },
		{ "127.0.0.1:80", NULL, "127.0.0.1", -1, 1, false, HC_REASON_OK },
		{ NULL, "127.0.0.2", "127.0.0.1", -1, 1, false, HC_REASON_NAME },
		{ NAME, NULL, "elsewhere.example", -1, 1, false, HC_REASON_NAME },
		{ NULL, NAME, "elsewhere.example", -1, 1, false, HC_REASON_NAME },
		{ NAME, NULL, NAME, -9, -8, false, HC_REASON_EXPIRED },
		{ NAME, NULL, "elsewhere.example", -9, -8, false, HC_REASON_EXPIRED },
		{ NAME, NULL, NAME, 1, 2, false, HC_REASON_EXPIRED },
		{ NAME, NULL, NAME, -1, 1, true, HC_REASON_TLS },
		{ NAME, NULL, "elsewhere.example", -9, -8, true, HC_REASON_TLS },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pki_pair has = pki_issue_dated(rows[i].by_others ? g->others : g->ours,
						      rows[i].names, rows[i].from, rows[i].to);
		struct check *c = check_of("web/check", rows[i].host, rows[i].server_name);
		struct hc_outcome out;

		g->head[0] = '\0';
		out = probe(g, c, &has, account_of(pki_ca(g->ours), NULL));
		if (out.reason != rows[i].reason)
			fail_msg("row %zu: %s", i, hc_reason_text(out.reason));
		assert_int_equal(g->head[0] != '\0', out.reason == HC_REASON_OK);
		pki_pair_done(&has);
		check_unref(c);
	}
}

static void a_server_may_demand_a_certificate(void **state)
{
	struct ground *g = *state;
	struct pki_pair has = pki_issue(g->ours, NAME);
	struct pki_pair good = pki_issue_person(g->ours, "parasaus", NULL);
	struct pki_pair bad = pki_issue_person(g->others, "parasaus", NULL);
	struct pki_pair broken = { good.cert, bad.key };
	struct check *c = check_of("web/check", NAME, NULL);

	g->server.client_ca = pki_ca(g->ours);
	assert_int_equal(probe(g, c, &has, account_of(NULL, &good)).reason, HC_REASON_OK);
	assert_int_equal(probe(g, c, &has, account_of(pki_ca(g->ours), &good)).reason,
			 HC_REASON_OK);
	assert_int_equal(probe(g, c, &has, account_of(NULL, &bad)).reason,
			 HC_REASON_CLIENT_CERTIFICATE);
	assert_int_equal(probe(g, c, &has, account_of(NULL, &broken)).reason,
			 HC_REASON_CLIENT_CERTIFICATE);
	assert_int_equal(probe(g, c, &has, account_of(pki_ca(g->ours), NULL)).reason,
			 HC_REASON_CLIENT_CERTIFICATE);
	pki_pair_done(&has);
	pki_pair_done(&good);
	pki_pair_done(&bad);
	check_unref(c);
}

static void what_it_answers_is_judged_as_with_http(void **state)
{
	struct ground *g = *state;
	struct pki_pair has = pki_issue(g->ours, NAME);
	struct check *c = check_of(NULL, NULL, NULL);
	struct hc_outcome out;

	c->match = xstrdup("well");
	assert_int_equal(probe(g, c, &has, NULL).reason, HC_REASON_OK);
	g->answer = "HTTP/1.1 200 OK\r\n\r\nnot we";
	assert_int_equal(probe(g, c, &has, NULL).reason, HC_REASON_NO_MATCH);
	g->answer = "HTTP/1.1 503 No\r\n\r\n";
	out = probe(g, c, &has, NULL);
	assert_int_equal(out.reason, HC_REASON_STATUS);
	assert_int_equal(out.detail, 503);
	g->answer = "SSH-2.0-x\r\n\r\n";
	assert_int_equal(probe(g, c, &has, NULL).reason, HC_REASON_BAD_REPLY);
	g->answer = NULL;
	assert_int_equal(probe(g, c, &has, NULL).reason, HC_REASON_CLOSED);
	pki_pair_done(&has);
	check_unref(c);
}

static void who_speaks_no_tls_says_so(void **state)
{
	struct ground *g = *state;
	struct check *c = check_of(NULL, NULL, NULL);

	g->answer = "HTTP/1.1 400 The plain HTTP request was sent to HTTPS port\r\n\r\n";
	assert_int_equal(probe(g, c, NULL, NULL).reason, HC_REASON_NOT_TLS);
	g->answer = NULL;
	assert_int_equal(probe(g, c, NULL, NULL).reason, HC_REASON_CLOSED);
	assert_int_equal(probe_port(g, c, 1, NULL).reason, HC_REASON_REFUSED);
	check_unref(c);
}

/* Whom to trust was meant: that any server will do is not what was asked. */
static void without_its_secret_it_is_half_open(void **state)
{
	struct ground *g = *state;
	struct pki_pair has = pki_issue(g->others, NAME);
	struct check *c = check_of("web/check", NULL, NULL);

	assert_int_equal(probe(g, c, &has, NULL).reason, HC_REASON_OK);
	assert_string_equal(g->head, "");
	pki_pair_done(&has);
	check_unref(c);
}

static int note_connect(void *arg, const struct endpoint *to, uint16_t from_port, bool complete,
			uint64_t token, int *out_fd)
{
	(void)to;
	(void)from_port;
	(void)token;
	(void)out_fd;
	*(bool *)arg = complete;
	return -ENETDOWN;
}

static bool is_complete(enum check_type type, enum check_tls tls, const char *secret)
{
	const struct endpoint to = { .port = 1, .protocol = 6 };
	bool complete = false;
	const struct hc_io io = { .connect = note_connect, .arg = &complete };
	struct check *c = check_of(secret, NULL, NULL);
	struct hc_outcome out;
	struct hc_probe p;

	c->type = type;
	c->tls = tls;
	assert_true(hc_probe_start(&p, &io, c, &to, 0, NULL, 77, &out));
	hc_probe_stop(&p, &io);
	check_unref(c);
	return complete;
}

/* An acknowledgement that is held back would hold the handshake up, too. */
static void a_connection_of_tls_is_whole_at_once(void **state)
{
	(void)state;
	assert_false(is_complete(CHECK_REDIS, CHECK_TLS_OFF, NULL));
	assert_true(is_complete(CHECK_REDIS, CHECK_TLS_REQUIRED, NULL));
	assert_false(is_complete(CHECK_GRPC, CHECK_TLS_OFF, NULL));
	assert_true(is_complete(CHECK_GRPC, CHECK_TLS_REQUIRED, NULL));
	/* Half-open, without the Secret. */
	assert_false(is_complete(CHECK_GRPC, CHECK_TLS_REQUIRED, "web/check"));
}

struct reusing {
	struct pki_pair has;
	struct https_server *server;
	struct check *check;
	struct endpoint to;
	struct hc_probe probe;
};

static void begin_reusing(struct ground *g, struct reusing *r)
{
	struct hc_outcome out;

	*r = (struct reusing){ .has = pki_issue(g->ours, NAME) };
	g->server.cert = r->has.cert;
	g->server.key = r->has.key;
	r->server = https_server_start(&g->server);
	r->check = check_of(NULL, NULL, NULL);
	r->check->reuse = 20;
	r->to = (struct endpoint){ .addr = addr_v4(0x7f000001),
				   .port = (uint16_t)https_server_port(r->server),
				   .protocol = 6 };
	assert_false(hc_probe_start(&r->probe, &g->io, r->check, &r->to, 0, NULL, 77, &out));
}

static void end_reusing(struct ground *g, struct reusing *r)
{
	hc_probe_stop(&r->probe, &g->io);
	https_server_stop(r->server);
	pki_pair_done(&r->has);
	check_unref(r->check);
}

static void one_handshake_serves_several_probes(void **state)
{
	struct ground *g = *state;
	struct hc_outcome out;
	struct reusing r;

	g->stays = true;
	begin_reusing(g, &r);
	out = hear(g, &r.probe);
	for (int i = 1; i < 20; i++) {
		assert_int_equal(out.reason, HC_REASON_OK);
		assert_null(strstr(g->head, "\r\nConnection:"));
		assert_true(hc_probe_keep(&r.probe, &g->io));
		assert_int_equal(g->io.poll(g->io.arg, &(struct hc_ready){ 0 }, 1), 0);
		/* It may have answered by then. */
		if (!hc_probe_resume(&r.probe, &g->io, NULL, 77, &out))
			out = hear(g, &r.probe);
	}
	assert_int_equal(out.reason, HC_REASON_OK);
	assert_non_null(strstr(g->head, "\r\nConnection: close\r\n"));
	assert_false(hc_probe_keep(&r.probe, &g->io));
	assert_int_equal(https_server_connections(r.server), 1);
	end_reusing(g, &r);
}

/* Its goodbye in TLS and its FIN, at any moment. */
static void a_session_that_ended_meanwhile_is_replaced(void **state)
{
	struct ground *g = *state;
	struct hc_outcome out;
	struct pollfd told;
	struct reusing r;

	begin_reusing(g, &r);
	for (unsigned i = 1; i < 10; i++) {
		assert_int_equal(hear(g, &r.probe).reason, HC_REASON_OK);
		assert_int_equal(https_server_connections(r.server), i);
		assert_true(hc_probe_keep(&r.probe, &g->io));
		told = (struct pollfd){ .fd = r.probe.fd, .events = POLLIN };
		assert_int_equal(poll(&told, 1, PATIENCE_MS), 1);
		assert_false(hc_probe_resume(&r.probe, &g->io, NULL, 77, &out));
		assert_int_equal(r.probe.served, 0);
	}
	end_reusing(g, &r);
}

/* Told only when it is asked: it is asked once more, and no more than that. */
static void a_session_that_ends_as_it_is_asked_is_replaced_once(void **state)
{
	struct ground *g = *state;
	struct hc_outcome out;
	struct reusing r;

	g->stays = true;
	begin_reusing(g, &r);
	assert_int_equal(hear(g, &r.probe).reason, HC_REASON_OK);
	assert_true(hc_probe_keep(&r.probe, &g->io));
	g->answer = NULL;
	assert_false(hc_probe_resume(&r.probe, &g->io, NULL, 77, &out));
	assert_int_equal(hear(g, &r.probe).reason, HC_REASON_CLOSED);
	assert_int_equal(https_server_connections(r.server), 2);
	assert_false(hc_probe_keep(&r.probe, &g->io));
	end_reusing(g, &r);
}

/* In the same record, behind as much as is read at once. */
static void what_stands_behind_an_answer_ends_its_session(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 4055\r\n\r\n";
	struct ground *g = *state;
	struct reusing r;
	static char answer[4200];

	g->stays = true;
	g->answer = answer;
	for (size_t more = 0; more < 2; more++) {
		memset(answer, 'x', sizeof(answer));
		memcpy(answer, head, sizeof(head) - 1);
		answer[sizeof(head) - 1 + 4055 + more] = '\0';
		begin_reusing(g, &r);
		assert_int_equal(hear(g, &r.probe).reason, HC_REASON_OK);
		assert_int_equal(hc_probe_keep(&r.probe, &g->io), more == 0);
		end_reusing(g, &r);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(any_certificate_will_do_where_nobody_is_named,
						ground_up, ground_down),
		cmocka_unit_test_setup_teardown(one_handshake_serves_several_probes, ground_up,
						ground_down),
		cmocka_unit_test_setup_teardown(a_session_that_ended_meanwhile_is_replaced,
						ground_up, ground_down),
		cmocka_unit_test_setup_teardown(a_session_that_ends_as_it_is_asked_is_replaced_once,
						ground_up, ground_down),
		cmocka_unit_test_setup_teardown(what_stands_behind_an_answer_ends_its_session,
						ground_up, ground_down),
		cmocka_unit_test_setup_teardown(who_is_trusted, ground_up, ground_down),
		cmocka_unit_test_setup_teardown(a_server_may_demand_a_certificate, ground_up,
						ground_down),
		cmocka_unit_test_setup_teardown(what_it_answers_is_judged_as_with_http, ground_up,
						ground_down),
		cmocka_unit_test_setup_teardown(who_speaks_no_tls_says_so, ground_up, ground_down),
		cmocka_unit_test(a_connection_of_tls_is_whole_at_once),
		cmocka_unit_test_setup_teardown(without_its_secret_it_is_half_open, ground_up,
						ground_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
