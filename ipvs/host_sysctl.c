/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_sysctl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/err.h"
#include "agent/base/file.h"
#include "agent/base/xalloc.h"

/* --- what --- */

static bool always(const struct host_sysctl_facts *f)
{
	(void)f;
	return true;
}

static bool if_masquerade(const struct host_sysctl_facts *f)
{
	return f->masquerade;
}

static bool if_ipv4(const struct host_sysctl_facts *f)
{
	return f->ipv4;
}

static bool if_ipv6(const struct host_sysctl_facts *f)
{
	return f->ipv6;
}

static bool if_large(const struct host_sysctl_facts *f)
{
	return f->frontends >= HOST_LARGE;
}

#define ANY_KERNEL UINT32_MAX

#define EXPIRE_NODEST 0 /* where it is in there */

static const struct choice {
	struct host_sysctl sysctl;
	uint32_t since;	 /* this kernel and later */
	uint32_t before; /* but not this one */
	bool (*when)(const struct host_sysctl_facts *f);
} choices[] = {
	[EXPIRE_NODEST] = { { "net.ipv4.vs.expire_nodest_conn", 1,
			      "clients of a removed server are told at once instead of hanging" },
			    0,
			    ANY_KERNEL,
			    always },
	{ { "net.ipv4.vs.expire_quiescent_template", 1,
	    "persistent clients of a server that is out go to another one" },
	  0,
	  ANY_KERNEL,
	  always },
	{ { "net.ipv4.vs.conn_reuse_mode", 1,
	    "a new connection from a port used before must not go to a server that is out" },
	  KERNEL_VERSION_OF(5, 9),
	  ANY_KERNEL,
	  always },
	/* Before 5.9 such a connection loses its first packet and a second with it. */
	{ { "net.ipv4.vs.conn_reuse_mode", 0,
	    "before Linux 5.9 the other mode delays connections from ports used before by 1 s" },
	  0,
	  KERNEL_VERSION_OF(5, 9),
	  if_masquerade },
	{ { "net.ipv4.vs.conntrack", 1, "masquerading needs the connection tracking of IPVS" },
	  0,
	  ANY_KERNEL,
	  if_masquerade },
	/* One timer walks every counter of every CPU, on one CPU with interrupts waiting. */
	{ { "net.ipv4.vs.run_estimation", 0,
	    "before Linux 6.2 counting rates stalls packets when there are many services" },
	  0,
	  KERNEL_VERSION_OF(6, 2),
	  if_large },
	{ { "net.ipv4.vs.est_nice", 10, "counting rates must not take time from packets" },
	  KERNEL_VERSION_OF(6, 2),
	  ANY_KERNEL,
	  always },
	{ { "net.ipv4.ip_forward", 1, "answers of real servers are forwarded to clients" },
	  0,
	  ANY_KERNEL,
	  if_ipv4 },
	{ { "net.ipv6.conf.all.forwarding", 1, "answers of real servers are forwarded to clients" },
	  0,
	  ANY_KERNEL,
	  if_ipv6 },
};
_Static_assert(ARRAY_LEN(choices) <= HOST_SYSCTLS_MAX, "HOST_SYSCTLS_MAX");

uint32_t host_kernel_version(const char *release)
{
	unsigned major;
	unsigned minor;

	if (sscanf(release, "%4u.%4u", &major, &minor) != 2)
		return 0;
	return KERNEL_VERSION_OF(major, minor);
}

static bool is_wanted(const struct choice *c, const struct host_sysctl_facts *f)
{
	return f->kernel >= c->since && f->kernel < c->before && c->when(f);
}

size_t host_sysctls_wanted(const struct host_sysctl_facts *f, const struct host_sysctl **out)
{
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		if (is_wanted(&choices[i], f))
			out[count++] = &choices[i].sysctl;
	}
	return count;
}

/* --- how --- */

#define HINTS_MAX 3

