/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/peer.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/base/buf.h"
#include "agent/base/file.h"

#define PASSWD_MAX (1 << 20)

struct peer peer_of(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int domain;
	socklen_t domain_len = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len) < 0 || domain != AF_UNIX ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return (struct peer){ 0 };
	return (struct peer){ .known = true, .uid = cred.uid, .gid = cred.gid, .pid = cred.pid };
}

#define GROUPS_MAX 1024 /* more than anybody is in; the kernel's bound is 65,536 */

static bool has_group(int fd, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

bool peer_may_write(int fd, const struct peer *p)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa) - 1; /* a NUL stays behind it */
	struct stat st;

	if (!p->known)
		return false;
	if (p->uid == 0)
		return true;
	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0 || !sa.sun_path[0] ||
	    stat(sa.sun_path, &st) < 0)
		return false;
	return p->uid == st.st_uid || p->gid == st.st_gid || has_group(fd, st.st_gid);
}

/* "name:x:uid:..." of that uid? */
static bool is_line_of(const char *line, size_t len, uid_t uid)
{
	const char *end = line + len, *field = memchr(line, ':', len);
	char text[24];
	size_t n;

	field = field ? memchr(field + 1, ':', (size_t)(end - field - 1)) : NULL;
	if (!field)
		return false;
	n = (size_t)snprintf(text, sizeof(text), ":%u:", uid);
	return (size_t)(end - field) >= n && memcmp(field, text, n) == 0;
}

const char *peer_user(const struct peer *p, const char *passwd, char out[static PEER_NAME_MAX])
{
	CLEANUP(buf_done) struct buf text = { 0 };

	snprintf(out, PEER_NAME_MAX, "%u", p->uid);
	if (file_read(passwd, PASSWD_MAX, &text, NULL) < 0)
		return out;
	for (const char *line = buf_cstr(&text); *line;) {
		size_t len = strcspn(line, "\n"), name = strcspn(line, ":\n");

		if (is_line_of(line, len, p->uid) && name > 0 && name < PEER_NAME_MAX) {
			snprintf(out, PEER_NAME_MAX, "%.*s", (int)name, line);
			return out;
		}
		line += len + (line[len] == '\n');
	}
	return out;
}
