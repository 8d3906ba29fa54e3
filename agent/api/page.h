/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The web page: the files below agent/api/page, inside the program, compressed.
 * "/" is index.html, "/page/NAME" each of them. Files that are asked for with the
 * ETag they had are not sent again.
 */
#ifndef AGENT_API_PAGE_H
#define AGENT_API_PAGE_H

#include <stdbool.h>

/* A file as it was found when the program was made; agent/api/page/embed writes the table. */
struct page_file {
	const char *path; /* "/page/app.js" */
	const char *type;
	const char *etag;	   /* with its quotes; by the contents */
	const unsigned char *data; /* gzip */
	const unsigned char *end;
};
extern const struct page_file page_files[]; /* ends with a NULL path */

struct rest_call;
/* False: the path is not one of a file, and nothing was answered. */
bool page_answer(const struct rest_call *c);
struct uri;
bool page_has(const struct uri *u); /* is it the path of a file? */

#endif
