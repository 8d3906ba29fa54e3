/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The healthcheck process at full scale, on real sockets and driven over its channel.
 *
 *   hc_scale many [TARGETS [SECONDS [INTERVAL_MS]]]	(350000, 300, 10000)
 *   hc_scale beside [ROUNDS [SECONDS]]			(3, 15)
 *
 * In a network namespace of its own every address of 10.128.0.0/11 is this host,
 * and one listener answers for all of them. The checker is a process of its own on
 * the first processor; the listener, and the core that reads every verdict, are on
 * another. CPU is the checker's alone, user and system, measured by the kernel; it
 * holds the server's half of each handshake, which loopback does in its context. All
 * that is measured comes before others (SCHED_RR, where that is allowed), and how
 * long it waited for the processor all the same is told: that is no lateness of ours.
 *
 * `many` is what one machine's checker holds and does. `beside` has 4,000 targets
 * each second, asked by tcp and by http, in turns with haproxy on the same targets,
 * and with a loop of the bare system calls of a half-open probe.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/channel.h"
#include "agent/base/loop.h"
#include "agent/base/xalloc.h"
#include "healthcheck/message.h"
#include "healthcheck/role.h"
#include "tests/lib/own_net.h"

#define PORT_TCP    8080 /* nobody accepts */
#define PORT_HTTP   8081
#define BESIDE	    4000
#define BESIDE_MS   1000
#define WARM_UP_MS  3000
#define FLOOR_COUNT 50000
#define ROUNDS_MAX  20

static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/* --- what is measured ------------------------------------------------------------------ */

static double cpu_us(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t) < 0)
		err(1, "the CPU time of %d", (int)pid);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* How long it was ready to run and others did. */
static double waited_ms(pid_t pid)
{
	unsigned long long ran, waited;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%llu %llu", &ran, &waited) != 2)
		waited = 0;
	if (f)
		fclose(f);
	return (double)waited / 1e6;
}

static double resident_bytes(pid_t pid)
{
	unsigned long size, resident;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		errx(1, "%s", path);
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* A number of this namespace: the one behind `name` in a line that begins with `row`. */
static uint64_t net_number(const char *file, const char *row, const char *name)
{
	char names[2048], values[2048], *n = NULL, *v = NULL;
	char *name_at, *value_at;
	FILE *f = fopen(file, "re");

	/* sockstat has "row: name value ..."; snmp has a line of names, then one of values. */
	while (f && fgets(names, sizeof(names), f)) {
		if (strncmp(names, row, strlen(row)) != 0)
			continue;
		if (strstr(file, "snmp") && !fgets(values, sizeof(values), f))
			break;
		name_at = strtok_r(names + strlen(row), " \n", &n);
		value_at = strstr(file, "snmp") ? strtok_r(values + strlen(row), " \n", &v)
						: strtok_r(NULL, " \n", &n);
		for (; name_at && value_at;) {
			if (strcmp(name_at, name) == 0) {
				fclose(f);
				return strtoull(value_at, NULL, 10);
			}
			name_at = strtok_r(NULL, " \n", &n);
			value_at = strtok_r(NULL, " \n", strstr(file, "snmp") ? &v : &n);
		}
	}
	errx(1, "%s: no %s of %s", file, name, row);
}

static uint64_t connects(void)
{
	return net_number("/proc/net/snmp", "Tcp:", "ActiveOpens");
}

static void come_first(void)
{
	struct sched_param first = { .sched_priority = 1 };

	(void)!sched_setscheduler(0, SCHED_RR, &first);
}

static void use_processor(int which)
{
	int count = (int)sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(which % count, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		err(1, "processor %d", which);
}

/* --- the other side ---------------------------------------------------------------------- */

static void answer(int epoll, int fd)
{
	char request[2048];
	ssize_t n = recv(fd, request, sizeof(request), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0)
		(void)!send(fd, reply, sizeof(reply) - 1, MSG_NOSIGNAL);
	epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
	close(fd);
}

/* A web server that has one page, for all addresses. */
static pid_t start_web_server(int listener)
{
	struct epoll_event ready[64], ev = { .events = EPOLLIN, .data.fd = listener };
	pid_t pid = fork();
	int epoll;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	use_processor(1);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ev);
	for (;;) {
		int n = epoll_wait(epoll, ready, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = ready[i].data.fd;

			if (fd != listener) {
				answer(epoll, fd);
				continue;
			}
			while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
				ev.data.fd = fd;
				epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
			}
		}
	}
}

/* --- the checker and a core ---------------------------------------------------------------- */

