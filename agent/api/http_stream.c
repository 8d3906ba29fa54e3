/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists as responses of the library, written in pieces.
 */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/http.h"
#include "agent/api/http_private.h"
#include "agent/base/clock.h"
#include "agent/base/xalloc.h"

#define STREAM_PIECE (64 * 1024)

struct stream {
	struct list_stream *list;
	struct buf ahead; /* written by the list, not sent yet */
	size_t sent;	  /* of it */
	bool ended;
	mono_t deadline;
};

static ssize_t read_stream(void *cls, uint64_t at, char *out, size_t max)
{
	struct stream *st = cls;
	size_t n;

	(void)at;
	if (!mono_before(clock_mono(&clock_system), st->deadline))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	while (st->sent == st->ahead.len) {
		if (st->ended)
			return MHD_CONTENT_READER_END_OF_STREAM;
		buf_reset(&st->ahead);
		st->sent = 0;
		st->ended = !list_stream_read(st->list, &st->ahead, STREAM_PIECE);
	}
	n = st->ahead.len - st->sent;
	n = n < max ? n : max;
	memcpy(out, st->ahead.data + st->sent, n);
	st->sent += n;
	return (ssize_t)n;
}

static void free_stream(void *cls)
{
	struct stream *st = cls;

	list_stream_free(st->list);
	buf_done(&st->ahead);
	free(st);
}

struct MHD_Response *http_stream_response(struct list_stream *list)
{
	struct stream *st = xcalloc(1, sizeof(*st));
	struct MHD_Response *m;

	st->list = list;
	st->deadline = mono_add_ms(clock_mono(&clock_system), HTTP_STREAM_S * 1000);
	m = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_PIECE, read_stream, st,
					      free_stream);
	if (!m)
		free_stream(st);
	return m;
}
