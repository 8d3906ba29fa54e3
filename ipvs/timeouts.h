/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long IPVS keeps a connection on which nothing passes, for all services of
 * the network namespace alike (struct ip_vs_timeout_user, `ipvsadm --set`). What
 * is set holds from a connection's next packet on.
 */
#ifndef IPVS_TIMEOUTS_H
#define IPVS_TIMEOUTS_H

#include <stdbool.h>
#include <stdint.h>

#define IPVS_TIMEOUT_MAX 2592000 /* seconds: 30 days */

/* Seconds; of what is wanted 0 means: as it is. */
struct ipvs_timeouts {
	uint32_t tcp; /* established; the kernel's own is 900 */
	uint32_t fin; /* after the first FIN; 120 */
	uint32_t udp; /* 300 */
};

struct ipvs_role;
/*
 * Reads them, and sets those that differ from what is configured. At the start, and with each
 * `audit`: then it was somebody else, which is told and counted as a repair.
 */
void ipvs_timeouts_check(struct ipvs_role *r, bool audit);

#endif
