/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A MySQL or MariaDB server as far as a check sees it: bytes in, bytes out.
 *
 * It counts broken logins as the real ones do, and locks out whoever has made
 * max_connect_errors of them in a row. What it is asked must be well formed.
 */
#ifndef TESTS_LIB_FAKE_MYSQL_H
#define TESTS_LIB_FAKE_MYSQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "tests/lib/fake_net.h"

/* To a query that begins with `query`; the last has NULL, and COM_PING is "PING". */
struct fake_mysql_answer {
	const char *query;
	const char *columns; /* "a\tb"; NULL: an OK, or the error */
	const char *rows;    /* "1\tON\n2\tOFF\n"; NULL is "\\N" */
	uint16_t error;
};

enum fake_mysql_habit {
	FAKE_MYSQL_USUAL,
	FAKE_MYSQL_HANGS_BEFORE_GREETING,
	FAKE_MYSQL_HANGS_BEFORE_VERDICT, /* on a login */
	FAKE_MYSQL_HANGS_BEFORE_CLOSE,	 /* after COM_QUIT */
	FAKE_MYSQL_CLOSES_BEFORE_GREETING,
	FAKE_MYSQL_CLOSES_BEFORE_VERDICT,
};

struct fake_mysql {
	enum fake_mysql_habit habit;
	uint16_t greets_with;  /* an error instead of a greeting; 0: none */
	uint16_t refuses_with; /* an error after a login, right or wrong; 0: 1045 if it is wrong */
	bool offers_tls;       /* in its greeting; there is none */
	const char *default_plugin; /* in its greeting; NULL: mysql_native_password */
	const char *account_plugin; /* that it switches to; NULL: none */
	const char *user, *password;
	bool knows_sha2; /* caching_sha2_password: the fast way */
	bool lets_anybody_in;
	const struct fake_mysql_answer *answers;
	uint32_t max_connect_errors; /* 0: never locks out */
	/* what it saw */
	uint32_t connections, logins, refused, broken, errors_in_row, quits;
	char last_user[64];
	char last_query[160];
};

struct fake_mysql_talk {
	struct fake_mysql *server;
	int stage;
	uint8_t sequence;
	struct buf in, out; /* out: to be sent; is_ending: and then closed */
	bool is_ending;
	uint8_t seed[33];
	char plugin[64];
	char user[64];
	struct fake_conn *conn;
};

void fake_mysql_begin(struct fake_mysql_talk *t, struct fake_mysql *s);
void fake_mysql_hear(struct fake_mysql_talk *t, const void *data, size_t len);
/* The client closed. */
void fake_mysql_done(struct fake_mysql_talk *t);

/* The same on a fake network; s stays. */
struct fake_service fake_mysql_service(struct fake_mysql *s);

/* Packets, for tests that make their own: a header before `body`. */
void fake_mysql_packet(struct buf *b, uint8_t sequence, const void *body, size_t len);
void fake_mysql_error(struct buf *b, uint8_t sequence, uint16_t code);

#endif
