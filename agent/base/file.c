/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/xalloc.h"

#define CHUNK 65536

int file_read_fd(int fd, size_t max, struct buf *out, struct err *err)
{
	size_t before = out->len;

	for (;;) {
		ssize_t n = read(fd, buf_add(out, CHUNK), CHUNK);

		out->len -= CHUNK;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			out->len = before;
			return err_set(err, -errno, "%s", strerror(errno));
		}
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		if (out->len - before > max) {
			out->len = before;
			return err_set(err, -EFBIG, "longer than %zu bytes", max);
		}
	}
}

/* Of a large file: room for all of it at once, where growing would take twice as much. */
static void reserve(int fd, size_t max, struct buf *out)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size <= CHUNK || (uint64_t)st.st_size > max)
		return;
	buf_add(out, (size_t)st.st_size + 2 * CHUNK);
	out->len -= (size_t)st.st_size + 2 * CHUNK;
}

int file_read(const char *path, size_t max, struct buf *out, struct err *err)
{
	/* A pipe that somebody put there must not make us wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r;

	if (fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	reserve(fd, max, out);
	r = file_read_fd(fd, max, out, err);
	close(fd);
	return r < 0 ? err_wrap(err, r, "%s", path) : 0;
}

static int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	CLEANUP(xfree_ptr)
	char *dir = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int file_rename(const char *from, const char *to)
{
	return rename(from, to) < 0 ? -errno : sync_directory(to);
}

void file_writer_begin(struct file_writer *w, const char *path)
{
	CLEANUP(xfree_ptr) char *tmp = xasprintf("%s.tmp", path);

	w->path = xstrdup(path);
	w->fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	w->code = w->fd < 0 ? -errno : 0;
}

void file_writer_put(struct file_writer *w, const void *data, size_t len)
{
	if (w->code == 0)
		w->code = write_all(w->fd, data, len);
}

/* What is written so far becomes the file, or goes. */
static int settle(const struct file_writer *w, const char *tmp)
{
	int r = w->code;

	if (w->fd < 0)
		return r;
	if (r == 0 && fsync(w->fd) < 0)
		r = -errno;
	if (close(w->fd) < 0 && r == 0)
		r = -errno;
	if (r == 0)
		r = file_rename(tmp, w->path);
	if (r < 0)
		unlink(tmp); /* gone already where the directory's sync alone failed */
	return r;
}

int file_writer_end(struct file_writer *w, struct err *err)
{
	CLEANUP(xfree_ptr) char *tmp = xasprintf("%s.tmp", w->path);
	int r = settle(w, tmp);

	if (r < 0 && w->fd < 0)
		err_set(err, r, "%s: %s", tmp, strerror(-r));
	else if (r < 0)
		err_set(err, r, "writing %s: %s", w->path, strerror(-r));
	free(w->path);
	return r;
}

int file_write(const char *path, const void *data, size_t len, struct err *err)
{
	struct file_writer w;

	file_writer_begin(&w, path);
	file_writer_put(&w, data, len);
	return file_writer_end(&w, err);
}
