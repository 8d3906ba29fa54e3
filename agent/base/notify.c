/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/value.h"
#include "agent/base/xalloc.h"

struct notify {
	struct sockaddr_un to;
	socklen_t to_len;
	int fd;
};

int notify_new(const char *where, struct notify **out)
{
	struct notify n = { .to = { .sun_family = AF_UNIX } };
	size_t len = where ? strlen(where) : 0;

	if (len == 0)
		return -ENOENT;
	if ((*where != '/' && *where != '@') || len == 1)
		return -EINVAL;
	if (len >= sizeof(n.to.sun_path))
		return -ENAMETOOLONG;
	memcpy(n.to.sun_path, where, len);
	/* An abstract name begins with a NUL and ends with the address, a path ends with a NUL. */
	n.to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (*where == '@')
		n.to.sun_path[0] = '\0';
	else
		n.to_len++;
	n.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n.fd < 0)
		return -errno;
	*out = xmalloc(sizeof(n));
	**out = n;
	return 0;
}

void notify_free(struct notify *n)
{
	if (!n)
		return;
	close(n->fd);
	free(n);
}

int notify_send(const struct notify *n, const char *text)
{
	/* By address each time: the supervisor may make its socket anew. */
	ssize_t sent = sendto(n->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
			      (const struct sockaddr *)&n->to, n->to_len);

	return sent < 0 ? -errno : 0;
}

int64_t notify_watchdog_ms(const char *usec, const char *watchdog_pid, pid_t pid)
{
	uint64_t us, meant;

	if (!usec || value_uint(usec, 1, INT64_MAX, &us) < 0)
		return 0;
	if (watchdog_pid &&
	    (value_uint(watchdog_pid, 1, INT32_MAX, &meant) < 0 || meant != (uint64_t)pid))
		return 0;
	return (int64_t)(us / 1000);
}