struct host_sysctls {
	const char *root;
	host_sysctl_event_fn *event;
	void *arg;
	bool is_right[ARRAY_LEN(choices)]; /* when it was last read or set */
	bool complained[ARRAY_LEN(choices)];
	bool hinted[HINTS_MAX];
	bool told_advertised;
	bool told_answer;
	long held; /* what EXPIRE_NODEST is set back to; 0: it need not be */
};

struct host_sysctls *host_sysctls_new(const char *root, host_sysctl_event_fn *event, void *arg)
{
	struct host_sysctls *s = xcalloc(1, sizeof(*s));

	s->root = root;
	s->event = event;
	s->arg = arg;
	return s;
}

void host_sysctls_free(struct host_sysctls *s)
{
	free(s);
}

static void tell(struct host_sysctls *s, enum log_level level, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
static void tell(struct host_sysctls *s, enum log_level level, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->event(s->arg, level, text);
}

static void path_of(const char *root, const char *name, char out[static PATH_MAX])
{
	int len = snprintf(out, PATH_MAX, "%s/", root);

	snprintf(out + len, (size_t)(PATH_MAX - len), "%s", name);
	for (char *p = out + len; *p; p++) {
		if (*p == '.')
			*p = '/';
	}
}

static int read_number(const char *path, long *out)
{
	struct buf text = { 0 };
	struct err why = { 0 };
	int r = file_read(path, 64, &text, &why);
	char *end;
	long value;

	if (r < 0) {
		buf_done(&text);
		return r;
	}
	value = strtol(buf_cstr(&text), &end, 10);
	r = *end == '\n' || *end == '\0' ? 0 : -EINVAL;
	buf_done(&text);
	if (r == 0)
		*out = value;
	return r;
}

int host_sysctl_read(const char *root, const char *name, long *out)
{
	char path[PATH_MAX];

	path_of(root, name, path);
	return read_number(path, out);
}

/* In place, as a sysctl must be written. */
static int write_number(const char *path, long value)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%ld\n", value);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)len) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* True if it was set. */
static bool apply(struct host_sysctls *s, size_t i)
{
	const struct host_sysctl *want = &choices[i].sysctl;
	char path[PATH_MAX];
	long before;
	int r;

	path_of(s->root, want->name, path);
	r = read_number(path, &before);
	if (r == 0 && before != want->value) {
		r = write_number(path, want->value);
		if (r == 0) {
			tell(s, LOG_LEVEL_INFO, "%s set from %ld to %ld: %s", want->name, before,
			     want->value, want->why);
			s->is_right[i] = true;
			return true;
		}
	}
	s->is_right[i] = r == 0;
	if (r < 0 && !s->complained[i]) {
		s->complained[i] = true;
		tell(s, LOG_LEVEL_WARNING, "%s cannot be set to %ld (%s): %s", want->name,
		     want->value, strerror(-r), want->why);
	}
	return false;
}

unsigned host_sysctls_apply(struct host_sysctls *s, const struct host_sysctl_facts *f, bool again)
{
	unsigned count = 0;

	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		if (!is_wanted(&choices[i], f) || (!again && (s->is_right[i] || s->complained[i])))
			continue;
		count += apply(s, i);
	}
	return count;
}

/* Not path_of(): the name of an interface may hold a dot. */
static unsigned answer_by(struct host_sysctls *s, const char *interface, const char *tree,
			  const char *setting, long value)
{
	char path[PATH_MAX];
	long before;
	int r;

	snprintf(path, sizeof(path), "%s/net/ipv6/%s/%s/%s", s->root, tree, interface, setting);
	r = read_number(path, &before);
	if (r == 0 && before != value) {
		r = write_number(path, value);
		if (r == 0) {
			tell(s, LOG_LEVEL_INFO,
			     "net.ipv6.%s.%s.%s set from %ld to %ld: neighbours that ask for IPv6 "
			     "VIPs are answered",
			     tree, interface, setting, before, value);
			return 1;
		}
	}
	if (r < 0 && !s->told_answer)
		tell(s, LOG_LEVEL_WARNING,
		     "net.ipv6.%s.%s.%s cannot be set to %ld (%s): neighbours that ask for IPv6 "
		     "VIPs are not answered, or late",
		     tree, interface, setting, value, strerror(-r));
	s->told_answer |= r < 0;
	return 0;
}

