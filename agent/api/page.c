/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/page.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "agent/api/accept.h"
#include "agent/api/origin.h"
#include "agent/api/rest_private.h"

#define INDEX "/page/index.html"

static bool is_path(const struct uri *u, const char *path)
{
	for (size_t i = 0; i < u->segment_count; i++) {
		size_t n = strlen(u->segments[i]);

		if (*path != '/' || strncmp(path + 1, u->segments[i], n) != 0)
			return false;
		path += 1 + n;
	}
	return !*path;
}

static const struct page_file *find_file(const struct uri *u)
{
	bool root = u->segment_count == 1 && !*u->segments[0];

	for (const struct page_file *f = page_files; f->path; f++)
		if (root ? strcmp(f->path, INDEX) == 0 : is_path(u, f->path))
			return f;
	return NULL;
}

/* Is a word among those of a header that commas separate? Weak ones count. */
static bool header_has(const char *header, const char *word)
{
	size_t len = strlen(word);

	while (header && *header) {
		size_t item = strcspn(header, ","), start = strspn(header, " \t");

		if (strncmp(header + start, "W/", 2) == 0)
			start += 2;
		if (strncmp(header + start, word, len) == 0 && strchr(", \t", header[start + len]))
			return true;
		header += item + (header[item] == ',');
	}
	return false;
}

/* Our own bytes: they cannot be bad, and the last four of them are how many there will be. */
static void inflate_into(const struct page_file *f, struct buf *out)
{
	const unsigned char *size = f->end - 4;
	size_t len = size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
	z_stream z = { .next_in = (unsigned char *)(uintptr_t)f->data,
		       .avail_in = (unsigned)(f->end - f->data),
		       .avail_out = (unsigned)len };

	z.next_out = buf_add(out, len);
	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return;
	(void)inflate(&z, Z_FINISH);
	inflateEnd(&z);
}

static void answer_file(const struct page_file *f, const struct rest_request *r,
			struct rest_reply *out)
{
	out->type = f->type;
	out->keep = true;
	snprintf(out->etag, sizeof(out->etag), "%s", f->etag);
	if (header_has(r->if_none_match, f->etag) || header_has(r->if_none_match, "*")) {
		out->status = 304;
	} else if (r->accept_encoding && accept_coding(r->accept_encoding, "gzip") > 0) {
		out->gzip = true;
		out->constant = f->data;
		out->constant_len = (size_t)(f->end - f->data);
	} else {
		inflate_into(f, &out->body);
	}
}

bool page_has(const struct uri *u)
{
	return find_file(u) != NULL;
}

bool page_answer(const struct rest_call *c)
{
	const struct page_file *f = find_file(c->uri);

	if (!f)
		return false;
	if (origin_is_safe(c->request->method))
		answer_file(f, c->request, c->out);
	else
		problem_answer(c->out, PROBLEM_BAD_METHOD, c->request, NULL);
	return true;
}
