/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading nftables by netlink: what is too slow through libnftables (elements
 * by the ten thousand) and what it does not tell (the generation). Blocks;
 * never logs.
 */
#ifndef IPVS_HOST_NFT_H
#define IPVS_HOST_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"

struct host_nft;

MUST_CHECK int host_nft_open(struct host_nft **out);
void host_nft_close(struct host_nft *n); /* NULL is fine */

/*
 * Calls fn for each element of a set in a table of a family (NFPROTO_...): its key, or the first and the
 * last key of an interval (`end` is NULL where there is none). fn returns 0 or -errno, which ends it.
 * -ENOENT: no such table or set. -EINTR: somebody wrote meanwhile, ask again.
 */
typedef int host_nft_element_fn(void *arg, const uint8_t *key, size_t len, const uint8_t *end,
				size_t end_len);
MUST_CHECK int host_nft_elements(struct host_nft *n, uint8_t family, const char *table,
				 const char *set, host_nft_element_fn *fn, void *arg);
MUST_CHECK int host_nft_has_table(struct host_nft *n, uint8_t family, const char *table, bool *out);
/* Grows by one with each transaction of anybody in this network namespace. */
MUST_CHECK int host_nft_generation(struct host_nft *n, uint32_t *out);

#endif
