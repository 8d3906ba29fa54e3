/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausd: options, and which process this one is to be.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/doctor.h"
#include "agent/first_token.h"
#include "agent/ipvs_role.h"
#include "agent/role.h"

#define DEFAULT_CONFIG "/etc/parasaus/parasaus.yaml"

#define EXIT_USAGE 2

enum action { ACTION_RUN, ACTION_CHECK, ACTION_CLEANUP, ACTION_DOCTOR, ACTION_TOKEN };

static const char usage[] =
	"usage: parasausd [-c FILE] [-n | --cleanup | --doctor[=json] | --first-token NAME]\n"
	"\n"
	"An IPVS load balancer agent. Runs in the foreground, logs to standard error,\n"
	"ends on SIGTERM; the kernel goes on forwarding without it.\n"
	"\n"
	"  -c, --config FILE   the configuration (default " DEFAULT_CONFIG ")\n"
	"  -n, --check         check it, print it as it would be in force, and end\n"
	"      --cleanup       remove everything of ours from the kernel, and end\n"
	"      --doctor[=json] say what is wrong with this host for the agent, and end\n"
	"      --first-token NAME\n"
	"                      make a token for REST while no agent runs, print it, and end\n"
	"  -V, --version       print the version\n"
	"  -h, --help          this\n"
	"\n"
	"See parasausd(8), parasaus.yaml(5), parasausctl(8).\n";

static bool read_file(const char *path, struct buf *text)
{
	struct err err = { 0 };

	if (file_read(path, CONFIG_BYTES_MAX, text, &err) == 0)
		return true;
	fprintf(stderr, "parasausd: %s\n", err.text);
	return false;
}

static struct config *parse(const char *path, const struct buf *text)
{
	struct config *config = NULL;
	struct err err = { 0 };
	int r = config_read(path, text->data, text->len, &config, &err);

	if (r < 0) {
		fprintf(stderr, "parasausd: %s\n", err.text);
		return NULL;
	}
	return config;
}

static struct config *load(const char *path)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	return read_file(path, &text) ? parse(path, &text) : NULL;
}

static int check(const char *path)
{
	struct config *config = load(path);
	CLEANUP(buf_done) struct buf out = { 0 };

	if (!config)
		return 1;
	config_print(config, &out);
	config_free(config);
	return fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0 ? 0 : 1;
}

/* Whoever runs holds the lock of the state directory. */
static bool is_running(const struct config *config)
{
	CLEANUP(xfree_ptr) char *path = xasprintf("%s/lock", config->state_directory);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;

	if (fd >= 0)
		close(fd);
	return held;
}

static int cleanup(const char *path)
{
	struct config *config = load(path);
	struct err err = { 0 };
	int r;

	if (!config)
		return 1;
	if (is_running(config)) {
		fprintf(stderr,
			"parasausd: cleanup: an agent is running with stateDirectory %s and would "
			"undo it: stop it first\n",
			config->state_directory);
		config_free(config);
		return 1;
	}
	r = role_ipvs_cleanup(config, &err);
	config_free(config);
	if (r < 0) {
		fprintf(stderr, "parasausd: cleanup: %s\n", err.text);
		return 1;
	}
	return 0;
}

static int doctor(const char *path, const char *format)
{
	bool json = format && strcmp(format, "json") == 0;
	struct config *config;
	int r;

	if (format && !json) {
		fprintf(stderr, "parasausd: --doctor takes json, or nothing\n");
		return EXIT_USAGE;
	}
	config = load(path);
	if (!config)
		return 1;
	r = doctor_run(config, is_running(config), json);
	config_free(config);
	return r;
}

