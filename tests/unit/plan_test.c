/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan: what the kernel should hold for a pool, as `ipvsadm -Sn` would print it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "agent/base/xalloc.h"
#include "agent/plan/plan.h"

#define MEMBERS 3
#define NOW	((mono_t){ 1000000ll * 1000000 })
#define SERVICE "-A -t 10.0.0.1:80 -s wrr\n"
#define A	"-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w "
#define B	"-a -t 10.0.0.1:80 -r 10.1.0.2:8080 -m -w "
#define C	"-a -t 10.0.0.1:80 -r 10.1.0.3:8080 -m -w "

/* One letter a member: u up, d down for long, j just down, n not known yet, t terminating,
 * z weight zero, s saturated, x draining, y degraded; a capital: of the last good set.
 * With the role writer: w up and seen to take writes, v the same of weight 0, r just seen to be read-only. */
struct plan_case {
	const char *name;
	const char *members;
	const char *scheduler; /* NULL: wrr */
	enum pool_unhealthy unhealthy;
	enum pool_fail_policy policy;
	uint8_t min_healthy;
	uint8_t protocol; /* 0: tcp */
	enum check_role role;
	/* A letter each: w the writer, W in service until now, s not the writer, but in service until
	 * now, o out of service a moment ago, - nothing. */
	const char *writer;
	const char *
		drains; /* the same for up to three drains of members 7, 8, 9: w waiting, o over, x done */
	const char *want;
	bool fail_open;
	bool torn;
};

