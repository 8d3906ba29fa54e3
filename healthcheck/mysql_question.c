/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a server is asked once we are logged in, and how its answers are judged.
 *
 * SHOW rather than SELECT: it needs no right for variables, is answered by a
 * node of Galera that serves nothing else, and leaves out what a server does
 * not know instead of failing. Values are compared as text: read_only is a
 * boolean for some servers and a word for others.
 */
#include <string.h>

#include "agent/base/value.h"
#include "healthcheck/mysql.h"

#define COM_QUERY      0x03
#define COM_PING       0x0e
#define OK	       0x00
#define ER_PARSE       1064
#define ER_NO_VARIABLE 1193
#define LAG_DIGITS     9
#define LAG_UNKNOWN    (-1)

enum question {
	PING,
	READ_ONLY,
	REPLICA,
	REPLICA_OLD, /* as servers before MariaDB 10.5.1 and MySQL 8.0.22 call it */
	SYNC_WAIT,   /* or the rest would wait for a cluster that is not there */
	GALERA_STATUS,
	GALERA_VARIABLES,
};

static const char *const queries[] = {
	[PING] = "",
	[READ_ONLY] = "SHOW GLOBAL VARIABLES WHERE Variable_name IN"
		      " ('read_only', 'super_read_only', 'innodb_read_only')",
	[REPLICA] = "SHOW REPLICA STATUS",
	[REPLICA_OLD] = "SHOW SLAVE STATUS",
	[SYNC_WAIT] = "SET SESSION wsrep_sync_wait = 0",
	[GALERA_STATUS] = "SHOW GLOBAL STATUS WHERE Variable_name IN"
			  " ('wsrep_ready', 'wsrep_cluster_status', 'wsrep_local_state')",
	[GALERA_VARIABLES] = "SHOW GLOBAL VARIABLES WHERE Variable_name IN"
			     " ('wsrep_desync', 'wsrep_reject_queries')",
};

static const char *const lag_names[] = { "Seconds_Behind_Source", "Seconds_Behind_Master", NULL };

/* What makes a node of Galera one to send work to; each is a bit in `facts`. */
static const struct {
	const char *name, *value;
} galera[] = {
	{ "wsrep_ready", "ON" },      { "wsrep_cluster_status", "Primary" },
	{ "wsrep_local_state", "4" }, /* synced */
	{ "wsrep_desync", "OFF" },    { "wsrep_reject_queries", "NONE" },
};
#define GALERA_ALL ((1u << ARRAY_LEN(galera)) - 1)

/* For the other roles `facts` has these. */
#define READ_ONLY_SEEN (1u << 0)
#define READ_ONLY_ON   (1u << 1)

static void ask(struct hc_mysql *m, enum question q)
{
	m->question = (uint8_t)q;
	m->state = HC_MYSQL_ASKING;
	hc_mysql_result_init(&m->result, q == REPLICA || q == REPLICA_OLD ? lag_names : NULL);
	hc_mysql_command(m, q == PING ? COM_PING : COM_QUERY, queries[q]);
}

void hc_mysql_ask_first(struct hc_mysql *m)
{
	static const enum question first[] = {
		[CHECK_ROLE_ANY] = PING,
		[CHECK_ROLE_WRITER] = READ_ONLY,
		[CHECK_ROLE_READER] = READ_ONLY,
		[CHECK_ROLE_GALERA] = SYNC_WAIT,
	};

	ask(m, first[m->check->role]);
}

static void hear_error(struct hc_mysql *m, uint16_t code)
{
	struct hc_outcome o = hc_mysql_outcome_of(code);

	if (m->question == REPLICA && code == ER_PARSE)
		ask(m, REPLICA_OLD);
	else if (m->question == SYNC_WAIT && code == ER_NO_VARIABLE) /* no Galera at all */
		hc_mysql_finish_with(m, HC_REASON_NOT_READY, code);
	else
		hc_mysql_finish_with(m, o.reason, o.detail);
}

/* --- rows ------------------------------------------------------------------------- */

static void take_read_only(struct hc_mysql *m, const struct hc_mysql_cell *cells)
{
	if (hc_mysql_cell_is(&cells[0], "read_only"))
		m->facts |= READ_ONLY_SEEN;
	if (!hc_mysql_cell_is(&cells[1], "OFF") && !hc_mysql_cell_is(&cells[1], "0"))
		m->facts |= READ_ONLY_ON;
}

