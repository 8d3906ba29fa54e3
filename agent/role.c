/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/role.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/log.h"

struct life {
	struct role_context context;
	struct channel *line;
};

static bool on_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct life *l = arg;
	struct role_context *c = &l->context;
	unsigned role;
	int64_t pid;
	uint32_t restarts;

	switch (type) {
	case ROLE_MSG_PEER:
		role = wire_u8(body);
		if (!wire_end(body) || role >= ROLE_COUNT || fd < 0)
			break;
		c->peer(c->arg, (enum role_id)role, fd);
		return true;
	case ROLE_MSG_PROCESS:
		role = wire_u8(body);
		pid = wire_i64(body);
		restarts = wire_u32(body);
		if (!wire_end(body) || role > ROLE_COUNT || fd >= 0)
			break;
		if (c->process)
			c->process(c->arg, role, (pid_t)pid, restarts);
		return true;
	case ROLE_MSG_STOP:
		if (fd >= 0)
			break;
		if (c->stop)
			c->stop(c->arg);
		loop_stop(c->loop, 0);
		return true;
	default:
		break;
	}
	if (fd >= 0)
		close(fd);
	return false;
}

static void parent_gone(void *arg, const char *why)
{
	struct life *l = arg;

	/* The kernel forwards on; the next start adopts what is there. */
	log_debug("role", "parent: %s", why);
	loop_stop(l->context.loop, 0);
}

static struct config *read_config(void)
{
	struct buf text = { 0 };
	struct config *config = NULL;
	struct err err = { 0 };
	char path[32];
	int r;

	/* By way of /proc for an offset of our own: the descriptor's is shared with the other roles. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ROLE_FD_CONFIG);
	r = file_read(path, CONFIG_BYTES_MAX, &text, &err);
	if (r == 0)
		r = config_read("configuration", text.data, text.len, &config, &err);
	if (r < 0)
		log_fatal("role", "%s", err.text);
	buf_done(&text);
	close(ROLE_FD_CONFIG);
	return config;
}

enum sandbox_filter role_filter(enum role_id id, enum sandbox_filter wanted)
{
	if (sandbox_filter_available())
		return wanted;
	log_warn(role_faces[id].name,
		 "this build or kernel has no system call filter: running without");
	return SANDBOX_FILTER_NONE;
}

static int begin(const struct role *role, struct life *l)
{
	struct channel_handler h = { on_message, parent_gone, l };
	struct role_context *c = &l->context;
	struct err err = { 0 };
	int r;

	r = role->prepare ? role->prepare(c) : 0;
	if (r < 0)
		return r;
	if (role->drop(c->config, &err) < 0) {
		log_error(role_faces[role->id].name, "cannot give up privileges: %s", err.text);
		return -1;
	}
	r = role->start(c);
	if (r < 0)
		return r;
	r = channel_new(c->loop, ROLE_FD_PARENT, &h, &l->line);
	if (r < 0)
		log_error(role_faces[role->id].name, "no line to the parent: %s", strerror(-r));
	return r;
}

static int live(const struct role *role)
{
	const struct role_face *face = &role_faces[role->id];
	struct life l = { 0 };
	struct config *config;
	int r;

	if (fcntl(ROLE_FD_PARENT, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(ROLE_FD_PARENT, F_SETFL, O_NONBLOCK) < 0)
		log_fatal("role", "--role is for parasausd's own use");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	/* From a terminal these reach the whole group: the parent decides. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	config = read_config();
	log_open(face->title, config->log_level);
	prctl(PR_SET_NAME, face->title + strlen("parasausd: ")); /* not a number */
	l.context.config = config;
	r = loop_new(&clock_system, &l.context.loop);
	if (r < 0)
		log_fatal(face->name, "event loop: %s", strerror(-r));
	r = begin(role, &l);
	if (r == 0)
		r = loop_run(l.context.loop);
	if (role->end)
		role->end(&l.context);
	channel_free(l.line);
	loop_free(l.context.loop);
	config_free(config);
	return r == 0 ? 0 : r == ROLE_NO_USE ? ROLE_EXIT_NO_USE : 1;
}

int role_main(const struct role *const of_program[], const struct options *o, const char *version)
{
	while (*of_program && strcmp(role_faces[(*of_program)->id].name, o->role) != 0)
		of_program++;
	if (!*of_program) {
		fprintf(stderr, "parasausd: no role '%s' in this program\n", o->role);
		return EXIT_USAGE;
	}
	if (!o->of || strcmp(o->of, version) != 0) {
		log_error(o->role,
			  "this program is of version %s, and the parasausd that starts it of %s: "
			  "install both from one package, or by one 'make install'",
			  version, o->of ? o->of : "none");
		return ROLE_EXIT_NO_USE;
	}
	return live(*of_program);
}
