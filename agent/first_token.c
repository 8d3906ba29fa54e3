/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/first_token.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/xalloc.h"
#include "agent/place.h"

static int become(const char *user)
{
	const struct passwd *pw = geteuid() == 0 ? getpwnam(user) : NULL;

	if (!pw)
		return 0;
	return setgroups(0, NULL) < 0 || setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0 ? -errno
											  : 0;
}

int first_token_make(const struct config *c, const char *name, char out[static TOKEN_TEXT + 1],
		     struct err *err)
{
	CLEANUP(xfree_ptr) char *path = xasprintf("%s/tokens", c->state_directory);
	struct problems faults = { 0 };
	struct tokens *tokens;
	int r = place_private(c->state_directory, c->user);

	if (r == 0)
		r = become(c->user);
	if (r < 0)
		return err_set(err, r, "stateDirectory %s: %s", c->state_directory, strerror(-r));
	tokens = tokens_open(path, &faults);
	if (faults.count)
		r = err_set(err, -EINVAL, "%s: %s", path, faults.items[0].text);
	else
		r = tokens_make(tokens, name, TOKEN_EDITOR, clock_wall_ms(&clock_system), out, err);
	tokens_free(tokens);
	problems_done(&faults);
	return r;
}
