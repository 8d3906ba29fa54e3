/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/pool/settings.h"

#include "agent/pool/pool.h"

/* IP_VS_SVC_F_SCHED1 and IP_VS_SVC_F_SCHED2 */
#define FLAG_FALLBACK 0x8
#define FLAG_PORT     0x10

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
	{ "tcp", CHECK_TCP },
	{ "http", CHECK_HTTP },
	{ "none", CHECK_NONE },
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

int pool_scheduler_flags_parse(const char *s, uint32_t *out)
{
	return value_word(&flag_words, s, out);
}

const char *pool_scheduler_flags_text(uint32_t flags)
{
	return value_word_text(&flag_words, flags & (FLAG_FALLBACK | FLAG_PORT));
}