struct core {
	struct loop *loop;
	struct channel *channel;
	pid_t checker;
	struct hc_status status;
	uint64_t verdicts, down;
	uint64_t
		first_second; /* probes begun in the first second after the first target was told */
	double empty_bytes;
};

static void raise_descriptors(void)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

static pid_t start_checker(int fd)
{
	const struct hc_config config = { .max_in_flight = 20000 };
	struct hc_role *role;
	struct loop *loop;
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	use_processor(0);
	come_first();
	raise_descriptors();
	if (loop_new(&clock_system, &loop) < 0 || hc_role_new(loop, &config, &role) < 0)
		err(1, "role");
	hc_role_connect(role, fd);
	exit(loop_run(loop) != 0);
}

static bool on_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct core *core = arg;
	struct hc_verdict v;

	(void)fd;
	if (type == HC_MSG_STATUS)
		wire_hc_status(body, &core->status);
	if (type != HC_MSG_VERDICT)
		return true;
	wire_hc_verdict(body, &v);
	core->verdicts++;
	core->down += v.state == VERDICT_DOWN;
	return true;
}

static void on_closed(void *arg, const char *why)
{
	(void)arg;
	errx(1, "channel: %s", why);
}

static void turns_for(struct core *core, int64_t ms)
{
	mono_t end = mono_add_ms(clock_mono(&clock_system), ms);
	int64_t left;

	while ((left = mono_sub_ms(end, clock_mono(&clock_system))) > 0) {
		if (loop_turn(core->loop, (int)left) < 0)
			err(1, "loop");
	}
}

static struct core *start_core(void)
{
	struct core *core = xcalloc(1, sizeof(*core));
	const struct channel_handler h = { on_message, on_closed, core };
	int pair[2];

	if (channel_pair(pair) < 0)
		err(1, "channel");
	core->checker = start_checker(pair[1]);
	close(pair[1]);
	use_processor(1);
	if (loop_new(&clock_system, &core->loop) < 0 ||
	    channel_new(core->loop, pair[0], &h, &core->channel) < 0)
		err(1, "core");
	turns_for(core, 100);
	core->empty_bytes = resident_bytes(core->checker);
	return core;
}

static void end_core(struct core *core)
{
	channel_free(core->channel);
	kill(core->checker, SIGKILL);
	waitpid(core->checker, NULL, 0);
	loop_free(core->loop);
	free(core);
}

static struct hc_target target_at(uint32_t i, struct check *c)
{
	struct hc_target t = { .check = c };

	t.endpoint.addr = addr_v4(0x0a800001 + i);
	t.endpoint.port = c->type == CHECK_HTTP ? PORT_HTTP : PORT_TCP;
	t.endpoint.protocol = IPPROTO_TCP;
	t.id = check_target_id(c, &t.endpoint);
	return t;
}

static struct check *check_at(enum check_type type, uint32_t interval_ms)
{
	struct check *c = check_new(type);

	c->interval_ms = interval_ms;
	c->timeout_ms = 900;
	return c;
}

/* As core does it: no more is queued than the other side takes soon. */
static void tell_targets(struct core *core, uint32_t count, enum check_type type,
			 uint32_t interval_ms)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct check *c = check_at(type, interval_ms);

	channel_send(core->channel, HC_MSG_BEGIN, NULL);
	for (uint32_t i = 0; i < count; i++) {
		struct hc_target t = target_at(i, c);

		buf_reset(&b);
		wire_put_hc_target(&b, &t);
		channel_send(core->channel, HC_MSG_TARGET, &b);
		while (channel_queued(core->channel) > 2 << 20) {
			if (loop_turn(core->loop, 10) < 0)
				err(1, "loop");
		}
	}
	channel_send(core->channel, HC_MSG_COMMIT, NULL);
	check_unref(c);
}

/* --- many ------------------------------------------------------------------------------------ */

/* The upper bound (ms) of the bucket that holds this share of them. */
static double late_ms(const struct histogram *now, const struct histogram *before, double share)
{
	struct histogram since = *now;

	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
		since.counts[i] -= before->counts[i];
	return histogram_within_s(&since, share) * 1e3;
}

static void report_start(struct core *core, uint32_t count, uint32_t interval_ms)
{
	double planned = (double)count * 1e3 / interval_ms;
	uint64_t before = connects();
	mono_t begin = clock_mono(&clock_system);
	int64_t spent;

	tell_targets(core, count, CHECK_TCP, interval_ms);
	spent = mono_sub_ms(clock_mono(&clock_system), begin);
	turns_for(core, spent < 1000 ? 1000 - spent : 0);
	core->first_second = connects() - before;
	printf("start: told in %" PRId64 " ms; %" PRIu64
	       " probes in the first second, %.2f of the planned %.0f (at most 1.5)\n",
	       spent, core->first_second, (double)core->first_second / planned, planned);
}

