/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filters helper|server|netlink|core: what a system call filter allows, or, for core's, what it
 * does not, one call a line, with the arguments where it depends on them.
 *
 * It runs the filter's own program, the one that the kernel would, so that nothing can be allowed
 * that is not in the list. Whether arguments matter is found by following both ways of each
 * comparison with one; of those calls every combination below is tried. One that is
 * not below is an error: whoever makes a call depend on its arguments says on which.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/sandbox_filter.h"

#define PROGRAM_MAX 4096
#define CALL_MAX    1024       /* numbers are below 600 in 2026 */
#define X32_BIT	    0x40000000 /* __X32_SYSCALL_BIT */
#define UPPER_HALF  (UINT64_C(1) << 32)
#define TEXT_MAX    256
#define ARGS_MAX    3

struct program {
	struct sock_filter code[PROGRAM_MAX];
	size_t length;
};

NORETURN static void give_up(const char *why, unsigned long long what)
{
	fprintf(stderr, "filters: %s: %llu\n", why, what);
	exit(1);
}

/* --- running it --------------------------------------------------------------------- */

static uint32_t load(const struct seccomp_data *d, uint32_t offset)
{
	uint32_t word;

	if (offset % 4 || offset > sizeof(*d) - 4)
		give_up("a load from", offset);
	memcpy(&word, (const char *)d + offset, 4);
	return word;
}

static bool holds(const struct sock_filter *i, uint32_t a)
{
	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return a == i->k;
	case BPF_JGT:
		return a > i->k;
	case BPF_JGE:
		return a >= i->k;
	case BPF_JSET:
		return a & i->k;
	default:
		give_up("a jump of code", i->code);
	}
}

/*
 * What the filter answers from instruction `at` on. With `actions` arguments are unknown: every answer
 * that can come of them is added there, and the returned one means nothing.
 */
static uint32_t run(const struct program *p, size_t at, uint32_t a, bool a_known,
		    const struct seccomp_data *d, unsigned *actions)
{
	for (; at < p->length; at++) {
		const struct sock_filter *i = &p->code[at];

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			a = load(d, i->k);
			a_known = !actions || i->k < offsetof(struct seccomp_data, args);
			break;
		case BPF_ALU:
			if (BPF_OP(i->code) != BPF_AND)
				give_up("arithmetic of code", i->code);
			a &= i->k;
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_JA) {
				at += i->k;
			} else if (a_known) {
				at += holds(i, a) ? i->jt : i->jf;
			} else {
				run(p, at + 1 + i->jt, a, false, d, actions);
				at += i->jf;
			}
			break;
		case BPF_RET:
			if (actions)
				*actions |= i->k == SECCOMP_RET_ALLOW ? 1 : 2;
			return i->k;
		default:
			give_up("an instruction of code", i->code);
		}
	}
	give_up("no answer at", at);
}

static bool is_allowed(const struct program *p, const struct seccomp_data *d)
{
	return run(p, 0, 0, true, d, NULL) == SECCOMP_RET_ALLOW;
}

/* --- arguments that calls depend on ------------------------------------------------------ */

struct value {
	uint64_t value;
	const char *name;
};

#define V(x)            \
	{               \
		(x), #x \
	}
#define END_OF_VALUES   \
	{               \
		0, NULL \
	}

static const struct value families[] = { V(AF_UNSPEC),
					 V(AF_UNIX),
					 V(AF_INET),
					 V(AF_INET6),
					 V(AF_NETLINK),
					 V(AF_PACKET),
					 V(AF_KEY),
					 V(AF_ALG),
					 V(AF_CAN),
					 V(AF_BLUETOOTH),
					 V(AF_RDS),
					 V(AF_TIPC),
					 V(AF_VSOCK),
					 V(AF_XDP),
					 V(AF_KCM),
					 V(AF_SMC),
					 { UPPER_HALF | AF_INET, "AF_INET+2^32" },
					 END_OF_VALUES };
