/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libnftables, opened for one transaction at a time and closed again: its context keeps a copy of
 * every table of the host. Blocks; never logs.
 */
#ifndef IPVS_HOST_NFTABLES_H
#define IPVS_HOST_NFTABLES_H

#include <stdbool.h>

#include "agent/base/attr.h"
#include "agent/base/err.h"

/* Run commands; *out_text, if asked for, gets what they print and is the caller's. */
MUST_CHECK int host_nftables_run(const char *commands, char **out_text, struct err *err);
/* Equal but for white space at the beginning of lines and empty lines? */
bool host_nftables_same(const char *a, const char *b);

#endif
