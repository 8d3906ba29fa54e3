/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the ipvs role (ipvs/role.h) on the real kernel in the network namespace
 * it is started in, and is its core, as a script on standard input says. For
 * kernel tests.
 *
 *   ipvs_driver [-a AUDIT_MS] [-o ADDRESSES PORTS]... < SCRIPT
 *
 * A line is a command; what prints begins with its name:
 *   want FILE [incomplete]   the whole table, in the form of `ipvsadm -Sn`
 *   change FILE              these services
 *   drain FILE               the same; destinations of weight 0 drain
 *   gone VIP:PORT            a TCP service
 *   wait SECONDS             until the kernel is as wanted: "wait yes" or "wait no"
 *   sleep MS                 let it work
 *   status                   one line of NAME=VALUE
 *   problems                 a line each, as they stand
 *   reconnect                a new core; prints the image it is told
 *   restart                  a new role; the old one is just gone
 *   run COMMAND              by the shell; prints nothing of its own
 *   cleanup                  as `parasausd --cleanup`; the role must not be needed after
 * Events are printed as "event LEVEL TEXT", idle destinations as "idle VIP:PORT SERVER:PORT".
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/channel.h"
#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "ipvs/message.h"
#include "ipvs/role.h"

#define OURS_MAX     16
#define PROBLEMS_MAX 256

static struct driver {
	struct loop *loop;
	struct ipvs_config config;
	struct ipvs_ours ours[OURS_MAX];
	struct prefix ranges[OURS_MAX];
	struct ipvs_role *role;
	struct channel *core;
	struct ipvs_message_reader reader;
	struct ipvs_table image;
	bool image_told;
	struct ipvs_status status;
	struct ipvs_problem problems[PROBLEMS_MAX];
	unsigned problem_count;
	uint64_t generation;
} driver;

static void die(const char *what, const char *why)
{
	fflush(stdout);
	fprintf(stderr, "ipvs_driver: %s: %s\n", what, why);
	exit(1);
}

static void take_problem(struct driver *d, const struct ipvs_problem *p)
{
	unsigned i = 0;

	while (i < d->problem_count &&
	       (memcmp(&d->problems[i].key, &p->key, sizeof(p->key)) != 0 ||
		memcmp(&d->problems[i].dest, &p->dest, sizeof(p->dest)) != 0))
		i++;
	if (p->text[0] && i < PROBLEMS_MAX) {
		d->problem_count += i == d->problem_count;
		d->problems[i] = *p;
	} else if (i < d->problem_count) {
		d->problems[i] = d->problems[--d->problem_count];
	}
}

static void print_idle(struct wire *body)
{
	const struct endpoint key = wire_endpoint(body), dest = wire_endpoint(body);
	char k[ENDPOINT_TEXT_MAX], t[ENDPOINT_TEXT_MAX];

	printf("idle %s %s\n", endpoint_text(&key, k), endpoint_text(&dest, t));
}

static void print_event(struct wire *body)
{
	static const char *const levels[] = { "error", "warning", "info", "debug" };
	uint8_t level = wire_u8(body);
	char text[500];

	wire_str(body, text, sizeof(text));
	printf("event %s %s\n", levels[level & 3], text);
}

static bool on_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct driver *d = arg;
	struct ipvs_service s = { 0 };
	struct ipvs_notrack notrack;
	struct ipvs_problem p;

	(void)fd;
	switch (type) {
	case IPVS_MSG_SERVICE:
	case IPVS_MSG_DESTS:
		if (ipvs_message_read(&d->reader, type, body, &s) == 1)
			ipvs_table_put(&d->image, &s);
		break;
	case IPVS_MSG_IMAGE_END:
		d->image_told = true;
		break;
	case IPVS_MSG_STATUS:
		wire_ipvs_status(body, &d->status);
		break;
	case IPVS_MSG_PROBLEM:
		wire_ipvs_problem(body, &p);
		take_problem(d, &p);
		break;
	case IPVS_MSG_IDLE:
		print_idle(body);
		break;
	case IPVS_MSG_NOTRACK:
		wire_ipvs_notrack(body, &notrack);
		break;
	case IPVS_MSG_EVENT:
		print_event(body);
		break;
	default:
		return false;
	}
	return wire_end(body);
}

