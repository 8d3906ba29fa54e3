/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/pool/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* IP_VS_SVC_F_SCHED1 and IP_VS_SVC_F_SCHED2 */
#define FLAG_FALLBACK 0x8
#define FLAG_PORT     0x10

#define GUE_PORT 6080

static const struct value_word schedulers[] = {
	{ "wrr", 0 }, { "rr", 1 }, { "wlc", 2 }, { "lc", 3 }, { "sed", 4 },  { "nq", 5 },
	{ "mh", 6 },  { "sh", 7 }, { "dh", 8 },	 { "fo", 9 }, { "ovf", 10 }, { "twos", 11 },
};
const struct value_words pool_scheduler_words = VALUE_WORDS(schedulers);

static const struct value_word forwards[] = {
	{ "nat", FORWARD_NAT },
	{ "dr", FORWARD_DIRECT },
	{ "tunnel", FORWARD_TUNNEL },
};
const struct value_words pool_forward_words = VALUE_WORDS(forwards);

static const struct value_word snats[] = { { "auto", 1 }, { "none", 0 } };
const struct value_words pool_snat_words = VALUE_WORDS(snats);

static const struct value_word unhealthies[] = {
	{ "drain", UNHEALTHY_DRAIN },
	{ "keep", UNHEALTHY_KEEP },
	{ "reset", UNHEALTHY_RESET },
};
const struct value_words pool_unhealthy_words = VALUE_WORDS(unhealthies);

static const struct value_word fail_policies[] = {
	{ "open-last", FAIL_OPEN_LAST },
	{ "open-all", FAIL_OPEN_ALL },
	{ "closed", FAIL_CLOSED },
};
const struct value_words pool_fail_policy_words = VALUE_WORDS(fail_policies);

static const struct value_word checks[] = {
	{ "tcp", CHECK_TCP },	  { "tcp-full", CHECK_TCP_FULL }, { "http", CHECK_HTTP },
	{ "https", CHECK_HTTPS }, { "none", CHECK_NONE },
};
const struct value_words pool_check_words = VALUE_WORDS(checks);

static const struct value_word flags_of[] = {
	{ "none", 0 },
	{ "fallback", FLAG_FALLBACK },
	{ "port", FLAG_PORT },
	{ "fallback,port", FLAG_FALLBACK | FLAG_PORT },
	{ "port,fallback", FLAG_FALLBACK | FLAG_PORT },
};
static const struct value_words flag_words = VALUE_WORDS(flags_of);

const char *pool_scheduler_no_shares(const char *scheduler)
{
	static const struct {
		const char *scheduler, *why;
	} without[] = {
		{ "mh", "would send clients elsewhere with each change of a weight" },
		{ "sh", "would send clients elsewhere with each change of a weight" },
		{ "dh", "would send clients elsewhere with each change of a weight" },
		{ "rr", "does not look at weights" },
		{ "lc", "does not look at weights" },
		{ "fo", "takes weights for an order" },
		{ "ovf", "takes weights for an order" },
	};

	for (size_t i = 0; i < ARRAY_LEN(without); i++) {
		if (strcmp(without[i].scheduler, scheduler) == 0)
			return without[i].why;
	}
	return NULL;
}

int pool_scheduler_flags_parse(const char *s, uint32_t *out)
{
	return value_word(&flag_words, s, out);
}

const char *pool_scheduler_flags_text(uint32_t flags)
{
	return value_word_text(&flag_words, flags & (FLAG_FALLBACK | FLAG_PORT));
}

/* Text up to `end` as a number. */
static int part(const char *s, const char *end, uint64_t min, uint64_t max, uint64_t *out)
{
	char text[8];
	size_t len = (size_t)(end - s);

	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, len);
	text[len] = '\0';
	return value_uint(text, min, max, out);
}

static const struct value_word tunnels[] = {
	{ "ipip", TUNNEL_IPIP },
	{ "gre", TUNNEL_GRE },
	{ "gue", TUNNEL_GUE },
};
static const struct value_words tunnel_words = VALUE_WORDS(tunnels);

int pool_tunnel_parse(const char *s, struct pool_tunnel *out)
{
	uint64_t port = GUE_PORT;
	uint32_t type = TUNNEL_GUE;

	if (strncmp(s, "gue:", 4) == 0) {
		if (value_uint(s + 4, 1, UINT16_MAX, &port) < 0)
			return -EINVAL;
	} else if (value_word(&tunnel_words, s, &type) < 0) {
		return -EINVAL;
	}
	*out = (struct pool_tunnel){ (enum pool_tunnel_type)type,
				     type == TUNNEL_GUE ? (uint16_t)port : 0 };
	return 0;
}

const char *pool_tunnel_text(const struct pool_tunnel *t, char *out)
{
	const char *word = value_word_text(&tunnel_words, t->type);

	if (t->type == TUNNEL_GUE)
		snprintf(out, POOL_TUNNEL_TEXT_MAX, "%s:%u", word, t->port);
	else
		snprintf(out, POOL_TUNNEL_TEXT_MAX, "%s", word);
	return out;
}

int pool_prefixes_parse(const char *s, struct pool_prefixes *out)
{
	const char *comma = strchrnul(s, ',');
	uint64_t v4, v6 = 0;

	if (part(s, comma, 1, 32, &v4) < 0 || (*comma && value_uint(comma + 1, 1, 128, &v6) < 0))
		return -EINVAL;
	*out = (struct pool_prefixes){ (uint8_t)v4, (uint8_t)v6 };
	return 0;
}

const char *pool_prefixes_text(const struct pool_prefixes *p, char *out)
{
	unsigned v4 = p->v4 ? p->v4 : 32;

	if (p->v6)
		snprintf(out, POOL_PREFIXES_TEXT_MAX, "%u,%u", v4, p->v6);
	else
		snprintf(out, POOL_PREFIXES_TEXT_MAX, "%u", v4);
	return out;
}