static void many(uint32_t count, int64_t seconds, uint32_t interval_ms)
{
	struct core *core = start_core();
	struct hc_status before;
	double cpu, bytes, probes, waited;
	mono_t begin;
	int64_t ms;

	report_start(core, count, interval_ms);
	turns_for(core, 2 * (int64_t)interval_ms + WARM_UP_MS);
	before = core->status;
	cpu = cpu_us(core->checker);
	waited = waited_ms(core->checker);
	begin = clock_mono(&clock_system);
	turns_for(core, seconds * 1000);
	waited = waited_ms(core->checker) - waited;
	cpu = cpu_us(core->checker) - cpu;
	ms = mono_sub_ms(clock_mono(&clock_system), begin);
	probes = (double)(core->status.probes - before.probes);
	bytes = resident_bytes(core->checker);
	printf("%u targets each %u ms for %.0f s: %.0f probes/s, %.1f %% of a core, %.1f us a "
	       "probe\n",
	       count, interval_ms, (double)ms / 1e3, probes * 1e3 / (double)ms,
	       cpu / 10.0 / (double)ms, cpu / probes);
	printf("  up %u, told down %" PRIu64 ", inconclusive %" PRIu64 ", deferred %" PRIu64 "\n",
	       core->status.up, core->down, core->status.inconclusive,
	       core->status.deferred - before.deferred);
	printf("  late: p50 <= %g ms, p99 <= %g ms, p99.9 <= %g ms, all <= %g ms (p99.9 at most "
	       "50)\n",
	       late_ms(&core->status.late, &before.late, 0.5),
	       late_ms(&core->status.late, &before.late, 0.99),
	       late_ms(&core->status.late, &before.late, 0.999),
	       late_ms(&core->status.late, &before.late, 1));
	printf("  others had its processor for %.0f ms while it was ready to run\n", waited);
	printf("  resident %.1f MB (at most 70), %.0f bytes a target (at most 190), TIME_WAIT "
	       "%" PRIu64 "\n",
	       bytes / 1e6, (bytes - core->empty_bytes) / count,
	       net_number("/proc/net/sockstat", "TCP:", "tw"));
	end_core(core);
}

/* --- beside haproxy ---------------------------------------------------------------------------- */

struct sample {
	double us;   /* of CPU a probe */
	double rate; /* probes a second */
};

static struct sample measure(pid_t pid, struct core *core, int64_t ms)
{
	double cpu = cpu_us(pid), n;
	uint64_t before = connects();
	mono_t begin = clock_mono(&clock_system);

	if (core)
		turns_for(core, ms);
	else
		usleep((useconds_t)ms * 1000);
	n = (double)(connects() - before);
	ms = mono_sub_ms(clock_mono(&clock_system), begin);
	return (struct sample){ (cpu_us(pid) - cpu) / n, n * 1e3 / (double)ms };
}

static struct sample ours(enum check_type type, int64_t ms)
{
	struct core *core = start_core();
	struct sample s;

	tell_targets(core, BESIDE, type, BESIDE_MS);
	turns_for(core, WARM_UP_MS);
	s = measure(core->checker, core, ms);
	if (core->status.up != BESIDE)
		errx(1, "only %u of %u targets are up", core->status.up, BESIDE);
	end_core(core);
	return s;
}

static void write_haproxy(const char *path, enum check_type type)
{
	FILE *f = fopen(path, "we");

	if (!f)
		err(1, "%s", path);
	fprintf(f,
		"global\n nbthread 1\n maxconn 5000\n\ndefaults\n mode tcp\n timeout connect "
		"900ms\n"
		" timeout client 10s\n timeout server 10s\n timeout check 900ms\n"
		" default-server inter %u\n\nfrontend any\n bind 127.0.0.1:9\n\nbackend all\n",
		BESIDE_MS);
	if (type == CHECK_HTTP)
		fprintf(f, " option httpchk GET /\n http-check expect status 200\n");
	for (uint32_t i = 0; i < BESIDE; i++) {
		struct addr where = addr_v4(0x0a800001 + i);
		char text[ADDR_TEXT_MAX];

		fprintf(f, " server s%u %s:%u check\n", i, addr_text(&where, text),
			type == CHECK_HTTP ? PORT_HTTP : PORT_TCP);
	}
	fclose(f);
}