static void take_galera(struct hc_mysql *m, const struct hc_mysql_cell *cells)
{
	for (size_t i = 0; i < ARRAY_LEN(galera); i++) {
		if (hc_mysql_cell_is(&cells[0], galera[i].name) &&
		    hc_mysql_cell_is(&cells[1], galera[i].value))
			m->facts |= 1u << i;
	}
}

/* The worst of all sources that it replicates from; NULL is one that stands still. */
static void take_lag(struct hc_mysql *m, const struct hc_mysql_cell *cell)
{
	int64_t lag = 0;

	if (!cell->text || cell->len == 0 || cell->len > LAG_DIGITS)
		lag = LAG_UNKNOWN;
	for (size_t i = 0; i < cell->len && lag != LAG_UNKNOWN; i++) {
		int digit = cell->text[i] >= 'a' ? -1 : value_digit(cell->text[i]);

		lag = digit < 0 || digit > 9 ? LAG_UNKNOWN : lag * 10 + digit;
	}
	if (m->result.rows == 1 || lag == LAG_UNKNOWN || (m->lag_s >= 0 && lag > m->lag_s))
		m->lag_s = lag;
}

static void take_row(struct hc_mysql *m, const struct hc_mysql_cell *cells)
{
	switch ((enum question)m->question) {
	case READ_ONLY:
		take_read_only(m, cells);
		break;
	case REPLICA:
	case REPLICA_OLD:
		take_lag(m, &cells[0]);
		break;
	case GALERA_STATUS:
	case GALERA_VARIABLES:
		take_galera(m, cells);
		break;
	case PING:
	case SYNC_WAIT:
		break;
	}
}

/* --- judgement -------------------------------------------------------------------- */

static void judge_read_only(struct hc_mysql *m)
{
	bool is_reader = m->facts & READ_ONLY_ON;

	if (!(m->facts & READ_ONLY_SEEN))
		hc_mysql_finish_with(m, HC_REASON_BAD_REPLY, 0);
	else if (is_reader != (m->check->role == CHECK_ROLE_READER))
		hc_mysql_finish_with(m, HC_REASON_ROLE, 0);
	else if (m->check->max_lag_s)
		ask(m, REPLICA);
	else
		hc_mysql_finish_with(m, HC_REASON_OK, 0);
}

static void judge_lag(struct hc_mysql *m)
{
	if (m->lag_s < 0 || m->lag_s > m->check->max_lag_s)
		hc_mysql_finish_with(m, HC_REASON_LAG, (int32_t)m->lag_s);
	else
		hc_mysql_finish_with(m, HC_REASON_OK, 0);
}

/* The answer is whole, or an OK. */
static void hear_end(struct hc_mysql *m)
{
	switch ((enum question)m->question) {
	case PING:
		hc_mysql_finish_with(m, HC_REASON_OK, 0);
		break;
	case READ_ONLY:
		judge_read_only(m);
		break;
	case REPLICA:
	case REPLICA_OLD:
		judge_lag(m);
		break;
	case SYNC_WAIT:
		ask(m, GALERA_STATUS);
		break;
	case GALERA_STATUS:
		ask(m, GALERA_VARIABLES);
		break;
	case GALERA_VARIABLES:
		hc_mysql_finish_with(m, m->facts == GALERA_ALL ? HC_REASON_OK : HC_REASON_NOT_READY,
				     0);
		break;
	}
}

void hc_mysql_hear_answer(struct hc_mysql *m, struct wire packet)
{
	uint16_t code = hc_mysql_error(packet);
	struct hc_mysql_cell cells[2];

	if (code) {
		hear_error(m, code);
		return;
	}
	if (m->question == PING || m->question == SYNC_WAIT) {
		if (packet.left > 0 && packet.data[0] == OK)
			hear_end(m);
		else
			hc_mysql_finish_with(m, HC_REASON_BAD_REPLY, 0);
		return;
	}
	switch (hc_mysql_result_feed(&m->result, packet, cells)) {
	case HC_MYSQL_RESULT_MORE:
		break;
	case HC_MYSQL_RESULT_ROW:
		take_row(m, cells);
		break;
	case HC_MYSQL_RESULT_END:
		hear_end(m);
		break;
	case HC_MYSQL_RESULT_ERROR:
	case HC_MYSQL_RESULT_BAD:
		hc_mysql_finish_with(m, HC_REASON_BAD_REPLY, 0);
		break;
	}
}
