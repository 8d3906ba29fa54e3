/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/notrack.h"

#include <sys/socket.h>

uint8_t ipvs_notrack_family(unsigned part)
{
	return part == IPVS_NOTRACK_V4 ? AF_INET : AF_INET6;
}

const char *ipvs_notrack_remedy(unsigned part)
{
	return part == IPVS_NOTRACK_V4 ? "ip address add ADDRESS/32 dev DEVICE"
				       : "ip address add ADDRESS/128 dev DEVICE preferred_lft 0";
}

bool ipvs_notrack_part_same(const struct ipvs_notrack_part *a, const struct ipvs_notrack_part *b)
{
	if (a->mode != b->mode || a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		if (addr_cmp(&a->servers[i], &b->servers[i]) != 0)
			return false;
	}
	return true;
}

bool ipvs_notrack_same(const struct ipvs_notrack *a, const struct ipvs_notrack *b)
{
	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
		if (!ipvs_notrack_part_same(&a->parts[i], &b->parts[i]))
			return false;
	}
	return true;
}

void wire_put_ipvs_notrack(struct buf *b, const struct ipvs_notrack *n)
{
	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
		const struct ipvs_notrack_part *p = &n->parts[i];

		wire_put_u8(b, (uint8_t)p->mode);
		wire_put_u8(b, (uint8_t)p->count);
		for (uint32_t k = 0; k < p->count; k++)
			wire_put_addr(b, &p->servers[k]);
	}
}

static bool read_part(struct wire *w, uint8_t family, struct ipvs_notrack_part *out)
{
	uint8_t mode = wire_u8(w);
	uint8_t count = wire_u8(w);

	if (mode > IPVS_NOTRACK_PICKED || count > IPVS_NOTRACK_SOME_MAX ||
	    (mode == IPVS_NOTRACK_SOME) != (count > 0))
		return false;
	out->mode = (enum ipvs_notrack_mode)mode;
	out->count = count;
	for (uint8_t k = 0; k < count; k++) {
		out->servers[k] = wire_addr(w);
		if (out->servers[k].family != family)
			return false;
	}
	return !w->bad;
}

void wire_ipvs_notrack(struct wire *w, struct ipvs_notrack *out)
{
	*out = (struct ipvs_notrack){ 0 };
	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
		if (read_part(w, ipvs_notrack_family(i), &out->parts[i]))
			continue;
		w->bad = true;
		*out = (struct ipvs_notrack){ 0 };
		return;
	}
}
