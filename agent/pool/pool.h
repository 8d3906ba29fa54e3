/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pools: what objects, address pools and defaults come to. A pool is one port
 * of a Service with its members and its frontends.
 *
 * The model keeps objects and works out again only the pools that a change can
 * touch. One bad object never stops another: what is wrong is a problem on it.
 * Pure: no clock, no files, no logging; the same objects in any order give the
 * same pools.
 */
#ifndef AGENT_POOL_POOL_H
#define AGENT_POOL_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "agent/base/attr.h"
#include "agent/base/check.h"
#include "agent/base/endpoint.h"
#include "agent/pool/object.h"

/* Of the configuration, or a document (agent/pool/address_pool.h). */
struct address_pool {
	char *name;
	struct addr_range
		*addresses; /* in the order written: a NodePort service takes the first address */
	size_t address_count;
	struct port_range ports;
	/* What only a document says: */
	struct port_range *reserved; /* ports that nobody gets without naming one */
	size_t reserved_count;
	char **namespaces; /* whose Services are served; none: all */
	size_t namespace_count;
	bool manual; /* autoAssign false: all of its ports are as if reserved */
	uint64_t revision,
		created; /* of the document now, and when it came; 0: the configuration's */
	int64_t at_ms;	 /* wall clock of the last change */
	char *user;
};

#define POOL_SLOW_START_MAX_S 900

enum pool_unhealthy { UNHEALTHY_DRAIN, UNHEALTHY_KEEP, UNHEALTHY_RESET };
enum pool_fail_policy { FAIL_OPEN_LAST, FAIL_OPEN_ALL, FAIL_CLOSED };
enum pool_forward { FORWARD_NAT, FORWARD_DIRECT, FORWARD_TUNNEL };
/* The kernel's numbers, IP_VS_CONN_F_TUNNEL_TYPE_IPIP ... of linux/ip_vs.h. */
enum pool_tunnel_type { TUNNEL_IPIP = 0, TUNNEL_GUE = 1, TUNNEL_GRE = 2 };

struct pool_tunnel {
	enum pool_tunnel_type type;
	uint16_t port; /* of GUE on the servers; 0 with the others */
};

/* Of whom persistence takes for one client: the lengths of prefixes; 0: one address is. */
struct pool_prefixes {
	uint8_t v4, v6;
};

/* What an annotation may change, with the defaults in force. */
struct pool_settings {
	char scheduler[16];
	uint32_t scheduler_flags; /* IPVS_SCHED1.. of ipvs/table.h: 0x8, 0x10 */
	enum pool_forward forward;
	struct pool_tunnel tunnel; /* with FORWARD_TUNNEL */
	struct pool_prefixes persistence;
	bool masquerade;	  /* snat auto; of a pool: what comes of it, see local_only */
	bool one_packet;	  /* udp */
	uint32_t drain_s;	  /* 0..86400 */
	uint32_t weight;	  /* of members without one of their own, 0..65535 */
	uint32_t max_connections; /* per member; 0: no limit */
	enum pool_unhealthy unhealthy;
	enum pool_fail_policy fail_policy;
	uint8_t min_healthy;   /* percent of members; 0: one is enough */
	uint16_t slow_start_s; /* 0..POOL_SLOW_START_MAX_S; 0: at once */
	struct check *check;   /* a reference */
};

struct pool_rules {
	atomic_uint *refs; /* NULL: not counted (pool_rules_ref()) */
	const struct address_pool *address_pools;
	size_t address_pool_count;
	const struct prefix *vip_ranges;
	size_t vip_range_count;
	const struct prefix *refuse; /* no real servers there */
	size_t refuse_count;
	struct addr node_v4, node_v6; /* no virtual addresses; family 0: not known */
	struct pool_settings defaults;
	const char *no_limits; /* why max-connections is not used; NULL: it is */
};

struct pool_member {
	struct endpoint endpoint;
	uint16_t weight;  /* nominal */
	bool terminating; /* going: no new connections */
};

