/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the documents of a YAML text stand, and which of them are as they were
 * when the text was read before: a change in a large file then costs no more
 * than the documents that changed. Pure.
 */
#ifndef WATCH_DOCUMENTS_H
#define WATCH_DOCUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct document {
	size_t offset, len; /* from its "---" to the next one */
	uint64_t hash;
	unsigned line;	/* of its beginning, 1.. */
	unsigned lines; /* line breaks in it */
	/* It stood in other lines when its objects were told, so that theirs are wrong. */
	bool moved;
	bool known; /* documents_known(): its text is an earlier one's, which it replaces */
	const struct document *now; /* of an earlier one: what replaces it; NULL: nothing */
};

struct documents {
	struct document *items;
	size_t count;
};

/*
 * None where the text cannot be cut like that: directives and explicit ends belong to more than
 * one document, and some line breaks are not what an editor shows.
 */
void documents_split(struct documents *d, const void *data, size_t len);
void documents_done(struct documents *d); /* a zeroed one is fine; leaves a zeroed one */

/*
 * Find in `before` each document of d that is the same, and link the two. With `exact`, only those
 * whose objects were told with the lines they have now. Returns how many.
 */
size_t documents_known(struct documents *d, struct documents *before, bool exact);
/* Makes known documents of the text empty ones of as many lines; returns its new length. */
size_t documents_blank(const struct documents *d, char *text, size_t len);
/* The document that this line is in; NULL: none. */
const struct document *documents_at(const struct documents *d, unsigned line);
bool documents_moved(const struct documents *d); /* any of them */

#endif
