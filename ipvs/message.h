/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What core and the ipvs process say to each other (agent/base/channel.h).
 *
 * core tells the wanted table: BEGIN forgets what was told on this channel
 * and starts over, SERVICE and DESTS tell one service whole, GONE takes one
 * back, COMMIT makes all of it count at once. OURS tells, before a COMMIT, what is ours from that
 * on: all of it, in one message or more. What an unfinished core told is
 * never acted upon, and the last commit holds while there is no core.
 *
 * ipvs tells the image of the kernel's table when a core connects (SERVICE,
 * DESTS ..., IMAGE_END), then facts as they come up.
 */
#ifndef IPVS_MESSAGE_H
#define IPVS_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/log.h"
#include "ipvs/notrack.h"
#include "ipvs/paths.h"
#include "ipvs/table.h"

enum ipvs_message {
	/* both ways */
	IPVS_MSG_SERVICE = 1, /* a service without its destinations, and how many will follow */
	IPVS_MSG_DESTS = 2,   /* the next destinations of the service told last */
	/* core -> ipvs */
	IPVS_MSG_BEGIN = 3,
	IPVS_MSG_GONE = 4,   /* key */
	IPVS_MSG_COMMIT = 5, /* struct ipvs_commit */
	/* ipvs -> core */
	IPVS_MSG_IMAGE_END = 6,
	IPVS_MSG_STATUS =
		7, /* struct ipvs_status; at most 20 a second, and when `synced` changes */
	IPVS_MSG_PROBLEM = 8, /* struct ipvs_problem; an empty text takes it back */
	/* key, dest: a draining destination has no connections; told once for each time that core
	 * tells its service */
	IPVS_MSG_IDLE = 9,
	IPVS_MSG_EVENT = 10, /* u8 log level, text: what it did that a person should know */
	/* core -> ipvs */
	IPVS_MSG_OURS = 11,  /* u8: 1 begins, 0 goes on; u16 count; blocks of addresses and ports */
	IPVS_MSG_COUNT = 12, /* u32 id, key: what did the kernel count of it? Answered in turn. */
	/* ipvs -> core (stats.h) */
	IPVS_MSG_STATS = 13,
	IPVS_MSG_STATS_DESTS = 14, /* the next of the answer that was begun last */
	/* both ways: struct ipvs_notrack (notrack.h). From core what is to be, which holds at once; to core
	 * what is in force, when it connects and when that is what it wanted last. */
	IPVS_MSG_NOTRACK = 15,
	/* core -> ipvs: struct ipvs_paths (paths.h), all that there are to be, which holds at once; none of
	 * an earlier process go before that. ipvs -> core: struct ipvs_paths_result, when it is known of
	 * what this core told last, and when that changes. */
	IPVS_MSG_PATHS = 16,
};

struct ipvs_commit {
	uint64_t generation; /* grows; told back when the kernel is as wanted */
	bool complete;	     /* every source has delivered: what is ours and not wanted may go */
};

struct ipvs_status {
	uint64_t generation; /* the last that the kernel matched in full */
	bool synced;	     /* the kernel is as the last commit wants it (problems aside) */
	bool ready;	     /* IPVS is there and its table has been read */
	uint64_t
		kernel_writes; /* commands sent to IPVS since the process began, refused ones too */
	uint64_t other_writes; /* routes, rules, sets, sysctls */
	uint64_t repairs;      /* differences others made and the audit undid */
	/* The last time that anything had to be written: first write to last acknowledgement,
	 * when everything was as wanted; and how many commands that took. */
	uint64_t last_sync_us;
	uint64_t last_sync_writes;
	uint32_t services;
	uint32_t dests;
	uint32_t pending; /* services that something is still to be done about */
	uint32_t problems;
	uint32_t disordered; /* mh services that are as wanted, but not in order yet (order.h) */
};

struct ipvs_problem {
	struct endpoint key;  /* addr.family 0: the host around IPVS (routes, rules, sets) */
	struct endpoint dest; /* addr.family 0: the service itself */
	int32_t error;	      /* positive errno */
	char text[200];
};

/* SERVICE and as many DESTS as it takes, through `send`. */
typedef void ipvs_message_send_fn(void *arg, uint16_t type, const struct buf *body);
void ipvs_message_put_service(const struct ipvs_service *s, ipvs_message_send_fn *send, void *arg);

/* Puts SERVICE and DESTS together again. Zero-initialise. */
struct ipvs_message_reader {
	struct ipvs_service service;
	uint32_t missing; /* destinations still to come */
	bool open;
};
void ipvs_message_reader_done(struct ipvs_message_reader *r);
/*
 * Feed a SERVICE or DESTS body. -EBADMSG: malformed, out of bounds, or out of turn. 1: the
 * service is whole and moved to *out (dests sorted, no duplicates), 0: more to come.
 */
MUST_CHECK int ipvs_message_read(struct ipvs_message_reader *r, uint16_t type, struct wire *body,
				 struct ipvs_service *out);

#define IPVS_OURS_MAX 40000 /* blocks */

/* What is ours, as it is told. Zero-initialise; ipvs_ours_list_done(). */
struct ipvs_ours_list {
	struct ipvs_ours *items;
	size_t count;
};
void ipvs_ours_list_done(struct ipvs_ours_list *l);
/* As many OURS as it takes, at least one; IPVS_OURS_MAX at most are told. */
void ipvs_message_put_ours(const struct ipvs_ours *ours, size_t count, ipvs_message_send_fn *send,
			   void *arg);
/* -EBADMSG: malformed, too many, or one that goes on where none began. */
MUST_CHECK int ipvs_message_read_ours(struct ipvs_ours_list *l, bool *begun, struct wire *body);

void wire_put_ipvs_commit(struct buf *b, const struct ipvs_commit *c);
void wire_put_ipvs_status(struct buf *b, const struct ipvs_status *s);
void wire_put_ipvs_problem(struct buf *b, const struct ipvs_problem *p);
void wire_ipvs_commit(struct wire *w, struct ipvs_commit *out);
void wire_ipvs_status(struct wire *w, struct ipvs_status *out);
void wire_ipvs_problem(struct wire *w, struct ipvs_problem *out);

#endif
