/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int addr_parse(const char *s, struct addr *out)
{
	struct addr a = { 0 };

	/* inet_pton() refuses short forms and leading zeros, which inet_aton() reads as octal. */
	if (inet_pton(AF_INET, s, a.bytes) == 1)
		a.family = AF_INET;
	else if (inet_pton(AF_INET6, s, a.bytes) == 1)
		a.family = AF_INET6;
	else
		return -EINVAL;
	*out = a;
	return 0;
}

bool addr_is_unspecified(const struct addr *a)
{
	static const uint8_t none[sizeof(a->bytes)];

	return memcmp(a->bytes, none, a->family == AF_INET ? 4 : sizeof(none)) == 0;
}

const char *addr_text(const struct addr *a, char out[static ADDR_TEXT_MAX])
{
	if (a->family == 0 || !inet_ntop(a->family, a->bytes, out, ADDR_TEXT_MAX))
		strcpy(out, "none");
	return out;
}

size_t addr_len(const struct addr *a)
{
	return a->family == AF_INET6 ? 16 : 4;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1; /* AF_INET is 2, AF_INET6 10 */
	if (a->family == AF_INET)
		return memcmp(a->bytes, b->bytes, 4);
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

struct addr addr_v4(uint32_t host_order)
{
	struct addr a = { .family = AF_INET };
	uint32_t n = htonl(host_order);

	memcpy(a.bytes, &n, sizeof(n));
	return a;
}

bool addr_unmap(struct addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct addr v4 = { .family = AF_INET };

	if (a->family != AF_INET6 || memcmp(a->bytes, mapped, sizeof(mapped)) != 0)
		return false;
	memcpy(v4.bytes, a->bytes + 12, 4);
	*a = v4;
	return true;
}

#define V4(len, ...)                                                 \
	{                                                            \
		{ .bytes = { __VA_ARGS__ }, .family = AF_INET }, len \
	}
#define V6(len, ...)                                                  \
	{                                                             \
		{ .bytes = { __VA_ARGS__ }, .family = AF_INET6 }, len \
	}

/* The more particular first: what is told is the first that holds it. Every member of every pool
 * is held against this, so it is not text. */
static const struct {
	struct prefix prefix;
	const char *why;
} refused[] = {
	{ V4(32, 169, 254, 169, 254), "metadata service" },
	{ V4(32, 169, 254, 170, 2), "metadata service" },
	{ V4(32, 100, 100, 100, 200), "metadata service" },
	{ V4(32, 168, 63, 129, 16), "metadata service" },
	{ V4(32, 192, 0, 0, 192), "metadata service" },
	{ V6(128, 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, 0x54),
	  "metadata service" }, /* fd00:ec2::254 */
	{ V4(8, 0), "unspecified" },
	{ V4(8, 127), "loopback" },
	{ V4(16, 169, 254), "link-local" },
	{ V4(4, 224), "multicast" },
	{ V4(4, 240), "reserved" },
	{ V6(128, 0), "unspecified" },
	{ V6(128, [15] = 1), "loopback" },
	{ V6(96, [10] = 0xff, 0xff), "IPv4 inside IPv6" }, /* ::ffff:0:0/96 */
	{ V6(10, 0xfe, 0x80), "link-local" },
	{ V6(8, 0xff), "multicast" },
};

const char *addr_refused(const struct addr *a)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		if (prefix_has(&refused[i].prefix, a))
			return refused[i].why;
	}
	return NULL;
}

const char *addr_range_refused(const struct addr_range *r, struct addr *out)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct addr_range bad = prefix_range(&refused[i].prefix);
		bool begins_inside;

		if (bad.first.family != r->first.family)
			continue;
		begins_inside = addr_cmp(&r->first, &bad.first) <= 0;
		if (begins_inside ? addr_cmp(&bad.first, &r->last) <= 0
				  : addr_cmp(&r->first, &bad.last) <= 0) {
			*out = begins_inside ? bad.first : r->first;
			return refused[i].why;
		}
	}
	return NULL;
}

static bool bit_of(const struct addr *a, unsigned i)
{
	return a->bytes[i / 8] >> (7 - i % 8) & 1;
}

bool prefix_has(const struct prefix *p, const struct addr *a)
{
	unsigned whole = p->len / 8;
	unsigned rest = p->len % 8;

	if (p->addr.family != a->family || memcmp(p->addr.bytes, a->bytes, whole) != 0)
		return false;
	return rest == 0 || (p->addr.bytes[whole] ^ a->bytes[whole]) >> (8 - rest) == 0;
}