static const struct plan_case cases[] = {
	{ .name = "members that are up have their weight",
	  .members = "UU",
	  .want = SERVICE A "1\n" B "1\n" },
	{ .name = "a member that goes down gets weight 0 at once",
	  .members = "Uj",
	  .want = SERVICE A "1\n" B "0\n" },
	{ .name = "... and leaves the table when it is still down 30 s later",
	  .members = "Ud",
	  .want = SERVICE A "1\n" },
	{ .name = "on-unhealthy keep never removes it",
	  .members = "Ud",
	  .unhealthy = UNHEALTHY_KEEP,
	  .want = SERVICE A "1\n" B "0\n" },
	{ .name = "on-unhealthy reset removes it at once",
	  .members = "Uj",
	  .unhealthy = UNHEALTHY_RESET,
	  .want = SERVICE A "1\n" },
	{ .name = "mh keeps a member that is down, for its table depends on who is in it",
	  .members = "Ud",
	  .scheduler = "mh",
	  .want = "-A -t 10.0.0.1:80 -s mh -b mh-fallback\n" A "1\n" B "0\n" },
	{ .name = "UDP has no connection to wait for",
	  .members = "Uj",
	  .protocol = IPPROTO_UDP,
	  .want = "-A -u 10.0.0.1:80 -s wrr\n-a -u 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 1\n" },
	{ .name = "a member not proven yet stays out while another is up",
	  .members = "Un",
	  .want = SERVICE A "1\n" },
	{ .name = "all down: the last good set holds the pool together",
	  .members = "Ddd",
	  .want = SERVICE A "1\n",
	  .fail_open = true },
	{ .name = "all down and none ever good: all of them",
	  .members = "ddd",
	  .want = SERVICE A "1\n" B "1\n" C "1\n",
	  .fail_open = true },
	{ .name = "the last good set down, a new one unknown: both",
	  .members = "Ddn",
	  .want = SERVICE A "1\n" C "1\n",
	  .fail_open = true },
	{ .name = "fail-policy open-all takes all, good or not",
	  .members = "Dd",
	  .policy = FAIL_OPEN_ALL,
	  .want = SERVICE A "1\n" B "1\n",
	  .fail_open = true },
	{ .name = "fail-policy closed serves nobody",
	  .members = "Dj",
	  .policy = FAIL_CLOSED,
	  .want = SERVICE B "0\n" },
	{ .name = "one up is enough to leave fail-open",
	  .members = "Duj",
	  .want = SERVICE B "1\n" C "0\n" },
	{ .name = "with fewer than min-healthy up, the last good set is taken back in",
	  .members = "UDd",
	  .min_healthy = 50,
	  .want = SERVICE A "1\n" B "1\n",
	  .fail_open = true },
	{ .name = "... or all, where there is none beside those that are up",
	  .members = "Udd",
	  .min_healthy = 50,
	  .want = SERVICE A "1\n" B "1\n" C "1\n",
	  .fail_open = true },
	{ .name = "... or its policy says so",
	  .members = "UDd",
	  .policy = FAIL_OPEN_ALL,
	  .min_healthy = 50,
	  .want = SERVICE A "1\n" B "1\n" C "1\n",
	  .fail_open = true },
	{ .name = "... but nobody with closed",
	  .members = "UDd",
	  .policy = FAIL_CLOSED,
	  .min_healthy = 100,
	  .want = SERVICE A "1\n" },
	{ .name = "just as many are enough",
	  .members = "UUd",
	  .min_healthy = 66,
	  .want = SERVICE A "1\n" B "1\n" },
	{ .name = "... and one percent less is not",
	  .members = "UUD",
	  .min_healthy = 67,
	  .want = SERVICE A "1\n" B "1\n" C "1\n",
	  .fail_open = true },
	{ .name = "who is not known yet, goes or has weight 0 does not count",
	  .members = "Udn",
	  .min_healthy = 50,
	  .want = SERVICE A "1\n" },
	{ .name = "... nor is it taken in before the share is missed",
	  .members = "Udz",
	  .min_healthy = 50,
	  .want = SERVICE A "1\n" C "0\n" },
	{ .name = "a pool for one writer has no share",
	  .members = "wdd",
	  .min_healthy = 100,
	  .writer = "w--",
	  .role = CHECK_ROLE_WRITER,
	  .want = SERVICE A "1\n" },
	{ .name = "a member of weight 0 is in the table and holds no pool together",
	  .members = "zd",
	  .want = SERVICE A "0\n" B "1\n",
	  .fail_open = true },
	{ .name = "a terminating member is left to its drain",
	  .members = "Ut",
	  .want = SERVICE A "1\n" },
	{ .name = "a drain keeps weight 0 until it is done or over",
	  .members = "U",
	  .drains = "wox",
	  .want = SERVICE A "1\n"
			    "-a -t 10.0.0.1:80 -r 10.1.0.7:8080 -m -w 0\n" },
	{ .name = "a saturated member keeps a little while others are up",
	  .members = "5su",
	  .want = SERVICE A "5\n" B "1\n" C "1\n" },
	{ .name = "... and its weight where it is alone, or all of them are",
	  .members = "Ssd",
	  .want = SERVICE A "7\n" B "7\n" },
	{ .name = "... and where weights say whom a client is hashed to",
	  .members = "us",
	  .scheduler = "sh",
	  .want = "-A -t 10.0.0.1:80 -s sh\n" A "1\n" B "7\n" },

	{ .name = "a member that is degraded keeps a little while others are up",
	  .members = "5yu",
	  .want = SERVICE A "5\n" B "1\n" C "1\n" },
	{ .name = "... and its weight where all that are up are, or have no room",
	  .members = "ysd",
	  .want = SERVICE A "7\n" B "7\n" },
	{ .name = "a member that drains gets nothing new, and stays",
	  .members = "5xu",
	  .want = SERVICE A "5\n" B "0\n" C "1\n" },
	{ .name = "... whatever on-unhealthy says, for it is up",
	  .members = "ux",
	  .unhealthy = UNHEALTHY_RESET,
	  .want = SERVICE A "1\n" B "0\n" },
	{ .name = "... and has its weight where nobody else is up",
	  .members = "dx",
	  .want = SERVICE B "7\n" },
	{ .name = "... or all others that are go as well",
	  .members = "xxz",
	  .want = SERVICE A "7\n" B "7\n" C "0\n" },
	{ .name = "... and goes before those that are degraded",
	  .members = "xyd",
	  .want = SERVICE A "0\n" B "7\n" },
	{ .name = "... and counts as up for min-healthy",
	  .members = "UxD",
	  .min_healthy = 60,
	  .want = SERVICE A "1\n" B "0\n" },
	{ .name = "readers and Galera nodes in their role are equals",
	  .members = "uur",
	  .role = CHECK_ROLE_READER,
	  .policy = FAIL_CLOSED,
	  .unhealthy = UNHEALTHY_RESET,
	  .want = SERVICE A "1\n" B "1\n" },
	{ .name = "a role that nobody is in serves nobody",
	  .members = "Djn",
	  .role = CHECK_ROLE_GALERA,
	  .policy = FAIL_CLOSED,
	  .unhealthy = UNHEALTHY_RESET,
	  .want = SERVICE },
	{ .name = "... unless its owner wants it so",
	  .members = "Dj",
	  .role = CHECK_ROLE_READER,
	  .unhealthy = UNHEALTHY_RESET,
	  .want = SERVICE A "1\n",
	  .fail_open = true },

#define WRITER(name_, was, members_, want_)                                                   \
	{                                                                                     \
		.name = name_, .members = members_, .writer = was, .role = CHECK_ROLE_WRITER, \
		.policy = FAIL_CLOSED, .unhealthy = UNHEALTHY_RESET, .want = SERVICE want_    \
	}
#define TORN(name_, was, members_, want_)                                                     \
	{                                                                                     \
		.name = name_, .members = members_, .writer = was, .role = CHECK_ROLE_WRITER, \
		.policy = FAIL_CLOSED, .unhealthy = UNHEALTHY_RESET, .want = SERVICE want_,   \
		.torn = true                                                                  \
	}
	WRITER("the writer serves, and nobody else", "w--", "wrd", A "1\n"),
	WRITER("... also where it stands last", "--w", "rdw", C "1\n"),
	WRITER("an unknown role keeps the writer and adds nobody", "w--", "nwn", A "1\n"),
	WRITER("what is up without proof adds nobody", "w--", "wuu", A "1\n"),
	WRITER("the writer stays while it is up without proof", "w--", "uwr", A "1\n"),
	TORN("two that take writes: the writer stays", "-w-", "wwr", B "1\n"),
	WRITER("down, and another takes writes: it takes over; the old one is at 0 first", "W--",
	       "jwd", A "0\n" B "1\n"),
	WRITER("... also where it was down for long", "W--", "dwd", A "0\n" B "1\n"),
	WRITER("... or was out already", "w--", "dwd", B "1\n"),
	WRITER("... and is gone a moment later", "-w-", "dwd", B "1\n"),
	WRITER("read-only by proof, and another takes writes", "W--", "rwn", A "0\n" B "1\n"),
	WRITER("equals of before are at 0 first", "sss", "uuu", A "0\n" B "0\n" C "0\n"),
	WRITER("one that was the writer a moment ago stays at 0", "ow-", "dwd", A "0\n" B "1\n"),
	TORN("down, and two take writes: nobody", "w--", "dww", ""),
	WRITER("down, and nobody takes writes: nobody", "w--", "dnu", ""),
	WRITER("just down: at 0, so that it is out before another is in", "W--", "jnu", A "0\n"),
	WRITER("no writer, and one alone takes writes", "---", "rwd", B "1\n"),
	WRITER("no writer, and not all roles are known: nobody", "---", "nwd", ""),
	WRITER("no writer, and one is up without proof: nobody", "---", "uwd", ""),
	TORN("no writer, and two take writes: nobody", "---", "wwd", ""),
	WRITER("a writer that terminates is none", "w--", "twd", B "1\n"),
	WRITER("... and until others are known nobody is", "w--", "twn", ""),
	WRITER("weight 0 is no writer's", "---", "vrd", ""),
	TORN("... but takes writes all the same", "---", "vwd", ""),
	WRITER("... and a writer that was given it stays", "w--", "vrd", A "0\n"),
	WRITER("a saturated writer has nobody to leave its load to", "w--", "srd", A "7\n"),
	{ .name = "a fail-policy that is said keeps the writer, down as it is",
	  .members = "djd",
	  .writer = "W--",
	  .role = CHECK_ROLE_WRITER,
	  .policy = FAIL_OPEN_ALL,
	  .unhealthy = UNHEALTHY_RESET,
	  .want = SERVICE A "1\n",
	  .fail_open = true },
	{ .name = "... until another one takes writes",
	  .members = "dwd",
	  .writer = "W--",
	  .role = CHECK_ROLE_WRITER,
	  .policy = FAIL_OPEN_ALL,
	  .unhealthy = UNHEALTHY_RESET,
	  .want = SERVICE A "0\n" B "1\n" },
	{ .name = "mh keeps all of them, at weight 0",
	  .members = "wuj",
	  .writer = "w--",
	  .role = CHECK_ROLE_WRITER,
	  .scheduler = "mh",
	  .policy = FAIL_CLOSED,
	  .unhealthy = UNHEALTHY_RESET,
	  .want = "-A -t 10.0.0.1:80 -s mh -b mh-fallback\n" A "1\n" B "0\n" C "0\n" },
	{ .name = "SCTP drains as TCP does",
	  .members = "U",
	  .protocol = IPPROTO_SCTP,
	  .drains = "w",
	  .want = "-A --sctp-service 10.0.0.1:80 -s wrr\n"
		  "-a --sctp-service 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 1\n"
		  "-a --sctp-service 10.0.0.1:80 -r 10.1.0.7:8080 -m -w 0\n" },
	{ .name = "UDP drains as TCP does, while it has a drain",
	  .members = "U",
	  .protocol = IPPROTO_UDP,
	  .drains = "wo",
	  .want = "-A -u 10.0.0.1:80 -s wrr\n"
		  "-a -u 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 1\n"
		  "-a -u 10.0.0.1:80 -r 10.1.0.7:8080 -m -w 0\n" },
};

