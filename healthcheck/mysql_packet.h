/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of the MySQL protocol: cutting what arrives into packets, and
 * reading those that every exchange has. Pure.
 *
 * The bytes are a stranger's. A packet that is longer than the reader's limit,
 * or out of sequence, ends the exchange; of a server's texts nothing is kept.
 */
#ifndef HEALTHCHECK_MYSQL_PACKET_H
#define HEALTHCHECK_MYSQL_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "healthcheck/mysql_auth.h"

#define HC_MYSQL_EARLY_MAX  1024 /* bytes of a packet before the login */
#define HC_MYSQL_PACKET_MAX 16384
#define HC_MYSQL_TOTAL_MAX  65536 /* of a whole exchange */
#define HC_MYSQL_PLUGIN_MAX 64	  /* of a plugin's name that is looked at */

/* Capabilities that we use. */
#define HC_MYSQL_CAP_MYSQL	0x00000001u /* not MariaDB's extended ones */
#define HC_MYSQL_CAP_PROTOCOL41 0x00000200u
#define HC_MYSQL_CAP_SSL	0x00000800u
#define HC_MYSQL_CAP_SECURE	0x00008000u /* passwords of 4.1 and later */
#define HC_MYSQL_CAP_PLUGINS	0x00080000u
#define HC_MYSQL_CAP_ATTRIBUTES 0x00100000u

struct hc_mysql_reader {
	struct buf packet; /* its body, as far as it is here */
	uint8_t header[4];
	uint8_t header_len;
	uint8_t sequence; /* that the next packet must have */
	bool is_whole;	  /* the next byte begins another */
	uint32_t length, limit, total;
};

enum hc_mysql_got {
	HC_MYSQL_MORE,
	HC_MYSQL_PACKET, /* r->packet is whole, until the next call */
	HC_MYSQL_BROKEN, /* out of sequence */
	HC_MYSQL_TOO_LONG,
};

/* Takes bytes from *data up to the end of one packet. */
enum hc_mysql_got hc_mysql_read(struct hc_mysql_reader *r, const uint8_t **data, size_t *len);

struct hc_mysql_greeting {
	uint32_t capabilities;
	enum hc_mysql_plugin plugin;
	uint8_t seed[20];
};
/* False: not a greeting, or of a server before 4.1. */
MUST_CHECK bool hc_mysql_greeting(struct wire w, struct hc_mysql_greeting *out);

struct hc_mysql_switch {
	enum hc_mysql_plugin plugin;
	uint8_t seed[HC_MYSQL_SEED_MAX]; /* as long as the plugin's is */
};
/* AuthSwitchRequest, its first byte included. */
MUST_CHECK bool hc_mysql_switch(struct wire w, struct hc_mysql_switch *out);

/* The code of an error packet; 0: it is none. */
uint16_t hc_mysql_error(struct wire w);

/* A number of 1 to 9 bytes; bad for NULL (0xfb) and for what begins no number. */
uint64_t hc_mysql_number(struct wire *w);
/* Skips a text that its length stands before, and says where it was. *out is NULL for SQL NULL. */
size_t hc_mysql_text(struct wire *w, const char **out);

/* Puts the header before a body that begins at `at` in b: four bytes are there for it. */
void hc_mysql_finish(struct buf *b, size_t at, uint8_t sequence);

#endif