/*
 * What a pool keeps of its members, for there are many: where all are of IPv4 and of the pool's
 * protocol, which is nearly everywhere, less than half as much.
 */
struct pool_member_v4 {
	uint8_t bytes[4]; /* of the address */
	uint16_t port;
	uint16_t weight;
	uint8_t family; /* as in an address: AF_INET */
	bool terminating;
};
struct pool_members {
	struct pool_member *any;   /* of parts that a pool is made of; NULL if it is .v4 */
	struct pool_member_v4 *v4; /* of a pool that pool_make() made */
};

/* Never changed after it was made; shared by reference. */
struct pool {
	atomic_uint refs;
	unsigned source;
	char *id; /* "{namespace}.{service}.{port name or number}-{protocol}" */
	char *ns;
	char *service;
	char *port_name; /* "" where there is none */
	struct pool_settings set;
	uint32_t persistence_s; /* sessionAffinity ClientIP; 0: none */
	uint8_t protocol;
	bool local_wanted; /* externalTrafficPolicy Local */
	/*
	 * And so it is: there is a server on this node, and only those of this node are members. Their
	 * answers pass through this machine whatever their routes: no masquerade, so that they see
	 * clients' addresses.
	 */
	bool local_only;
	uint32_t elsewhere; /* servers on other nodes that are no members here because of it */
	uint32_t frontend_count;
	uint32_t member_count;
	struct endpoint *frontends;   /* those it was given: a clash lost is not in here */
	struct pool_members members;  /* sorted by endpoint, unique: pool_member() */
	struct object_change *change; /* the newest of its objects; NULL: unknown */
	struct problems problems;     /* of its objects and of itself */
};
struct pool *pool_ref(struct pool *p);
void pool_unref(struct pool *p);
/* i < p->member_count, here and below. */
struct pool_member pool_member(const struct pool *p, size_t i);
/*
 * Its endpoint alone: in *room, or where the pool has it. Inline, and not copied once more, for
 * that is asked of hundreds of thousands in a row.
 */
static inline const struct endpoint *pool_member_endpoint(const struct pool *p, size_t i,
							  struct endpoint *room)
{
	const struct pool_member_v4 *m;

	if (!p->members.v4)
		return &p->members.any[i].endpoint;
	m = &p->members.v4[i];
	*room = (struct endpoint){ .addr.family = m->family,
				   .protocol = p->protocol,
				   .port = m->port };
	memcpy(room->addr.bytes, m->bytes, sizeof(m->bytes));
	return room;
}
/* False: not a member. `p` may be NULL, and so may out_place, which is for pool_member(). */
bool pool_member_find(const struct pool *p, const struct endpoint *e, size_t *out_place);

struct pools;
/* A reference to the rules is the model's. */
MUST_CHECK struct pools *pools_new(const struct pool_rules *rules);
void pools_free(struct pools *p);

/* Takes o over. False: its content is what was there, and changes nothing. */
bool pools_put(struct pools *p, struct object *o);
/* By identity (object_same()); an unknown one is ignored. */
void pools_remove(struct pools *p, const struct object *o);

/*
 * Work out what changed since the last call. `pool` is NULL where it is gone; the id is valid
 * during the call. A pool that came out equal is not reported. fn
 * NULL: nobody is told.
 */
typedef void pools_change_fn(void *arg, const char *id, struct pool *pool);
void pools_update(struct pools *p, pools_change_fn *fn, void *arg);

/* From the next update on these rules hold; `defaults` are as before. */
void pools_set_rules(struct pools *p, const struct pool_rules *rules);
/*
 * What other rules would do to frontends: of each port of a NodePort Service whose frontend would be
 * another one, or which would have it while no address pool has that. Not told: where nothing is
 * different.
 */
