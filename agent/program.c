/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/program.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *program_name(enum program p)
{
	static const char *const names[PROGRAM_COUNT] = {
		[PROGRAM_CORE] = "parasausd-core",
		[PROGRAM_IPVS] = "parasausd-ipvs",
		[PROGRAM_HEALTHCHECK] = "parasausd-healthcheck",
	};

	return names[p];
}

void program_directory(char *out)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	snprintf(out, PATH_MAX, "%s", n > 0 ? dirname(self) : "");
}

/* -ENOENT: there is none. */
static int look(const char *directory, const char *name, char *out)
{
	struct stat st;

	if (!directory[0])
		return -ENOENT;
	if (snprintf(out, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (stat(out, &st) < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (!S_ISREG(st.st_mode))
		return -EISDIR;
	return access(out, X_OK) < 0 ? -errno : 0;
}

int program_find(enum program p, const char *beside, const char *libexec, char *out,
		 struct err *err)
{
	const char *name = program_name(p);
	int r = look(beside, name, out);

	if (r == -ENOENT)
		r = look(libexec, name, out);
	if (r == -ENOENT)
		return err_set(err, r,
			       "the program %s, a part of the agent, is neither in %s nor in %s: "
			       "install the package again, or by 'make install'",
			       name, beside[0] ? beside : "parasausd's directory", libexec);
	if (r < 0)
		return err_set(err, r,
			       "%s, a part of the agent, cannot be run: %s: install the package "
			       "again, or by 'make install'",
			       out, strerror(-r));
	return 0;
}

static int open_program(enum program p, const char *beside, const char *libexec, struct err *err)
{
	char path[PATH_MAX];
	int r = program_find(p, beside, libexec, path, err);
	int fd;

	if (r < 0)
		return r;
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "%s: %s", path, strerror(errno)) : fd;
}

int program_open_all(const char *beside, const char *libexec, int fds[PROGRAM_COUNT],
		     struct err *err)
{
	for (unsigned i = 0; i < PROGRAM_COUNT; i++) {
		fds[i] = open_program((enum program)i, beside, libexec, err);
		if (fds[i] < 0) {
			int r = fds[i];

			while (i > 0)
				close(fds[--i]);
			return r;
		}
	}
	return 0;
}
