/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl wait: ask until it is so. The agent has no call that waits, and
 * need not be there yet.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "agent/api/schema.h"
#include "agent/base/clock.h"
#include "agent/ctl/commands.h"
#include "agent/ctl/words.h"

#define POLL_MS 50

/* What is still missing, in words; NULL: nothing. */
static const char *missing(const struct ctl_args *args, const struct doc *status, struct err *why)
{
	const struct doc *sources = doc_get(status, REST_SOURCES);

	if (args->generation && (uint64_t)words_int(status, REST_APPLIED) < args->generation) {
		err_set(why, -1, "the kernel has generation %" PRId64 " of %" PRIu64,
			words_int(status, REST_APPLIED), args->generation);
		return why->text;
	}
	if ((args->generation && !args->synced) || words_bool(status, REST_SYNCED))
		return NULL;
	for (const struct doc *s = sources ? sources->first : NULL; s; s = s->next)
		if (!words_bool(s, REST_COMPLETE)) {
			err_set(why, -1, "the source %s:%s is not complete: %s",
				words_text(s, REST_TYPE), words_text(s, REST_WHERE),
				words_text(s, REST_WHY));
			return why->text;
		}
	return "the kernel is not as wanted yet; 'parasausctl get problems' may say why";
}

static bool is_done(struct client *c, const struct ctl_args *args, struct err *why)
{
	struct doc_set set = { 0 };
	const char *text;

	if (client_object(c, REST_STATUS, &set, why) < 0)
		return false;
	text = missing(args, set.roots[0], why);
	if (text && text != why->text)
		err_set(why, -1, "%s", text);
	doc_set_done(&set);
	return !text;
}

int command_wait(const struct ctl_args *args)
{
	mono_t end = mono_add_ms(clock_mono(&clock_system), args->timeout_ms);
	struct client *c;
	struct err why;
	bool done;

	if (args->operand_count)
		return command_misused("wait", "wait takes options alone");
	c = client_new(&args->place);
	while (!(done = is_done(c, args, &why)) && mono_before(clock_mono(&clock_system), end))
		nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * 1000000L }, NULL);
	client_free(c);
	return done ? CTL_OK : command_failed("time is up: %s", why.text);
}
