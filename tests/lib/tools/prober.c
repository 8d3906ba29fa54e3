/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * prober ADDRESS:PORT [KEY=VALUE...]
 *
 * The probe engine with checks of one server, on real sockets.
 *
 *   type=TYPE                         of check (mysql)
 *   user=NAME password=WORD ca=FILE cert=FILE key=FILE
 *                                     the Secret; without any there is none, and but for mysql
 *                                     none is asked for
 *   role=ROLE tls=TLS lag=S           as the check has them
 *   send=BYTES answer=BYTES           likewise
 *   name=NAME record=TYPE rcodes=LIST what dns asks for, and takes
 *   host=NAME service=NAME            likewise
 *   server=NAME                       whom its certificate has to be for
 *   reuse=N                           likewise (1)
 *   interval=MS timeout=MS            (100, 100)
 *   checks=N      ends after N probes (1)
 *   targets=N     checks that differ in their timeout only: N at a time (1)
 *   until=STATE   ends once the first target is "up" or "down", whatever is counted
 *   limit=S       ends after so long in any case (60)
 *   die=greeting  is killed (SIGKILL) when the server's first bytes are here
 *
 * Prints what the first target is at last: "STATE: REASON DETAIL, N ok, N failed, N nothing,
 * US us", and before that each notice ("notice: ...") and each change ("now STATE").
 */
#include <err.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/value.h"
#include "agent/base/xalloc.h"
#include "healthcheck/engine.h"
#include "healthcheck/io.h"

#define SECRET	 "test/login"
#define AS_IT_IS UINT32_MAX /* the type's default */

struct options {
	struct endpoint to;
	char *user, *password, *ca, *cert, *key, *host, *service, *server;
	enum check_type type;
	char *send, *answer, *name;
	uint32_t record;
	uint16_t rcodes;
	uint32_t role, tls, lag, reuse, interval, timeout, checks, targets, limit;
	const char *until;
	bool dies;
};

static struct hc_io real;

static ssize_t recv_and_die(void *arg, int fd, void *data, size_t len)
{
	ssize_t n = real.recv(arg, fd, data, len);

	if (n > 0)
		raise(SIGKILL);
	return n;
}

static char *read_all(const char *path)
{
	char *text = xmalloc(HC_SECRET_CA_MAX + 1);
	FILE *f = fopen(path, "re");

	if (!f)
		err(1, "%s", path);
	text[fread(text, 1, HC_SECRET_CA_MAX, f)] = '\0';
	fclose(f);
	return text;
}

static uint32_t number(const char *text)
{
	uint64_t v;

	if (value_uint(text, 0, UINT32_MAX, &v) < 0)
		errx(1, "not a number: %s", text);
	return (uint32_t)v;
}

static bool numeric_option(struct options *o, const char *key, const char *value)
{
	const struct {
		const char *key;
		uint32_t *to;
	} numbers[] = {
		{ "lag", &o->lag },	  { "interval", &o->interval }, { "timeout", &o->timeout },
		{ "checks", &o->checks }, { "targets", &o->targets },	{ "limit", &o->limit },
		{ "reuse", &o->reuse },
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (strcmp(key, numbers[i].key) == 0) {
			*numbers[i].to = number(value);
			return true;
		}
	}
	return false;
}

static bool word_option(struct options *o, const char *key, const char *value)
{
	if (strcmp(key, "type") == 0)
		return check_type_parse(value, &o->type);
	if (strcmp(key, "role") == 0)
		return value_word(&value_check_roles, value, &o->role) == 0;
	if (strcmp(key, "tls") == 0)
		return value_word(&value_check_tls, value, &o->tls) == 0;
	if (strcmp(key, "record") == 0)
		return value_word(&value_dns_types, value, &o->record) == 0;
	return strcmp(key, "rcodes") == 0 && value_dns_rcodes(value, &o->rcodes) == 0;
}

static bool text_option(struct options *o, const char *key, char *value)
{
	const struct {
		const char *key;
		char **to;
	} texts[] = {
		{ "user", &o->user },	    { "password", &o->password }, { "send", &o->send },
		{ "answer", &o->answer },   { "name", &o->name },	  { "host", &o->host },
		{ "service", &o->service }, { "server", &o->server },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (strcmp(key, texts[i].key) == 0) {
			*texts[i].to = value;
			return true;
		}
	}
	return false;
}

static bool file_option(struct options *o, const char *key, const char *path)
{
	const struct {
		const char *key;
		char **to;
	} files[] = { { "ca", &o->ca }, { "cert", &o->cert }, { "key", &o->key } };

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (strcmp(key, files[i].key) == 0) {
			*files[i].to = read_all(path);
			return true;
		}
	}
	return false;
}

static void option(struct options *o, char *text)
{
	char *value = strchr(text, '=');

	if (!value)
		errx(1, "KEY=VALUE, not %s", text);
	*value++ = '\0';
	if (file_option(o, text, value))
		return;
	if (strcmp(text, "until") == 0)
		o->until = value;
	else if (strcmp(text, "die") == 0)
		o->dies = strcmp(value, "greeting") == 0;
	else if (!numeric_option(o, text, value) && !text_option(o, text, value) &&
		 !word_option(o, text, value))
		errx(1, "what is %s=%s?", text, value);
}

