/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System call filters.
 *
 * The helpers (they read what strangers send) have lists of what they may do,
 * and anything else kills the process: it can only be a bug or an attack, and
 * the parent starts a fresh one. Core has a list of what it may not do,
 * answered by EPERM: it links libraries whose calls change with their versions.
 *
 * The kernel compares arguments as 64 bits but most calls use 32 of them: an
 * allowed value is compared in full, a denied one with the upper half masked
 * away, so that junk up there never opens anything.
 */
#include "agent/base/sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sanitizers and coverage make calls of their own (at exit: open, write, ptrace). */
#ifdef SANITIZED
#define FILTERS_SUIT_BUILD false
#else
#define FILTERS_SUIT_BUILD true
#endif

#define LOW_32	  0xffffffffu
#define TYPE_MASK 0xfu /* SOCK_TYPE_MASK: below SOCK_NONBLOCK and SOCK_CLOEXEC */

bool sandbox_filter_available(void)
{
	const uint32_t action = SECCOMP_RET_KILL_PROCESS;

	/* Refused by kernels without it, some containers, and valgrind. */
	return FILTERS_SUIT_BUILD &&
	       syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static void free_filter(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

/*
 * The first failure stays in *r and makes the rest do nothing. A call that
 * this architecture does not have is left out by the library.
 */
static void add(int *r, scmp_filter_ctx ctx, uint32_t action, int call)
{
	if (*r == 0)
		*r = seccomp_rule_add(ctx, action, call, 0);
}

static void add_all(int *r, scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add(r, ctx, action, calls[i]);
}

static void add_if(int *r, scmp_filter_ctx ctx, uint32_t action, int call,
		   struct scmp_arg_cmp condition)
{
	if (*r == 0)
		*r = seccomp_rule_add_array(ctx, action, call, 1, &condition);
}

static void add_if_both(int *r, scmp_filter_ctx ctx, uint32_t action, int call,
			struct scmp_arg_cmp first, struct scmp_arg_cmp second)
{
	const struct scmp_arg_cmp both[] = { first, second };

	if (*r == 0)
		*r = seccomp_rule_add_array(ctx, action, call, 2, both);
}

static struct scmp_arg_cmp is(unsigned arg, uint64_t value)
{
	return (struct scmp_arg_cmp){ .arg = arg, .op = SCMP_CMP_EQ, .datum_a = value };
}

static struct scmp_arg_cmp is_masked(unsigned arg, uint64_t mask, uint64_t value)
{
	return (struct scmp_arg_cmp){
		.arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value
	};
}

/* --- helpers: what they may do ------------------------------------------------- */

/* The event loop, open sockets, memory, the clock, and an orderly or disorderly end. */
static const int helper_calls[] = {
	/* descriptors that are open */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), /* how glibc does fstat() */
	SCMP_SYS(dup),
	/* sockets */
	SCMP_SYS(shutdown),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	/* waiting */
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(eventfd2),
	SCMP_SYS(signalfd4),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
	/* time: mostly in the vDSO, but not with every clock source */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	/* memory (mmap and mprotect: below) */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(mlock), /* passwords */
	SCMP_SYS(madvise),
	/* signals and the end */
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	/* about itself */
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getppid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getrusage),
	SCMP_SYS(getrandom),
	SCMP_SYS(uname),
};

/* Of who opens sockets of its own. */
static const int opener_calls[] = {
	SCMP_SYS(connect),
	SCMP_SYS(bind),
};

/* Name look-ups by libnftables and libc (/etc/iproute2, /etc/services), /proc/sys, /proc/net. */
static const int netlink_calls[] = {
	SCMP_SYS(openat),
	SCMP_SYS(open),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(statx),
	SCMP_SYS(statfs),
	SCMP_SYS(fstatfs),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(sysinfo),
	SCMP_SYS(sched_getaffinity),
};

