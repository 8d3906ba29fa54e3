/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a health check is: the specification that annotations are turned into,
 * that the probe engine runs, and that names a target.
 *
 * A target is (address, port, protocol, check): however many pools hold it, it
 * is probed once. Its id is hash_id() of canonical bytes, equal on every node.
 */
#ifndef AGENT_BASE_CHECK_H
#define AGENT_BASE_CHECK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/endpoint.h"

enum check_type {
	CHECK_NONE = 1, /* always up, never probed */
	CHECK_TCP = 2,	/* half-open: SYN, SYN-ACK, RST */
	CHECK_HTTP = 3, /* GET, status in `expect`, body holds `match` */
	/* A login by the account in `secret`, the question that `role` asks, a goodbye. Without
	 * `secret`, or while it is not known: half-open, for who leaves early is locked out. */
	CHECK_MYSQL = 4,
	/* All of a connection; `send` asks something, `answer` is what has to come. */
	CHECK_TCP_FULL = 5,
	/* PING, and ROLE where a role is asked for; AUTH first by the account in `secret`. */
	CHECK_REDIS = 6,
	/* A login by the account in `secret`, the question that `role` asks, a goodbye. Without
	 * `secret`: a question that needs no login. */
	CHECK_POSTGRESQL = 7,
	/* grpc.health.v1.Health/Check of `service` over HTTP/2. */
	CHECK_GRPC = 9,
	/* A question by UDP, whose answer has an RCODE among `dns_rcodes`. */
	CHECK_DNS = 10,
	/* As http, over TLS. `secret` holds whom to trust, what to show who asks for a certificate, or
	 * both; without it any server will do. While it is not known: half-open. */
	CHECK_HTTPS = 8,
	/* `send` in a datagram, or an empty one. `answer` is what one that comes back has to hold.
	 * Without it the server is well that nobody says is not there. */
	CHECK_UDP = 11,
};
#define CHECK_TYPES (CHECK_UDP + 1) /* beyond the last; not each below is one */

/* What a check of a type has besides its times and its port. */
enum {
	CHECK_HAS_REQUEST = 1u << 0,	   /* path, match, expect, drain, degraded, reuse */
	CHECK_HAS_LOGIN = 1u << 1,	   /* secret, role */
	CHECK_HAS_TLS = 1u << 2,	   /* tls */
	CHECK_HAS_LAG = 1u << 3,	   /* max_lag_s */
	CHECK_ROLE_NEEDS_SECRET = 1u << 4, /* nobody else is told the role */
	CHECK_HAS_WORDS = 1u << 5,	   /* send, answer */
	CHECK_HAS_HOST = 1u << 6,	   /* host */
	CHECK_HAS_SERVICE = 1u << 7,	   /* service */
	CHECK_HAS_QUESTION = 1u << 8,	   /* dns_name, dns_type, dns_rcodes */
	/* secret, server_name; with CHECK_TLS_FIRST where TLS is required alone */
	CHECK_HAS_CERTIFICATE = 1u << 9,
	/* TLS begins with the connection, so that nobody can be asked first: off or required */
	CHECK_TLS_FIRST = 1u << 10,
	CHECK_HAS_VIA = 1u << 11, /* via, way: by TCP, and it ends by reset */
};

/* What the server must be, besides alive. */
enum check_role {
	CHECK_ROLE_ANY,
	CHECK_ROLE_WRITER, /* mysql: read_only is off; redis: a master; postgresql: no standby */
	/* mysql: read_only is on; with max_lag_s: replicates, no further behind. redis: a replica that
	 * is connected to its master. postgresql: a standby. */
	CHECK_ROLE_READER,
	CHECK_ROLE_GALERA, /* mysql: a synced node of the primary component */
};

/* Whether the login, or with CHECK_TLS_FIRST all of it, goes through TLS. */
enum check_tls {
	CHECK_TLS_OFF,
	CHECK_TLS_PREFERRED, /* where the server offers it */
	CHECK_TLS_REQUIRED,
};

