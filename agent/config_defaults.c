/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One mapping, two structs: the settings of a pool, and its check. The keys
 * are flat because an operator thinks of "interval", not of where it is kept.
 */
#include "agent/config_defaults.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/config.h"
#include "agent/pool/settings.h"

#define DRAIN_MAX_MS (24u * 3600 * 1000)

static const char *http_path_fault(const char *s)
{
	return value_is_http_path(s) ? NULL : "has to begin with '/' and hold no blank and no '#'";
}

static const char *http_host_fault(const char *s)
{
	return value_is_http_host(s) ? NULL : "is no host name or address";
}

static const char *server_name_fault(const char *s)
{
	return value_is_server_name(s) ? NULL : "is no host name or address, or has a port";
}

static const char *parse_flags(const char *s, void *base)
{
	struct pool_settings *set = base;

	return pool_scheduler_flags_parse(s, &set->scheduler_flags) == 0
		       ? NULL
		       : " is not possible: none, fallback, port or fallback,port";
}

static const char *flags_text(const void *base, char *out)
{
	(void)out;
	return pool_scheduler_flags_text(((const struct pool_settings *)base)->scheduler_flags);
}

static const struct schema_form flags_form = { parse_flags, flags_text, false };

static const char *parse_tunnel(const char *s, void *base)
{
	struct pool_settings *set = base;

	return pool_tunnel_parse(s, &set->tunnel) == 0
		       ? NULL
		       : " is not possible: ipip, gre, gue or gue:PORT";
}

static const char *tunnel_text(const void *base, char *out)
{
	return pool_tunnel_text(&((const struct pool_settings *)base)->tunnel, out);
}

static const struct schema_form tunnel_form = { parse_tunnel, tunnel_text, false };

static const char *parse_prefixes(const char *s, void *base)
{
	struct pool_settings *set = base;

	return pool_prefixes_parse(s, &set->persistence) == 0
		       ? NULL
		       : " is not the length of a prefix, 1 to 32, perhaps with one for IPv6 "
			 "behind it, such as 24 or 24,64";
}

static const char *prefixes_text(const void *base, char *out)
{
	return pool_prefixes_text(&((const struct pool_settings *)base)->persistence, out);
}

static const struct schema_form prefixes_form = { parse_prefixes, prefixes_text, true };

static const char *parse_statuses(const char *s, struct check_status_range *out, unsigned *count)
{
	static_assert(CHECK_EXPECT_MAX == 8, "it is said here");
	switch (value_statuses(s, out, count)) {
	case 0:
		return NULL;
	case -ERANGE:
		return ": statuses are 100 to 599, in at most 8 ranges";
	default:
		return " is not a list of statuses, such as 200 or 200-299,401";
	}
}

static const char *statuses_text(const struct check_status_range *ranges, unsigned count, char *out)
{
	return count ? value_statuses_text(ranges, count, out) : NULL;
}