static void allow_of_this_process(int *r, scmp_filter_ctx ctx)
{
	static const int commands[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC };
	static const unsigned long requests[] = { FIONREAD, FIONBIO, TIOCOUTQ, TCGETS };

	/* abort() signals itself; nobody else. */
	add_if(r, ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), is(0, (uint64_t)getpid()));
	/* getrlimit() and setrlimit() of itself. */
	add_if(r, ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), is(0, 0));
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		add_if(r, ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), is(1, (uint64_t)commands[i]));
	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		add_if(r, ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), is(1, requests[i]));
}

static void allow_memory(int *r, scmp_filter_ctx ctx, bool libraries)
{
	const uint64_t access = PROT_READ | PROT_WRITE | PROT_EXEC;

	/* Data. */
	add_if(r, ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), is_masked(2, PROT_EXEC, 0));
	add_if(r, ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), is_masked(2, PROT_EXEC, 0));
	/* Code that nobody can write: name services are libraries loaded on first use. */
	if (libraries)
		add_if(r, ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap),
		       is_masked(2, access, PROT_READ | PROT_EXEC));
}

static void allow_probe_sockets(int *r, scmp_filter_ctx ctx)
{
	static const uint64_t families[] = { AF_INET, AF_INET6 };
	static const uint64_t types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		for (size_t t = 0; t < ARRAY_LEN(types); t++)
			add_if_both(r, ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), is(0, families[f]),
				    is_masked(1, TYPE_MASK, types[t]));
	}
}

static void allow_netlink(int *r, scmp_filter_ctx ctx)
{
	/* IP_VS_SO_GET_* go through an IPv4 socket, name services ask for nscd's local one first.
	 * The packet socket of gratuitous ARP is open already. */
	static const uint64_t families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	static const unsigned long requests[] = { SIOCGIFINDEX, SIOCGIFNAME, SIOCGIFHWADDR };

	for (size_t f = 0; f < ARRAY_LEN(families); f++)
		add_if(r, ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), is(0, families[f]));
	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		add_if(r, ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), is(1, requests[i]));
	add_all(r, ctx, SCMP_ACT_ALLOW, netlink_calls, ARRAY_LEN(netlink_calls));
}

static int fill_helper(scmp_filter_ctx ctx, enum sandbox_filter filter)
{
	bool netlink = filter == SANDBOX_FILTER_NETLINK;
	int r = 0;

	add_all(&r, ctx, SCMP_ACT_ALLOW, helper_calls, ARRAY_LEN(helper_calls));
	allow_of_this_process(&r, ctx);
	allow_memory(&r, ctx, netlink);
	if (filter == SANDBOX_FILTER_SERVER) {
		add(&r, ctx, SCMP_ACT_ALLOW, SCMP_SYS(accept4));
		return r;
	}
	add_all(&r, ctx, SCMP_ACT_ALLOW, opener_calls, ARRAY_LEN(opener_calls));
	if (netlink)
		allow_netlink(&r, ctx);
	else
		allow_probe_sockets(&r, ctx);
	return r;
}

/* --- core: what it may not do --------------------------------------------------- */

#define DENY SCMP_ACT_ERRNO(EPERM)

static const int core_denied[] = {
	/* other programs, other processes */
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(process_madvise),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(kcmp),
	/* other namespaces and file systems */
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(mount),
	SCMP_SYS(umount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(open_tree),
	SCMP_SYS(move_mount),
	SCMP_SYS(mount_setattr),
	SCMP_SYS(fsopen),
	SCMP_SYS(fsconfig),
	SCMP_SYS(fsmount),
	SCMP_SYS(fspick),
	SCMP_SYS(name_to_handle_at),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(mknod),
	SCMP_SYS(mknodat),
	SCMP_SYS(fanotify_init),
	SCMP_SYS(quotactl),
	SCMP_SYS(quotactl_fd),
	/* parts of the kernel that are known for their bugs, and that we have no use for */
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(personality),
	SCMP_SYS(modify_ldt),
	SCMP_SYS(lookup_dcookie),
	SCMP_SYS(uselib),
	SCMP_SYS(vmsplice),
	/* the machine */
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(acct),
	SCMP_SYS(syslog),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),
	SCMP_SYS(clock_adjtime),
	SCMP_SYS(adjtimex),
	SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname),
	SCMP_SYS(ioperm),
	SCMP_SYS(iopl),
	SCMP_SYS(vhangup),
};

