/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values as people write them in the configuration and in annotations: one
 * parser each, so that "500ms" means the same wherever it stands.
 *
 * Parsers take the whole string and return 0, -EINVAL (not such a value) or
 * -ERANGE (one, but outside the bounds); the caller words the message. Outputs
 * are untouched on failure.
 */
#ifndef AGENT_BASE_VALUE_H
#define AGENT_BASE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/check.h"

#define VALUE_DURATION_TEXT_MAX 16
/* CHECK_EXPECT_MAX times "100-599,". */
#define VALUE_STATUSES_TEXT_MAX (CHECK_EXPECT_MAX * 8 + 1)

/* What a hexadecimal digit is worth; -1: none. */
int value_digit(char c);

/* Decimal digits alone: no sign, blank, or leading zero. */
MUST_CHECK int value_uint(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/* "2", "0.5" (seconds), "500ms", "2s", "1.5m", "1h"; whole milliseconds, bounds included. */
MUST_CHECK int value_duration_ms(const char *s, uint32_t min, uint32_t max, uint32_t *out);
/* The shortest form that reads back as the same: "500ms", "2s", "5m". Returns out. */
const char *value_duration_text(uint32_t ms, char out[static VALUE_DURATION_TEXT_MAX]);

/* HTTP statuses: "200", "200-399", "200,301-302"; at most CHECK_EXPECT_MAX, each in 100..599. */
MUST_CHECK int value_statuses(const char *s, struct check_status_range out[static CHECK_EXPECT_MAX],
			      unsigned *out_count);
const char *value_statuses_text(const struct check_status_range *ranges, unsigned count,
				char out[static VALUE_STATUSES_TEXT_MAX]);

/* A request target: '/' first, printable ASCII without blanks or '#', CHECK_PATH_MAX at most. */
MUST_CHECK bool value_is_http_path(const char *s);
/* What a Host header may hold: a name or an address, perhaps a port; CHECK_HOST_MAX at most. */
MUST_CHECK bool value_is_http_host(const char *s);
/* The name of a gRPC service: printable ASCII without blanks, 1 to CHECK_SERVICE_MAX bytes. */
MUST_CHECK bool value_is_grpc_service(const char *s);
/* A name or an address alone, as a certificate has them; CHECK_HOST_MAX at most. */
MUST_CHECK bool value_is_server_name(const char *s);

/*
 * Bytes as a text: \r, \n, \t, \0, \\ and \xHH stand for what they do in C, any other character but
 * control characters for itself. 1 to CHECK_BYTES_MAX of them. -EINVAL and -ERANGE as above.
 */
MUST_CHECK int value_bytes(const char *s, uint8_t out[static CHECK_BYTES_MAX], size_t *out_len);

/*
 * The name of a domain, perhaps with a dot at its end, "." being the root: labels of 1 to 63 letters,
 * digits, '-' and '_'. *out is its form on the wire, without compression. -EINVAL and -ERANGE as above.
 */
MUST_CHECK int value_dns_name(const char *s, uint8_t out[static CHECK_DNS_WIRE_MAX],
			      size_t *out_len);

#define VALUE_RCODES_TEXT_MAX 64
/* "NOERROR", "NOERROR,NXDOMAIN": a bit each. */
MUST_CHECK int value_dns_rcodes(const char *s, uint16_t *out);
const char *value_dns_rcodes_text(uint16_t rcodes, char out[static VALUE_RCODES_TEXT_MAX]);
uint16_t value_dns_rcodes_all(void);
/* "SERVFAIL"; "RCODE 9" where it has no name here. */
void value_dns_rcode_put(struct buf *out, int64_t rcode);

/*
 * "namespace/name" of a Secret: a label and a name of RFC 1123, or CHECK_SECRET_NONE; perhaps "@N", N
 * from 1 to 99.
 */
MUST_CHECK bool value_is_secret_name(const char *s);

/* A choice of words, such as forwarding methods, and what each stands for. */
struct value_word {
	const char *text;
	uint32_t value;
};
struct value_words {
	const struct value_word *items;
	size_t count;
};
#define VALUE_WORDS(array)                \
	{                                 \
		(array), ARRAY_LEN(array) \
	}

/* enum check_role: any, writer, reader, galera; enum check_tls: off, preferred, required;
 * enum check_via: direct, vip. */
extern const struct value_words value_check_roles;
extern const struct value_words value_check_tls;
extern const struct value_words value_check_vias;

/* Types of records: A, NS, ...; RCODEs: NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED. */
extern const struct value_words value_dns_types;
extern const struct value_words value_dns_rcode_words;

MUST_CHECK int value_word(const struct value_words *words, const char *s, uint32_t *out);
const char *value_word_text(const struct value_words *words, uint32_t value); /* "?": none */
/* "nat, dr or tunnel", and where s is near one of them ". Did you mean 'dr'?": ends a message. */
void value_words_hint(const struct value_words *words, const char *s, struct buf *out);

/*
 * The word that was probably meant: the nearest of `words` within two edits (a swap of
 * neighbours is one; case counts for nothing), or NULL. For "did you mean" in messages.
 */
const char *value_nearest(const char *word, const char *const *words, size_t count);

#endif
