/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a reflector: reflector.c is the state machine, reflector_read.c
 * turns the bytes of an answer into items.
 */
#ifndef WATCH_REFLECTOR_PRIVATE_H
#define WATCH_REFLECTOR_PRIVATE_H

#include "watch/json_split.h"
#include "watch/reflector.h"

enum reflector_phase { REFLECTOR_WAITING, REFLECTOR_LISTING, REFLECTOR_WATCHING };

struct reflector {
	struct kube_exchange stream; /* first: its functions are given it */
	struct reflector_config config;
	struct reflector_sink sink;
	enum reflector_phase phase;
	bool list_next; /* what is asked for next */
	bool resumed;	/* its first watch, not checked by the guard yet */
	timer_id timer;
	unsigned hasty;
	unsigned unknown; /* 404s in a row that are no Status */
	uint32_t backoff_ms;
	mono_t failed_at;
	timer_id list_timer; /* the sink wants it to be read again */
	/* the guard */
	struct kube_get *guard;
	uint64_t guard_revision; /* ours when it was asked: events may come before its answer */
	timer_id guard_timer;
	bool fresh; /* the next watch follows a list: nothing to guard against */
	mono_t listed_at;
	/* the answer being read */
	struct buf in;
	size_t in_used;
	bool paused, over;
	struct json_split *split;
	int split_code; /* negative: nothing more can be read */
	struct err split_err;
	loop_work_id work;
	int event_code; /* of an ERROR event; 0: none */
	char *event_text;
	mono_t opened_at;
	uint64_t events;
	struct reflector_status status;
	char *why;
};

/* --- reflector_read.c ------------------------------------------------------- */

void reflector_read_begin(struct reflector *r, enum json_split_mode mode);
void reflector_read_end(struct reflector *r);
bool reflector_on_data(struct kube_exchange *x, const void *data, size_t len);
void reflector_on_over(struct kube_exchange *x);

/* --- reflector.c, for it ---------------------------------------------------- */

/* The answer is over and read, or cannot be read any further. */
void reflector_answered(struct reflector *r);
/* A revision was seen on the watch. */
void reflector_advance(struct reflector *r, uint64_t revision);

#endif