static void on_closed(void *arg, const char *why)
{
	(void)arg;
	die("channel", why);
}

static void turn(struct driver *d, int ms)
{
	int r = loop_turn(d->loop, ms);

	if (r < 0)
		die("loop", strerror(-r));
}

static void connect_core(struct driver *d)
{
	const struct channel_handler h = { on_message, on_closed, d };
	int fds[2];

	channel_free(d->core);
	ipvs_message_reader_done(&d->reader);
	ipvs_table_done(&d->image);
	ipvs_table_init(&d->image);
	d->image_told = false;
	d->problem_count = 0;
	if (channel_pair(fds) < 0)
		die("channel", strerror(errno));
	ipvs_role_connect(d->role, fds[0]);
	if (channel_new(d->loop, fds[1], &h, &d->core) < 0)
		die("channel", strerror(errno));
	while (!d->image_told)
		turn(d, 100);
}

static void start(struct driver *d)
{
	struct err err = { 0 };

	if (ipvs_role_new(d->loop, &d->config, &d->role, &err) < 0)
		die("start", err.text);
	connect_core(d);
}

static void send_message(void *arg, uint16_t type, const struct buf *body)
{
	struct driver *d = arg;

	channel_send(d->core, type, body);
}

static void send_services(struct driver *d, const char *file, bool drain)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	CLEANUP(ipvs_table_done) struct ipvs_table t;
	struct ipvs_service *s;
	struct err err = { 0 };

	ipvs_table_init(&t);
	if (file_read(file, 1 << 26, &text, &err) < 0 ||
	    ipvs_table_parse(buf_cstr(&text), &t, &err) < 0)
		die(file, err.text);
	for (size_t pos = 0; (s = map_next(&t.by_key, &pos));) {
		for (uint32_t i = 0; i < s->dest_count; i++) {
			struct ipvs_dest *dest = ipvs_service_edit(s) + i;

			dest->draining = drain && dest->weight == 0;
			if (dest->nominal == 0)
				dest->nominal = 1;
		}
		ipvs_message_put_service(s, send_message, d);
	}
}

static void commit(struct driver *d, bool complete)
{
	const struct ipvs_commit c = { ++d->generation, complete };
	CLEANUP(buf_done) struct buf b = { 0 };

	wire_put_ipvs_commit(&b, &c);
	channel_send(d->core, IPVS_MSG_COMMIT, &b);
}

static void send_whole(struct driver *d, const char *file, bool complete)
{
	const struct buf none = { 0 };

	channel_send(d->core, IPVS_MSG_BEGIN, &none);
	send_services(d, file, false);
	commit(d, complete);
}

static void send_gone(struct driver *d, const char *key)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct endpoint e;

	if (endpoint_parse(key, IPPROTO_TCP, &e) < 0)
		die(key, "no endpoint");
	wire_put_endpoint(&b, &e);
	channel_send(d->core, IPVS_MSG_GONE, &b);
	commit(d, true);
}

static void let_work(struct driver *d, int64_t ms, bool until_synced)
{
	mono_t end = mono_add_ms(clock_mono(&clock_system), ms);

	do {
		turn(d, 10);
		if (until_synced && d->status.synced && d->status.generation == d->generation)
			return;
	} while (mono_before(clock_mono(&clock_system), end));
}

static void print_status(const struct ipvs_status *s)
{
	printf("status generation=%llu synced=%d ready=%d kernel_writes=%llu other_writes=%llu "
	       "repairs=%llu last_sync_us=%llu last_sync_writes=%llu services=%u dests=%u "
	       "pending=%u "
	       "problems=%u\n",
	       (unsigned long long)s->generation, s->synced, s->ready,
	       (unsigned long long)s->kernel_writes, (unsigned long long)s->other_writes,
	       (unsigned long long)s->repairs, (unsigned long long)s->last_sync_us,
	       (unsigned long long)s->last_sync_writes, s->services, s->dests, s->pending,
	       s->problems);
}

