/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Kubernetes-shaped objects we read, as plain values: Service (v1),
 * Endpoints (v1), EndpointSlice (discovery.k8s.io/v1), Secret (v1). The same
 * for files, the API server and the store.
 *
 * Decoding is lenient where the origin system was (a `type` inside `ports`, `annotations` at top level: taken, with a
 * warning each) and says where a thing stands. Pure; never logs.
 */
#ifndef AGENT_POOL_OBJECT_H
#define AGENT_POOL_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/doc.h"
#include "agent/base/endpoint.h"
#include "agent/base/err.h"
#include "agent/pool/secret.h"

/* discovery.k8s.io/v1, of an EndpointSlice. */
#define SLICE_SERVICE_LABEL    "kubernetes.io/service-name"
#define SLICE_MANAGED_BY_LABEL "endpointslice.kubernetes.io/managed-by"

#define OBJECT_NAME_MAX	       253 /* namespace, name; port names are at most 63 */
#define OBJECT_ADDRESSES_MAX   16384
#define OBJECT_PORTS_MAX       256
#define OBJECT_HELD_MAX	       1024  /* frontends on record */
#define OBJECT_ANNOTATIONS_MAX 64    /* of ours */
#define OBJECT_AFFINITY_MAX    86400 /* seconds */
#define OBJECT_VALUE_MAX       60000 /* bytes of an annotation's value */

enum object_kind {
	OBJECT_SERVICE = 1,
	OBJECT_ENDPOINTS = 2,
	OBJECT_SLICE = 3,
	OBJECT_SECRET = 4,
};
const char *object_kind_text(enum object_kind k);

