/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words in which settings of a pool are written, in the configuration's
 * `defaults` and in annotations alike.
 */
#ifndef AGENT_POOL_SETTINGS_H
#define AGENT_POOL_SETTINGS_H

#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/value.h"
#include "agent/pool/pool.h"

/*
 * The kernel's schedulers, by name; lblc and lblcr are for proxies, not for servers, and left
 * out. The value is an index of no meaning.
 */
extern const struct value_words pool_scheduler_words;
extern const struct value_words pool_forward_words;	/* enum pool_forward */
extern const struct value_words pool_snat_words;	/* 1: masquerade */
extern const struct value_words pool_unhealthy_words;	/* enum pool_unhealthy */
extern const struct value_words pool_fail_policy_words; /* enum pool_fail_policy */
extern const struct value_words pool_check_words;	/* enum check_type: those for every pool */

/* Does it give each server new connections by its share of the weights? NULL: it does; else why a
 * weight that grows by and by is of no use with it ("the scheduler X" goes before). */
const char *pool_scheduler_no_shares(const char *scheduler);

/* "none", or "fallback" and "port" with a comma between (of mh and sh). -EINVAL otherwise. */
MUST_CHECK int pool_scheduler_flags_parse(const char *s, uint32_t *out);
const char *pool_scheduler_flags_text(uint32_t flags);

/*
 * "ipip", "gre", "gue", or "gue:PORT"; without one it is 6080, the port of RFC draft
 * ietf-intarea-gue and of IANA. -EINVAL otherwise.
 */
#define POOL_TUNNEL_TEXT_MAX 16
MUST_CHECK int pool_tunnel_parse(const char *s, struct pool_tunnel *out);
const char *pool_tunnel_text(const struct pool_tunnel *t, char *out); /* POOL_TUNNEL_TEXT_MAX */

/* "24", of IPv4, 1 to 32; "24,64", of IPv6 too, 1 to 128. -EINVAL otherwise. */
#define POOL_PREFIXES_TEXT_MAX 8
MUST_CHECK int pool_prefixes_parse(const char *s, struct pool_prefixes *out);
const char *pool_prefixes_text(const struct pool_prefixes *p,
			       char *out); /* POOL_PREFIXES_TEXT_MAX */

#endif