bool prefixes_have(const struct prefix *p, size_t count, const struct addr *a)
{
	for (size_t i = 0; i < count; i++) {
		if (prefix_has(&p[i], a))
			return true;
	}
	return false;
}

static bool number_parse(const char *s, unsigned long max, unsigned long *out)
{
	char *end;
	unsigned long v;

	if (*s < '0' || *s > '9' || (s[0] == '0' && s[1]))
		return false;
	errno = 0;
	v = strtoul(s, &end, 10);
	if (*end || errno || v > max)
		return false;
	*out = v;
	return true;
}

int prefix_parse(const char *s, struct prefix *out)
{
	char text[ADDR_TEXT_MAX];
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);
	struct prefix p = { 0 };
	unsigned long len;

	if (n >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, n);
	text[n] = '\0';
	if (addr_parse(text, &p.addr) < 0)
		return -EINVAL;
	len = addr_len(&p.addr) * 8;
	if (slash && !number_parse(slash + 1, len, &len))
		return -EINVAL;
	p.len = (uint8_t)len;
	for (unsigned i = p.len; i < addr_len(&p.addr) * 8; i++) {
		if (bit_of(&p.addr, i))
			return -EINVAL;
	}
	*out = p;
	return 0;
}

struct addr_range prefix_range(const struct prefix *p)
{
	struct addr_range r = { p->addr, p->addr };

	for (unsigned i = p->len; i < addr_len(&p->addr) * 8; i++)
		r.last.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return r;
}

bool addr_next(struct addr *a)
{
	for (size_t i = addr_len(a); i-- > 0;) {
		if (++a->bytes[i] != 0)
			return true;
	}
	return false;
}

/* From the end of one prefix to the next. */
bool prefixes_cover(const struct prefix *p, size_t count, const struct addr_range *r)
{
	struct addr at = r->first;

	for (;;) {
		const struct prefix *cover = NULL;

		for (size_t i = 0; i < count && !cover; i++) {
			if (prefix_has(&p[i], &at))
				cover = &p[i];
		}
		if (!cover)
			return false;
		at = prefix_range(cover).last;
		if (addr_cmp(&at, &r->last) >= 0 || !addr_next(&at))
			return true;
	}
}

bool prefix_covers(const struct prefix *p, const struct addr_range *r)
{
	return prefix_has(p, &r->first) && prefix_has(p, &r->last);
}

int addr_range_parse(const char *s, struct addr_range *out)
{
	char text[ADDR_TEXT_MAX];
	const char *dash = strchr(s, '-');
	struct addr_range r;
	struct prefix p;

	if (!dash) {
		if (prefix_parse(s, &p) < 0)
			return -EINVAL;
		*out = prefix_range(&p);
		return 0;
	}
	if ((size_t)(dash - s) >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, (size_t)(dash - s));
	text[dash - s] = '\0';
	if (addr_parse(text, &r.first) < 0 || addr_parse(dash + 1, &r.last) < 0)
		return -EINVAL;
	if (r.first.family != r.last.family || addr_cmp(&r.first, &r.last) > 0)
		return -EINVAL;
	*out = r;
	return 0;
}

/* Is p's address the first of its block, and the last of it no later than `last`? */
static bool is_block_up_to(const struct prefix *p, const struct addr *last)
{
	struct addr_range block = prefix_range(p);

	for (size_t i = p->len; i < addr_len(&p->addr) * 8; i++) {
		if (p->addr.bytes[i / 8] & 0x80 >> i % 8)
			return false;
	}
	return addr_cmp(&block.last, last) <= 0;
}

struct prefix addr_range_first_prefix(const struct addr_range *r)
{
	struct prefix p = { .addr = r->first };

	while (!is_block_up_to(&p, &r->last))
		p.len++;
	return p;
}

const char *addr_range_text(const struct addr_range *r, char out[static ADDR_RANGE_TEXT_MAX])
{
	char first[ADDR_TEXT_MAX];
	char last[ADDR_TEXT_MAX];
	struct prefix p = addr_range_first_prefix(r);
	struct addr_range block = prefix_range(&p);

	addr_text(&r->first, first);
	if (addr_cmp(&r->first, &r->last) == 0)
		snprintf(out, ADDR_RANGE_TEXT_MAX, "%s", first);
	else if (addr_cmp(&block.last, &r->last) == 0)
		snprintf(out, ADDR_RANGE_TEXT_MAX, "%s/%u", first, p.len);
	else
		snprintf(out, ADDR_RANGE_TEXT_MAX, "%s-%s", first, addr_text(&r->last, last));
	return out;
}