/* Like a number, for 200,404 would be the number 200404. */
#define STATUSES_FORM(list)                                          \
	static const char *parse_##list(const char *s, void *base)   \
	{                                                            \
		struct check *c = base;                              \
                                                                     \
		return parse_statuses(s, c->list, &c->list##_count); \
	}                                                            \
	static const char *list##_text(const void *base, char *out)  \
	{                                                            \
		const struct check *c = base;                        \
                                                                     \
		return statuses_text(c->list, c->list##_count, out); \
	}                                                            \
	static const struct schema_form list##_form = { parse_##list, list##_text, true }
STATUSES_FORM(expect);
STATUSES_FORM(drain);
STATUSES_FORM(degraded);

static_assert(VALUE_STATUSES_TEXT_MAX <= SCHEMA_FORM_TEXT_MAX &&
		      POOL_TUNNEL_TEXT_MAX <= SCHEMA_FORM_TEXT_MAX &&
		      POOL_PREFIXES_TEXT_MAX <= SCHEMA_FORM_TEXT_MAX,
	      "there is room for each");

static const struct schema_key settings_keys[] = {
	{ .name = "scheduler",
	  .type = &schema_word_text,
	  SCHEMA_FIELD(struct pool_settings, scheduler),
	  .words = &pool_scheduler_words,
	  .fallback = "wrr" },
	{ .name = "schedulerFlags", .type = &schema_form, .form = &flags_form, .fallback = "none" },
	{ .name = "forwarding",
	  .type = &schema_word,
	  SCHEMA_FIELD(struct pool_settings, forward),
	  .words = &pool_forward_words,
	  .fallback = "nat" },
	{ .name = "tunnelType", .type = &schema_form, .form = &tunnel_form, .fallback = "ipip" },
	{ .name = "snat",
	  .type = &schema_word,
	  SCHEMA_FIELD(struct pool_settings, masquerade),
	  .words = &pool_snat_words,
	  .fallback = "auto" },
	{ .name = "weight",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct pool_settings, weight),
	  .max = 65535,
	  .fallback = "1" },
	{ .name = "maxConnections",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct pool_settings, max_connections),
	  .max = 1000000,
	  .fallback = "0" },
	{ .name = "persistenceNetmask",
	  .type = &schema_form,
	  .form = &prefixes_form,
	  .fallback = "32,128" },
	{ .name = "drain",
	  .type = &schema_s,
	  SCHEMA_FIELD(struct pool_settings, drain_s),
	  .max = DRAIN_MAX_MS,
	  .fallback = "5m" },
	{ .name = "onUnhealthy",
	  .type = &schema_word,
	  SCHEMA_FIELD(struct pool_settings, unhealthy),
	  .words = &pool_unhealthy_words,
	  .fallback = "drain" },
	{ .name = "failPolicy",
	  .type = &schema_word,
	  SCHEMA_FIELD(struct pool_settings, fail_policy),
	  .words = &pool_fail_policy_words,
	  .fallback = "open-last" },
	{ .name = "minHealthy",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct pool_settings, min_healthy),
	  .max = 100,
	  .fallback = "0" },
	{ .name = "slowStart",
	  .type = &schema_s,
	  SCHEMA_FIELD(struct pool_settings, slow_start_s),
	  .max = POOL_SLOW_START_MAX_S * 1000u,
	  .fallback = "0" },
};

/* Without fallbacks: check_new() has them. */
static const struct schema_key check_keys[] = {
	{ .name = "check",
	  .type = &schema_word,
	  SCHEMA_FIELD(struct check, type),
	  .words = &pool_check_words },
	{ .name = "interval",
	  .type = &schema_ms,
	  SCHEMA_FIELD(struct check, interval_ms),
	  .min = 100,
	  .max = 60000 },
	{ .name = "timeout",
	  .type = &schema_ms,
	  SCHEMA_FIELD(struct check, timeout_ms),
	  .min = 100,
	  .max = 60000 },
	{ .name = "fast",
	  .type = &schema_ms,
	  SCHEMA_FIELD(struct check, fast_ms),
	  .min = 100,
	  .max = 60000 },
	{ .name = "rise",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct check, rise),
	  .min = 1,
	  .max = 10 },
	{ .name = "fall",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct check, fall),
	  .min = 1,
	  .max = 10 },
	{ .name = "holdDown",
	  .type = &schema_s,
	  SCHEMA_FIELD(struct check, hold_down_s),
	  .max = CHECK_HOLD_MAX_S * 1000u },
	{ .name = "path",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct check, path),
	  .min = 1,
	  .max = CHECK_PATH_MAX,
	  .fault = http_path_fault },
	{ .name = "host",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct check, host),
	  .min = 1,
	  .max = CHECK_HOST_MAX,
	  .fault = http_host_fault },
	{ .name = "expect", .type = &schema_form, .form = &expect_form },
	{ .name = "drainStatus", .type = &schema_form, .form = &drain_form },
	{ .name = "degradedStatus", .type = &schema_form, .form = &degraded_form },
	{ .name = "reuse",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct check, reuse),
	  .min = 1,
	  .max = CHECK_REUSE_MAX },
	{ .name = "serverName",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct check, server_name),
	  .min = 1,
	  .max = CHECK_HOST_MAX,
	  .fault = server_name_fault },
};

static int check_scheduler(struct schema_reader *r, const struct doc *d,
			   const struct pool_settings *set)
{
	const struct doc *flags = doc_get(d, "schedulerFlags");

	if (set->scheduler_flags == 0 || strcmp(set->scheduler, "mh") == 0 ||
	    strcmp(set->scheduler, "sh") == 0)
		return 0;
	return schema_bad_key(r, flags, "schedulerFlags",
			      "'%s' is for the schedulers mh and sh; this one is %s",
			      pool_scheduler_flags_text(set->scheduler_flags), set->scheduler);
}

