/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/pool/author.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/base/attr.h"

#define CONTROLLERS  "kube-controller-manager"
#define MANAGED_BY   "endpointslice.kubernetes.io/managed-by"
#define MANAGED_BY_E "endpoints.kubernetes.io/managed-by"

bool author_is_key(const char *annotation)
{
	static const char *const keys[] = { AUTHOR_USER, AUTHOR_ACTION, AUTHOR_TIME,
					    AUTHOR_REASON };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(annotation, keys[i]) == 0)
			return true;
	return false;
}

/* --- time ------------------------------------------------------------------------------------ */

const char *author_time_text(int64_t at_ms, char out[static AUTHOR_TIME_MAX])
{
	const time_t s = (time_t)(at_ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(out, AUTHOR_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, AUTHOR_TIME_MAX - n, ".%03dZ", (int)(at_ms % 1000));
	return out;
}

bool author_time(const char *s, int64_t *out_ms)
{
	struct tm tm = { 0 };
	const char *end = s ? strptime(s, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	int part = 0, unit = 100;

	if (end && *end == '.')
		for (end++; *end >= '0' && *end <= '9'; end++, unit /= 10)
			part += (*end - '0') * unit;
	if (!end || strcmp(end, "Z") != 0)
		return false;
	*out_ms = (int64_t)timegm(&tm) * 1000 + part;
	return *out_ms > 0;
}

/* --- programs -------------------------------------------------------------------------------- */

struct entry {
	const char *manager, *operation; /* NULL: there is no entry */
	int64_t at_ms;
};

/* The newest entry that is ours, that of the cluster's controllers, and that of all others. */
struct entries {
	struct entry ours, controllers, others;
};

static void take_entry(const struct doc *d, struct entries *all)
{
	struct entry e = { .manager = doc_string(doc_get(d, "manager")),
			   .operation = doc_string(doc_get(d, "operation")) };
	struct entry *to = &all->others;

	/* What is written to the status is no edit. */
	if (!e.manager || doc_get(d, "subresource") ||
	    !author_time(doc_string(doc_get(d, "time")), &e.at_ms))
		return;
	if (strcmp(e.manager, AUTHOR_MANAGER) == 0)
		to = &all->ours;
	else if (strcmp(e.manager, CONTROLLERS) == 0)
		to = &all->controllers;
	if (!to->manager || e.at_ms > to->at_ms)
		*to = e;
}

static struct entries read_entries(const struct doc *metadata)
{
	const struct doc *list = doc_get(metadata, "managedFields");
	struct entries all = { 0 };
	unsigned count = 0;

	for (const struct doc *d = list && list->type == DOC_LIST ? list->first : NULL;
	     d && count < AUTHOR_ENTRIES_MAX; d = d->next, count++)
		take_entry(d, &all);
	return all;
}

/* --- both together ---------------------------------------------------------------------------- */

/* Cut at the end of a character, without what a terminal would take for a command. */
static void put_user(char out[static AUTHOR_USER_MAX + 1], const char *before, const char *name)
{
	size_t n;

	snprintf(out, AUTHOR_USER_MAX + 1, "%s%s", before, name);
	n = strlen(out);
	if (n == AUTHOR_USER_MAX)
		while (n && ((unsigned char)out[n - 1] & 0xc0) == 0x80)
			n--;
	if (n && strlen(out) == AUTHOR_USER_MAX && ((unsigned char)out[n - 1] & 0x80))
		n--;
	out[n] = '\0';
	for (char *p = out; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
}

static const char *text_of(const struct doc *map, const char *key)
{
	const char *s = doc_string(doc_get(map, key));

	return s ? s : "";
}

void author_of_annotations(const struct doc *annotations, struct author *out)
{
	*out = (struct author){ .action = text_of(annotations, AUTHOR_ACTION),
				.reason = text_of(annotations, AUTHOR_REASON) };
	put_user(out->user, "", text_of(annotations, AUTHOR_USER));
	if (!author_time(text_of(annotations, AUTHOR_TIME), &out->at_ms))
		out->at_ms = 0;
}

void author_of(const struct doc *metadata, struct author *out)
{
	const struct doc *notes = doc_get(metadata, "annotations");
	const struct entries all = read_entries(metadata);
	const char *user = text_of(notes, AUTHOR_USER);
	int64_t ours_ms = 0;
	bool ours = *user && author_time(text_of(notes, AUTHOR_TIME), &ours_ms);

	*out = (struct author){ .action = "", .reason = "" };
	/* By one clock where there is one; it has no parts of a second. */
	if (ours && all.others.manager &&
	    all.others.at_ms / 1000 > (all.ours.manager ? all.ours.at_ms : ours_ms) / 1000)
		ours = false;
	if (ours) {
		author_of_annotations(notes, out);
	} else if (all.others.manager) {
		put_user(out->user, "via ", all.others.manager);
		out->action = all.others.operation && strcmp(all.others.operation, "Apply") == 0
				      ? "apply"
				      : "update";
		out->at_ms = all.others.at_ms;
	}
}

bool author_is_controller(const struct doc *metadata)
{
	const struct doc *labels = doc_get(metadata, "labels");
	const char *slice = text_of(labels, MANAGED_BY), *end = strstr(slice, ".k8s.io");
	const struct entries all = read_entries(metadata);

	if (end && end[7] == '\0')
		return true;
	if (strcmp(text_of(labels, MANAGED_BY_E), "endpoint-controller") == 0)
		return true;
	return all.controllers.manager && !all.ours.manager && !all.others.manager;
}