static struct endpoint member_endpoint(unsigned host, uint8_t protocol)
{
	struct endpoint e = { .addr = addr_v4(0x0a010000 + host),
			      .protocol = protocol,
			      .port = 8080 };

	return e;
}

/* Just down is a moment before it leaves. */
static mono_t down_since(char letter)
{
	return mono_add_ms(NOW, -PLAN_UNHEALTHY_KEEP_MS + (letter == 'j'));
}

static enum verdict_state state_of(char letter)
{
	switch (letter) {
	case 'd':
	case 'D':
	case 'j':
	case 'r':
		return VERDICT_DOWN;
	case 'n':
		return VERDICT_UNKNOWN;
	default:
		return VERDICT_UP;
	}
}

struct scene {
	struct pool pool;
	struct pool_member members[MEMBERS];
	struct plan_fact facts[MEMBERS];
	struct plan_member out[MEMBERS];
	struct plan_place places[MEMBERS];
	struct plan_drain drains[3];
	size_t drain_count;
	struct endpoint frontend;
	struct check check;
};

static uint16_t weight_of(char letter)
{
	switch (letter) {
	case 'z':
	case 'v':
		return 0;
	case 's':
	case 'S':
	case 'x':
	case 'y':
		return 7;
	case '5':
		return 5;
	default:
		return 1;
	}
}

