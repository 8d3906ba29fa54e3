/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a source has told of one kind of object: who, in which state, and which
 * list had it last. Small, for there are ten thousands of them. Pure.
 *
 * A list that lacks much of what was told may be a server that is not
 * itself: such a list is held until another one, a while later and not of an
 * earlier revision, lacks the same.
 */
#ifndef WATCH_KUBERNETES_INDEX_H
#define WATCH_KUBERNETES_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "agent/base/map.h"
#include "agent/pool/object.h"

/* A list that lacks more than a fifth of at least so many is held, for so long. */
#define KUBE_HOLD_COUNT 50
#define KUBE_HOLD_PART	5
#define KUBE_HOLD_MS	30000

struct kube_entry {
	uint64_t content; /* of what was told, kube_entry_content() */
	uint64_t revision;
	uint32_t list;	/* the last that had it, or that was begun when it was told */
	uint8_t missed; /* lists in a row that lacked it */
	uint32_t why;	/* of the problem that was told: a hash of its text */
	bool told;	/* false: its bad state alone is known */
	bool bad;	/* a problem was told of it */
	bool suspect;	/* it may be gone; being asked for by name */
	bool deleting;
	char ns[]; /* then the name; of a slice, then the Service */
};

struct kube_index {
	enum object_kind kind;
	struct map entries;
	struct map groups; /* slices of each Service */
	uint32_t list;	   /* the number of the last that was begun */
	bool unnamed;	   /* it had something that could not be told by name */
	size_t told;
	bool holding;
	mono_t held_at;
	uint64_t held_revision;
	size_t held_count; /* that it lacked */
};

void kube_index_init(struct kube_index *x, enum object_kind kind);
void kube_index_done(struct kube_index *x);

const char *kube_entry_name(const struct kube_entry *e);
const char *kube_entry_service(const struct kube_index *x, const struct kube_entry *e);
/* Tells whether there is anything to tell. */
uint64_t kube_entry_content(const struct object *o);

struct kube_entry *kube_index_find(const struct kube_index *x, const char *ns, const char *name);
/* `service` is the name itself but for slices. A new one, or the one there is, of this Service. */
struct kube_entry *kube_index_need(struct kube_index *x, const char *ns, const char *name,
				   const char *service);
void kube_index_set_told(struct kube_index *x, struct kube_entry *e);
void kube_index_drop(struct kube_index *x, struct kube_entry *e); /* frees it */
void kube_index_set_suspect(struct kube_index *x, struct kube_entry *e, bool suspect);
/*
 * Of slices: does its Service have no other one? Suspect ones do not count, nor, where it was
 * missing in a list, those that this list lacked too.
 */
bool kube_index_is_last(const struct kube_index *x, const struct kube_entry *e);

void kube_index_begin(struct kube_index *x);
enum kube_verdict {
	KUBE_BELIEVED, /* what has missed != 0 is gone */
	KUBE_HELD,
};
/* The list is whole. *again_ms: when another one is wanted, where it is held. */
enum kube_verdict kube_index_end(struct kube_index *x, uint64_t revision, mono_t now,
				 uint32_t *again_ms);

#endif
