/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Annotations: "key=value" a line. Whatever they say, the settings stay such
 * as the other processes take, and each line that did not count is a problem.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/value.h"
#include "agent/pool/pool.h"
#include "agent/pool/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ITEMS 64

/* The healthcheck process reads it back bound by bound. */
static void check_is_sane(const struct check *c)
{
	struct buf b = { 0 };
	struct check *again;
	struct wire w;

	wire_put_check(&b, c);
	w = wire_of(b.data, b.len);
	again = wire_check(&w);
	if (!again || !wire_end(&w) || !check_equal(c, again))
		abort();
	check_unref(again);
	buf_done(&b);
}

static void settings_are_sane(const struct pool_settings *s)
{
	uint32_t word;

	if (value_word(&pool_scheduler_words, s->scheduler, &word) < 0)
		abort();
	if (s->scheduler_flags & ~0x18u || s->weight > 65535 || s->drain_s > 86400 ||
	    s->forward > FORWARD_TUNNEL || s->unhealthy > UNHEALTHY_RESET ||
	    s->fail_policy > FAIL_CLOSED || s->min_healthy > 100 ||
	    s->slow_start_s > POOL_SLOW_START_MAX_S || s->check->hold_down_s > CHECK_HOLD_MAX_S ||
	    (s->check->via && s->forward == FORWARD_NAT) || s->check->reuse < 1 ||
	    s->check->reuse > CHECK_REUSE_MAX)
		abort();
	check_is_sane(s->check);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pool_settings set = { .scheduler = "wrr",
				     .weight = 1,
				     .check = check_new(CHECK_TCP) };
	struct object_annotation items[ITEMS];
	struct problems problems = { 0 };
	char *text = malloc(size + 1), *rest = text, *line;
	size_t count = 0;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	while (count < ITEMS && (line = strsep(&rest, "\n"))) {
		char *value = strchr(line, '=');

		if (!value)
			continue;
		*value++ = '\0';
		items[count] = (struct object_annotation){ line, value, (unsigned)count + 1 };
		count++;
	}
	pool_annotations(items, count, &(struct pool_home){ "shop", 15 }, &set, &problems);
	settings_are_sane(&set);
	problems_done(&problems);
	check_unref(set.check);
	free(text);
	return 0;
}
