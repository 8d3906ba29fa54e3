/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking neighbours for the VIPs of doctor.h, to learn who answers for them besides this host. */
#ifndef IPVS_DOCTOR_ASK_H
#define IPVS_DOCTOR_ASK_H

#include "ipvs/doctor.h"

/*
 * Each VIP once, on its interface, from nobody, so that no neighbour learns anything by it: by an ARP
 * probe (RFC 5227, section 2.1.1), or a solicitation as for duplicates (RFC 4862, section 5.4.2).
 * Waits half a second, and sets `answered` and `mac`. Without CAP_NET_RAW it does nothing.
 */
void doctor_ask(struct doctor_facts *f);

#endif
