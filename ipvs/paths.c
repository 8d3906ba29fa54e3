/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/paths.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "ipvs/table.h"

#define ERRNO_MAX 4095

void ipvs_paths_done(struct ipvs_paths *p)
{
	free(p->items);
	*p = (struct ipvs_paths){ 0 };
}

void ipvs_paths_copy(struct ipvs_paths *out, const struct ipvs_paths *p)
{
	struct ipvs_paths copy = { .count = p->count, .version = p->version };

	if (p->count) {
		copy.items = xreallocarray(NULL, p->count, sizeof(*copy.items));
		memcpy(copy.items, p->items, p->count * sizeof(*copy.items));
	}
	ipvs_paths_done(out);
	*out = copy;
}

uint32_t ipvs_path_mark(const struct ipvs_path *p)
{
	return IPVS_PATH_MARK + p->number;
}

uint16_t ipvs_path_port(const struct ipvs_path *p)
{
	return (uint16_t)(IPVS_PATH_PORT + p->number);
}

/* --- messages --- */

static bool follows(const struct ipvs_paths *p, size_t i)
{
	return i == 0 || p->items[i - 1].number < p->items[i].number;
}

void wire_put_ipvs_paths(struct buf *b, const struct ipvs_paths *p)
{
	assert(p->count <= IPVS_PATHS_MAX);
	wire_put_u32(b, p->version);
	wire_put_u16(b, (uint16_t)p->count);
	for (size_t i = 0; i < p->count; i++) {
		const struct ipvs_path *path = &p->items[i];

		assert(follows(p, i));
		wire_put_u16(b, path->number);
		wire_put_addr(b, &path->vip);
		wire_put_endpoint(b, &path->to);
		wire_put_u8(b, path->forward);
		wire_put_u8(b, path->tunnel);
		wire_put_u16(b, path->tunnel_port);
	}
}

static bool is_valid(const struct ipvs_path *p)
{
	if (p->number >= IPVS_PATHS_MAX || !p->vip.family || p->vip.family != p->to.addr.family ||
	    p->to.protocol != IPPROTO_TCP || !p->to.port)
		return false;
	return (p->forward == IPVS_DIRECT || p->forward == IPVS_TUNNEL) &&
	       ipvs_forward_is_valid(p->forward, p->tunnel, p->tunnel_port);
}

static bool read_path(struct wire *w, struct ipvs_path *out)
{
	*out = (struct ipvs_path){ .number = wire_u16(w) };
	out->vip = wire_addr(w);
	out->to = wire_endpoint(w);
	out->forward = wire_u8(w);
	out->tunnel = wire_u8(w);
	out->tunnel_port = wire_u16(w);
	return !w->bad && is_valid(out);
}

static bool read_paths(struct wire *w, struct ipvs_paths *out)
{
	uint16_t count;

	out->version = wire_u32(w);
	count = wire_u16(w);
	if (w->bad || count > IPVS_PATHS_MAX)
		return false;
	out->items = xreallocarray(NULL, (size_t)count + 1, sizeof(*out->items));
	for (; out->count < count; out->count++) {
		if (!read_path(w, &out->items[out->count]) || !follows(out, out->count))
			return false;
	}
	return true;
}

void wire_ipvs_paths(struct wire *w, struct ipvs_paths *out)
{
	*out = (struct ipvs_paths){ 0 };
	if (read_paths(w, out))
		return;
	w->bad = true;
	ipvs_paths_done(out);
}

/* --- the answer --- */

static int number_cmp(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

bool ipvs_paths_result_has(const struct ipvs_paths_result *r, uint16_t number)
{
	return !r->error &&
	       !bsearch(&number, r->failed, r->failed_count, sizeof(number), number_cmp);
}

void ipvs_paths_result_fail(struct ipvs_paths_result *r, const struct ipvs_path *p, const char *why)
{
	char to[ENDPOINT_TEXT_MAX];
	char vip[ADDR_TEXT_MAX];
	size_t i = r->failed_count;

	assert(r->failed_count < IPVS_PATHS_MAX && ipvs_paths_result_has(r, p->number));
	r->failed_count++;
	for (; i > 0 && r->failed[i - 1] > p->number; i--)
		r->failed[i] = r->failed[i - 1];
	r->failed[i] = p->number;
	if (i == 0)
		snprintf(r->text, sizeof(r->text), "%s by the VIP %s: %.60s",
			 endpoint_text(&p->to, to), addr_text(&p->vip, vip), why);
}

bool ipvs_paths_result_equal(const struct ipvs_paths_result *a, const struct ipvs_paths_result *b)
{
	return a->version == b->version && a->error == b->error && strcmp(a->text, b->text) == 0 &&
	       a->failed_count == b->failed_count &&
	       memcmp(a->failed, b->failed, a->failed_count * sizeof(a->failed[0])) == 0;
}

static bool failed_follows(const struct ipvs_paths_result *r, size_t i)
{
	return r->failed[i] < IPVS_PATHS_MAX && (i == 0 || r->failed[i - 1] < r->failed[i]);
}

void wire_put_ipvs_paths_result(struct buf *b, const struct ipvs_paths_result *r)
{
	wire_put_u32(b, r->version);
	wire_put_u32(b, (uint32_t)r->error);
	wire_put_str(b, r->text);
	wire_put_u16(b, r->failed_count);
	for (size_t i = 0; i < r->failed_count; i++) {
		assert(failed_follows(r, i));
		wire_put_u16(b, r->failed[i]);
	}
}

static bool read_failed(struct wire *w, struct ipvs_paths_result *out)
{
	uint16_t count = wire_u16(w);

	if (w->bad || count > IPVS_PATHS_MAX)
		return false;
	for (; out->failed_count < count; out->failed_count++) {
		out->failed[out->failed_count] = wire_u16(w);
		if (w->bad || !failed_follows(out, out->failed_count))
			return false;
	}
	return true;
}

void wire_ipvs_paths_result(struct wire *w, struct ipvs_paths_result *out)
{
	*out = (struct ipvs_paths_result){ .version = wire_u32(w) };
	out->error = (int32_t)wire_u32(w);
	wire_str(w, out->text, sizeof(out->text));
	if (read_failed(w, out) && out->error <= 0 && out->error >= -ERRNO_MAX)
		return;
	w->bad = true;
	*out = (struct ipvs_paths_result){ 0 };
}
