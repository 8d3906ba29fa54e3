/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client certificates: whose one is, and what he may.
 *
 * The http process asks for one in the handshake and verifies it there
 * (agent/api/front_certificate.h). What core gets is the subject's common name
 * and units, bounded and without control characters; core alone knows the lists
 * of who may what. It has to believe the http process in whose name a request
 * comes: the proof of that, the handshake, is not to be had a second time.
 *
 * Pure; nothing is kept.
 */
#ifndef AGENT_API_HOLDER_H
#define AGENT_API_HOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/api/tokens.h"
#include "agent/base/attr.h"
#include "agent/base/buf.h"

#define SUBJECT_NAME_MAX  64 /* bytes, as X.520 bounds it */
#define SUBJECT_UNITS_MAX 8
#define HOLDER_UNIT	  "OU=" /* before a unit's name in a list; no common name begins so there */

struct subject {
	char name[SUBJECT_NAME_MAX + 1]; /* CN; "": there is no certificate */
	unsigned unit_count;
	char units[SUBJECT_UNITS_MAX][SUBJECT_NAME_MAX + 1]; /* OU, in the certificate's order */
};

/* 1..SUBJECT_NAME_MAX bytes of UTF-8 without control characters. */
MUST_CHECK bool subject_name_is_good(const char *s, size_t len);

/* Lists of common names, and of units as "OU=NAME"; texts outlive who uses them. */
struct holder_rules {
	const char *const *editors, *const *viewers;
	size_t editor_count, viewer_count;
};
/* What is wrong with an item of such a list; NULL: nothing. */
MUST_CHECK const char *holder_item_fault(const char *item);

enum holder_claim {
	HOLDER_NONE,	 /* no certificate */
	HOLDER_UNLISTED, /* a good one, of somebody who is in no list */
	HOLDER_KNOWN
};
struct holder {
	enum holder_claim claim;
	enum token_role role; /* of HOLDER_KNOWN: the higher, where both lists have him */
	struct subject subject;
};
/* rules NULL: nobody is listed. */
struct holder holder_of(const struct holder_rules *rules, const struct subject *s);
/* For people: whose the certificate is, and which key of the configuration would let him in. */
void holder_explain(const struct holder *h, struct buf *out);

#endif
