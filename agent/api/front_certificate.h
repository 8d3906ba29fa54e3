/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client certificates in the http process: verified in the handshake, against
 * the authorities of the session's credentials and nobody else's. A certificate
 * that is not good ends the handshake with an alert that says why; no certificate
 * is no fault, for a token may follow.
 *
 * Not good is: of another authority, not valid yet or any more, for another use
 * than a client's (extended key usage, where it has one), or with a subject that
 * could be read in two ways: no common name or several, more than
 * SUBJECT_UNITS_MAX units, a name that is empty, longer than SUBJECT_NAME_MAX,
 * no text, or with a NUL or a control character in it.
 */
#ifndef AGENT_API_FRONT_CERTIFICATE_H
#define AGENT_API_FRONT_CERTIFICATE_H

#include <stddef.h>

#include "agent/api/holder.h"
#include "agent/base/attr.h"
#include "agent/base/err.h"

#define FRONT_AUTHORITIES_MAX 64

struct gnutls_session_int;

/* Of a session whose handshake has not begun. */
void front_certificate_verify(struct gnutls_session_int *session);
/* After the handshake. Empty: no certificate was shown. */
void front_certificate_subject(struct gnutls_session_int *session, struct subject *out);
/*
 * Of a file of authorities, in PEM: -EINVAL: it holds none, or one that is none of an authority;
 * -E2BIG: more than FRONT_AUTHORITIES_MAX.
 */
MUST_CHECK int front_authorities_look(const char *pem, size_t len, struct err *err);

#endif