/* What is wrong with an object, for its owner to read. */
struct problem {
	bool error;    /* a part of the object is not used; otherwise a warning */
	unsigned line; /* in the file it came from; 0: unknown */
	char *path;    /* of that file, "" where it is not told; of a pool's problems it is */
	char *text;    /* "annotation parasaus.io/weight: \"x\" is not a whole number ..." */
};
struct problems {
	struct problem *items;
	size_t count;
};
void problems_add(struct problems *p, bool error, unsigned line, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
void problems_add_in(struct problems *p, bool error, const char *path, unsigned line,
		     const char *fmt, ...) PRINTF_LIKE(5, 6);
void problems_copy(struct problems *to, const struct problems *from); /* appends */
/* The same, and they are of this file. */
void problems_copy_in(struct problems *to, const struct problems *from, const char *path);
void problems_done(struct problems *p);

#define PROBLEMS_MAX 64 /* of one object or pool: one more says that there are more */

/* Annotations that concern us: "parasaus.io/..." without the prefix, and the origin's two bare ones. */
struct object_annotation {
	char *key;
	char *value;
	unsigned line;
};

struct object_port {
	char *name; /* "" where there is none */
	uint8_t protocol;
	uint16_t port;
	uint16_t node_port; /* Service; 0: none */
};

struct object_address {
	struct addr addr;
	bool ready : 1;
	bool serving : 1;
	bool terminating : 1;
	bool local : 1; /* its nodeName is object_origin's; names of nodes are not kept */
};

/* What an object keeps of its addresses where all of a subset are of IPv4: a third as much. */
struct object_address_v4 {
	uint8_t bytes[4];
	bool ready : 1;
	bool serving : 1;
	bool terminating : 1;
	bool local : 1;
};
struct object_addresses {
	struct object_address *any;   /* of parts that an object is made of; NULL if it is .v4 */
	struct object_address_v4 *v4; /* of an object that object_make() made */
};

/* Each of the addresses with each of the ports. */
struct object_subset {
	struct object_port *ports;
	struct object_addresses addresses; /* object_address_at() */
	uint32_t port_count;
	uint32_t address_count;
};
/* i < s->address_count */
struct object_address object_address_at(const struct object_subset *s, size_t i);

enum service_type {
	SERVICE_CLUSTER_IP,
	SERVICE_NODE_PORT,
	SERVICE_LOAD_BALANCER,
	SERVICE_EXTERNAL_NAME
};

/*
 * The change that made a document what it is: a store's, or, of an object of a cluster, what that
 * says of itself (agent/pool/author.h).
 */
struct object_change {
	uint64_t revision;
	int64_t at_ms;	     /* wall clock */
	char *user, *action; /* "": unknown */
};

/*
 * One block of memory but for its problems and a Secret's values; object_free() frees them all. There
 * are many: the order leaves no holes.
 */
struct object {
	enum object_kind kind : 8;
	enum service_type type : 8;
	bool from_cluster; /* these win over files */
	/* Service */
	bool use_not_ready; /* publishNotReadyAddresses */
	bool local_wanted;  /* externalTrafficPolicy Local, of a type that has frontends */
	bool deleting; /* its deletion is ordered, a finalizer holds it; of no kind's content */
	/* EndpointSlice */
	bool mirrored;	     /* made of Endpoints by the cluster: does not count beside these */
	unsigned source;     /* index of the source in the configuration; smaller wins a tie */
	uint32_t walk;	     /* the last pools_walk that need not tell it; for pool.c alone */
	unsigned line;	     /* where its document begins */
	uint32_t affinity_s; /* of a Service, sessionAffinity ClientIP: its timeout; 0: none */
	char *path;	     /* file it came from, "" for others */
	char *ns;	     /* "default" where none is written */
	char *name;
	char *service;	    /* the Service it belongs to (a Service, a Secret: itself) */
	char *uid;	    /* "" outside a cluster */
	char *revision;	    /* opaque; "" outside a cluster */
	int64_t created_ms; /* 0: unknown */
	int64_t trigger_ms; /* when what endpoints are made of changed; 0: unknown; not saved */
	uint64_t content;   /* hash of what was read: equal means nothing that counts changed */
	uint64_t place;	    /* hash of the lines and of the revision: what else may have changed */
	struct object_change *change; /* NULL: unknown */
	struct problems problems;
	struct object_annotation *annotations;
	/* Service */
	struct object_port *ports;
	/* Frontends that its store has on record as its own: it keeps them (frontend_of()). */
	struct endpoint *held;
	/* Endpoints, EndpointSlice */
	struct object_subset *subsets;
	/* Secret; NULL otherwise */
	struct secret *secret;
	uint32_t annotation_count;
	uint32_t port_count;
	uint32_t held_count;
	uint32_t subset_count;
};

/* As decoding takes an address: with leading zeros, and IPv4 in its IPv6 form. False: none. */
MUST_CHECK bool object_address(const char *s, struct addr *out);
/*
 * Which of a subset's ports is that of the Service: by name and protocol; but where each side has
 * one port, a name on one side alone does no harm: there is nothing to mistake it for. NULL: none.
 */
const struct object_port *object_match_port(const struct object_port *port, size_t service_ports,
					    const struct object_port *ports, size_t count);

/* The objects of a `List` (their documents are the children), or NULL: it is none. */
const struct doc *object_list(const struct doc *d);

/*
 * Read one document. -ENOTSUP: of a kind that is not ours (err names it), -EINVAL: not usable
 * (err says why, with the line); what is merely odd is in (*out)->problems.
 * source, from_cluster and path are set from the arguments.
 */
struct object_origin {
	unsigned source;
	bool from_cluster;
	bool exposed; /* everybody on this machine may read the file: no place for a Secret */
	const char *path;
	const struct object_change *change; /* copied; NULL: none */
	const struct endpoint *held;	    /* of a Service; copied */
	size_t held_count;		    /* at most OBJECT_HELD_MAX */
	const char *node; /* what this machine is as a node of the cluster; NULL: none */
	/* Of a document that does not say it, as the items of an API server's lists; 0: it has to. */
	enum object_kind kind;
};
MUST_CHECK int object_decode(const struct doc *d, const struct object_origin *from,
			     struct object **out, struct err *err);
void object_free(struct object *o); /* NULL is fine */

/* For the state file: every source's last complete list. A Secret has no place there (asserted). */
void wire_put_object(struct buf *b, const struct object *o);
MUST_CHECK struct object *wire_object(struct wire *w); /* NULL: malformed */

/* Same source, path, kind, namespace and name: one replaces the other. */
bool object_same(const struct object *a, const struct object *b);
/* For tables by identity: equal for what object_same() holds to be the same. */
uint64_t object_hash(const struct object *o);
bool object_is(const void *object, const void *key); /* object_same() as a map_eq_fn */
/* Its identity and nothing else, in one block: for free(). */
MUST_CHECK struct object *object_identity(const struct object *o);

#endif
