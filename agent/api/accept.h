/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client takes: the Accept headers (RFC 9110, 12.5).
 * A header that is absent (NULL) takes everything.
 */
#ifndef AGENT_API_ACCEPT_H
#define AGENT_API_ACCEPT_H

#include <stdbool.h>

/* How much the type ("application/json") is wanted, 0..1000: the most specific range decides. */
unsigned accept_type(const char *accept, const char *type);
/* How much the content coding ("gzip") is wanted, the same (Accept-Encoding). */
unsigned accept_coding(const char *accept, const char *coding);

enum language { LANGUAGE_EN, LANGUAGE_ZH_CN };
/* The one that is wanted most; English where neither is, or both alike. */
enum language accept_language(const char *accept);
const char *language_tag(enum language l); /* "en", "zh-CN" */

#endif
