/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is at the other end of a connection: on a unix socket the kernel knows.
 */
#ifndef AGENT_API_PEER_H
#define AGENT_API_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#include "agent/base/attr.h"

#define PEER_NAME_MAX 64

struct peer {
	bool known; /* false: a TCP connection, or the kernel does not tell */
	uid_t uid;
	gid_t gid;
	pid_t pid; /* 0: of another PID namespace */
};

/* Of a connected socket. */
struct peer peer_of(int fd);
/*
 * May it write? Root may, the owner of the socket's file, and who is in its group, be that his
 * own or one of his others. The file is found by the socket's own name; nobody else may where it
 * is gone. False over TCP.
 */
bool peer_may_write(int fd, const struct peer *p);
/*
 * Its user's name by `passwd` ("/etc/passwd"), its number where that has none; no name service is
 * asked, for that may take seconds. Reads the file, 1 MiB at most. Returns out.
 */
const char *peer_user(const struct peer *p, const char *passwd, char out[static PEER_NAME_MAX]);

#endif
