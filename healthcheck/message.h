/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What core and the healthcheck process say to each other.
 *
 * core tells targets: BEGIN starts over, TARGET adds one or changes it, GONE
 * takes one back, COMMIT after a BEGIN drops those not told again. A target
 * that is told again keeps its state and its phase. SECRET comes before the
 * targets that name it where it is known by then, and again when it changes;
 * that there is none is told once its source has said so. COMMIT forgets those
 * not told since BEGIN that no target names. It is the only message that holds
 * a password.
 *
 * healthcheck tells every verdict it has when a core connects (VERDICT ...,
 * VERDICTS_END), then each change as it happens, and STATUS now and then. What
 * changes with each probe it tells of one target at a time, where core asks:
 * each LOOK is answered by a SEEN, in order.
 */
#ifndef HEALTHCHECK_MESSAGE_H
#define HEALTHCHECK_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/check.h"
#include "agent/base/histogram.h"

enum hc_message {
	/* core -> healthcheck */
	HC_MSG_BEGIN = 1,
	HC_MSG_TARGET = 2, /* struct hc_target */
	HC_MSG_GONE = 3,   /* u64 id */
	HC_MSG_COMMIT = 4,
	/* healthcheck -> core */
	/* struct hc_verdict; when `state`, `proven` or `standing` changed, and at most once in 5 s where only
	 * counters moved */
	HC_MSG_VERDICT = 5,
	HC_MSG_VERDICTS_END = 6,
	HC_MSG_STATUS = 7, /* struct hc_status; each second while anything changed */
	HC_MSG_EVENT = 8,  /* u8 log level, text */
	/* core -> healthcheck */
	HC_MSG_SECRET = 9, /* struct hc_secret, by channel_send_secret() */
	HC_MSG_LOOK = 10,  /* u64 id */
	/* healthcheck -> core */
	HC_MSG_SEEN = 11, /* struct hc_sight */
};

/* Why a target is as it is: the result of the last probe that counted. */
enum hc_reason {
	HC_REASON_NONE,	       /* not probed yet */
	HC_REASON_INHERITED,   /* the state it was told with */
	HC_REASON_OVER_QUOTA,  /* core's own: not probed, and up unless known to be down */
	HC_REASON_NOT_ALLOWED, /* the same for good: its address must not be probed */
	HC_REASON_OK,
	HC_REASON_REFUSED,     /* RST */
	HC_REASON_TIMEOUT,     /* nothing came in time */
	HC_REASON_UNREACHABLE, /* ICMP said so, or no neighbour */
	HC_REASON_CLOSED,      /* the peer closed before it answered */
	HC_REASON_BAD_REPLY,   /* not the protocol */
	HC_REASON_STATUS,      /* HTTP status outside `expect`; `detail` is the status */
	HC_REASON_NO_MATCH,    /* the body lacks `match` */
	HC_REASON_TOO_LONG,    /* answer beyond the bound */
	/* our own trouble: moves no counter */
	HC_REASON_NO_RESOURCE, /* descriptors, ports, memory; `detail` is the errno */
	HC_REASON_LATE,	       /* our loop was late: nothing can be said */
	HC_REASON_LOCAL,       /* our own link or route is down */
	/* mysql: `detail` is the server's error code, or 0; hc_reason_meaning() says which of them
	 * speak for or against a server */
	HC_REASON_AUTH,	     /* alive, but the check's account is not let in, or may not ask */
	HC_REASON_BLOCKED,   /* it does not talk to our address */
	HC_REASON_SATURATED, /* alive, with as many connections as it takes */
	HC_REASON_NOT_READY, /* Galera: alone, or not in step */
	HC_REASON_SHUTDOWN,
	HC_REASON_ROLE, /* alive, and not in the role that is asked for */
	HC_REASON_LAG,	/* behind by more than max_lag_s; `detail` is by how many s, -1: unknown */
	HC_REASON_NO_SECRET, /* alive as far as a half-open probe sees: its Secret is not known here */
	HC_REASON_TLS,	     /* required and not offered, or not to be trusted */
	HC_REASON_HELD_BACK, /* too many logins broke off: one a minute, not this time */
	/* udp, without an answer to look for: nothing came, and nothing said that nobody is there */
	HC_REASON_SILENT,
	HC_REASON_DNS_ERROR, /* an RCODE that is not among `dns_rcodes`; `detail` is that */
	/* grpc */
	HC_REASON_NOT_SERVING,	     /* it says so of the service */
	HC_REASON_SERVICE_UNKNOWN,   /* it has no service of that name */
	HC_REASON_NO_HEALTH_SERVICE, /* it does not answer grpc.health.v1 */
	HC_REASON_GRPC_STATUS,	     /* any other; `detail` is the status */
	HC_REASON_BROKEN_OFF, /* RST_STREAM or GOAWAY; `detail` is the error code of HTTP/2 */
	/* TLS: `detail` is 0 */
	HC_REASON_NOT_TLS,	      /* what it said is none, or none that can be understood */
	HC_REASON_EXPIRED,	      /* its certificate, or it is not valid yet */
	HC_REASON_NAME,		      /* its certificate is for others */
	HC_REASON_CLIENT_CERTIFICATE, /* it asks for one, and ours, if any, did not do */
	/* http: well, by a status among `drain` or `degraded`; `detail` is that */
	HC_REASON_DRAINING,
	HC_REASON_DEGRADED,
	HC_REASON_NO_HTTP2, /* grpc over TLS: it did not choose HTTP/2 (ALPN) */
	HC_REASON_COUNT,
};

