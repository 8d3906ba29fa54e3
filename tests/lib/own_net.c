/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/own_net.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct ifreq request(const char *name, uint32_t address)
{
	struct ifreq r = { .ifr_addr.sa_family = AF_INET };

	strncpy(r.ifr_name, name, sizeof(r.ifr_name) - 1);
	memcpy(r.ifr_addr.sa_data + 2, &address, sizeof(address)); /* sin_addr */
	return r;
}

static bool set_up(int fd, const char *address, unsigned len)
{
	struct ifreq r = request("lo", 0);
	uint32_t mask = htonl(len ? ~0u << (32 - len) : 0);

	r.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &r) < 0)
		return false;
	r = request("lo:1", inet_addr(address));
	if (ioctl(fd, SIOCSIFADDR, &r) < 0)
		return false;
	r = request("lo:1", mask);
	return ioctl(fd, SIOCSIFNETMASK, &r) == 0;
}

bool own_net_enter(const char *address, unsigned len)
{
	bool ok;
	int fd;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	ok = set_up(fd, address, len);
	close(fd);
	return ok;
}

static bool make_tap(int tun, int fd, const char *name)
{
	struct ifreq r = request(name, 0);

	r.ifr_flags = IFF_TAP | IFF_NO_PI;
	if (ioctl(tun, TUNSETIFF, &r) < 0)
		return false;
	r.ifr_flags = IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &r) == 0;
}

int own_net_tap(const char *name)
{
	int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok = tun >= 0 && fd >= 0 && make_tap(tun, fd, name);

	if (fd >= 0)
		close(fd);
	if (ok || tun < 0)
		return tun;
	close(tun);
	return -1;
}

int own_net_listen(uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 || listen(fd, 4096) < 0)
		err(1, "listen");
	return fd;
}