static const struct value types[] = { V(SOCK_STREAM), V(SOCK_DGRAM),	 V(SOCK_RAW),
				      V(SOCK_RDM),    V(SOCK_SEQPACKET), V(SOCK_DCCP),
				      V(SOCK_PACKET), END_OF_VALUES };
static const struct value protocols[] = { { 0, "0" },
					  V(NETLINK_GENERIC),
					  V(NETLINK_NETFILTER),
					  { 132, "132" }, /* SCTP; no netlink has it */
					  END_OF_VALUES };
static const struct value access_rights[] = {
	V(PROT_NONE),
	V(PROT_READ),
	V(PROT_WRITE),
	V(PROT_READ | PROT_WRITE),
	V(PROT_EXEC),
	V(PROT_READ | PROT_EXEC),
	V(PROT_WRITE | PROT_EXEC),
	V(PROT_READ | PROT_WRITE | PROT_EXEC),
	END_OF_VALUES,
};
static const struct value commands[] = {
	V(F_DUPFD),	    V(F_GETFD),	     V(F_SETFD),     V(F_GETFL),    V(F_SETFL),
	V(F_GETLK),	    V(F_SETLK),	     V(F_SETLKW),    V(F_SETOWN),   V(F_GETOWN),
	V(F_SETSIG),	    V(F_SETOWN_EX),  V(F_OFD_SETLK), V(F_SETLEASE), V(F_NOTIFY),
	V(F_DUPFD_CLOEXEC), V(F_SETPIPE_SZ), V(F_ADD_SEALS), END_OF_VALUES
};
static const struct value requests[] = { V(FIONREAD),
					 V(FIONBIO),
					 V(FIOASYNC),
					 V(TIOCOUTQ),
					 V(TCGETS),
					 V(TCSETS),
					 V(TIOCSTI),
					 { 0x541c, "TIOCLINUX" },
					 V(TIOCGWINSZ),
					 { 0x8910, "SIOCGIFNAME" },
					 { 0x8912, "SIOCGIFCONF" },
					 { 0x8913, "SIOCGIFFLAGS" },
					 { 0x8914, "SIOCSIFFLAGS" },
					 { 0x8927, "SIOCGIFHWADDR" },
					 { 0x8933, "SIOCGIFINDEX" },
					 { 0x8946, "SIOCETHTOOL" },
					 { 0x400454ca, "TUNSETIFF" },
					 END_OF_VALUES };
static const struct value clone_flags[] = { { 0, "0" },	     V(CLONE_VM),	 V(CLONE_THREAD),
					    V(CLONE_NEWNS),  V(CLONE_NEWCGROUP), V(CLONE_NEWUTS),
					    V(CLONE_NEWIPC), V(CLONE_NEWUSER),	 V(CLONE_NEWPID),
					    V(CLONE_NEWNET), END_OF_VALUES };
static struct value processes[] = { { 0, "0" }, { 1, "1" }, { 0, "itself" }, END_OF_VALUES };

/* Which arguments a call may depend on, and what is tried; the others are 0. */
static const struct {
	const char *call;
	unsigned first; /* the number of the first of them */
	const struct value *values[ARGS_MAX];
} dependent[] = {
	{ "socket", 0, { families, types, protocols } },
	{ "mmap", 2, { access_rights } },
	{ "mprotect", 2, { access_rights } },
	{ "fcntl", 1, { commands } },
	{ "ioctl", 1, { requests } },
	{ "prlimit64", 0, { processes } },
	{ "tgkill", 0, { processes } },
	{ "clone", 0, { clone_flags } },
};

/* Those of the combinations from argument `arg` on that are allowed, and all of them. */
struct tally {
	unsigned allowed, tried;
};

static const struct value *values_of(size_t which, unsigned arg)
{
	return arg < ARGS_MAX ? dependent[which].values[arg] : NULL;
}

static struct tally try_all(const struct program *p, struct seccomp_data *d, size_t which,
			    unsigned arg)
{
	const struct value *v = values_of(which, arg);
	struct tally sum = { 0 };

	if (!v)
		return (struct tally){ is_allowed(p, d), 1 };
	for (; v->name; v++) {
		struct tally some;

		d->args[dependent[which].first + arg] = v->value;
		some = try_all(p, d, which, arg + 1);
		sum.allowed += some.allowed;
		sum.tried += some.tried;
	}
	d->args[dependent[which].first + arg] = 0;
	return sum;
}