struct rules_effect {
	const struct object *service;
	const struct object_port *port;
	const struct endpoint *now, *then; /* NULL: none */
	const struct address_pool *from;   /* the address pool that has `now`; NULL: none */
	bool outside;			   /* no address pool would have `then` */
};
typedef void rules_effect_fn(void *arg, const struct rules_effect *e);
void pools_rules_effects(const struct pools *p, const struct pool_rules *rules, rules_effect_fn *fn,
			 void *arg);

/*
 * What pools_update() would come to after these objects were put and those removed (by identity):
 * each pool of their Services, and of Services that want a frontend of theirs, as it is and as it
 * would be; NULL: there is none, or there would be none. Both are the call's. p stays as it is, and
 * the objects are the caller's. Secrets are left out: what is said of a check's login is not meant.
 */
struct pools_edit {
	const struct object *const *put;
	size_t put_count;
	const struct object *const *gone;
	size_t gone_count;
	const struct pool_rules *rules; /* that would hold then; NULL: as now */
};
typedef void pools_preview_fn(void *arg, const struct pool *now, const struct pool *then);
void pools_preview(const struct pools *p, const struct pools_edit *e, pools_preview_fn *fn,
		   void *arg);

/* Objects that no pool carries (an Endpoints without its Service, a Service without ports). */
typedef void pools_orphan_fn(void *arg, const struct object *o, const struct problems *problems);
void pools_orphans(const struct pools *p, pools_orphan_fn *fn, void *arg);

/* By id, or by "namespace/service" if that has a single port; NULL otherwise. */
struct pool *pools_find(const struct pools *p, const char *id);
/* Of the Service in force; "" where there is none, or none outside a cluster. */
const char *pools_service_uid(const struct pools *p, const char *ns, const char *service);
/* The Service in force of this name, from whichever source; NULL: none. */
const struct object *pools_service(const struct pools *p, const char *ns, const char *service);
/* The Service that has this frontend, from whichever source; NULL: none. */
const struct object *pools_frontend(const struct pools *p, const struct endpoint *frontend);
size_t pools_count(const struct pools *p);
const struct pool_rules *pools_rules(const struct pools *p);
/* Each frontend that somebody has. */
typedef void pools_frontend_fn(void *arg, const struct endpoint *frontend);
void pools_frontends(const struct pools *p, pools_frontend_fn *fn, void *arg);
/*
 * The Secret of this name that counts among those of the source; NULL where there is none, or it
 * is of no use to any check. Valid until the next pools_put() or pools_remove().
 */
const struct object *pools_secret(const struct pools *p, unsigned source, const char *ns,
				  const char *name);
/* Every object of a source. */
typedef void pools_object_fn(void *arg, const struct object *o);
void pools_objects(const struct pools *p, unsigned source, pools_object_fn *fn, void *arg);
size_t pools_object_count(const struct pools *p, unsigned source);

/*
 * The same piece by piece, between changes, for its state file: each that is there when it begins is
 * told once, as it was then. One at a time for a source.
 */
struct pools_walk {
	unsigned source;
	pools_object_fn *fn; /* also called before an object is changed or removed */
	void *arg;
	uint32_t number;
	size_t pos;
	struct pools_walk *next;
};
/* *w is the caller's, with its first three fields set, until pools_walk_end(). */
void pools_walk_begin(struct pools *p, struct pools_walk *w);
bool pools_walk_step(const struct pools *p, struct pools_walk *w, size_t objects); /* false: done */
void pools_walk_end(struct pools *p, struct pools_walk *w);

/*
 * Annotations to settings: `set` comes in holding the defaults (its check a reference of its own, replaced where
 * needed) and is changed by each good annotation; each bad one is a problem and changes nothing.
 * `weights` (per address) are applied by the model. A Secret that is named is one of the pool's own
 * namespace and source.
 */
struct pool_home {
	const char *ns;
	unsigned source;
};
void pool_annotations(const struct object_annotation *items, size_t count,
		      const struct pool_home *home, struct pool_settings *set,
		      struct problems *problems);

#endif
