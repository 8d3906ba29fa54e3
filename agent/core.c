/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/core.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"
#include "agent/place.h"
#include "agent/pool/address_pool.h"
#include "watch/http_curl.h"

#define BACKLOG 64
#define MANY	1000 /* pools */
#define TIDY_MS 1000

/* --- with privilege: directories and sockets ------------------------------------- */

/* Where a socket may be bound: nothing there, or the remains of an agent that was killed. */
static int clear_socket(const struct sockaddr_un *sa)
{
	struct stat st;
	int fd, r;

	if (lstat(sa->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 ? 0 : -errno;
	close(fd);
	if (r != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(sa->sun_path) < 0 ? -errno : 0;
}

static int listen_unix(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, r;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	r = place_parents(path);
	if (r == 0)
		r = clear_socket(&sa);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0117);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, BACKLOG) < 0)
		r = -errno;
	umask(mask);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/*
 * An empty store is right for a fresh agent. For one that had its pools from elsewhere it would end
 * all of them, and `sources` may only have been lost.
 */
static bool has_lost_sources(const struct core *c)
{
	CLEANUP(xfree_ptr) char *where = NULL;

	if (!c->config->sources_assumed)
		return false;
	where = state_other_source(c);
	if (where)
		log_error(
			"core",
			"`sources` is missing, and the pools came from %s before: name it, or "
			"write "
			"'sources: [{store: {}}]' to begin with an empty store of the agent's own, "
			"which ends those pools",
			where);
	return where != NULL;
}

int core_prepare(struct role_context *context)
{
	const struct config *config = context->config;
	struct core *c = xcalloc(1, sizeof(*c));
	char e[ENDPOINT_TEXT_MAX];
	int r;

	context->arg = c;
	c->loop = context->loop;
	c->config = config;
	c->lock_fd = c->unix_fd = c->tcp_fd = -1;
	c->http_new = http_curl_new;
	(void)!uname(&c->kernel_is); /* at worst "", which is not known */
	r = place_private(config->state_directory, config->user);
	if (r < 0 && r != -EROFS) { /* with that one state_open() lives */
		log_error("core", "stateDirectory %s: %s", config->state_directory, strerror(-r));
		return -1;
	}
	if (has_lost_sources(c))
		return ROLE_NO_USE;
	c->unix_fd = listen_unix(config->api_socket);
	if (c->unix_fd < 0) {
		log_error("core", "api.socket %s: %s%s", config->api_socket, strerror(-c->unix_fd),
			  c->unix_fd == -EADDRINUSE ? " (another agent is running)" : "");
		return -1;
	}
	if (config->api_listen.port && !config->api_remote) {
		c->tcp_fd = place_listen(&config->api_listen, BACKLOG);
		if (c->tcp_fd < 0) {
			log_error("core", "api.listen %s: %s",
				  endpoint_text(&config->api_listen, e), strerror(-c->tcp_fd));
			return -1;
		}
	}
	return 0;
}

/* --- time ------------------------------------------------------------------------- */

int64_t core_wall_of(const struct core *c, mono_t t)
{
	return clock_wall_ms(loop_clock(c->loop)) + mono_sub_ms(t, core_now(c));
}

mono_t core_mono_of(const struct core *c, int64_t wall_ms)
{
	const int64_t year = 366LL * 86400 * 1000;
	int64_t ms;

	/* From files and other processes: anything may stand there. */
	if (__builtin_sub_overflow(wall_ms, clock_wall_ms(loop_clock(c->loop)), &ms))
		ms = 0;
	ms = ms < -year ? -year : ms > year ? year : ms;
	return mono_add_ms(core_now(c), ms);
}

/* --- what helpers want logged ------------------------------------------------------ */

bool core_log_event(const char *subsystem, struct wire *body)
{
	char text[1024];
	uint8_t level = wire_u8(body);

	wire_str(body, text, sizeof(text));
	if (!wire_end(body))
		return false;
	switch ((enum log_level)level) {
	case LOG_LEVEL_ERROR:
		log_error(subsystem, "%s", text);
		return true;
	case LOG_LEVEL_WARNING:
		log_warn(subsystem, "%s", text);
		return true;
	case LOG_LEVEL_INFO:
		log_info(subsystem, "%s", text);
		return true;
	case LOG_LEVEL_DEBUG:
		log_debug(subsystem, "%s", text);
		return true;
	}
	return false;
}

/* --- planning ------------------------------------------------------------------------ */

void core_peer_closed(struct core *c, const char *why)
{
	if (strcmp(why, "peer closed") == 0)
		return; /* the parent starts it again and connects us */
	log_error("core", "starting anew: a channel broke (%s)", why);
	loop_stop(c->loop, 1);
}

static void plan_now(void *arg)
{
	struct core *c = arg;

	c->plan_pending = false;
	pool_states_update(c);
	kernel_triggers_planned(c);
}

void core_plan_later(struct core *c)
{
	if (c->plan_pending || !c->planning)
		return;
	c->plan_pending = true;
	loop_defer(c->loop, plan_now, c);
}

static void begin_planning(struct core *c)
{
	c->planning = true;
	pool_states_update(c);
	frontends_restore(c);
	targets_settle(c);
	kernel_tell_all(c);
	log_info("core", "planned %zu pools, %zu frontends, %zu targets", c->states.count,
		 c->frontends.count, c->targets.count);
}

/*
 * What reading and telling all of it took goes back to the kernel: once both are done, for what is
 * freed later would stay.
 */
static void tidy(void *arg)
{
	struct core *c = arg;
	bool done = kernel_synced(c) && !c->saving;

	c->tidy_timer = done ? 0 : loop_timer_in(c->loop, TIDY_MS, tidy, c);
	if (done)
		malloc_trim(0);
}

/* Every source has delivered: from here on what is not wanted may go. */
static void settle(struct core *c)
{
	c->settled = true;
	pool_states_update(c);
	frontends_drain_surplus(c);
	ipvs_table_done(&c->kernel.image);
	ipvs_table_init(&c->kernel.image);
	state_forget(c);
	state_changed(c);
	kernel_commit(c);
	if (c->states.count > MANY)
		tidy(c);
}

void core_facts_changed(struct core *c)
{
	if (!c->planning) {
		bool heard = c->kernel.image_known && c->health_known && sources_spoken(c);

		if (!heard && !(c->patience_over && c->kernel.image_known))
			return;
		begin_planning(c);
	}
	if (!c->settled && c->kernel.image_known && sources_delivered(c))
		settle(c);
}

static void patience_over(void *arg)
{
	struct core *c = arg;

	/* Half of a first look is no table to begin with: it would be written in pieces. */
	if (!c->planning && sources_are_telling(c)) {
		c->patience = loop_timer_in(c->loop, CORE_START_PATIENCE_MS, patience_over, c);
		return;
	}
	c->patience_over = true;
	core_facts_changed(c);
}

/* --- start and end -------------------------------------------------------------------- */

static void on_peer(void *arg, enum role_id role, int fd)
{
	struct core *c = arg;

	switch (role) {
	case ROLE_IPVS:
		kernel_connect(c, fd);
		return;
	case ROLE_HEALTHCHECK:
		targets_connect(c, fd);
		return;
	case ROLE_HTTP:
		view_connect_http(c, fd);
		return;
	case ROLE_CORE:
	case ROLE_COUNT:
		break;
	}
	close(fd);
}

static void on_process(void *arg, unsigned role, pid_t pid, uint32_t restarts)
{
	view_process(arg, role, pid, restarts);
}

/* What the configuration says, as far as this kernel can be trusted with it. */
static void know_kernel(struct core *c)
{
	c->own_rules = c->config->rules;
	if (!kernel_limits_fault(c->kernel_is.release, c->kernel_is.version, c->no_limits))
		return;
	c->own_rules.no_limits = c->no_limits;
	if (c->own_rules.defaults.max_connections)
		log_warn("core", "defaults.maxConnections is not used: %s", c->no_limits);
}

int core_start(struct role_context *context)
{
	struct core *c = context->arg;
	int r;

	context->peer = on_peer;
	context->process = on_process;
	know_kernel(c);
	c->rules = &c->own_rules;
	c->pools = pools_new(c->rules);
	secrets_start(c);
	vip_checks_start(c);
	targets_start(c);
	pool_states_start(c);
	kernel_start(c);
	notracks_start(c);
	if (state_open(c) < 0)
		return -1;
	state_load(c);
	if (sources_start(c) < 0)
		return -1;
	r = writes_start(c);
	if (r == 0)
		r = view_start(c);
	if (r < 0)
		return r == ROLE_NO_USE ? r : -1;
	reports_start(c);
	supervisor_start(c);
	c->patience = loop_timer_in(c->loop, CORE_START_PATIENCE_MS, patience_over, c);
	return 0;
}

void core_end(struct role_context *context)
{
	struct core *c = context->arg;

	if (!c)
		return;
	if (c->unix_fd >= 0)
		close(c->unix_fd);
	if (c->tcp_fd >= 0)
		close(c->tcp_fd);
	loop_cancel(c->loop, c->patience);
	loop_cancel(c->loop, c->tidy_timer);
	supervisor_end(c);
	if (c->pools) {
		writes_end(c);
		reviews_quiet(c);
		view_end(c);
		reviews_end(c);
		writes_free(c);
		reports_end(c);
		sources_end(c);
		if (c->planning)
			state_save(c);
		notracks_end(c);
		kernel_end(c);
		pool_states_end(c);
		targets_end(c);
		vip_checks_end(c);
		secrets_end(c);
		pools_free(c->pools);
		pool_rules_unref(c->rules);
		state_close(c);
	}
	loop_undefer(c->loop, c);
	free(c);
}