/* What a server that is well says of itself besides: by its last answer that was good. */
enum hc_standing {
	HC_STANDING_NORMAL,
	HC_STANDING_DEGRADED, /* not at its best: less for it */
	HC_STANDING_DRAINING, /* about to go: nothing new for it */
};
/* "refused", "timeout", ...; "?" for a value out of range. */
const char *hc_reason_text(enum hc_reason r);
bool hc_reason_is_of_login(enum hc_reason r); /* AUTH to HELD_BACK: `detail` is no errno */

struct hc_target {
	uint64_t id;		  /* check_target_id() */
	struct endpoint endpoint; /* where the probe goes (check_endpoint()) */
	struct check *check;	  /* a reference */
	enum verdict_state
		initial; /* for a target not known here yet; UNKNOWN: one success makes it up */
	/* Where its probes come from, for the kernel to know them by (ipvs/paths.h); 0: the kernel's
	 * choice. One that is told again with another port is probed from that one from then on. */
	uint16_t from_port;
};

#define HC_SECRET_USERNAME_MAX	  128
#define HC_SECRET_PASSWORD_MAX	  512
#define HC_SECRET_CA_MAX	  (40 * 1024) /* all of it fits into one message with the rest */
#define HC_SECRET_CERTIFICATE_MAX (10 * 1024)
#define HC_SECRET_KEY_MAX	  (6 * 1024)

struct hc_secret {
	char *name;   /* "namespace/name", as struct check has it */
	bool present; /* false: there is none, or it is no use; what follows is NULL */
	/* At least one of: a name, an authority, a certificate. */
	char *username;	   /* not empty; NULL: nobody logs in by it */
	char *password;	   /* may be empty; NULL together with the name */
	char *ca_pem;	   /* whom to trust with TLS; NULL: anybody */
	char *certificate; /* PEM, to show who asks; NULL: none */
	char *key;	   /* its, PEM; NULL together with it */
	/* There is one that is no use, and so is not told; whom to trust is nobody then. */
	bool ca_refused, pair_refused;
};

struct hc_verdict {
	uint64_t id;
	uint64_t sequence; /* grows with each change of this target's state */
	enum verdict_state state;
	enum hc_reason reason;
	int32_t detail; /* HTTP status, errno, or what the reason says, else 0 */
	bool proven;	/* by a probe of ours, not inherited */
	enum hc_standing standing;
	uint8_t flaps;	  /* in a row (healthcheck/verdict.h) */
	int64_t since_ms; /* wall clock of the last change of state */
	uint32_t ok;	  /* probes of this process's life */
	uint32_t failed;
	uint32_t latency_us; /* of the last success; 0: none */
	/* Not up before so long after since_ms, whatever probes say; 0: not held */
	uint32_t held_ms;
};
/* Until when it is held down, wall clock; 0: it is not. */
static inline int64_t hc_verdict_held_until(const struct hc_verdict *v)
{
	return v->held_ms ? v->since_ms + v->held_ms : 0;
}

struct hc_status {
	uint32_t targets;
	uint32_t up;
	uint32_t down;
	uint32_t in_flight;
	uint64_t probes;
	uint64_t inconclusive; /* could not be run, or told nothing */
	uint32_t lag_ms;       /* the loop's worst lateness since the last STATUS */
	uint64_t deferred;     /* probes that a limit made wait beyond their time, uncounted */
	struct histogram late; /* how much later than due those of known targets began */
	struct histogram latency[CHECK_TYPES]; /* of the good probes, by enum check_type */
};

#define HC_SIGHT_MAX_MS (INT64_C(1000) * 365 * 86400 * 1000)

/* What is so of one target just now; all but the id is 0 where it is not known. */
struct hc_sight {
	uint64_t id;
	bool is_known;
	bool is_probed;	      /* what follows is 0 where not */
	bool is_under_way;    /* a probe of it is */
	bool has_begun;	      /* the first one did */
	uint8_t streak;	      /* results in a row that speak against its state */
	uint32_t interval_ms; /* in force: the fast one while its state is in doubt */
	uint32_t took_us;     /* the last probe that ended; 0: none did */
	int64_t began_ago_ms; /* the last probe, the one under way too */
	int64_t due_in_ms; /* the next one; below 0: it waits for its turn. 0 while one is under way */
	/* As a verdict has them, which may be told later. */
	enum hc_reason reason;
	int32_t detail;
	uint32_t ok, failed, latency_us;
};

void wire_put_hc_target(struct buf *b, const struct hc_target *t);
void wire_put_hc_verdict(struct buf *b, const struct hc_verdict *v);
void wire_put_hc_status(struct buf *b, const struct hc_status *s);
void wire_put_hc_sight(struct buf *b, const struct hc_sight *s);
/* Into a buffer that is to be wiped: CLEANUP(buf_wipe). */
void wire_put_hc_secret(struct buf *b, const struct hc_secret *s);
/* out->check is a reference of the caller's, or NULL where the message is bad. */
void wire_hc_target(struct wire *w, struct hc_target *out);
void wire_hc_verdict(struct wire *w, struct hc_verdict *out);
void wire_hc_status(struct wire *w, struct hc_status *out);
void wire_hc_sight(struct wire *w, struct hc_sight *out);
/* out holds copies of the caller's, to be given to hc_secret_done(); nothing where it is bad. */
void wire_hc_secret(struct wire *w, struct hc_secret *out);
/* Overwrites and frees what it holds; a zeroed one holds nothing. */
void hc_secret_done(struct hc_secret *s);

#endif
