/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of reading annotations: annotations_read.c knows each key and its
 * values, annotations.c puts them together.
 */
#ifndef AGENT_POOL_ANNOTATIONS_H
#define AGENT_POOL_ANNOTATIONS_H

#include "agent/pool/pool.h"

#define ANNOTATION_PREFIX "parasaus.io/"

/* What the check will be; its strings are borrowed. */
struct draft {
	struct pool_settings *set;
	struct problems *problems;
	bool new_check;
	enum check_type type;
	uint16_t port;
	uint8_t rise, fall;
	uint32_t interval_ms, timeout_ms, fast_ms;
	uint16_t hold_down_s;
	const char *path, *host, *match;
	struct check_status_range expect[CHECK_EXPECT_MAX];
	unsigned expect_count;
	struct check_status_range drain[CHECK_EXPECT_MAX], degraded[CHECK_EXPECT_MAX];
	unsigned drain_count, degraded_count;
	uint16_t reuse;
	const char *send, *answer;
	const char *dns_name; /* NULL, and 0: the default */
	uint16_t dns_type, dns_rcodes;
	const char *service;
	const char *secret; /* the bare name */
	const char *server_name;
	enum check_role role;
	enum check_tls tls;
	enum check_via via;
	uint32_t max_lag_s;
	unsigned unknown; /* keys so far */
};

/* What a key is for: not for the check; for any check; or for those that have CHECK_HAS_... */
#define USE_ANY	  0u
#define USE_CHECK (1u << 31)

/* Those that what only makes sense together is judged by. */
enum key_id {
	KEY_OTHER,
	KEY_TYPE,
	KEY_TIMEOUT,
	KEY_FAST,
	KEY_SECRET,
	KEY_ROLE,
	KEY_MAX_LAG,
	KEY_TLS,
	KEY_VIA,
	KEY_SERVER_NAME,
	KEY_SCHEDULER_FLAGS,
	KEY_TUNNEL,
	KEY_ON_UNHEALTHY,
	KEY_FAIL_POLICY,
	KEY_WEIGHTS,
	KEY_SLOW_START,
	KEY_MIN_HEALTHY,
	KEY_COUNT,
};

struct annotation_key {
	const char *name;
	unsigned use;
	/* Returns NULL, or what the value should have been ("... is not WHAT"); itself NULL: the key is
	 * known, but not in this version. */
	const char *(*read)(struct draft *d, const char *value);
	enum key_id id;
};

/* NULL: unknown. */
const struct annotation_key *annotation_key(const char *name);
/* The known key that was probably meant, or NULL. */
const char *annotation_nearest(const char *name);
/* "tcp, ... or none" */
extern const char *const annotation_check_words;

#endif
