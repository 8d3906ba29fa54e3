/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An API server without a network: objects with revisions, lists, watches that
 * go on from a revision, reading by name; behind fake_http. Everything a server
 * can do to its clients can be asked of it.
 */
#ifndef TESTS_LIB_FAKE_KUBE_H
#define TESTS_LIB_FAKE_KUBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/loop.h"
#include "agent/base/map.h"
#include "tests/lib/fake_http.h"

enum fake_kube_kind { FAKE_SERVICES, FAKE_ENDPOINTS, FAKE_SLICES, FAKE_SECRETS, FAKE_KINDS };

struct fake_kube_object {
	enum fake_kube_kind kind;
	char ns[64], name[64];
	uint64_t revision;
	char *fields; /* JSON behind metadata: ",\"spec\":{...}" */
	char *labels; /* inside metadata: ",\"labels\":{...}", or other fields */
};

struct fake_kube {
	struct loop *loop;
	struct http *http;
	struct map objects;
	uint64_t revision;
	uint64_t oldest; /* a watch from before this is answered by 410 */
	struct fake_kube_event *events;
	size_t event_count, event_size;
	struct fake_kube_watch *watches;
	struct fake_kube_pending *pending;
	timer_id timer;
	/* what is wrong with it */
	bool down;		    /* connections are refused */
	int status;		    /* of every answer; 0: well */
	bool no_slices;		    /* does not know the resource */
	bool lost;		    /* somebody in front of it says 404 to what is read by name */
	bool forbidden[FAKE_KINDS]; /* 403 for lists and watches */
	bool forbidden_get;	    /* 403 by name */
	/* May leave an object out of a list (false); NULL: none is. */
	bool (*listed)(void *arg, const struct fake_kube_object *o);
	void *listed_arg;
	/* counters */
	size_t lists, watched, gets;
	size_t gets_now, gets_most;
	int64_t get_ms; /* how long reading by name takes */
};

MUST_CHECK struct fake_kube *fake_kube_new(struct loop *l);
/* The http is its owner's: freed before this by whoever took it over. */
void fake_kube_free(struct fake_kube *k);
void fake_kube_renew_http(struct fake_kube *k); /* after it was freed: all connections are gone */

/* Made, or changed. `labels` and `fields` may be "". */
void fake_kube_put(struct fake_kube *k, enum fake_kube_kind kind, const char *ns, const char *name,
		   const char *labels, const char *fields);
bool fake_kube_delete(struct fake_kube *k, enum fake_kube_kind kind, const char *ns,
		      const char *name);
struct fake_kube_object *fake_kube_find(struct fake_kube *k, enum fake_kube_kind kind,
					const char *ns, const char *name);
/* The three kinds as small, usable objects; `n` makes them differ. */
void fake_kube_service(struct fake_kube *k, const char *ns, const char *name, unsigned n);
void fake_kube_endpoints(struct fake_kube *k, const char *ns, const char *name, unsigned n);
void fake_kube_slice(struct fake_kube *k, const char *ns, const char *name, const char *service,
		     unsigned n);

void fake_kube_cut(struct fake_kube *k);     /* every watch breaks off */
void fake_kube_compact(struct fake_kube *k); /* nothing from before now is kept */
void fake_kube_repeat(struct fake_kube *k);  /* the last event of each watch comes again */
/* Of another time: a revision further back, with the objects of now. */
void fake_kube_go_back(struct fake_kube *k, uint64_t by);

#endif
