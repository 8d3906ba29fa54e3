/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configurations: what is taken prints, what was printed is taken and prints
 * the same; what is refused says why.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void free_config(struct config **c)
{
	config_free(*c);
}

/* What the processes behind rely on. */
static void must_be_sane(const struct config *c)
{
	const struct check *check = c->defaults.check;

	if (!c->node || !c->user || !c->state_directory || !c->api_socket || c->source_count == 0 ||
	    check->timeout_ms > check->interval_ms || check->fast_ms > check->interval_ms ||
	    check->rise == 0 || check->fall == 0 || c->audit_ms == 0)
		abort();
	if (((check_has(check->type) & CHECK_HAS_REQUEST) != 0) != (check->path != NULL))
		abort();
	for (size_t i = 0; i < c->address_pool_count; i++) {
		for (size_t k = 0; k < c->address_pools[i].address_count; k++) {
			struct addr refused;

			if (addr_range_refused(&c->address_pools[i].addresses[k], &refused))
				abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(free_config) struct config *c = NULL;
	CLEANUP(free_config) struct config *copy = NULL;
	CLEANUP(buf_done) struct buf first = { 0 };
	CLEANUP(buf_done) struct buf again = { 0 };
	struct err err = { 0 };

	if (config_read("fuzz", data, size, &c, &err) < 0) {
		if (strncmp(err.text, "fuzz: ", 6) != 0)
			abort();
		return 0;
	}
	must_be_sane(c);
	config_print(c, &first);
	if (config_read("printed", first.data, first.len, &copy, &err) < 0)
		abort();
	config_print(copy, &again);
	if (first.len != again.len || memcmp(first.data, again.data, first.len) != 0)
		abort();
	return 0;
}
