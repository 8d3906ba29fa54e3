/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/fake_script.h"

#include <stdlib.h>

#include "agent/base/xalloc.h"

struct talk {
	struct fake_script *script;
	struct fake_conn *conn;
	size_t heard, said, step;
	bool is_over;
};

/* What the script has for it by now, and once that is all or cut, what follows. */
static void go_on(struct talk *t)
{
	struct fake_script *s = t->script;

	while (!t->is_over && t->step < s->step_count && t->heard >= s->steps[t->step].after) {
		const struct fake_step *now = &s->steps[t->step++];
		size_t left = s->cut - t->said, len = now->len < left ? now->len : left;

		if (len)
			fake_conn_say(t->conn, now->says, len);
		t->said += len;
		t->is_over = t->said == s->cut;
	}
	t->is_over |= t->step == s->step_count;
	if (t->is_over && s->then == FAKE_THEN_ENDS)
		fake_conn_end(t->conn);
	else if (t->is_over && s->then == FAKE_THEN_RESETS)
		fake_conn_reset(t->conn);
}

static void *accepted(void *arg, struct fake_conn *c)
{
	struct talk *t = xcalloc(1, sizeof(*t));

	t->script = arg;
	t->conn = c;
	t->script->connections++;
	buf_done(&t->script->heard);
	go_on(t);
	return t;
}

static void heard(void *talk, const void *data, size_t len)
{
	struct talk *t = talk;

	buf_put(&t->script->heard, data, len);
	t->heard += len;
	go_on(t);
}

static void closed(void *talk, bool reset)
{
	struct talk *t = talk;

	t->script->closed++;
	t->script->resets += reset;
	free(t);
}

struct fake_service fake_script_service(struct fake_script *s)
{
	return (struct fake_service){ accepted, heard, closed, s };
}
