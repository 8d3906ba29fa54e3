/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The https probe: the http probe's question and answer (RFC 9110) over TLS.
 *
 * Whether the server is to be trusted is known before it is asked anything: one
 * that is not hears no request. An answer is judged by http_reply.h, and once it
 * is whole the connection ends, by RST: the server's own goodbye is not waited
 * for, and no TIME_WAIT stays with us.
 */
#ifndef HEALTHCHECK_HTTPS_H
#define HEALTHCHECK_HTTPS_H

#include <stdbool.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "healthcheck/http_reply.h"

struct hc_https {
	const struct check *check;
	const struct endpoint *to;
	bool is_secured;
	struct buf out;
	struct hc_http_reply reply; /* DONE: over, and its outcome holds */
	char name[CHECK_HOST_MAX + 1];
};

/*
 * Whom the server has to be: server_name, or the name in `host`, without a port. Empty: nobody said.
 * An address that was written there is asked for like a name.
 */
void hc_https_server_name(const struct check *c, char out[static CHECK_HOST_MAX + 1]);

#endif