static void fact_of(const struct plan_case *c, size_t i, struct plan_fact *f)
{
	char letter = c->members[i], was = c->writer ? c->writer[i] : '-';

	f->state = state_of(letter);
	f->last_good = letter == 'U' || letter == 'D';
	f->down_since = down_since(letter);
	f->saturated = letter == 's' || letter == 'S';
	f->draining = letter == 'x';
	f->degraded = letter == 'y';
	f->other_role = letter == 'r';
	f->claims = letter == 'w' || letter == 'v';
	f->writer = was == 'w' || was == 'W';
	f->serving = was == 'W' || was == 's';
	if (was == 'o')
		f->retired = mono_add_ms(NOW, -PLAN_HANDOVER_MS + 1);
}

static void scene_of(const struct plan_case *c, struct scene *s)
{
	uint8_t protocol = c->protocol ? c->protocol : IPPROTO_TCP;

	memset(s, 0, sizeof(*s));
	snprintf(s->pool.set.scheduler, sizeof(s->pool.set.scheduler), "%s",
		 c->scheduler ? c->scheduler : "wrr");
	s->pool.set.unhealthy = c->unhealthy;
	s->pool.set.fail_policy = c->policy;
	s->pool.set.min_healthy = c->min_healthy;
	s->pool.protocol = protocol;
	s->check.role = c->role;
	s->pool.set.check = &s->check;
	s->pool.members.any = s->members;
	s->pool.member_count = (uint32_t)strlen(c->members);
	for (size_t i = 0; i < s->pool.member_count; i++) {
		char letter = c->members[i];

		s->members[i].endpoint = member_endpoint((unsigned)i + 1, protocol);
		s->members[i].weight = weight_of(letter);
		s->members[i].terminating = letter == 't';
		fact_of(c, i, &s->facts[i]);
	}
	for (size_t i = 0; c->drains && c->drains[i]; i++) {
		s->drains[i].endpoint = member_endpoint((unsigned)i + 7, protocol);
		s->drains[i].deadline = mono_add_ms(NOW, c->drains[i] == 'o' ? 0 : 1);
		s->drains[i].done = c->drains[i] == 'x';
		s->drain_count++;
	}
	s->frontend =
		(struct endpoint){ .addr = addr_v4(0x0a000001), .protocol = protocol, .port = 80 };
}

