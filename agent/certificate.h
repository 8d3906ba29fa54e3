/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The certificate of the http process: one that is given, or one of its own
 * making, which nobody vouches for: who connects compares its fingerprint.
 */
#ifndef AGENT_CERTIFICATE_H
#define AGENT_CERTIFICATE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/err.h"

#define CERTIFICATE_FILE	    "tls.pem" /* in the state directory; mode 0600 */
#define CERTIFICATE_DAYS	    825	      /* browsers take none that lasts longer */
#define CERTIFICATE_RENEW_DAYS	    60
#define CERTIFICATE_FINGERPRINT_MAX 96 /* "AB:CD:...": 32 bytes, and the NUL */
#define CERTIFICATE_BYTES_MAX	    (256 * 1024)

struct certificate_facts {
	char fingerprint[CERTIFICATE_FINGERPRINT_MAX]; /* SHA-256 of the first one */
	int64_t not_after_ms;			       /* since 1970 */
};
/* -EINVAL: it is no certificate in PEM. */
MUST_CHECK int certificate_look(const char *pem, size_t len, struct certificate_facts *out,
				struct err *err);

/*
 * Appends a new certificate and its key (ECDSA P-256), in PEM, for those names: DNS names, IPv4
 * addresses, IPv6 ones in brackets. The names end with NULL; the first is its subject, too.
 */
MUST_CHECK int certificate_make(const char *const *names, int64_t now_ms, struct buf *out,
				struct err *err);

/*
 * The same from a file, which is written anew where it is not there, holds no such pair, lacks one of
 * the names, or ends within CERTIFICATE_RENEW_DAYS. Blocks on the disk.
 */
MUST_CHECK int certificate_own(const char *path, const char *const *names, int64_t now_ms,
			       struct buf *out, struct err *err);

#endif