/* Which way a probe goes. */
enum check_via {
	CHECK_VIA_DIRECT, /* to the server's own address */
	CHECK_VIA_VIP,	  /* to the VIP, and on as clients' packets are forwarded */
};

/*
 * What that way is for the servers of a pool: all 0 until there is a pool, and where it has no
 * frontend; of a family without a frontend the address alone is.
 */
struct check_way {
	struct addr vip_v4, vip_v6;
	bool is_tunnel;	     /* else dr: to the server's link address */
	uint8_t tunnel_type; /* the kernel's number, as enum pool_tunnel_type (agent/pool/pool.h) */
	uint16_t tunnel_port; /* of GUE */
};

#define CHECK_PATH_MAX	     256 /* bytes, without the NUL */
#define CHECK_HOST_MAX	     253 /* server_name, too */
#define CHECK_MATCH_MAX	     128
#define CHECK_SERVICE_MAX    255
#define CHECK_BYTES_MAX	     128 /* of `send` and `answer`, each */
#define CHECK_BYTES_TEXT_MAX 512 /* as they are written: 4 characters a byte at most */
#define CHECK_EXPECT_MAX     8	 /* ranges */
#define CHECK_SECRET_MAX     320 /* "namespace/name@15": 63 + 1 + 253 + 3 */
#define CHECK_SECRET_NONE    "-" /* in the place of a name that no Secret can have: half-open */
#define CHECK_LAG_MAX_S	     86400
#define CHECK_HOLD_MAX_S     300
#define CHECK_REUSE_MAX	     1000
#define CHECK_DNS_NAME_MAX   254 /* with the dot at its end */
#define CHECK_DNS_WIRE_MAX   255 /* as it is sent (RFC 1035, 2.3.4) */
#define CHECK_DNS_SOA	     6	 /* a type of record */

struct check_status_range {
	uint16_t first; /* 100..599 */
	uint16_t last;
};

/* Shared by reference; never changed after it was made. */
struct check {
	atomic_uint refs;
	enum check_type type;
	uint16_t port;	      /* to probe; 0: the member's own */
	uint8_t rise;	      /* successes in a row to be up, 1..10 */
	uint8_t fall;	      /* failures in a row to be down, 1..10 */
	uint32_t interval_ms; /* 1000..60000 (tests may go down to 100) */
	uint32_t timeout_ms;  /* 100..interval */
	uint32_t fast_ms;     /* interval while the state is in doubt; 100..interval */
	/* For how long the first flap holds it down, and each further one twice as long, up to
	 * CHECK_HOLD_MAX_S (healthcheck/verdict.h); 0: not at all */
	uint16_t hold_down_s;
	/* CHECK_HAS_HOST only; NULL otherwise, and for the address */
	char *host;
	/* CHECK_HAS_REQUEST only; NULL and 0 otherwise */
	char *path;  /* begins with '/', printable ASCII */
	char *match; /* NULL: any body */
	unsigned expect_count;
	struct check_status_range expect[CHECK_EXPECT_MAX];
	/* Statuses by which a server that is well says that it is about to go, or not at its best;
	 * they count before `expect` */
	unsigned drain_count, degraded_count;
	struct check_status_range drain[CHECK_EXPECT_MAX], degraded[CHECK_EXPECT_MAX];
	uint16_t
		reuse; /* how many probes in a row a connection serves, 1..CHECK_REUSE_MAX; else 1 */
	/* CHECK_HAS_LOGIN, CHECK_HAS_TLS and CHECK_HAS_LAG only; NULL and 0 otherwise. `secret` with
	 * CHECK_HAS_CERTIFICATE, too */
	/* "namespace/name", and "@N" behind it where it is not of the first source; never what is in
	 * it. NULL: no login, and with TLS any server will do. */
	char *secret;
	enum check_role role;
	enum check_tls tls;
	uint32_t max_lag_s; /* role reader; 0: no bound */
	/* CHECK_HAS_CERTIFICATE only. Whose certificate it has to be, and is asked for; NULL: that of
	 * `host` if it is there, or anybody's */
	char *server_name;
	/* CHECK_HAS_WORDS only; NULL otherwise, and for none. As value_bytes() reads them. */
	char *send, *answer;
	/* CHECK_HAS_QUESTION only; NULL and 0 otherwise. As value_dns_name() reads it, and of
	 * value_dns_types and value_dns_rcodes; of the latter a bit each. */
	char *dns_name;
	uint16_t dns_type, dns_rcodes;
	/* CHECK_HAS_SERVICE only; NULL otherwise, and for the server as a whole */
	char *service;
	/* CHECK_HAS_VIA only; 0 otherwise, and the way with CHECK_VIA_DIRECT */
	enum check_via via;
	struct check_way way;
};

