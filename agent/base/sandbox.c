/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving privileges up. The order matters: what needs a privilege comes before
 * that privilege goes (limits and the bounding set, then groups, then the
 * user, then capabilities), and the filter comes last because it would
 * forbid all of it. What can be asked back is asked back at the end: a drop
 * that did not happen is worse than one that failed.
 */
#include "agent/base/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/sandbox_filter.h"

/* LeakSanitizer attaches to its own process as a debugger, which needs a dumpable one. */
#ifdef SANITIZED
#define DUMPABLE 1
#else
#define DUMPABLE 0
#endif

struct identity {
	uid_t uid;
	gid_t gid;
	bool changes; /* started as root, and told whom to become */
};

static void free_cap(cap_t *c)
{
	if (*c)
		cap_free(*c);
}

static bool holds(cap_t c, cap_value_t which, cap_flag_t set)
{
	cap_flag_value_t value;

	return cap_get_flag(c, which, set, &value) == 0 && value == CAP_SET;
}

static int find_identity(const struct sandbox *s, struct identity *out, struct err *err)
{
	struct identity id = { .uid = geteuid(), .gid = getegid() };
	const struct passwd *pw;
	const struct group *gr;

	if (id.uid != 0) { /* nothing to give up, and nothing to do it with */
		*out = id;
		return 0;
	}
	if (s->user) {
		pw = getpwnam(s->user);
		if (!pw)
			return err_set(err, -ENOENT,
				       "there is no user '%s': create it, or set `user`", s->user);
		id.uid = pw->pw_uid;
		id.gid = pw->pw_gid;
		id.changes = true;
	}
	if (s->group) {
		gr = getgrnam(s->group);
		if (!gr)
			return err_set(err, -ENOENT, "there is no group '%s'", s->group);
		id.gid = gr->gr_gid;
		id.changes = true;
	}
	*out = id;
	return 0;
}

static int limit_files(uint64_t max, struct err *err)
{
	struct rlimit wanted = { .rlim_cur = max, .rlim_max = max };
	struct rlimit now;

	if (max == 0 || setrlimit(RLIMIT_NOFILE, &wanted) == 0)
		return 0;
	/* Above the hard limit without CAP_SYS_RESOURCE: as many as there may be. */
	if (errno != EPERM || getrlimit(RLIMIT_NOFILE, &now) < 0)
		return err_set(err, -errno, "cannot limit open files to %llu: %s",
			       (unsigned long long)max, strerror(errno));
	now.rlim_cur = now.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &now) < 0)
		return err_set(err, -errno, "cannot raise the limit of open files: %s",
			       strerror(errno));
	return 0;
}

/*
 * What a program run by this process would be given: nothing. Roles run none, and
 * no_new_privs says the same again; so a container without CAP_SETPCAP loses nothing
 * where the bounding set stays.
 */
static int drop_inherited(struct err *err)
{
	CLEANUP(free_cap) cap_t now = cap_get_proc();

	if (!now)
		return err_set(err, -errno, "cannot read capabilities: %s", strerror(errno));
	if (CAP_AMBIENT_SUPPORTED() && cap_reset_ambient() < 0)
		return err_set(err, -errno, "cannot clear ambient capabilities: %s",
			       strerror(errno));
	if (!holds(now, CAP_SETPCAP, CAP_EFFECTIVE))
		return 0;
	for (cap_value_t c = 0; c < cap_max_bits(); c++) {
		if (cap_get_bound(c) == CAP_SET && cap_drop_bound(c) < 0)
			return err_set(err, -errno,
				       "cannot take capability %d out of the bounding set: %s", c,
				       strerror(errno));
	}
	return 0;
}

static int become(const struct identity *id, bool keep_capabilities, struct err *err)
{
	CLEANUP(free_cap) cap_t now = cap_get_proc();

	if (!now)
		return err_set(err, -errno, "cannot read capabilities: %s", strerror(errno));
	/* Supplementary groups are privileges too, of root's as well. */
	if ((id->changes || holds(now, CAP_SETGID, CAP_EFFECTIVE)) && setgroups(0, NULL) < 0)
		return err_set(err, -errno, "cannot leave supplementary groups: %s (CAP_SETGID)",
			       strerror(errno));
	if (!id->changes)
		return 0;
	if (keep_capabilities && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "PR_SET_KEEPCAPS: %s", strerror(errno));
	if (setresgid(id->gid, id->gid, id->gid) < 0)
		return err_set(err, -errno, "cannot change to group %u: %s (CAP_SETGID)",
			       (unsigned)id->gid, strerror(errno));
	if (setresuid(id->uid, id->uid, id->uid) < 0)
		return err_set(err, -errno, "cannot change to user %u: %s (CAP_SETUID)",
			       (unsigned)id->uid, strerror(errno));
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return err_set(err, -errno, "PR_SET_KEEPCAPS: %s", strerror(errno));
	return 0;
}

