/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/place.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/xalloc.h"

int place_parents(const char *path)
{
	CLEANUP(xfree_ptr) char *copy = xstrdup(path);

	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

/* Then there is nothing to do, and root without CAP_DAC_OVERRIDE could not even open it. */
static bool is_private(const char *path, const struct passwd *owner)
{
	struct stat st;

	return owner && lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	       (st.st_mode & 07777) == 0700 && st.st_uid == owner->pw_uid &&
	       st.st_gid == owner->pw_gid;
}

/* No symbolic link: the place may be in the user's hands. */
int place_private(const char *path, const char *owner)
{
	const struct passwd *pw = geteuid() == 0 ? getpwnam(owner) : NULL;
	int fd, r = place_parents(path);

	if (r < 0)
		return r;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (is_private(path, pw))
		return 0;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0700) < 0 || (pw && fchown(fd, pw->pw_uid, pw->pw_gid) < 0))
		r = -errno;
	close(fd);
	return r;
}

static socklen_t sockaddr_of(const struct endpoint *e, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	out->ss_family = e->addr.family;
	if (e->addr.family == AF_INET) {
		v4->sin_port = htons(e->port);
		memcpy(&v4->sin_addr, e->addr.bytes, 4);
		return sizeof(*v4);
	}
	v6->sin6_port = htons(e->port);
	memcpy(&v6->sin6_addr, e->addr.bytes, 16);
	return sizeof(*v6);
}

int place_listen(const struct endpoint *e, int backlog)
{
	struct sockaddr_storage sa;
	socklen_t len = sockaddr_of(e, &sa);
	int fd = socket(e->addr.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;
	int r = 0;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, backlog) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}