/* Is there such a type? */
bool check_is_type(enum check_type type);
/* A check of this type with the built-in defaults, one reference. */
MUST_CHECK struct check *check_new(enum check_type type);
struct check *check_ref(struct check *c);
void check_unref(struct check *c); /* NULL is fine */
bool check_equal(const struct check *a, const struct check *b);
const char *check_type_text(enum check_type type);
MUST_CHECK bool check_type_parse(const char *s, enum check_type *out);

/* CHECK_HAS_...; 0 for none, and for what is no type. */
unsigned check_has(enum check_type type);
/* By which protocol it asks (IPPROTO_TCP or IPPROTO_UDP); 0 for none. */
uint8_t check_protocol(enum check_type type);
/* Can a check of the type ask for it? Any type can ask for CHECK_ROLE_ANY. */
bool check_has_role(enum check_type type, enum check_role role);

/* Does it name a Secret, or is it half-open at any rate? (CHECK_SECRET_NONE) */
bool check_names_secret(const struct check *c);

/* What of a Secret the check has use for, and, but for TLS, needs one of; 0: nothing. */
enum {
	CHECK_USES_LOGIN = 1u << 0,
	CHECK_USES_CERTIFICATES = 1u << 1, /* an authority, a certificate with its key, or both */
	/* Needs none of it, but goes by what there is: whom to trust, what to show. */
	CHECK_USES_TLS = 1u << 2,
};
unsigned check_uses(const struct check *c);
/* Is TLS its own, rather than a part of a login? Not while that is off. */
bool check_goes_by_certificates(enum check_type type, enum check_tls tls);

/* Canonical bytes. Reading bounds every field; NULL (and w bad) if any is out of range. */
void wire_put_check(struct buf *b, const struct check *c);
MUST_CHECK struct check *wire_check(struct wire *w);

/* The bytes that `send` or `answer` of a check stand for, NULL for none; returns how many. */
size_t check_bytes(const char *text, uint8_t out[static CHECK_BYTES_MAX]);

/*
 * Whom a server has to be that speaks TLS: `server_name`, or the name in `host`, without a port.
 * Empty: nobody said. An address that was written there is asked for like a name.
 */
void check_server_name(const struct check *c, char out[static CHECK_HOST_MAX + 1]);

/* The same by this way, one reference; it is to go by the VIP. */
MUST_CHECK struct check *check_on_way(const struct check *c, const struct check_way *way);
/* The VIP by which a server of that family is checked; NULL: directly. */
const struct addr *check_vip(const struct check *c, uint8_t family);

/* Where the probe goes: the member's address, the check's port, by the protocol it asks by. */
struct endpoint check_endpoint(const struct check *c, const struct endpoint *member);
/* The target's id; never 0. Equal probes have equal ids: `member` may be what check_endpoint()
 * gave, and it makes no difference whether the port is the member's or the check's. */
uint64_t check_target_id(const struct check *c, const struct endpoint *member);

/* What a probe engine says of a target. */
enum verdict_state { VERDICT_UNKNOWN, VERDICT_UP, VERDICT_DOWN };
const char *verdict_state_text(enum verdict_state s);

#endif
