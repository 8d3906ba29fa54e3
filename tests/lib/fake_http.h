/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch/http.h without a network: requests lie there until the test answers
 * them. Time is the loop's: idle_s and total_s end a request as they should.
 * What is sent to a paused request waits until it is not paused any more.
 */
#ifndef TESTS_LIB_FAKE_HTTP_H
#define TESTS_LIB_FAKE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/loop.h"
#include "watch/http.h"

struct fake_http;
struct fake_request {
	struct fake_http *http;
	struct fake_request *next;
	http_id id;
	char *server, *path, *token; /* token: "" where there is none */
	char *method, *body;	     /* body: "" where there is none */
	bool gzip;
	bool paused;
	uint32_t idle_s, total_s;
	struct http_request given;
	timer_id idle_timer, total_timer, flow_timer;
	struct buf waiting; /* while paused */
	bool ending;	    /* after what waits */
	enum http_result end_result;
	char end_text[100];
};

/* Called for each request from the loop, soon after it was started; may be NULL. */
typedef void fake_http_fn(void *arg, struct fake_request *r);
MUST_CHECK struct http *fake_http_new(struct loop *l, fake_http_fn *fn, void *arg);
/* The first one under way whose path begins so and ends so; NULL: none. */
struct fake_request *fake_http_find(struct http *h, const char *begin, const char *end);
struct fake_request *fake_http_get(struct http *h, http_id id); /* NULL: over */
size_t fake_http_count(const struct http *h);			/* under way */
size_t fake_http_total(const struct http *h);			/* ever */

/* NULL content_type: application/json; retry_after_s -1: none */
void fake_http_status(struct fake_request *r, int status, int32_t retry_after_s,
		      const char *content_type);
void fake_http_data(struct fake_request *r, const void *data, size_t len);
void fake_http_text(struct fake_request *r, const char *text);
/* Frees r, at once or when all that waits was taken. */
void fake_http_end(struct fake_request *r, enum http_result result, const char *why);
/* Status, body, end. */
void fake_http_answer(struct fake_request *r, int status, const char *body);

#endif