/* Nothing but local sockets, TCP, UDP, and the route look-ups of libc. */
static void deny_sockets(int *r, scmp_filter_ctx ctx)
{
	static const uint64_t families[] = { AF_INET, AF_INET6 };
	static const uint64_t types[] = { SOCK_RAW, SOCK_PACKET, SOCK_RDM, SOCK_DCCP,
					  SOCK_SEQPACKET };

	for (uint64_t family = 0; family < AF_NETLINK; family++) {
		if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
			add_if(r, ctx, DENY, SCMP_SYS(socket), is_masked(0, LOW_32, family));
	}
	add_if(r, ctx, DENY, SCMP_SYS(socket),
	       (struct scmp_arg_cmp){ .arg = 0, .op = SCMP_CMP_GT, .datum_a = AF_NETLINK });
	add_if_both(r, ctx, DENY, SCMP_SYS(socket), is_masked(0, LOW_32, AF_NETLINK),
		    (struct scmp_arg_cmp){ .arg = 2, .op = SCMP_CMP_NE, .datum_a = NETLINK_ROUTE });
	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		for (size_t t = 0; t < ARRAY_LEN(types); t++)
			add_if_both(r, ctx, DENY, SCMP_SYS(socket),
				    is_masked(0, LOW_32, families[f]),
				    is_masked(1, TYPE_MASK, types[t]));
	}
}

static void deny_namespaces(int *r, scmp_filter_ctx ctx)
{
	static const uint64_t flags[] = { CLONE_NEWNS,	CLONE_NEWCGROUP, CLONE_NEWUTS,
					  CLONE_NEWIPC, CLONE_NEWUSER,	 CLONE_NEWPID,
					  CLONE_NEWNET };

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		add_if(r, ctx, DENY, SCMP_SYS(clone), is_masked(0, flags[i], flags[i]));
	/* Its flags are in memory, where a filter cannot look; libc then uses clone(). */
	add(r, ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
}

static int fill_core(scmp_filter_ctx ctx)
{
	static const uint64_t requests[] = { TIOCSTI, TIOCLINUX }; /* typing on our terminal */
	int r = 0;

	add_all(&r, ctx, DENY, core_denied, ARRAY_LEN(core_denied));
	deny_sockets(&r, ctx);
	deny_namespaces(&r, ctx);
	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		add_if(&r, ctx, DENY, SCMP_SYS(ioctl), is_masked(1, LOW_32, requests[i]));
	return r;
}

/* ---------------------------------------------------------------------------------- */

/* `out` is the caller's to free where this succeeds, else NULL. */
static int make_filter(enum sandbox_filter filter, scmp_filter_ctx *out)
{
	CLEANUP(free_filter) scmp_filter_ctx ctx = NULL;
	int r;

	*out = NULL;
	ctx = seccomp_init(filter == SANDBOX_FILTER_CORE ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS);
	if (!ctx)
		return -ENOMEM;
	/* Calls of another architecture (32-bit ones) pass no list: they kill. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = filter == SANDBOX_FILTER_CORE ? fill_core(ctx) : fill_helper(ctx, filter);
	if (r < 0)
		return r;
	*out = ctx;
	ctx = NULL;
	return 0;
}

int sandbox_filter_load(enum sandbox_filter filter, struct err *err)
{
	CLEANUP(free_filter) scmp_filter_ctx ctx = NULL;
	int r;

	if (filter == SANDBOX_FILTER_NONE)
		return 0;
	r = make_filter(filter, &ctx);
	if (r == 0)
		r = seccomp_load(ctx);
	if (r < 0)
		return err_set(err, r, "cannot load the system call filter: %s", strerror(-r));
	return 0;
}

int sandbox_filter_write(enum sandbox_filter filter, int fd)
{
	CLEANUP(free_filter) scmp_filter_ctx ctx = NULL;
	int r = make_filter(filter, &ctx);

	return r < 0 ? r : seccomp_export_bpf(ctx, fd);
}
