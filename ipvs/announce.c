/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/announce.h"

bool ipvs_answers_for(const struct ipvs_announce *a, const struct addr *vip)
{
	if (!a || a->mode != IPVS_ANNOUNCE_OWNER)
		return !a || a->mode == IPVS_ANNOUNCE_ALL;
	for (size_t i = 0; i < a->share_count; i++) {
		if (prefix_has(&a->shares[i].addresses, vip))
			return a->shares[i].here;
	}
	return false;
}