static void work_out(struct scene *s, struct plan_outcome *outcome)
{
	plan_pool(&s->pool, s->facts, NOW, s->out, outcome);
	for (size_t i = 0; i < s->pool.member_count; i++)
		s->places[i] = plan_place(&s->out[i]);
}

static void kernel_is_as_planned(void **state)
{
	const struct plan_case *c = *state;
	struct scene s;
	struct ipvs_table table;
	struct ipvs_service service;
	struct buf text = { 0 };
	struct plan_outcome outcome;

	scene_of(c, &s);
	work_out(&s, &outcome);
	service = plan_service(&s.pool, &s.frontend);
	plan_dests(&service, &s.pool, s.places, s.drains, s.drain_count, NOW);
	ipvs_table_init(&table);
	ipvs_table_put(&table, &service);
	ipvs_table_print(&table, &text);
	assert_string_equal(buf_cstr(&text), c->want);
	assert_int_equal(outcome.fail_open, c->fail_open);
	assert_int_equal(outcome.torn, c->torn);
	ipvs_table_done(&table);
	buf_done(&text);
}

static void assert_table(struct scene *s, const char *want)
{
	struct ipvs_service service = plan_service(&s->pool, &s->frontend);
	struct plan_outcome outcome;
	struct buf text = { 0 };
	struct ipvs_table table;

	work_out(s, &outcome);
	plan_dests(&service, &s->pool, s->places, s->drains, s->drain_count, NOW);
	ipvs_table_init(&table);
	ipvs_table_put(&table, &service);
	ipvs_table_print(&table, &text);
	assert_string_equal(buf_cstr(&text), want);
	ipvs_table_done(&table);
	buf_done(&text);
}

/* One that drains goes on by the path it has, whatever its pool's is by now. */
static void a_tunnel_is_planned_with_its_type(void **state)
{
	static const struct plan_case one = { .members = "u", .drains = "d" };
	struct scene s;

	(void)state;
	scene_of(&one, &s);
	s.pool.set.forward = FORWARD_TUNNEL;
	s.pool.set.tunnel = (struct pool_tunnel){ TUNNEL_GUE, 6080 };
	s.drains[0].path = (struct plan_path){ .forward = IPVS_TUNNEL, .tunnel = TUNNEL_GRE };
	assert_table(&s,
		     "-A -t 10.0.0.1:80 -s wrr\n"
		     "-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -i -w 1 --tun-type gue --tun-port 6080 "
		     "--tun-nocsum\n"
		     "-a -t 10.0.0.1:80 -r 10.1.0.7:8080 -i -w 0 --tun-type gre --tun-nocsum\n");
}