/* What an agent needs before it starts beyond loopback; one that runs makes more. */
static int first_token(const char *path, const char *name)
{
	struct config *config = load(path);
	char text[TOKEN_TEXT + 1];
	struct err err = { 0 };
	int r;

	if (!config)
		return 1;
	if (is_running(config))
		r = err_set(&err, -EBUSY, "an agent is running: 'parasausctl token create %s'",
			    name);
	else
		r = first_token_make(config, name, text, &err);
	config_free(config);
	if (r < 0) {
		fprintf(stderr, "parasausd: first-token: %s\n", err.text);
		return 1;
	}
	puts(text);
	explicit_bzero(text, sizeof(text));
	return 0;
}

/* The parent reads no configuration: a child says whether it is good, and which roles it takes. */
enum good { CHECK_GOOD, CHECK_BAD, CHECK_WITH_HTTP };

static enum good check_in_child(const char *path, const struct buf *text)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		const struct config *config = parse(path, text);

		_exit(!config ? CHECK_BAD : config->api_remote ? CHECK_WITH_HTTP : CHECK_GOOD);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		fprintf(stderr, "parasausd: fork: %s\n", strerror(errno));
		return CHECK_BAD;
	}
	return WIFEXITED(status) ? (enum good)WEXITSTATUS(status) : CHECK_BAD;
}

/*
 * The file as it is now, sealed: every role of this run reads the same bytes,
 * also one that is started again after the file was edited.
 */
static int sealed_copy(const struct buf *text)
{
	int fd = memfd_create("parasaus.yaml", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || fchmod(fd, 0444) < 0 ||
	    write(fd, text->data, text->len) != (ssize_t)text->len ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		log_fatal("parent", "memfd: %s", strerror(errno));
	return fd;
}

static int run(const char *path)
{
	struct buf text = { 0 };
	enum good checked = CHECK_BAD;
	int fd;

	if (read_file(path, &text))
		checked = check_in_child(path, &text);
	if (checked != CHECK_GOOD && checked != CHECK_WITH_HTTP)
		return 1;
	log_open("parasausd", LOG_LEVEL_INFO);
	log_info("parent", "parasaus %s, configuration %s", PARASAUS_VERSION, path);
	fd = sealed_copy(&text);
	buf_done(&text);
	return parent_main(fd, checked == CHECK_WITH_HTTP);
}

static int become(const char *name)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		if (strcmp(roles[i].name, name) == 0)
			return role_main(&roles[i]);
	}
	fprintf(stderr, "parasausd: no role '%s'\n", name);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	enum { OPT_ROLE = 256, OPT_CLEANUP, OPT_DOCTOR, OPT_TOKEN };
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'n' },
		{ "cleanup", no_argument, NULL, OPT_CLEANUP },
		{ "doctor", optional_argument, NULL, OPT_DOCTOR },
		{ "first-token", required_argument, NULL, OPT_TOKEN },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ "role", required_argument, NULL, OPT_ROLE },
		{ 0 },
	};
	const char *path = DEFAULT_CONFIG, *token_name = NULL;
	const char *format = NULL;
	enum action action = ACTION_RUN;
	int o;

	while ((o = getopt_long(argc, argv, "c:nVh", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			path = optarg;
			break;
		case 'n':
			action = ACTION_CHECK;
			break;
		case OPT_CLEANUP:
			action = ACTION_CLEANUP;
			break;
		case OPT_DOCTOR:
			action = ACTION_DOCTOR;
			format = optarg;
			break;
		case 'V':
			puts("parasausd " PARASAUS_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case OPT_TOKEN:
			action = ACTION_TOKEN;
			token_name = optarg;
			break;
		case OPT_ROLE:
			return become(optarg);
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "parasausd: what is '%s'? See parasausd --help.\n", argv[optind]);
		return EXIT_USAGE;
	}
	switch (action) {
	case ACTION_RUN:
		return run(path);
	case ACTION_CHECK:
		return check(path);
	case ACTION_CLEANUP:
		return cleanup(path);
	case ACTION_DOCTOR:
		return doctor(path, format);
	case ACTION_TOKEN:
		return first_token(path, token_name);
	}
	return EXIT_USAGE;
}