static struct sample haproxy(enum check_type type, int64_t ms)
{
	char path[] = "/tmp/hc_scale.XXXXXX";
	int fd = mkstemp(path);
	struct sample s;
	pid_t pid;

	if (fd < 0)
		err(1, "%s", path);
	write_haproxy(path, type);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		use_processor(0);
		come_first();
		raise_descriptors();
		execlp("haproxy", "haproxy", "-db", "-q", "-f", path, NULL);
		_exit(127);
	}
	usleep(2 * WARM_UP_MS * 1000);
	if (waitpid(pid, NULL, WNOHANG) != 0)
		errx(1, "haproxy ended early");
	s = measure(pid, NULL, ms);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
	unlink(path);
	return s;
}

/* What a half-open probe costs with no checker around it. */
static struct sample bare(void)
{
	struct linger reset = { .l_onoff = 1 };
	struct epoll_event ev = { .events = EPOLLOUT };
	int epoll = epoll_create1(EPOLL_CLOEXEC), off = 0;
	double cpu;

	use_processor(0);
	cpu = cpu_us(getpid());
	for (uint32_t i = 0; i < FLOOR_COUNT; i++) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(PORT_TCP) };
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		in.sin_addr.s_addr = htonl(0x0a800001 + i % BESIDE);
		setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		if (connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0 && errno != EINPROGRESS)
			err(1, "connect");
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
		if (epoll_wait(epoll, &ev, 1, 1000) != 1)
			errx(1, "no answer");
		ev.events = EPOLLOUT;
		close(fd);
	}
	cpu = cpu_us(getpid()) - cpu;
	close(epoll);
	use_processor(1);
	return (struct sample){ cpu / FLOOR_COUNT, 0 };
}

static int by_us(const void *a, const void *b)
{
	double x = ((const struct sample *)a)->us, y = ((const struct sample *)b)->us;

	return (x > y) - (x < y);
}

static struct sample median(struct sample *s, unsigned n)
{
	qsort(s, n, sizeof(*s), by_us);
	return s[n / 2];
}

static void beside(unsigned rounds, int64_t seconds)
{
	static const enum check_type types[] = { CHECK_TCP, CHECK_HTTP };
	struct sample floor[ROUNDS_MAX];

	for (unsigned k = 0; k < 2; k++) {
		struct sample we[ROUNDS_MAX], they[ROUNDS_MAX];

		for (unsigned i = 0; i < rounds; i++) {
			we[i] = ours(types[k], seconds * 1000);
			they[i] = haproxy(types[k], seconds * 1000);
			floor[i] = bare();
		}
		we[0] = median(we, rounds);
		they[0] = median(they, rounds);
		printf("%s, %u targets each second, medians of %u: ours %.1f us a probe (%.0f/s), "
		       "haproxy %.1f us (%.0f/s), ratio %.2f (at most 0.8)\n",
		       check_type_text(types[k]), BESIDE, rounds, we[0].us, we[0].rate, they[0].us,
		       they[0].rate, we[0].us / they[0].us);
		printf("  bare system calls, half-open: %.1f us\n", median(floor, rounds).us);
		fflush(stdout);
	}
}

static unsigned long number(int argc, char **argv, int i, unsigned long otherwise)
{
	return argc > i ? strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	bool is_many = argc > 1 && strcmp(argv[1], "many") == 0;
	unsigned long first = number(argc, argv, 2, is_many ? 350000 : 3);
	unsigned long seconds = number(argc, argv, 3, is_many ? 300 : 15);
	unsigned long interval = number(argc, argv, 4, 10000);

	if ((!is_many && (argc < 2 || strcmp(argv[1], "beside") != 0)) || !first || !seconds ||
	    first > (is_many ? 2000000 : ROUNDS_MAX) || interval < 1000 || interval > 60000)
		errx(2, "usage: hc_scale many [TARGETS [SECONDS [INTERVAL_MS]]] | beside [ROUNDS "
			"[SECONDS]]");
	if (!own_net_enter("10.128.0.1", 11)) {
		printf("skipped: no network namespace of our own: %s\n", strerror(errno));
		return 77;
	}
	(void)own_net_listen(PORT_TCP);
	start_web_server(own_net_listen(PORT_HTTP));
	if (is_many)
		many((uint32_t)first, (int64_t)seconds, (uint32_t)interval);
	else
		beside((unsigned)first, (int64_t)seconds);
	return 0;
}
