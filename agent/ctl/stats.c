/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl stats: what the kernel counted of a pool, for people as `ipvsadm -Ln --stats` has it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "agent/api/schema.h"
#include "agent/ctl/commands.h"
#include "agent/ctl/table.h"
#include "agent/ctl/words.h"

static void put_counters(struct table *t, const struct doc *d)
{
	static const char *const fields[] = { REST_CONNECTIONS, REST_PACKETS_IN, REST_PACKETS_OUT,
					      REST_BYTES_IN, REST_BYTES_OUT };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		table_cellf(t, "%" PRId64, words_int(d, fields[i]));
}

static void put_destination(struct table *t, const struct doc *d)
{
	char at[WORDS_ENDPOINT_MAX];

	table_cellf(t, "  %s", words_endpoint(d, at));
	table_cellf(t, "%" PRId64, words_int(d, REST_WEIGHT));
	table_cellf(t, "%" PRId64, words_int(d, REST_ACTIVE));
	table_cellf(t, "%" PRId64, words_int(d, REST_INACTIVE));
	put_counters(t, d);
}

static void put_frontend(struct table *t, const struct doc *f)
{
	const struct doc *all = doc_get(f, REST_DESTINATIONS);
	int64_t active = 0, inactive = 0;

	for (const struct doc *d = all ? all->first : NULL; d; d = d->next) {
		active += words_int(d, REST_ACTIVE);
		inactive += words_int(d, REST_INACTIVE);
	}
	table_cell(t, words_text(f, REST_FRONTEND));
	table_cell(t, NULL);
	table_cellf(t, "%" PRId64, active);
	table_cellf(t, "%" PRId64, inactive);
	put_counters(t, f);
	for (const struct doc *d = all ? all->first : NULL; d; d = d->next)
		put_destination(t, d);
}

/* What the numbers are not. */
static void put_notes(const struct doc *frontends, struct buf *out)
{
	bool still = false;

	for (const struct doc *f = frontends ? frontends->first : NULL; f; f = f->next) {
		const char *fingerprint = words_text(f, REST_FINGERPRINT);

		if (*fingerprint)
			buf_printf(out,
				   "%s has the fingerprint %s: nodes where it is equal send a "
				   "client to the same server\n",
				   words_text(f, REST_FRONTEND), fingerprint);
		if (!words_bool(f, REST_IN_KERNEL))
			buf_printf(out,
				   "%s is not in the kernel: 'parasausctl get status' says "
				   "what it waits for\n",
				   words_text(f, REST_FRONTEND));
		else
			still |= !words_bool(f, REST_COUNTING);
	}
	if (still)
		buf_str(out, "counters stand still, for net.ipv4.vs.run_estimation is 0; ACTIVE "
			     "and INACTIVE are right\n");
}

static void put_statistics(const struct doc *d, struct buf *out)
{
	static const char *const heads[] = {
		"FRONTEND",    ">WEIGHT",      ">ACTIVE",   ">INACTIVE",  ">CONNECTIONS",
		">PACKETS-IN", ">PACKETS-OUT", ">BYTES-IN", ">BYTES-OUT", NULL
	};
	const struct doc *frontends = doc_get(d, REST_FRONTENDS);
	struct table t;

	table_init(&t, heads);
	for (const struct doc *f = frontends ? frontends->first : NULL; f; f = f->next)
		put_frontend(&t, f);
	if (frontends && frontends->count)
		table_print(&t, out);
	else
		buf_str(out, "the pool has no frontend\n");
	table_done(&t);
	put_notes(frontends, out);
}

int command_stats(const struct ctl_args *args)
{
	CLEANUP(buf_done) struct buf id = { 0 }, path = { 0 };
	struct client *c;
	struct err err;
	int r;

	if (args->operand_count != 1)
		return command_misused("stats", "'stats' takes one pool");
	c = client_new(&args->place);
	r = command_find_pool(c, args->operands[0], &id, &err);
	if (r < 0) {
		r = command_refused(r, &err);
	} else {
		command_pool_path(&path, buf_cstr(&id), "/statistics");
		r = command_show(args, c, buf_cstr(&path), put_statistics);
	}
	client_free(c);
	return r;
}