/* What is written may not exceed the interval; a default gives way to it. */
static int check_within_interval(struct schema_reader *r, const struct doc *d, const char *key,
				 uint32_t interval_ms, uint32_t *ms)
{
	const struct doc *written = doc_get(d, key);
	char text[VALUE_DURATION_TEXT_MAX];

	if (*ms <= interval_ms)
		return 0;
	if (written)
		return schema_bad_key(r, written, key, "%.64s is more than the interval, %s",
				      written->text, value_duration_text(interval_ms, text));
	*ms = interval_ms;
	return 0;
}

/* Keys that not every type of check has. */
static int check_types_only(struct schema_reader *r, const struct doc *d, enum check_type type)
{
	static const struct {
		const char *key;
		unsigned has;
		const char *types;
	} keys[] = {
		{ "path", CHECK_HAS_REQUEST, "http' or 'https" },
		{ "host", CHECK_HAS_REQUEST, "http' or 'https" },
		{ "expect", CHECK_HAS_REQUEST, "http' or 'https" },
		{ "drainStatus", CHECK_HAS_REQUEST, "http' or 'https" },
		{ "degradedStatus", CHECK_HAS_REQUEST, "http' or 'https" },
		{ "serverName", CHECK_HAS_CERTIFICATE, "https" },
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct doc *key = doc_get(d, keys[i].key);

		if (key && !(check_has(type) & keys[i].has))
			return schema_bad_key(r, key, keys[i].key,
					      "is for a check of type '%s'; this one is %s",
					      keys[i].types, check_type_text(type));
	}
	return 0;
}

/* A connection for each probe is what any of them makes. */
static int check_reuse(struct schema_reader *r, const struct doc *d, const struct check *c)
{
	if (c->reuse <= 1 || check_has(c->type) & CHECK_HAS_REQUEST)
		return 0;
	return schema_bad_key(r, doc_get(d, "reuse"), "reuse",
			      "is for a check of type 'http' or 'https'; this one is %s",
			      check_type_text(c->type));
}

/* The type comes first, wherever it is written: it decides what the others' defaults are. */
static struct check *new_check(const struct doc *d)
{
	const struct doc *type = doc_get(d, "check");
	uint32_t value = CHECK_TCP;

	if (type && type->text && value_word(&pool_check_words, type->text, &value) < 0)
		value = CHECK_TCP; /* reading the key says what is wrong */
	return check_new((enum check_type)value);
}

static int read_defaults(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
			 void *base)
{
	struct config *c = base;
	struct check *check = new_check(d);
	const struct schema_section sections[] = {
		{ settings_keys, ARRAY_LEN(settings_keys), &c->defaults },
		{ check_keys, ARRAY_LEN(check_keys), check },
	};
	int code;

	(void)k;
	check_unref(c->defaults.check);
	c->defaults.check = check;
	code = schema_read_map(r, d, sections, ARRAY_LEN(sections));
	if (code == 0)
		code = check_scheduler(r, d, &c->defaults);
	if (code == 0)
		code = check_types_only(r, d, check->type);
	if (code == 0)
		code = check_reuse(r, d, check);
	if (code == 0)
		code = check_within_interval(r, d, "timeout", check->interval_ms,
					     &check->timeout_ms);
	if (code == 0)
		code = check_within_interval(r, d, "fast", check->interval_ms, &check->fast_ms);
	return code;
}

static void print_defaults(const struct schema_key *k, const void *base, unsigned depth,
			   struct buf *out)
{
	const struct config *c = base;

	(void)k;
	schema_print(settings_keys, ARRAY_LEN(settings_keys), &c->defaults, depth + 1, out);
	schema_print(check_keys, ARRAY_LEN(check_keys), c->defaults.check, depth + 1, out);
}

const struct schema_type config_defaults = { .read = read_defaults, .print = print_defaults };

void config_defaults_init(struct pool_settings *set)
{
	const struct schema_section section = { settings_keys, ARRAY_LEN(settings_keys), set };

	schema_defaults(&section);
	set->check = check_new(CHECK_TCP);
}