/* The set that a role has in the end: permitted and effective, never inheritable. */
static cap_t wanted_capabilities(const struct sandbox *s)
{
	cap_t c = cap_init();
	int n = (int)s->capability_count;

	if (!c || n == 0)
		return c;
	if (cap_set_flag(c, CAP_PERMITTED, n, s->capabilities, CAP_SET) < 0 ||
	    cap_set_flag(c, CAP_EFFECTIVE, n, s->capabilities, CAP_SET) < 0) {
		cap_free(c);
		return NULL;
	}
	return c;
}

static int missing_capability(cap_value_t which, struct err *err)
{
	char *name = cap_to_name(which);

	err_set(err, -EPERM,
		"%s is needed and not there: start as root, or with AmbientCapabilities= of "
		"systemd, or with `capabilities.add` of a container",
		name ? name : "a capability");
	cap_free(name);
	return -EPERM;
}

static int keep_capabilities(const struct sandbox *s, struct err *err)
{
	CLEANUP(free_cap) cap_t now = cap_get_proc();
	CLEANUP(free_cap) cap_t wanted = wanted_capabilities(s);

	if (!now || !wanted)
		return err_set(err, -errno, "cannot read capabilities: %s", strerror(errno));
	for (unsigned i = 0; i < s->capability_count; i++) {
		if (!holds(now, s->capabilities[i], CAP_PERMITTED))
			return missing_capability(s->capabilities[i], err);
	}
	if (cap_set_proc(wanted) < 0)
		return err_set(err, -errno, "cannot drop capabilities: %s", strerror(errno));
	return 0;
}

/* Changing the user cleared both: the parent-death signal must come back, "dumpable" must not. */
static int seal(int death_signal, pid_t parent, struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
	if (prctl(PR_SET_DUMPABLE, DUMPABLE, 0, 0, 0) < 0)
		return err_set(err, -errno, "PR_SET_DUMPABLE: %s", strerror(errno));
	if (death_signal == 0)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) < 0)
		return err_set(err, -errno, "PR_SET_PDEATHSIG: %s", strerror(errno));
	if (getppid() != parent)
		return err_set(err, -ESRCH, "the parent process has ended");
	return 0;
}

static int verify(const struct sandbox *s, const struct identity *id, struct err *err)
{
	CLEANUP(free_cap) cap_t now = cap_get_proc();
	CLEANUP(free_cap) cap_t wanted = wanted_capabilities(s);
	uid_t uid[3];
	gid_t gid[3];

	if (!now || !wanted || cap_compare(now, wanted) != 0)
		return err_set(err, -EPERM, "capabilities are not as they were set");
	if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0)
		return err_set(err, -errno, "cannot read user and group: %s", strerror(errno));
	for (int i = 0; id->changes && i < 3; i++) {
		if (uid[i] != id->uid || gid[i] != id->gid)
			return err_set(err, -EPERM, "user and group are not as they were set");
	}
	if ((id->uid != 0 && setresuid((uid_t)-1, 0, (uid_t)-1) == 0) ||
	    (id->gid != 0 && setresgid((gid_t)-1, 0, (gid_t)-1) == 0))
		return err_set(err, -EPERM, "root could be had back");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return err_set(err, -EPERM, "no_new_privs did not last");
	return 0;
}

int sandbox_enter(const struct sandbox *s, struct err *err)
{
	struct identity id = { 0 };
	pid_t parent = getppid();
	int death_signal = 0;
	int r;

	if (prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0) < 0)
		return err_set(err, -errno, "PR_GET_PDEATHSIG: %s", strerror(errno));
	tzset(); /* the first gmtime() would open /etc/localtime */

	r = find_identity(s, &id, err);
	if (r == 0)
		r = limit_files(s->max_files, err);
	if (r == 0)
		r = drop_inherited(err);
	if (r == 0)
		r = become(&id, s->capability_count > 0, err);
	if (r == 0)
		r = keep_capabilities(s, err);
	if (r == 0)
		r = seal(death_signal, parent, err);
	if (r == 0)
		r = verify(s, &id, err);
	if (r == 0)
		r = sandbox_filter_load(s->filter, err);
	return r;
}