static void print_problems(const struct driver *d)
{
	for (unsigned i = 0; i < d->problem_count; i++) {
		const struct ipvs_problem *p = &d->problems[i];
		char key[ENDPOINT_TEXT_MAX], dest[ENDPOINT_TEXT_MAX];

		printf("problems %s %s %d %s\n", endpoint_text(&p->key, key),
		       endpoint_text(&p->dest, dest), p->error, p->text);
	}
}

static void print_image(const struct driver *d)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	ipvs_table_print(&d->image, &text);
	fputs(buf_cstr(&text), stdout);
}

static void do_cleanup(struct driver *d)
{
	struct err err = { 0 };

	if (ipvs_cleanup(&d->config, &err) < 0)
		die("cleanup", err.text);
}

static void do_line(struct driver *d, char *line)
{
	const char *verb = strsep(&line, " "), *word;

	word = line && strcmp(verb, "run") != 0 ? strsep(&line, " ") : "";
	if (strcmp(verb, "want") == 0) {
		send_whole(d, word, line == NULL);
	} else if (strcmp(verb, "change") == 0 || strcmp(verb, "drain") == 0) {
		send_services(d, word, verb[0] == 'd');
		commit(d, true);
	} else if (strcmp(verb, "gone") == 0) {
		send_gone(d, word);
	} else if (strcmp(verb, "wait") == 0) {
		let_work(d, atoi(word) * 1000, true);
		printf("wait %s\n",
		       d->status.synced && d->status.generation == d->generation ? "yes" : "no");
	} else if (strcmp(verb, "sleep") == 0) {
		let_work(d, atoi(word), false);
	} else if (strcmp(verb, "status") == 0) {
		let_work(d, 60, false); /* the next status may be under way */
		print_status(&d->status);
	} else if (strcmp(verb, "problems") == 0) {
		print_problems(d);
	} else if (strcmp(verb, "reconnect") == 0) {
		connect_core(d);
		print_image(d);
	} else if (strcmp(verb, "restart") == 0) {
		ipvs_role_free(d->role);
		channel_free(d->core);
		d->core = NULL;
		memset(&d->status, 0, sizeof(d->status));
		start(d);
	} else if (strcmp(verb, "cleanup") == 0) {
		do_cleanup(d);
	} else if (strcmp(verb, "run") == 0) {
		fflush(stdout);
		if (system(line ? line : "") != 0)
			die(line, "failed");
	} else {
		die(verb, "no such command");
	}
	fflush(stdout);
}

static void read_options(struct driver *d, int argc, char **argv)
{
	d->config = (struct ipvs_config){
		.vip_ranges = d->ranges,
		.ours = d->ours,
		.audit_ms = 1000,
		.order_quiet_ms = IPVS_ORDER_QUIET_MS,
		.route_protocol = 112,
	};
	for (int i = 1; i < argc; i++) {
		size_t n = d->config.ours_count;

		if (strcmp(argv[i], "-a") == 0 && i + 1 < argc) {
			d->config.audit_ms = (uint32_t)atoi(argv[++i]);
		} else if (strcmp(argv[i], "-o") == 0 && i + 2 < argc && n < OURS_MAX &&
			   prefix_parse(argv[i + 1], &d->ranges[n]) == 0 &&
			   port_range_parse(argv[i + 2], &d->ours[n].ports) == 0) {
			d->ours[n].addresses = prefix_range(&d->ranges[n]);
			d->config.vip_range_count = d->config.ours_count = n + 1;
			i += 2;
		} else {
			die(argv[i],
			    "usage: ipvs_driver [-a AUDIT_MS] [-o PREFIX PORTS]... < SCRIPT");
		}
	}
}

int main(int argc, char **argv)
{
	char line[1024];

	read_options(&driver, argc, argv);
	if (loop_new(&clock_system, &driver.loop) < 0)
		die("loop", strerror(errno));
	start(&driver);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] && line[0] != '#')
			do_line(&driver, line);
	}
	channel_free(driver.core);
	ipvs_message_reader_done(&driver.reader);
	ipvs_table_done(&driver.image);
	ipvs_role_free(driver.role);
	loop_free(driver.loop);
	return 0;
}
