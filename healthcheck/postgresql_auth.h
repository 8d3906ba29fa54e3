/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a PostgreSQL server wants a password proved: md5, and SCRAM-SHA-256
 * (RFC 5802, RFC 7677). Pure, but for the random bytes that are given.
 *
 * A password goes into SCRAM as it is: one beyond ASCII has to be in the form
 * (NFKC) that the server has it in.
 */
#ifndef HEALTHCHECK_POSTGRESQL_AUTH_H
#define HEALTHCHECK_POSTGRESQL_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"

#define HC_PG_MD5_LEN  35 /* "md5" and 32 digits */
#define HC_PG_SALT_LEN 4
#define HC_SCRAM_HASH  32
#define HC_SCRAM_NONCE 24 /* characters of ours */
/* Each one is a hash that this process waits for; servers have 4096 unless told otherwise. */
#define HC_SCRAM_ITERATIONS_MAX 16384
/* RFC 7677: with fewer, who is only called the server could guess the password from the proof. */
#define HC_SCRAM_ITERATIONS_MIN 4096

/* False: this library has no MD5. out is no string. */
MUST_CHECK bool hc_pg_md5(const char *username, const char *password,
			  const uint8_t salt[HC_PG_SALT_LEN], char out[HC_PG_MD5_LEN]);

struct hc_scram {
	char nonce[HC_SCRAM_NONCE + 1];
	uint8_t server[HC_SCRAM_HASH]; /* what the server will prove itself by */
};

/* random: HC_SCRAM_NONCE bytes. */
void hc_scram_init(struct hc_scram *s, const uint8_t *random);
void hc_scram_first(const struct hc_scram *s, struct buf *out);
/* What the server said to that, and the proof. -EINVAL: not what a server says; -ERANGE: it asks for
 * too much, or too little. out stays as it was then. */
MUST_CHECK int hc_scram_proof(struct hc_scram *s, const char *password, const uint8_t *said,
			      size_t len, struct buf *out);
/* What it said at last: does it know the password, too? */
MUST_CHECK bool hc_scram_is_server(const struct hc_scram *s, const uint8_t *said, size_t len);

#endif