unsigned host_sysctls_answer(struct host_sysctls *s, const char *interface)
{
	unsigned count = 0;
	long all;

	/* Either will do (ndisc_recv_ns()). */
	if (host_sysctl_read(s->root, "net.ipv6.conf.all.proxy_ndp", &all) < 0 || all == 0)
		count += answer_by(s, interface, "conf", "proxy_ndp", 1);
	return count + answer_by(s, interface, "neigh", "proxy_delay", 0);
}

int host_sysctls_hold_connections(struct host_sysctls *s, bool hold, unsigned *out_written)
{
	char path[PATH_MAX];
	int r = 0;

	*out_written = 0;
	path_of(s->root, choices[EXPIRE_NODEST].sysctl.name, path);
	if (hold)
		r = read_number(path, &s->held);
	if (r < 0 || s->held == 0)
		return r;
	r = write_number(path, hold ? 0 : s->held);
	*out_written = r == 0;
	if (!hold && r < 0)
		s->is_right[EXPIRE_NODEST] = s->complained[EXPIRE_NODEST] = false;
	if (!hold || r < 0)
		s->held = 0;
	return r;
}

/* --- hints --- */

bool host_sysctls_forwarding_hurts(struct host_sysctls *s, const char *interface)
{
	char path[PATH_MAX];
	long value;

	path_of(s->root, "net.ipv6.conf.all.forwarding", path);
	if (read_number(path, &value) == 0 && value != 0)
		return false;
	/* Not path_of(): the name of an interface may hold a dot. */
	snprintf(path, sizeof(path), "%s/net/ipv6/conf/%s/accept_ra", s->root, interface);
	if (read_number(path, &value) == 0 && value == 2)
		return false;
	if (!s->told_advertised)
		tell(s, LOG_LEVEL_WARNING,
		     "net.ipv6.conf.all.forwarding stays 0: this host's default route came by "
		     "router advertisement and would be lost; set net.ipv6.conf.%s.accept_ra to 2",
		     interface);
	s->told_advertised = true;
	return true;
}

/* The first interface whose setting has this value; "all" and "default" count as well. */
static bool find_interface(const struct host_sysctls *s, const char *family, const char *setting,
			   long value, char out[static NAME_MAX + 1])
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;
	long is;

	snprintf(path, sizeof(path), "%s/net/%s/conf", s->root, family);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/net/%s/conf/%s/%s", s->root, family, entry->d_name,
			 setting);
		found = read_number(path, &is) == 0 && is == value;
		if (found)
			snprintf(out, NAME_MAX + 1, "%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

void host_sysctls_hints(struct host_sysctls *s, const struct host_sysctl_facts *f)
{
	char name[NAME_MAX + 1];
	long bits;

	if (f->ipv4 && !s->hinted[0]) {
		s->hinted[0] = true;
		if (find_interface(s, "ipv4", "rp_filter", 1, name))
			tell(s, LOG_LEVEL_INFO,
			     "net.ipv4.conf.%s.rp_filter is 1: packets of clients that arrive by "
			     "another way than answers take are dropped (2 allows them)",
			     name);
	}
	if (f->ipv4 && !s->hinted[1]) {
		s->hinted[1] = true;
		if (find_interface(s, "ipv4", "arp_ignore", 1, name))
			tell(s, LOG_LEVEL_INFO,
			     "net.ipv4.conf.%s.arp_ignore is 1: ARP requests for VIPs are not "
			     "answered, they must be routed here",
			     name);
	}
	if (f->frontends && !s->hinted[2]) {
		s->hinted[2] = true;
		if (read_number("/sys/module/ip_vs/parameters/conn_tab_bits", &bits) == 0 &&
		    bits <= 12)
			tell(s, LOG_LEVEL_INFO,
			     "the IPVS connection table has %ld buckets: for many connections put "
			     "\"options ip_vs conn_tab_bits=20\" into /etc/modprobe.d",
			     1L << bits);
	}
}
