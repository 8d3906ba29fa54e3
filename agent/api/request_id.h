/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The name of one request, by which it is found again in logs and errors: the
 * client's own where it sends a good one, else made here. Not a secret.
 */
#ifndef AGENT_API_REQUEST_ID_H
#define AGENT_API_REQUEST_ID_H

#include <stdbool.h>
#include <stdint.h>

#define REQUEST_ID_MAX 64

/* 1..REQUEST_ID_MAX of A-Z a-z 0-9 . _ - : nothing that a log or a header could trip over. */
bool request_id_is_good(const char *s);

struct request_ids {
	uint64_t run, next;
};
void request_ids_begin(struct request_ids *ids); /* at random */
/* One that this run has not made before; returns out. Of one thread. */
const char *request_id_make(struct request_ids *ids, char out[static REQUEST_ID_MAX + 1]);

#endif
