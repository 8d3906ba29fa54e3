/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl whoami: who one is to the agent, and what one may do there.
 */
#include "agent/api/schema.h"
#include "agent/ctl/commands.h"
#include "agent/ctl/words.h"

static void put_who(const struct doc *d, struct buf *out)
{
	const struct doc *roles = doc_get(d, REST_ROLES), *can = doc_get(d, REST_CAN);
	const char *between = "";

	buf_printf(out, "%s, by %s", words_text(d, REST_USER), words_text(d, REST_VIA));
	for (const struct doc *r = roles ? roles->first : NULL; r; r = r->next)
		buf_printf(out, ", %s", doc_string(r));
	buf_str(out, "\ncan look");
	for (const struct doc *c = can ? can->first : NULL; c; c = c->next)
		if (words_bool(can, c->key))
			buf_printf(out, ", %s", c->key);
	if (!words_bool(d, REST_WRITE_ENABLED)) {
		buf_str(out, "; cannot ");
		for (const struct doc *c = can ? can->first : NULL; c; c = c->next) {
			buf_printf(out, "%s%s", between, c->key);
			between = ", ";
		}
		buf_printf(out, ": %s", words_text(d, REST_REASON));
	}
	buf_str(out, "\n");
}

int command_whoami(const struct ctl_args *args)
{
	struct client *c;
	int r;

	if (args->operand_count)
		return command_misused("whoami", "'whoami' takes no operand");
	c = client_new(&args->place);
	r = command_show(args, c, REST_WHOAMI, put_who);
	client_free(c);
	return r;
}
