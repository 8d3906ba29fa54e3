/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files written as file_write() does it, but by a thread, so that a slow disk
 * holds the loop up with nothing. What is given is written in that order; one
 * file may be given piece by piece while others are written.
 */
#ifndef AGENT_BASE_FILER_H
#define AGENT_BASE_FILER_H

#include <stddef.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/loop.h"

struct filer;
struct filing; /* a file on its way */

/*
 * l NULL, or no thread to be had: each call writes before it returns, which is for tests whose time
 * is not the disk's.
 */
MUST_CHECK struct filer *filer_new(struct loop *l);
/*
 * Waits until everything that was given is written; every filing must have been ended or cancelled.
 * Nobody is told any more. NULL is fine.
 */
void filer_free(struct filer *f);

/* The old file stays as it is until filing_end(). */
MUST_CHECK struct filing *filing_begin(struct filer *f, const char *path);
/* Takes what is in b, which is empty afterwards. */
void filing_put(struct filing *w, struct buf *b);
/* r is 0 or -errno, of the first failure there was; `text` says what could not be done to what. */
typedef void filing_done_fn(void *arg, int r, const char *text);
/* The new file takes the old one's place; then fn is called from the loop. w is gone. */
void filing_end(struct filing *w, filing_done_fn *fn, void *arg);
void filing_cancel(struct filing *w); /* what was written of it goes; NULL is fine */

/* Bytes that were given and are not written yet: whoever has many more to give waits. */
size_t filer_queued(struct filer *f);

#endif
