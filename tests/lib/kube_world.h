/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A source in a cluster, the fake API server it reads, and what it has told, on
 * a clock that the test turns.
 */
#ifndef TESTS_LIB_KUBE_WORLD_H
#define TESTS_LIB_KUBE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "agent/base/map.h"
#include "tests/lib/fake_kube.h"
#include "tests/lib/random.h"
#include "watch/kubernetes.h"

struct kube_world {
	int64_t now_ms;
	struct clock clock;
	struct loop *loop;
	struct fake_kube *server;
	struct watch_source *source;
	struct random *random; /* NULL: no jitter */
	struct map told;       /* struct object by identity */
	struct buf log;	       /* "put Service x/a", "remove ...", "complete", "problem ..." */
	char cursor[WATCH_CURSOR_MAX];
	bool complete;
	bool spoken;
	bool quiet; /* objects are not logged */
	size_t puts, removes;
	/* Every removal passes by; NULL: none does. */
	void (*removing)(struct kube_world *w, const struct object *o);
	void *arg;
};

#define KUBE_WORLD_SOURCE 5

void kube_world_open(struct kube_world *w);
void kube_world_close(struct kube_world *w);
/* A new source: with what was told and, where `resume`, the cursor. The one before is freed. */
void kube_world_start(struct kube_world *w, const char *selector, bool resume);
void kube_world_settle(struct kube_world *w); /* all that needs no time */
void kube_world_advance(struct kube_world *w, int64_t ms);
/* The log since the last time. */
void kube_world_expect(struct kube_world *w, const char *want);
const struct object *kube_world_told(const struct kube_world *w, enum object_kind kind,
				     const char *ns, const char *name);
/* Does the source hold what the server has? NULL: it does; else which object differs. */
const char *kube_world_difference(struct kube_world *w);

#endif
