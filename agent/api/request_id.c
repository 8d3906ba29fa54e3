/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/request_id.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

bool request_id_is_good(const char *s)
{
	size_t good = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				"._-");

	return good > 0 && good <= REQUEST_ID_MAX && !s[good];
}

void request_ids_begin(struct request_ids *ids)
{
	*ids = (struct request_ids){ .next = 1 };
	/* Too early after boot it is 0: then ids repeat between runs, which harms nobody. */
	if (getrandom(&ids->run, sizeof(ids->run), GRND_NONBLOCK) < 0)
		ids->run = 0;
}

const char *request_id_make(struct request_ids *ids, char out[static REQUEST_ID_MAX + 1])
{
	snprintf(out, REQUEST_ID_MAX + 1, "%016" PRIx64 "-%" PRIu64, ids->run, ids->next++);
	return out;
}
