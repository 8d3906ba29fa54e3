/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may log in where, and when it is better not to: accounts by the names of
 * their Secrets, and for each server how many logins of ours broke off.
 *
 * A server that counts HC_LOGINS_BROKEN of them in a row is spared: one login
 * in HC_LOGINS_PAUSE_MS, and half-open probes in between. Those can tell that
 * it is gone, but not that it is well: who accepts connections may still be
 * hanging. A server that says our address is locked out is spared at once.
 */
#ifndef HEALTHCHECK_LOGINS_H
#define HEALTHCHECK_LOGINS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/check.h"
#include "agent/base/clock.h"
#include "healthcheck/account.h"
#include "healthcheck/probe.h"

#define HC_LOGINS_BROKEN   20 /* of the 100 that servers allow unless told otherwise */
#define HC_LOGINS_PAUSE_MS 60000

struct hc_logins;
struct hc_login; /* of one target */

MUST_CHECK struct hc_logins *hc_logins_new(void);
void hc_logins_free(struct hc_logins *l); /* after every hc_login */

/* Told anew, it replaces what was there; what runs goes on with the old. Wipes nothing of s. */
void hc_logins_put(struct hc_logins *l, const struct hc_secret *s);
/*
 * Commit forgets what was not put since the last begin and no target is for. What targets are for
 * stays until it is put again, or put as absent: core may know them before their Secrets.
 */
void hc_logins_begin(struct hc_logins *l);
void hc_logins_commit(struct hc_logins *l);

/* For a check with a secret. */
MUST_CHECK struct hc_login *hc_login_new(struct hc_logins *l, const struct check *c,
					 const struct endpoint *where);
void hc_login_free(struct hc_login *g); /* NULL is fine */

/* What the next probe is to log in with; NULL: half-open. A reference of the caller's. */
struct hc_account *hc_login_account(struct hc_login *g, mono_t now);
/* The probe is over: what came of it, seen with what is known of the server. */
struct hc_outcome hc_login_ended(struct hc_login *g, enum hc_login_end end, struct hc_outcome o,
				 mono_t now);

/* Something that a person should know, and was not told yet. False: nothing. */
MUST_CHECK bool hc_logins_notice(struct hc_logins *l, char *out, size_t size);

#endif