static void persistence_is_by_client_or_by_prefix(void **state)
{
	static const struct plan_case none = { .members = "" };
	struct scene s;

	(void)state;
	scene_of(&none, &s);
	s.pool.set.persistence = (struct pool_prefixes){ 20, 64 };
	assert_table(&s, "-A -t 10.0.0.1:80 -s wrr\n");
	s.pool.persistence_s = 60;
	assert_table(&s, "-A -t 10.0.0.1:80 -s wrr -p 60 -M 255.255.240.0\n");
	assert_int_equal(endpoint_parse("[2001:db8::1]:80", IPPROTO_TCP, &s.frontend), 0);
	assert_table(&s, "-A -t [2001:db8::1]:80 -s wrr -p 60 -M 64\n");
	s.pool.set.persistence = (struct pool_prefixes){ 20, 0 };
	assert_table(&s, "-A -t [2001:db8::1]:80 -s wrr -p 60\n");
}

static void next_is_when_a_member_leaves(void **state)
{
	static const struct plan_case two = { .members = "Uj" };
	struct scene s;
	struct plan_outcome outcome;

	(void)state;
	scene_of(&two, &s);
	plan_pool(&s.pool, s.facts, NOW, s.out, &outcome);
	assert_int_equal(outcome.next.ns, mono_add_ms(NOW, 1).ns);
	assert_int_equal(s.out[1].remove_at.ns, outcome.next.ns);
	plan_pool(&s.pool, s.facts, outcome.next, s.out, &outcome);
	assert_false(s.out[1].in_table);
	assert_int_equal(outcome.next.ns, 0);
}

/* Down with many others, which may be our own fault: it is as it was, and says why. */
static void who_only_waits_keeps_its_weight(void **state)
{
	static const struct plan_case two = { .members = "5d" };
	struct plan_outcome outcome;
	struct scene s;

	(void)state;
	scene_of(&two, &s);
	s.facts[0].waiting = true;
	plan_pool(&s.pool, s.facts, NOW, s.out, &outcome);
	assert_int_equal(s.out[0].weight, 5);
	assert_int_equal(s.out[0].reasons, MEMBER_MASS_FAILURE);
	assert_false(s.out[1].in_table);
	assert_false(outcome.fail_open);
}

static void a_held_member_says_so_until_then(void **state)
{
	static const struct plan_case three = { .members = "Udj", .unhealthy = UNHEALTHY_KEEP };
	mono_t until = mono_add_ms(NOW, 5000);
	struct plan_outcome outcome;
	struct scene s;

	(void)state;
	scene_of(&three, &s);
	s.facts[0].held_until = until; /* of no meaning while it is up */
	s.facts[1].held_until = until;
	s.facts[2].held_until = NOW;
	plan_pool(&s.pool, s.facts, NOW, s.out, &outcome);
	assert_int_equal(s.out[0].reasons, 0);
	assert_int_equal(s.out[1].reasons, MEMBER_UNHEALTHY | MEMBER_HELD);
	assert_int_equal(s.out[2].reasons, MEMBER_UNHEALTHY);
	assert_int_equal(outcome.next.ns, until.ns);
	plan_pool(&s.pool, s.facts, until, s.out, &outcome);
	assert_int_equal(s.out[1].reasons, MEMBER_UNHEALTHY);
	assert_int_equal(outcome.next.ns, 0);
}

/*
 * Ten that fall one after the other, every minute one, with a half of them needed: those that fell
 * long before they became too few are out, the others stay, also while more fall, and until enough
 * are up again.
 */