static void put_question(struct check *c, const struct options *o)
{
	if (check_has(c->type) & CHECK_HAS_WORDS) {
		c->send = o->send ? xstrdup(o->send) : NULL;
		c->answer = o->answer ? xstrdup(o->answer) : NULL;
	}
	if (!(check_has(c->type) & CHECK_HAS_QUESTION))
		return;
	if (o->name) {
		free(c->dns_name);
		c->dns_name = xstrdup(o->name);
	}
	if (o->record)
		c->dns_type = (uint16_t)o->record;
	if (o->rcodes)
		c->dns_rcodes = o->rcodes;
}

static bool has_secret(const struct options *o)
{
	return o->user || o->ca || o->cert;
}

static void put_secret(struct hc_engine *e, const struct options *o)
{
	struct hc_secret s = { .name = xstrdup(SECRET), .present = true };

	s.username = o->user;
	if (o->user)
		s.password = o->password ? o->password : o->user + strlen(o->user);
	s.ca_pem = o->ca;
	s.certificate = o->cert;
	s.key = o->key;
	hc_engine_put_secret(e, &s);
	free(s.name);
}

static uint64_t put(struct hc_engine *e, const struct options *o, uint32_t i)
{
	struct hc_target t = { .initial = VERDICT_UNKNOWN };

	t.check = check_new(o->type);
	t.endpoint = check_endpoint(t.check, &o->to);
	put_question(t.check, o);
	if (has_secret(o) || o->type == CHECK_MYSQL)
		t.check->secret = xstrdup(SECRET);
	t.check->role = (enum check_role)o->role;
	if (check_has(o->type) & CHECK_HAS_TLS && o->tls != AS_IT_IS)
		t.check->tls = (enum check_tls)o->tls;
	t.check->max_lag_s = o->lag;
	t.check->host = o->host ? xstrdup(o->host) : NULL;
	t.check->service = o->service ? xstrdup(o->service) : NULL;
	t.check->server_name = o->server ? xstrdup(o->server) : NULL;
	if (check_has(o->type) & CHECK_HAS_REQUEST)
		t.check->reuse = (uint16_t)o->reuse;
	t.check->interval_ms = o->interval;
	t.check->fast_ms = 100;
	t.check->timeout_ms = o->timeout - i;
	t.id = check_target_id(t.check, &t.endpoint);
	hc_engine_put(e, &t, true);
	check_unref(t.check);
	return t.id;
}

static void wait_for(struct hc_engine *e, const struct hc_net *n)
{
	struct pollfd p = { .fd = hc_net_fd(n), .events = POLLIN };
	int64_t ms = 100;
	mono_t next;

	if (hc_engine_next(e, &next))
		ms = mono_sub_ms(next, clock_mono(&clock_system)) + 1;
	poll(&p, 1, (int)(ms < 0 ? 0 : ms > 100 ? 100 : ms));
}

static void hear(struct hc_engine *e, uint64_t id, struct hc_verdict *out)
{
	struct hc_verdict v;
	char text[512];

	while (hc_engine_take_notice(e, text, sizeof(text)))
		printf("notice: %s\n", text);
	while (hc_engine_tell(e, &v)) {
		if (v.id != id)
			continue;
		if (v.state != out->state)
			printf("now %s\n", verdict_state_text(v.state));
		*out = v;
	}
}

static void run(struct hc_engine *e, const struct hc_net *n, const struct options *o, uint64_t id)
{
	mono_t end = mono_add_ms(clock_mono(&clock_system), o->limit * INT64_C(1000));
	struct hc_verdict v = { 0 };
	struct hc_status s;

	do {
		wait_for(e, n);
		hc_engine_run(e);
		hear(e, id, &v);
		hc_engine_status(e, &s);
		if (o->until ? strcmp(verdict_state_text(v.state), o->until) == 0
			     : s.probes - s.in_flight >= o->checks)
			break;
	} while (mono_before(clock_mono(&clock_system), end));
	hc_engine_tell_all(e);
	hear(e, id, &v);
	printf("%s: %s %d, %u ok, %u failed, %llu nothing, %u us\n", verdict_state_text(v.state),
	       hc_reason_text(v.reason), v.detail, v.ok, v.failed,
	       (unsigned long long)s.inconclusive, v.latency_us);
}

int main(int argc, char **argv)
{
	struct options o = { .type = CHECK_MYSQL,
			     .tls = AS_IT_IS,
			     .reuse = 1,
			     .interval = 100,
			     .timeout = 100,
			     .checks = 1,
			     .targets = 1,
			     .limit = 60 };
	struct hc_engine_config c = { .clock = &clock_system,
				      .max_in_flight = 1000,
				      .max_open = 20000,
				      .max_kept_tls = 5000 };
	struct hc_engine *e;
	struct hc_net *n;
	uint64_t id;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || endpoint_parse(argv[1], IPPROTO_TCP, &o.to) < 0)
		errx(1, "usage: prober ADDRESS:PORT [KEY=VALUE...]");
	for (int i = 2; i < argc; i++)
		option(&o, argv[i]);
	if (hc_net_new(NULL, &n) < 0)
		errx(1, "epoll");
	real = c.io = hc_net_io(n);
	if (o.dies)
		c.io.recv = recv_and_die;
	e = hc_engine_new(&c);
	if (has_secret(&o))
		put_secret(e, &o);
	id = put(e, &o, 0);
	for (uint32_t i = 1; i < o.targets; i++)
		put(e, &o, i);
	run(e, n, &o, id);
	hc_engine_free(e);
	hc_net_free(n);
	return 0;
}