/* One line for all that begin alike and end alike. */
static void tell_dependent(const struct program *p, struct seccomp_data *d, size_t which,
			   unsigned arg, const char *text, bool allowed)
{
	const struct tally sum = try_all(p, d, which, arg);
	const struct value *v = values_of(which, arg);
	char longer[TEXT_MAX];

	if (allowed ? sum.allowed == 0 : sum.allowed == sum.tried)
		return;
	if (allowed ? sum.allowed == sum.tried : sum.allowed == 0) {
		printf("%s(%s%s)\n", dependent[which].call, text, v ? ", ..." : "");
		return;
	}
	for (; v && v->name; v++) {
		snprintf(longer, sizeof(longer), "%s%s%s", text, arg ? ", " : "", v->name);
		d->args[dependent[which].first + arg] = v->value;
		tell_dependent(p, d, which, arg + 1, longer, allowed);
	}
	d->args[dependent[which].first + arg] = 0;
}

static void tell_call(const struct program *p, struct seccomp_data *d, bool allowed)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, d->nr);
	unsigned actions = 0;
	size_t i = 0;

	run(p, 0, 0, true, d, &actions);
	if (actions == 3) {
		while (i < ARRAY_LEN(dependent) && (!name || strcmp(dependent[i].call, name) != 0))
			i++;
		if (i == ARRAY_LEN(dependent))
			give_up("it depends on its arguments, and on which is not said: call",
				(unsigned)d->nr);
		tell_dependent(p, d, i, 0, "", allowed);
	} else if (actions == (allowed ? 1 : 2)) {
		if (name)
			printf("%s\n", name);
		else
			printf("%d\n", d->nr);
	}
	free(name);
}

/* --- which it is about -------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum sandbox_filter filter;
} known[] = {
	{ "helper", SANDBOX_FILTER_HELPER },
	{ "server", SANDBOX_FILTER_SERVER },
	{ "netlink", SANDBOX_FILTER_NETLINK },
	{ "core", SANDBOX_FILTER_CORE },
};

static void read_program(enum sandbox_filter filter, struct program *out)
{
	int fd = memfd_create("filter", 0);
	ssize_t n;

	if (fd < 0 || sandbox_filter_write(filter, fd) < 0)
		give_up("no filter", filter);
	n = pread(fd, out->code, sizeof(out->code), 0);
	close(fd);
	if (n <= 0 || n == sizeof(out->code))
		give_up("a filter of bytes", (unsigned long long)n);
	out->length = (size_t)n / sizeof(out->code[0]);
}

static void tell_other(const struct program *p, const char *what, uint32_t arch, int nr)
{
	const struct seccomp_data d = { .arch = arch, .nr = nr };

	printf("# %s: %s\n", what, is_allowed(p, &d) ? "allowed" : "not allowed");
}

int main(int argc, char **argv)
{
	struct program p;
	struct seccomp_data d = { .arch = seccomp_arch_native() };
	size_t i = 0;
	bool is_core;

	while (argc == 2 && i < ARRAY_LEN(known) && strcmp(argv[1], known[i].name) != 0)
		i++;
	if (argc != 2 || i == ARRAY_LEN(known)) {
		fprintf(stderr, "usage: filters helper|server|netlink|core\n");
		return 2;
	}
	processes[2].value = (uint64_t)getpid();
	read_program(known[i].filter, &p);
	is_core = known[i].filter == SANDBOX_FILTER_CORE;
	printf("# %s\n", is_core ? "not allowed, all else is" : "allowed, nothing else is");
	tell_other(&p, "any call of 32 bits (i386)", AUDIT_ARCH_I386, 4);
	tell_other(&p, "any call of x32", d.arch, X32_BIT + 1);
	for (d.nr = 0; d.nr < CALL_MAX; d.nr++)
		tell_call(&p, &d, !is_core);
	return 0;
}
