/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first bytes of an object that is too large to be read: whose it is. Pure; for json_split.c. */
#ifndef WATCH_JSON_HEAD_H
#define WATCH_JSON_HEAD_H

#include <stddef.h>

#include "watch/json_split.h"

/* Sets all of *out but len; "" for what is not there, is cut, or holds an escape. */
void json_head_read(const char *text, size_t len, enum json_split_mode mode,
		    struct json_split_oversized *out);

#endif
