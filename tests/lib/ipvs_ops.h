/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands to IPVS as ipvsadm would be given them: -A -E -D and -a -e -d. */
#ifndef TESTS_LIB_IPVS_OPS_H
#define TESTS_LIB_IPVS_OPS_H

#include <stddef.h>

#include "agent/base/buf.h"
#include "ipvs/kernel.h"

void ipvs_ops_print(const struct ipvs_op *ops, size_t count, struct buf *out);

#endif