bool addr_range_has(const struct addr_range *r, const struct addr *a)
{
	return r->first.family == a->family && addr_cmp(&r->first, a) <= 0 &&
	       addr_cmp(a, &r->last) <= 0;
}

int port_range_parse(const char *s, struct port_range *out)
{
	char text[8];
	const char *dash = strchr(s, '-');
	size_t n = dash ? (size_t)(dash - s) : strlen(s);
	unsigned long first, last;

	if (n >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, n);
	text[n] = '\0';
	if (!number_parse(text, UINT16_MAX, &first))
		return -EINVAL;
	last = first;
	if (dash && !number_parse(dash + 1, UINT16_MAX, &last))
		return -EINVAL;
	if (first == 0 || first > last)
		return -EINVAL;
	*out = (struct port_range){ (uint16_t)first, (uint16_t)last };
	return 0;
}

int endpoint_parse(const char *s, uint8_t protocol, struct endpoint *out)
{
	char text[ADDR_TEXT_MAX];
	struct endpoint e = { .protocol = protocol };
	const char *colon = strrchr(s, ':');
	uint8_t family = AF_INET;
	size_t n;
	unsigned long port;

	if (!colon || !number_parse(colon + 1, UINT16_MAX, &port))
		return -EINVAL;
	n = (size_t)(colon - s);
	if (n >= 2 && s[0] == '[' && s[n - 1] == ']') {
		family = AF_INET6;
		s++;
		n -= 2;
	}
	if (n >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, n);
	text[n] = '\0';
	if (addr_parse(text, &e.addr) < 0 || e.addr.family != family)
		return -EINVAL;
	e.port = (uint16_t)port;
	*out = e;
	return 0;
}

const char *endpoint_text(const struct endpoint *e, char out[static ENDPOINT_TEXT_MAX])
{
	char a[ADDR_TEXT_MAX];

	snprintf(out, ENDPOINT_TEXT_MAX, e->addr.family == AF_INET6 ? "[%s]:%u" : "%s:%u",
		 addr_text(&e->addr, a), e->port);
	return out;
}

int endpoint_cmp(const struct endpoint *a, const struct endpoint *b)
{
	int r = addr_cmp(&a->addr, &b->addr);

	if (r)
		return r;
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	return (a->protocol > b->protocol) - (a->protocol < b->protocol);
}

static const struct protocol {
	uint8_t number;
	const char *text, *name;
} protocols[] = {
	{ IPPROTO_TCP, "tcp", "TCP" },
	{ IPPROTO_UDP, "udp", "UDP" },
	{ IPPROTO_SCTP, "sctp", "SCTP" },
};

static const struct protocol *protocol_of(uint8_t number)
{
	static const struct protocol none = { 0, "?", "?" };

	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		if (protocols[i].number == number)
			return &protocols[i];
	return &none;
}

bool protocol_is_served(uint8_t protocol)
{
	return protocol_of(protocol)->number != 0;
}

const char *protocol_text(uint8_t protocol)
{
	return protocol_of(protocol)->text;
}

const char *protocol_name(uint8_t protocol)
{
	return protocol_of(protocol)->name;
}

bool protocol_of_name(const char *name, uint8_t *out)
{
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		if (strcasecmp(protocols[i].name, name) == 0) {
			*out = protocols[i].number;
			return true;
		}
	return false;
}

bool protocol_has_connections(uint8_t protocol)
{
	return protocol != IPPROTO_UDP;
}

void wire_put_addr(struct buf *b, const struct addr *a)
{
	wire_put_u8(b, a->family);
	if (a->family)
		buf_put(b, a->bytes, addr_len(a));
}

struct addr wire_addr(struct wire *w)
{
	struct addr a = { .family = wire_u8(w) };

	if (a.family == AF_INET || a.family == AF_INET6)
		wire_bytes(w, a.bytes, addr_len(&a));
	else if (a.family)
		w->bad = true;
	if (w->bad)
		memset(&a, 0, sizeof(a));
	return a;
}

void wire_put_endpoint(struct buf *b, const struct endpoint *e)
{
	wire_put_addr(b, &e->addr);
	wire_put_u16(b, e->port);
	wire_put_u8(b, e->protocol);
}

struct endpoint wire_endpoint(struct wire *w)
{
	struct endpoint e;

	memset(&e, 0, sizeof(e)); /* padding too: endpoints are compared as bytes */
	e.addr = wire_addr(w);
	e.port = wire_u16(w);
	e.protocol = wire_u8(w);
	return e;
}
