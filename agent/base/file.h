/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole files: read with a bound, written so that a reader or a crash sees
 * the old one or the new one and nothing between. Blocking; small files.
 */
#ifndef AGENT_BASE_FILE_H
#define AGENT_BASE_FILE_H

#include <stddef.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/err.h"

/* Appends the file to out. -EFBIG where it is longer than max; out is as before then. */
MUST_CHECK int file_read(const char *path, size_t max, struct buf *out, struct err *err);
MUST_CHECK int file_read_fd(int fd, size_t max, struct buf *out, struct err *err);
/* Writes path.tmp, fsyncs, renames, fsyncs the directory. Mode 0600. */
MUST_CHECK int file_write(const char *path, const void *data, size_t len, struct err *err);

/* rename(2), and fsyncs the directory, so that it survives a crash. -errno. */
MUST_CHECK int file_rename(const char *from, const char *to);

/*
 * Writes a file as file_write() does, in pieces, for what need not be in memory as a whole. The
 * first failure is kept until file_writer_end(), which is always called, and takes the new file
 * back where there was one.
 */
struct file_writer {
	char *path;
	int fd;
	int code;
};
void file_writer_begin(struct file_writer *w, const char *path);
void file_writer_put(struct file_writer *w, const void *data, size_t len);
MUST_CHECK int file_writer_end(struct file_writer *w, struct err *err);

#endif
