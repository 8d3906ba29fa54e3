/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A role cannot regain what it dropped, so only the parent can start one
 * again: it keeps its privileges and therefore reads no byte from outside.
 * Children are executed, not just forked, for an address space of their own, and
 * each is of a program that maps only what it needs: what has privileges does not
 * even have the libraries that read strangers' bytes. The programs are opened once, at
 * the start, so that whatever is upgraded meanwhile, a role that is started again is
 * of the parent's version. When a role comes up it is given a fresh channel to every role it talks
 * to, and so are they; whoever is new is told the whole state by the others.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/parent.h"
#include "agent/role.h"

#define RESTART_MIN_MS	 20
#define RESTART_MAX_MS	 5000
#define LIVED_WELL_MS	 1000 /* a role that lived this long starts again at once */
#define STOP_PATIENCE_MS 5000
#define FD_PROGRAM	 (ROLE_FD_CONFIG + 1) /* of a child, until it is executed */

struct parent;

struct child {
	struct parent *parent;
	enum role_id id;
	pid_t pid; /* 0: not running */
	struct channel *line;
	mono_t started;
	uint32_t starts;
	bool proven; /* it lived well once */
	int64_t delay_ms;
	timer_id restart;
};

struct parent {
	struct loop *loop;
	const struct parent_setup *setup;
	struct child children[ROLE_COUNT];
	bool stopping;
	int status; /* to end with */
};

/* Who talks to whom. */
static const struct {
	enum role_id a, b;
} links[] = {
	{ ROLE_CORE, ROLE_IPVS },
	{ ROLE_CORE, ROLE_HEALTHCHECK },
	{ ROLE_CORE, ROLE_HTTP },
};

static void send_peer(struct child *to, enum role_id peer, int fd)
{
	struct buf b = { 0 };

	wire_put_u8(&b, (uint8_t)peer);
	channel_send_fd(to->line, ROLE_MSG_PEER, &b, fd);
	buf_done(&b);
}

static void send_process(struct parent *p, unsigned role, pid_t pid, uint32_t restarts)
{
	struct child *core = &p->children[ROLE_CORE];
	struct buf b = { 0 };

	if (!core->line)
		return;
	wire_put_u8(&b, (uint8_t)role);
	wire_put_i64(&b, pid);
	wire_put_u32(&b, restarts);
	channel_send(core->line, ROLE_MSG_PROCESS, &b);
	buf_done(&b);
}

static void tell_processes(struct parent *p)
{
	send_process(p, ROLE_COUNT, getpid(), 0);
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		const struct child *c = &p->children[i];

		if (c->pid)
			send_process(p, i, c->pid, c->starts - 1);
	}
}

static void connect_roles(struct parent *p, enum role_id changed)
{
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		struct child *a = &p->children[links[i].a];
		struct child *b = &p->children[links[i].b];
		int pair[2];
		int r;

		if ((links[i].a != changed && links[i].b != changed) || !a->line || !b->line)
			continue;
		r = channel_pair(pair);
		if (r < 0) {
			log_error("parent", "no channel between %s and %s: %s",
				  role_faces[a->id].name, role_faces[b->id].name, strerror(-r));
			continue;
		}
		send_peer(a, b->id, pair[0]);
		send_peer(b, a->id, pair[1]);
	}
}

static bool no_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	(void)arg;
	(void)type;
	(void)body;
	if (fd >= 0)
		close(fd);
	return false; /* roles have nothing to tell the parent */
}

static void line_closed(void *arg, const char *why)
{
	struct child *c = arg;

	(void)why; /* a role that closes its line is about to end: SIGCHLD tells the rest */
	channel_free(c->line);
	c->line = NULL;
}

/* In the child, between fork and exec: only what is async-signal-safe. */
NORETURN static void become_role(enum role_id id, int line, const struct parent_setup *s)
{
	const struct role_face *face = &role_faces[id];
	const char *argv[] = { face->title, "--role", face->name, "--of", s->version, NULL };
	int config, program;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Out of the way first: each may already have another's number. */
	line = fcntl(line, F_DUPFD, 10);
	config = fcntl(s->config_fd, F_DUPFD, 10);
	program = fcntl(s->programs[face->program], F_DUPFD, 10);
	if (dup2(line, ROLE_FD_PARENT) < 0 || dup2(config, ROLE_FD_CONFIG) < 0 ||
	    dup3(program, FD_PROGRAM, O_CLOEXEC) < 0)
		_exit(127);
	/* Whatever whoever started us left open is not for the roles. */
	close_range(FD_PROGRAM + 1, ~0u, 0);
	fexecve(FD_PROGRAM, (char *const *)(uintptr_t)argv, environ);
	_exit(127);
}

