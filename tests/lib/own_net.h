/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network namespace of the test's own, where every address of a prefix is this host. */
#ifndef TESTS_LIB_OWN_NET_H
#define TESTS_LIB_OWN_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"

/*
 * Enters one for good, as root or through a user namespace, with lo up and address/len (IPv4) on
 * it: the whole prefix is then local. False: not allowed here, and errno says why.
 */
MUST_CHECK bool own_net_enter(const char *address, unsigned len);
/*
 * An interface of Ethernet kind that is up there, as long as the descriptor is open; TUNSETCARRIER
 * is its cable. -1: not to be had.
 */
int own_net_tap(const char *name);
/* For programs that measure: a listener on that port of all addresses, or the program ends. */
int own_net_listen(uint16_t port);

#endif