static void the_last_good_set_is_that_of_when_they_became_too_few(void **state)
{
	enum { TEN = 10 };
	struct check check = { .role = CHECK_ROLE_ANY };
	struct pool_member members[TEN];
	struct plan_fact facts[TEN];
	struct plan_member out[TEN];
	struct plan_outcome outcome;
	struct pool pool = { .set = { .scheduler = "wrr", .min_healthy = 50, .check = &check },
			     .protocol = IPPROTO_TCP,
			     .members = { .any = members },
			     .member_count = TEN };
	mono_t now = NOW;

	(void)state;
	for (unsigned i = 0; i < TEN; i++) {
		members[i] = (struct pool_member){ .endpoint = member_endpoint(i, IPPROTO_TCP),
						   .weight = 1 };
		facts[i] = (struct plan_fact){ .state = VERDICT_UP, .good = true };
	}
	plan_last_good(&pool, facts, now);
	for (unsigned i = 0; i < 7; i++) {
		now = mono_add_ms(now, 60000);
		facts[i].state = VERDICT_DOWN;
		facts[i].good = false;
		facts[i].down_since = now;
		plan_last_good(&pool, facts, now);
		plan_pool(&pool, facts, now, out, &outcome);
		/* It says itself when to look again. */
		assert_int_equal(outcome.next.ns, mono_add_ms(now, PLAN_UNHEALTHY_KEEP_MS).ns);
		plan_last_good(&pool, facts, outcome.next);
		plan_pool(&pool, facts, outcome.next, out, &outcome);
		assert_int_equal(outcome.next.ns, 0);
		assert_int_equal(outcome.fail_open, i >= 5);
		/* The sixth is the one with which they are too few. */
		for (unsigned k = 0; k < TEN; k++)
			assert_int_equal(out[k].weight, k > i || (i >= 5 && k >= 5));
	}
	/* One is back: four of ten. Another: enough, and who is down is out. */
	for (unsigned i = 0; i < 2; i++) {
		now = mono_add_ms(now, 60000);
		facts[i] = (struct plan_fact){ .state = VERDICT_UP, .good = true };
		plan_last_good(&pool, facts, now);
		plan_pool(&pool, facts, now, out, &outcome);
		assert_int_equal(outcome.fail_open, i == 0);
		assert_int_equal(out[5].weight, i == 0);
		assert_int_equal(out[6].weight, i == 0);
		assert_int_equal(out[4].weight, 0);
	}
}

/* Three with weight 25, of which B came back: its weight after so many seconds of 100. */
static void who_comes_back_gets_its_weight_by_and_by(void **state)
{
	static const struct {
		int64_t after_ms;
		uint32_t weight;
		int64_t next_ms; /* 0: none */
	} steps[] = { { 0, 3, 10000 },	   { 9999, 3, 10000 },	 { 10000, 5, 20000 },
		      { 20000, 8, 30000 }, { 45000, 13, 50000 }, { 89999, 23, 90000 },
		      { 90000, 25, 0 },	   { 1000000, 25, 0 } };
	static const struct plan_case three = { .members = "UUU" };
	struct plan_outcome outcome;
	struct scene s;

	(void)state;
	scene_of(&three, &s);
	s.pool.set.slow_start_s = 100;
	for (size_t i = 0; i < 3; i++)
		s.members[i].weight = 25;
	s.facts[1].up_since = NOW;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		mono_t next = mono_add_ms(NOW, steps[i].next_ms);

		plan_pool(&s.pool, s.facts, mono_add_ms(NOW, steps[i].after_ms), s.out, &outcome);
		assert_int_equal(s.out[0].weight, 25);
		assert_int_equal(s.out[1].weight, steps[i].weight);
		assert_int_equal(s.out[1].reasons, steps[i].next_ms ? MEMBER_SLOW_START : 0);
		assert_int_equal(outcome.next.ns, steps[i].next_ms ? next.ns : 0);
	}
}

