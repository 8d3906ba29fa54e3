/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/kinds.h"

#include <string.h>
#include <strings.h>

#define DOCUMENT "delete history rollback"

const struct ctl_kind ctl_kinds[] = {
	{ "pools", { "pool", "po" }, "get describe " DOCUMENT, false },
	{ "members", { "member" }, "get", false },
	{ "targets", { "target" }, "get describe", false },
	{ "status", { NULL }, "get", false },
	{ "problems", { "problem" }, "get", false },
	{ "events", { "event", "ev" }, "get", false },
	{ "address-pools",
	  { "address-pool", "addresspools", "addresspool", "ap" },
	  "get edit " DOCUMENT,
	  false },
	{ "nodes", { "node", "no" }, "get", false },
	{ "ipvs", { "frontends", "frontend" }, "get", false },
	{ "services", { "service", "svc" }, "edit " DOCUMENT, true },
	{ "endpoints", { "endpoint", "ep" }, "edit " DOCUMENT, true },
	{ "endpointslices", { "endpointslice", "slices", "slice" }, "edit " DOCUMENT, true },
	{ "secrets", { "secret" }, DOCUMENT, true },
	{ 0 },
};

static bool is_word_of(const struct ctl_kind *k, const char *word)
{
	if (strcasecmp(k->name, word) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(k->words) && k->words[i]; i++)
		if (strcasecmp(k->words[i], word) == 0)
			return true;
	return false;
}

static bool is_of(const struct ctl_kind *k, const char *command)
{
	size_t len = strlen(command);

	for (const char *p = k->commands; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		if (n == len && memcmp(p, command, n) == 0)
			return true;
		p += n;
	}
	return false;
}

const struct ctl_kind *ctl_kind_find(const char *word, const char *command)
{
	for (const struct ctl_kind *k = ctl_kinds; k->name; k++)
		if (is_of(k, command) && is_word_of(k, word))
			return k;
	return NULL;
}

void ctl_kinds_put(const char *command, const char *between, struct buf *out)
{
	const char *before = "";

	for (const struct ctl_kind *k = ctl_kinds; k->name; k++) {
		if (!is_of(k, command))
			continue;
		buf_printf(out, "%s%s", before, k->name);
		before = between;
	}
}

void ctl_kinds_help(const char *command, struct buf *out)
{
	for (const struct ctl_kind *k = ctl_kinds; k->name; k++) {
		if (!is_of(k, command))
			continue;
		buf_printf(out, k->words[0] ? "  %-14s" : "  %s", k->name);
		for (size_t i = 0; i < ARRAY_LEN(k->words) && k->words[i]; i++)
			buf_printf(out, "%s%s", i ? ", " : "  ", k->words[i]);
		buf_str(out, "\n");
	}
}
