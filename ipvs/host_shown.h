/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An nftables table of the family inet that is text as a whole: it is compared with what it should be
 * and, where it differs, replaced in one transaction.
 *
 * The text is as nftables 1.0.6 prints it. Another version may print it in other words: what it
 * printed when the table was made is what it is compared with from then on. Blocks; never logs.
 */
#ifndef IPVS_HOST_SHOWN_H
#define IPVS_HOST_SHOWN_H

#include <stdbool.h>

#include "agent/base/attr.h"
#include "agent/base/err.h"

struct host_shown;

/* `name` must outlive it. */
MUST_CHECK int host_shown_open(const char *name, struct host_shown **out, struct err *err);
void host_shown_close(struct host_shown *s); /* NULL is fine */

/* What is printed of it, the caller's; "" where there is no table. */
MUST_CHECK int host_shown_list(struct host_shown *s, char **out, struct err *err);
/* Was that printed of a table of this text? */
bool host_shown_is(const struct host_shown *s, const char *listed, const char *text);
/* It is to be that; "": there is to be none. */
MUST_CHECK int host_shown_make(struct host_shown *s, const char *text, bool *out_wrote,
			       struct err *err);
MUST_CHECK int host_shown_delete(struct host_shown *s, bool *out_existed, struct err *err);

#endif