static uint32_t weight_of_b(const char *members, const char *scheduler, uint16_t slow_start_s)
{
	const struct plan_case c = { .members = members, .scheduler = scheduler };
	struct plan_outcome outcome;
	struct scene s;

	scene_of(&c, &s);
	s.pool.set.slow_start_s = slow_start_s;
	s.members[1].weight = 40;
	s.facts[1].up_since = NOW;
	plan_pool(&s.pool, s.facts, NOW, s.out, &outcome);
	return s.out[1].weight;
}

static void slow_start_is_for_who_has_others_beside_it(void **state)
{
	static const char *const shares[] = { "wrr", "wlc", "sed", "nq", "twos" };
	static const char *const others[] = { "mh", "sh", "dh", "rr", "lc", "fo", "ovf" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shares); i++)
		assert_int_equal(weight_of_b("uu", shares[i], 30), 4);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(weight_of_b("uu", others[i], 30), 40);
	assert_int_equal(weight_of_b("uu", NULL, 0), 40);
	assert_int_equal(weight_of_b("du", NULL, 30), 40); /* alone */
	assert_int_equal(weight_of_b("zu", NULL, 30), 40); /* beside one of weight 0 */
	assert_int_equal(weight_of_b("tu", NULL, 30), 40); /* ... and one that goes */
	assert_int_equal(weight_of_b("us", NULL, 30), 1);  /* saturated as well */
	assert_int_equal(weight_of_b("Dd", NULL, 30), 0);  /* not up */
}

static void first_state(void **state)
{
	static const struct {
		struct plan_first first;
		enum verdict_state want;
	} rows[] = {
		/* a fresh pool serves at once */
		{ { 0 }, VERDICT_UP },
		/* a newcomer to a pool that is known to work has to prove itself */
		{ { .pool_proven = true }, VERDICT_UNKNOWN },
		/* the kernel and the state file agree, or only one of them knows */
		{ { .in_kernel = true, .kernel_weight = 1, .pool_proven = true }, VERDICT_UP },
		{ { .in_kernel = true, .kernel_weight = 0 }, VERDICT_DOWN },
		{ { .saved = VERDICT_DOWN }, VERDICT_DOWN },
		{ { .saved = VERDICT_UP, .pool_proven = true }, VERDICT_UP },
		/* weight 0 is newer than the file, a weight may be fail-open's */
		{ { .in_kernel = true, .kernel_weight = 0, .saved = VERDICT_UP }, VERDICT_DOWN },
		{ { .in_kernel = true, .kernel_weight = 1, .saved = VERDICT_DOWN }, VERDICT_DOWN },
		/* a role has to be seen */
		{ { .has_role = true }, VERDICT_UNKNOWN },
		{ { .has_role = true, .in_kernel = true, .kernel_weight = 1 }, VERDICT_UP },
		/* ... unless it is the weight somebody gave it */
		{ { .in_kernel = true, .nominal_zero = true, .saved = VERDICT_UP }, VERDICT_UP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(plan_first_state(&rows[i].first), rows[i].want);
}

#define OTHERS 9

int main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(cases) + OTHERS] = {
		cmocka_unit_test(next_is_when_a_member_leaves),
		cmocka_unit_test(who_only_waits_keeps_its_weight),
		cmocka_unit_test(a_held_member_says_so_until_then),
		cmocka_unit_test(the_last_good_set_is_that_of_when_they_became_too_few),
		cmocka_unit_test(who_comes_back_gets_its_weight_by_and_by),
		cmocka_unit_test(slow_start_is_for_who_has_others_beside_it),
		cmocka_unit_test(first_state),
		cmocka_unit_test(a_tunnel_is_planned_with_its_type),
		cmocka_unit_test(persistence_is_by_client_or_by_prefix),
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		tests[i + OTHERS] =
			(struct CMUnitTest){ .name = cases[i].name,
					     .test_func = kernel_is_as_planned,
					     .initial_state = (void *)(uintptr_t)&cases[i] };
	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
