/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An error a person will read: a code and a sentence, owned by the caller,
 * never allocated. Context is added outward by wrapping, so that the text
 * reads "reading web.yaml: line 7: port 70000 is above 65535".
 *
 * Where nobody will read it, functions return -errno and take no struct err.
 */
#ifndef AGENT_BASE_ERR_H
#define AGENT_BASE_ERR_H

#include "agent/base/attr.h"

#define ERR_TEXT_MAX 400

struct err {
	int code; /* -errno, 0 while unset */
	char text[ERR_TEXT_MAX];
};

/* Set *err (which may be NULL) and return code, a negative errno. */
int err_set(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Put "<context>: " before what err says already; returns err->code. */
int err_wrap(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
