/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/options.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/xalloc.h"

#define DEFAULT_CONFIG "/etc/parasaus/parasaus.yaml"

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

enum { OPT_ROLE = 256, OPT_OF, OPT_CLEANUP, OPT_DOCTOR, OPT_TOKEN };

/* 0, or what getopt_long() said where it ends the process. */
static int take(struct options *out, int o)
{
	switch (o) {
	case 'c':
		out->config = optarg;
		return 0;
	case 'n':
		out->action = ACTION_CHECK;
		return 0;
	case OPT_CLEANUP:
		out->action = ACTION_CLEANUP;
		return 0;
	case OPT_DOCTOR:
		out->action = ACTION_DOCTOR;
		out->format = optarg;
		return 0;
	case OPT_TOKEN:
		out->action = ACTION_TOKEN;
		out->token_name = optarg;
		return 0;
	case OPT_ROLE:
		out->action = ACTION_ROLE;
		out->role = optarg;
		return 0;
	case OPT_OF:
		out->of = optarg;
		return 0;
	default:
		return o;
	}
}

static int tell(int o, const char *version)
{
	if (o == 'V') {
		printf("parasausd %s\n", version);
		return 0;
	}
	fputs(usage, o == 'h' ? stdout : stderr);
	return o == 'h' ? 0 : EXIT_USAGE;
}

bool options_read(int argc, char **argv, const char *version, struct options *out, int *status)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'n' },
		{ "cleanup", no_argument, NULL, OPT_CLEANUP },
		{ "doctor", optional_argument, NULL, OPT_DOCTOR },
		{ "first-token", required_argument, NULL, OPT_TOKEN },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ "role", required_argument, NULL, OPT_ROLE },
		{ "of", required_argument, NULL, OPT_OF },
		{ 0 },
	};
	int o;

	*out = (struct options){ .action = ACTION_RUN, .config = DEFAULT_CONFIG };
	while ((o = getopt_long(argc, argv, "c:nVh", options, NULL)) != -1) {
		o = take(out, o);
		if (o) {
			*status = tell(o, version);
			return false;
		}
	}
	if (optind == argc)
		return true;
	fprintf(stderr, "parasausd: what is '%s'? See parasausd --help.\n", argv[optind]);
	*status = EXIT_USAGE;
	return false;
}

int options_not_mine(enum program p)
{
	fprintf(stderr, "%s is a part of parasausd, which starts it: run parasausd\n",
		program_name(p));
	return EXIT_USAGE;
}

bool options_read_config(const char *path, struct buf *text)
{
	struct err err = { 0 };

	if (file_read(path, CONFIG_BYTES_MAX, text, &err) == 0)
		return true;
	fprintf(stderr, "parasausd: %s\n", err.text);
	return false;
}

struct config *options_parse_config(const char *path, const struct buf *text)
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

struct config *options_load_config(const char *path)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	return options_read_config(path, &text) ? options_parse_config(path, &text) : NULL;
}

/* Whoever runs holds the lock of the state directory. */
bool options_agent_runs(const struct config *c)
{
	CLEANUP(xfree_ptr) char *path = xasprintf("%s/lock", c->state_directory);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;

	if (fd >= 0)
		close(fd);
	return held;
}
