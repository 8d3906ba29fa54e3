/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host should have for the frontends, what it has, and the difference.
 *
 * There is a record for each VIP and each frontend that is wanted or was seen,
 * with what is wanted derived and what is there remembered from the last look
 * and from our own writes. Pure: reads and writes nothing outside.
 */
#ifndef IPVS_HOST_MODEL_H
#define IPVS_HOST_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/endpoint.h"
#include "agent/base/map.h"
#include "ipvs/announce.h"
#include "ipvs/host_link.h"

/* A thing on the host that a VIP or a frontend has or has not. */
enum host_part {
	/* of a VIP; the key's port and protocol are 0 */
	HOST_ROUTE,  /* its local route */
	HOST_VIP,    /* in the nftables sets vips4, vips6 */
	HOST_OWN,    /* in own4, own6: somebody configured the address on an interface */
	HOST_SILENT, /* in silent4: ARP does not answer for it */
	HOST_PROXY,  /* its proxy neighbours: solicitations for it are answered (host_proxy.h) */
	/* of a frontend */
	HOST_DIRECT,   /* in direct4, direct6: not masqueraded */
	HOST_DECLARED, /* in the ipset */
	HOST_PARTS,
};

struct host_change {
	struct endpoint key;
	uint8_t part; /* enum host_part */
	bool add;
	bool replace; /* with add: it is there, but not as it should be */
};

struct host_changes {
	struct host_change *v;
	size_t count;
	size_t size;
};

struct host_vip;
struct host_front;

struct host_model {
	const struct ipvs_announce *announce; /* NULL: IPVS_ANNOUNCE_ALL */
	const struct host_links *links;	      /* where VIPs are asked for; NULL: nowhere */
	struct map vips;
	struct map fronts;
	struct host_vip **touched_vips; /* to be looked at by the next difference */
	struct host_front **touched_fronts;
	size_t touched_vip_count, touched_vip_size;
	size_t touched_front_count, touched_front_size;
	struct addr
		*configured; /* addresses of interfaces, sorted after host_model_configured_end() */
	size_t configured_count, configured_size;
	/* frontends that are wanted */
	size_t wanted;
	size_t wanted_v6;
	size_t wanted_masquerade;
};

/* `a` may be NULL and must outlive it. */
void host_model_init(struct host_model *m, const struct ipvs_announce *a);
void host_model_done(struct host_model *m);

void host_model_want(struct host_model *m, const struct endpoint *key, bool masquerade);
void host_model_unwant(struct host_model *m, const struct endpoint *key);

/* Before reading a part anew: none of it is known to be there. */
void host_model_forget(struct host_model *m, enum host_part part);
/*
 * It is there. `right` is false for a route that is ours and has the wrong source, and for proxy
 * neighbours that are not on the right links.
 */
void host_model_saw(struct host_model *m, enum host_part part, const struct endpoint *key,
		    bool right);
/* Someone else's local route leads there already; ours is not needed. Forgotten with HOST_ROUTE. */
void host_model_saw_foreign_route(struct host_model *m, const struct addr *a);

/*
 * After the first look: a VIP with a route or in our rules (the route may be another program's) that
 * is not silent, or of IPv6 one with proxy neighbours, was served by the process before us, and is
 * answered for from the beginning.
 */
void host_model_adopt(struct host_model *m);
/*
 * IPVS has the services of all that is wanted now: whoever has to answer for their VIPs may. One that
 * comes anew is silent until then.
 */
void host_model_serve(struct host_model *m);
/* Does a local route lead to this VIP, ours or another, as far as they were read? */
bool host_model_is_local(const struct host_model *m, const struct addr *vip);
/* Is this VIP answered for here because this machine owns it, as far as the rules are written? */
bool host_model_is_owned(const struct host_model *m, const struct addr *vip);
/* Each VIP that is; with `fresh` only those for which this was not called before. */
typedef void host_vip_fn(void *arg, const struct addr *vip);
void host_model_owned(struct host_model *m, bool fresh, host_vip_fn *fn, void *arg);

/* The addresses of the interfaces, told anew. */
void host_model_configured_begin(struct host_model *m);
void host_model_configured(struct host_model *m, const struct addr *a);
void host_model_configured_end(struct host_model *m);
bool host_model_is_configured(const struct host_model *m, const struct addr *a);

void host_model_touch_all(struct host_model *m);
/* The next difference looks at this VIP again. */
void host_model_touch(struct host_model *m, const struct addr *vip);
/*
 * Appends what it takes to make the touched records as they should be, and
 * what is not wanted is removed only with `prune`. Touched they are no more.
 */
void host_model_diff(struct host_model *m, bool prune, struct host_changes *out);
/* Everything of one part that should be, or is and shall stay unless `prune`: to write it whole. */
void host_model_all(const struct host_model *m, enum host_part part, bool prune,
		    struct host_changes *out);
/* The change was made. */
void host_model_made(struct host_model *m, const struct host_change *c);
/* Frees the records of what is neither wanted nor there. */
void host_model_sweep(struct host_model *m);

void host_changes_add(struct host_changes *c, const struct host_change *change);
void host_changes_done(struct host_changes *c);

#endif
