/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What proves to a MySQL or MariaDB server that we know a password. Pure.
 *
 * Only methods that show a stranger nothing of it: a plugin that wants the
 * password itself is not among them (caching_sha2_password may, inside TLS).
 */
#ifndef HEALTHCHECK_MYSQL_AUTH_H
#define HEALTHCHECK_MYSQL_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"

enum hc_mysql_plugin {
	HC_MYSQL_NATIVE,  /* mysql_native_password */
	HC_MYSQL_SHA2,	  /* caching_sha2_password */
	HC_MYSQL_ED25519, /* client_ed25519: MariaDB's auth_ed25519 */
	HC_MYSQL_OTHER,	  /* none that we would answer in earnest */
};

#define HC_MYSQL_SEED_MAX   32
#define HC_MYSQL_ANSWER_MAX 64

enum hc_mysql_plugin hc_mysql_plugin_parse(const char *name);
const char *hc_mysql_plugin_text(enum hc_mysql_plugin p); /* "" for OTHER */
size_t hc_mysql_seed_len(enum hc_mysql_plugin p);	  /* what the server must have sent */
/* How long an answer is that the server reads to its end, right or wrong. */
size_t hc_mysql_answer_len(enum hc_mysql_plugin p);

/* Not for OTHER; `seed` is of hc_mysql_seed_len(). *out_len may be 0: an empty password. False:
 * a hash cannot be had on this system. */
MUST_CHECK bool hc_mysql_answer(enum hc_mysql_plugin p, const char *password, const uint8_t *seed,
				uint8_t out[static HC_MYSQL_ANSWER_MAX], size_t *out_len);

#endif
