/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausd: the parent, and what needs nothing but the configuration; for all else it becomes the
 * program that can.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/options.h"
#include "agent/parent.h"

static int check(const char *path)
{
	struct config *config = options_load_config(path);
	CLEANUP(buf_done) struct buf out = { 0 };

	if (!config)
		return 1;
	config_print(config, &out);
	config_free(config);
	return fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0 ? 0 : 1;
}

/* The parent reads no configuration: a child says whether it is good, and which roles it takes. */
enum good { CHECK_GOOD, CHECK_BAD, CHECK_WITH_HTTP };

static enum good check_in_child(const char *path, const struct buf *text)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		const struct config *config = options_parse_config(path, text);

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
	struct parent_setup setup = { .version = PARASAUS_VERSION };
	struct buf text = { 0 };
	enum good checked = CHECK_BAD;
	char beside[PATH_MAX];
	struct err err = { 0 };

	program_directory(beside);
	if (program_open_all(beside, PARASAUS_LIBEXECDIR, setup.programs, &err) < 0) {
		fprintf(stderr, "parasausd: %s\n", err.text);
		return 1;
	}
	if (options_read_config(path, &text))
		checked = check_in_child(path, &text);
	if (checked != CHECK_GOOD && checked != CHECK_WITH_HTTP)
		return 1;
	log_open("parasausd", LOG_LEVEL_INFO);
	log_info("parent", "parasaus %s, configuration %s", PARASAUS_VERSION, path);
	setup.config_fd = sealed_copy(&text);
	setup.with_http = checked == CHECK_WITH_HTTP;
	buf_done(&text);
	return parent_main(&setup);
}

/* Comes back only where that cannot be. */
static int become(enum program p, char **argv)
{
	char beside[PATH_MAX], path[PATH_MAX];
	struct err err = { 0 };

	program_directory(beside);
	if (program_find(p, beside, PARASAUS_LIBEXECDIR, path, &err) == 0) {
		execv(path, argv);
		err_set(&err, -errno, "%s: %s", path, strerror(errno));
	}
	fprintf(stderr, "parasausd: %s\n", err.text);
	return 1;
}

int main(int argc, char **argv)
{
	struct options o;
	int status;

	if (!options_read(argc, argv, PARASAUS_VERSION, &o, &status))
		return status;
	switch (o.action) {
	case ACTION_RUN:
		return run(o.config);
	case ACTION_CHECK:
		return check(o.config);
	case ACTION_CLEANUP:
	case ACTION_DOCTOR:
		return become(PROGRAM_IPVS, argv);
	case ACTION_TOKEN:
		return become(PROGRAM_CORE, argv);
	case ACTION_ROLE:
		fprintf(stderr, "parasausd: --role is for programs of its own\n");
		return EXIT_USAGE;
	}
	return EXIT_USAGE;
}
