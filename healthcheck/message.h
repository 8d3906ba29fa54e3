/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What core and the healthcheck process say to each other.
 *
 * core tells targets: BEGIN starts over, TARGET adds one or changes it, GONE
 * takes one back, COMMIT after a BEGIN drops those not told again. A target
 * that is told again keeps its state and its phase.
 *
 * healthcheck tells every verdict it has when a core connects (VERDICT ...,
 * VERDICTS_END), then each change as it happens, and STATUS now and then.
 */
#ifndef HEALTHCHECK_MESSAGE_H
#define HEALTHCHECK_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/check.h"

enum hc_message {
	/* core -> healthcheck */
	HC_MSG_BEGIN = 1,
	HC_MSG_TARGET = 2, /* struct hc_target */
	HC_MSG_GONE = 3,   /* u64 id */
	HC_MSG_COMMIT = 4,
	/* healthcheck -> core */
	/* struct hc_verdict; when `state` or `proven` changed, and at most once in 5 s where only
	 * counters moved */
	HC_MSG_VERDICT = 5,
	HC_MSG_VERDICTS_END = 6,
	HC_MSG_STATUS = 7, /* struct hc_status; each second while anything changed */
	HC_MSG_EVENT = 8,  /* u8 log level, text */
};

/* Why a target is as it is: the result of the last probe that counted. */
enum hc_reason {
	HC_REASON_NONE,	     /* not probed yet */
	HC_REASON_INHERITED, /* the state it was told with */
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
	HC_REASON_COUNT,
};
/* "refused", "timeout", ...; "?" for a value out of range. */
const char *hc_reason_text(enum hc_reason r);

struct hc_target {
	uint64_t id;		  /* check_target_id() */
	struct endpoint endpoint; /* where the probe goes (check_endpoint()) */
	struct check *check;	  /* a reference */
	enum verdict_state
		initial; /* for a target not known here yet; UNKNOWN: one success makes it up */
};

struct hc_verdict {
	uint64_t id;
	uint64_t sequence; /* grows with each change of this target's state */
	enum verdict_state state;
	enum hc_reason reason;
	int32_t detail;	  /* HTTP status or errno, else 0 */
	bool proven;	  /* by a probe of ours, not inherited */
	int64_t since_ms; /* wall clock of the last change of state */
	uint32_t ok;	  /* probes of this process's life */
	uint32_t failed;
	uint32_t latency_us; /* of the last success; 0: none */
};

struct hc_status {
	uint32_t targets;
	uint32_t up;
	uint32_t down;
	uint32_t in_flight;
	uint64_t probes;
	uint64_t inconclusive; /* could not be run, or told nothing */
	uint32_t lag_ms;       /* the loop's worst lateness since the last STATUS */
};

void wire_put_hc_target(struct buf *b, const struct hc_target *t);
void wire_put_hc_verdict(struct buf *b, const struct hc_verdict *v);
void wire_put_hc_status(struct buf *b, const struct hc_status *s);
/* out->check is a reference of the caller's, or NULL where the message is bad. */
void wire_hc_target(struct wire *w, struct hc_target *out);
void wire_hc_verdict(struct wire *w, struct hc_verdict *out);
void wire_hc_status(struct wire *w, struct hc_status *out);

#endif