static int spawn(struct child *c)
{
	struct parent *p = c->parent;
	struct channel_handler h = { no_message, line_closed, c };
	int pair[2];
	int r = channel_pair(pair);

	if (r < 0)
		return r;
	c->pid = fork();
	if (c->pid == 0)
		become_role(c->id, pair[1], p->setup);
	r = c->pid < 0 ? -errno : 0;
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		c->pid = 0;
		return r;
	}
	return channel_new(p->loop, pair[0], &h, &c->line);
}

static void start_child(void *arg)
{
	struct child *c = arg;
	struct parent *p = c->parent;
	int r;

	c->restart = 0;
	if (p->stopping)
		return;
	c->started = loop_now(p->loop);
	c->starts++;
	r = spawn(c);
	if (r < 0) {
		log_error("parent", "cannot start %s: %s; trying again in %d s",
			  role_faces[c->id].name, strerror(-r), RESTART_MAX_MS / 1000);
		if (!c->pid)
			c->restart = loop_timer_in(p->loop, RESTART_MAX_MS, start_child, c);
		return;
	}
	connect_roles(p, c->id);
	tell_processes(p);
}

static void describe_end(int status, char *out, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(out, size, "was killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(out, size, "ended with status %d", WEXITSTATUS(status));
}

/* The roles end one after the other, core first, so that it writes down the last word of each. */
static void stop_next(struct parent *p)
{
	for (unsigned i = ROLE_COUNT; i > 0; i--) {
		struct child *c = &p->children[i - 1];

		if (!c->pid)
			continue;
		if (c->line)
			channel_send(c->line, ROLE_MSG_STOP, NULL);
		else
			kill(c->pid, SIGKILL);
		return;
	}
	loop_stop(p->loop, p->status);
}

static void out_of_patience(void *arg)
{
	struct parent *p = arg;

	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		if (p->children[i].pid)
			kill(p->children[i].pid, SIGKILL);
	}
}

static void stop(struct parent *p)
{
	p->stopping = true;
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		loop_cancel(p->loop, p->children[i].restart);
	stop_next(p);
	loop_timer_in(p->loop, STOP_PATIENCE_MS, out_of_patience, p);
}

static void child_ended(struct child *c, int status)
{
	struct parent *p = c->parent;
	int64_t lived = mono_sub_ms(clock_mono(loop_clock(p->loop)), c->started);
	char how[96];

	c->pid = 0;
	channel_free(c->line);
	c->line = NULL;
	if (p->stopping) {
		stop_next(p);
		return;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == ROLE_EXIT_NO_USE && !c->proven) {
		log_error("parent", "%s cannot be started like that, as it says: stopping",
			  role_faces[c->id].name);
		p->status = 1;
		stop(p);
		return;
	}
	c->proven |= lived >= LIVED_WELL_MS;
	if (lived >= LIVED_WELL_MS)
		c->delay_ms = 0;
	else if (c->delay_ms == 0)
		c->delay_ms = RESTART_MIN_MS;
	else if (c->delay_ms < RESTART_MAX_MS)
		c->delay_ms = c->delay_ms * 2 < RESTART_MAX_MS ? c->delay_ms * 2 : RESTART_MAX_MS;
	describe_end(status, how, sizeof(how));
	log_warn("parent", "%s %s; starting it again in %lld ms", role_faces[c->id].name, how,
		 (long long)c->delay_ms);
	c->restart = loop_timer_in(p->loop, c->delay_ms, start_child, c);
}

static void on_child_signal(void *arg, int signo)
{
	struct parent *p = arg;
	int status;
	pid_t pid;

	(void)signo;
	/* Any child: as pid 1 of a container we reap strangers too. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < ROLE_COUNT; i++) {
			if (p->children[i].pid == pid)
				child_ended(&p->children[i], status);
		}
	}
}

static void on_stop_signal(void *arg, int signo)
{
	struct parent *p = arg;

	if (p->stopping)
		return;
	log_info("parent", "%s: stopping; the kernel goes on forwarding", strsignal(signo));
	stop(p);
}

static int catch_signals(struct parent *p)
{
	static const int ignored[] = { SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2 };
	int r = loop_signal(p->loop, SIGCHLD, on_child_signal, p);

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	if (r == 0)
		r = loop_signal(p->loop, SIGTERM, on_stop_signal, p);
	if (r == 0)
		r = loop_signal(p->loop, SIGINT, on_stop_signal, p);
	return r;
}

int parent_main(const struct parent_setup *setup)
{
	struct parent p = { .setup = setup };
	int r = loop_new(&clock_system, &p.loop);

	if (r == 0)
		r = catch_signals(&p);
	if (r < 0)
		log_fatal("parent", "cannot start: %s", strerror(-r));
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		p.children[i] = (struct child){ .parent = &p, .id = (enum role_id)i };
		if (i != ROLE_HTTP || setup->with_http)
			start_child(&p.children[i]);
	}
	r = loop_run(p.loop);
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		channel_free(p.children[i].line);
	loop_free(p.loop);
	if (r < 0)
		log_error("parent", "event loop: %s", strerror(-r));
	return r < 0 ? 1 : r;
}
