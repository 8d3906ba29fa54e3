/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox.c: each case enters a sandbox in a child of its own, since there is
 * no way back, and shows what still works there and what does not.
 */
#include "agent/base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "healthcheck/account.h"
#include "healthcheck/mysql_auth.h"
#include "tests/lib/pki.h"
#include "tests/lib/skip.h"
#include "tests/lib/tls_peer.h"

/* Leak checkers need to look into the process. */
#ifdef SANITIZED
#define DUMPABLE 1
#else
#define DUMPABLE 0
#endif

/* In a child: a claim that does not hold ends it, and the parent sees the status. */
#define CLAIM(x)                                                                               \
	do {                                                                                   \
		if (!(x)) {                                                                    \
			dprintf(STDERR_FILENO, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x); \
			_exit(1);                                                              \
		}                                                                              \
	} while (0)

typedef void child_fn(void);

/* The wait status of a child that ran fn after it entered s (if any). */
static int child_status(const struct sandbox *s, child_fn *fn)
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = { 0 };

		if (s && sandbox_enter(s, &err) != 0) {
			dprintf(STDERR_FILENO, "sandbox_enter: %s\n", err.text);
			_exit(2);
		}
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void passes(const struct sandbox *s, child_fn *fn)
{
	int status = child_status(s, fn);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("the child ended with status 0x%x", (unsigned)status);
}

static void need_root(void)
{
	if (geteuid() != 0)
		SKIP_BECAUSE("not root");
}

static void need_filter(void)
{
	if (!sandbox_filter_available())
		SKIP_BECAUSE("built without the filter, for a sanitizer");
}

/* valgrind keeps descriptors for itself and tells limits of its own. */
static void need_true_limits(void)
{
	const char *preload = getenv("LD_PRELOAD");

	if (preload && strstr(preload, "valgrind"))
		SKIP_BECAUSE("under valgrind");
}

/* --- users and capabilities ------------------------------------------------------ */

static int open_before = -1; /* a file of root's alone, opened before privileges go */
static char open_path[] = "/tmp/parasaus-sandbox-XXXXXX";

static int make_file(void **state)
{
	(void)state;
	open_before = mkstemp(open_path);
	return open_before >= 0 && write(open_before, "secret", 6) == 6 ? 0 : -1;
}

static int remove_file(void **state)
{
	(void)state;
	close(open_before);
	return unlink(open_path);
}

static bool bounding_set_is_empty(void)
{
	for (cap_value_t c = 0; c < cap_max_bits(); c++) {
		if (cap_get_bound(c) == CAP_SET)
			return false;
	}
	return true;
}

static bool capabilities_are(const char *text)
{
	cap_t now = cap_get_proc();
	cap_t want = cap_from_text(text);
	bool same = now && want && cap_compare(now, want) == 0;

	cap_free(now);
	cap_free(want);
	return same;
}

static void is_nobody_for_good(void)
{
	const struct passwd *pw = getpwnam("nobody");
	uid_t u[3];
	gid_t g[3];
	char text[6];

	CLAIM(pw);
	CLAIM(getresuid(&u[0], &u[1], &u[2]) == 0 && getresgid(&g[0], &g[1], &g[2]) == 0);
	for (int i = 0; i < 3; i++)
		CLAIM(u[i] == pw->pw_uid && g[i] == pw->pw_gid);
	CLAIM(getgroups(0, NULL) == 0);
	CLAIM(capabilities_are("="));
	CLAIM(bounding_set_is_empty());
	CLAIM(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);

	CLAIM(setuid(0) < 0 && setresuid((uid_t)-1, 0, (uid_t)-1) < 0 && setgid(0) < 0);
	CLAIM(setgroups(0, NULL) < 0);
	CLAIM(open(open_path, O_RDONLY) < 0 && errno == EACCES);
	CLAIM(pread(open_before, text, sizeof(text), 0) == 6 && memcmp(text, "secret", 6) == 0);
}

static void root_becomes_somebody_else_for_good(void **state)
{
	const struct sandbox s = { .user = "nobody" };

	(void)state;
	need_root();
	passes(&s, is_nobody_for_good);
}

static void leaves_no_core_dump_check(void)
{
	CLAIM(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == DUMPABLE);
}

static void a_role_leaves_no_core_dump(void **state)
{
	const struct sandbox s = { 0 };

	(void)state;
	passes(&s, leaves_no_core_dump_check);
}

static void has_net_admin_alone(void)
{
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	int size = 65536;

	CLAIM(geteuid() != 0);
	CLAIM(capabilities_are("cap_net_admin=ep"));
	CLAIM(bounding_set_is_empty());
	/* It can be used... */
	CLAIM(udp >= 0 && setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) == 0);
	/* ...and is all there is. */
	CLAIM(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) < 0 && errno == EPERM);
}

static void capabilities_asked_for_are_kept_and_no_other(void **state)
{
	static const int keep[] = { CAP_NET_ADMIN };
	const struct sandbox s = { .user = "nobody", .capabilities = keep, .capability_count = 1 };

	(void)state;
	need_root();
	if (cap_get_bound(CAP_NET_ADMIN) != CAP_SET) /* root of a container */
		SKIP_BECAUSE("root without CAP_NET_ADMIN");
	passes(&s, has_net_admin_alone);
}

static void is_root_without_powers(void)
{
	CLAIM(geteuid() == 0);
	CLAIM(capabilities_are("="));
	CLAIM(getgroups(0, NULL) == 0);
	CLAIM(chown(open_path, 1, 1) < 0 && errno == EPERM);
}

static void a_role_that_stays_root_loses_its_capabilities(void **state)
{
	const struct sandbox s = { 0 };

	(void)state;
	need_root();
	passes(&s, is_root_without_powers);
}

static void is_daemons_group(void)
{
	const struct group *gr = getgrnam("daemon");

	CLAIM(gr && getegid() == gr->gr_gid && geteuid() != 0);
	CLAIM(setgid(0) < 0);
}

static void a_group_can_be_kept(void **state)
{
	const struct sandbox s = { .user = "nobody", .group = "daemon" };

	(void)state;
	need_root();
	passes(&s, is_daemons_group);
}

static void unknown_names_are_refused_by_name(void **state)
{
	const struct sandbox user = { .user = "no-such-user" };
	const struct sandbox group = { .group = "no-such-group" };
	struct err err = { 0 };

	(void)state;
	need_root();
	assert_int_equal(sandbox_enter(&user, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no-such-user"));
	assert_int_equal(sandbox_enter(&group, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no-such-group"));
}

static void enter_as_somebody_without_capabilities(void)
{
	static const int keep[] = { CAP_NET_ADMIN };
	const struct sandbox with = { .capabilities = keep, .capability_count = 1 };
	const struct sandbox without = { .user = "root" };
	const struct passwd *pw = getpwnam("nobody");
	struct err err = { 0 };

	CLAIM(geteuid() != 0 || (setgid(pw->pw_gid) == 0 && setuid(pw->pw_uid) == 0));
	CLAIM(sandbox_enter(&with, &err) == -EPERM);
	CLAIM(strstr(err.text, "cap_net_admin is needed"));
	/* Nothing to drop, nobody to become: that is fine. */
	CLAIM(sandbox_enter(&without, &err) == 0);
	CLAIM(geteuid() != 0);
	CLAIM(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void without_root_what_is_not_there_is_not_dropped(void **state)
{
	(void)state;
	passes(NULL, enter_as_somebody_without_capabilities);
}

static void at_most_100_files(void)
{
	struct rlimit limit;

	CLAIM(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	CLAIM(limit.rlim_cur == 100 && limit.rlim_max == 100);
}

static void the_number_of_files_is_limited(void **state)
{
	const struct sandbox s = { .max_files = 100 };

	(void)state;
	need_true_limits();
	passes(&s, at_most_100_files);
}

static void ask_for_more_files_than_allowed(void)
{
	const struct sandbox s = { .max_files = 4000000 };
	const struct passwd *pw = getpwnam("nobody");
	struct rlimit limit = { .rlim_cur = 64, .rlim_max = 128 };
	struct err err = { 0 };

	CLAIM(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CLAIM(geteuid() != 0 || setuid(pw->pw_uid) == 0);
	CLAIM(sandbox_enter(&s, &err) == 0);
	CLAIM(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	CLAIM(limit.rlim_cur == 128);
}

static void a_limit_out_of_reach_is_approached(void **state)
{
	(void)state;
	need_true_limits();
	passes(NULL, ask_for_more_files_than_allowed);
}

static void enter_with_a_death_signal(void)
{
	const struct sandbox s = { .user = "nobody" };
	struct err err = { 0 };
	int signal = 0;

	CLAIM(prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) == 0);
	CLAIM(sandbox_enter(&s, &err) == 0);
	CLAIM(prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0) == 0 && signal == SIGTERM);
}

static void the_death_of_the_parent_is_still_told(void **state)
{
	(void)state;
	passes(NULL, enter_with_a_death_signal);
}

/* --- filters ----------------------------------------------------------------------- */

struct deed {
	const char *name;
	child_fn *fn;
};

static void killed_by(const struct sandbox *s, const struct deed *d, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int status = child_status(s, d[i].fn);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s: status 0x%x instead of SIGSYS", d[i].name, (unsigned)status);
	}
}

static void do_open(void)
{
	CLAIM(open("/etc/passwd", O_RDONLY) >= 0);
}

static void do_exec(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	execv("/bin/true", argv);
}

static void do_fork(void)
{
	if (fork() == 0)
		_exit(0);
}

static void *nothing(void *arg)
{
	return arg;
}

static void do_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, nothing, NULL) == 0)
		pthread_join(thread, NULL);
}

static void do_unix_socket(void)
{
	(void)socket(AF_UNIX, SOCK_STREAM, 0);
}

static void do_netlink_socket(void)
{
	(void)socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}

static void do_packet_socket(void)
{
	(void)socket(AF_PACKET, SOCK_RAW, 0);
}

static void do_raw_socket(void)
{
	(void)socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static void do_executable_memory(void)
{
	(void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0);
}

static void do_mprotect_exec(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CLAIM(p != MAP_FAILED);
	(void)mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static void do_kill_parent(void)
{
	(void)kill(getppid(), 0);
}

static void do_tgkill_parent(void)
{
	(void)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static void do_limit_parent(void)
{
	struct rlimit limit;

	(void)prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit);
}

static void do_ptrace(void)
{
	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void do_unlink(void)
{
	(void)unlink("/nonexistent/file");
}

static void do_mount(void)
{
	(void)mount("none", "/nonexistent", "tmpfs", 0, NULL);
}

static void do_prctl(void)
{
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void do_terminal_input(void)
{
	(void)ioctl(STDIN_FILENO, TIOCSTI, "x");
}

/* Everything a probe engine does in a turn. */
static void work_of_a_helper(void)
{
	const struct sockaddr_in nowhere = { .sin_family = AF_INET,
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
					     .sin_port = htons(1) };
	struct epoll_event ev = { .events = EPOLLIN };
	sigset_t signals;
	int ep = epoll_create1(EPOLL_CLOEXEC);
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int udp = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int one = 1;

	CLAIM(ep >= 0 && tcp >= 0 && (udp >= 0 || errno == EAFNOSUPPORT));
	CLAIM(setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	CLAIM(connect(tcp, (const struct sockaddr *)&nowhere, sizeof(nowhere)) < 0);
	CLAIM(epoll_ctl(ep, EPOLL_CTL_ADD, tcp, &ev) == 0 && epoll_wait(ep, &ev, 1, 0) >= 0);
	CLAIM(fcntl(tcp, F_SETFL, O_NONBLOCK) == 0 && close(tcp) == 0);
	CLAIM(eventfd(0, EFD_CLOEXEC) >= 0);
	CLAIM(sigemptyset(&signals) == 0 && sigaddset(&signals, SIGTERM) == 0);
	CLAIM(sigprocmask(SIG_BLOCK, &signals, NULL) == 0 && signalfd(-1, &signals, 0) >= 0);
}

/* What a mysql check does besides its socket: keep a password, hash it, TLS with an authority
 * and a certificate of our own. */
static void a_login_in_tls(void)
{
	struct hc_secret secret = { .present = true };
	struct tls_peer *tls_server = tls_peer_new();
	struct pki *pki = pki_new("ours");
	struct pki_pair own = pki_issue(pki, "us");
	struct hc_io io = tls_peer_io(tls_server, 100000);
	uint8_t answer[HC_MYSQL_ANSWER_MAX];
	struct hc_account *a;
	struct hc_tls *t;
	size_t len;

	secret.username = xstrdup("parasaus");
	secret.password = xstrdup("a word");
	secret.ca_pem = xstrdup(tls_peer_certificate(tls_server));
	secret.certificate = xstrdup(own.cert);
	secret.key = xstrdup(own.key);
	a = hc_account_new(&secret);
	CLAIM(a);
	for (enum hc_mysql_plugin p = HC_MYSQL_NATIVE; p < HC_MYSQL_OTHER; p++)
		CLAIM(hc_mysql_answer(p, a->password,
				      (const uint8_t *)"abcdefghijklmnopqrstuvwxyzABCDEF", answer,
				      &len));
	t = hc_tls_new(&io, -1, a->trust, "db1");
	CLAIM(t);
	for (int i = 0; i < 100 && hc_tls_handshake(t) != 0; i++)
		tls_peer_turn(tls_server);
	CLAIM(hc_tls_handshake(t) == 0 && hc_tls_trusts(t) == HC_REASON_OK);
	hc_tls_free(t);
	hc_account_unref(a);
	hc_secret_done(&secret);
	tls_peer_free(tls_server);
	pki_pair_done(&own);
	pki_free(pki);
}

static void a_helper_can_log_in(void **state)
{
	const struct sandbox s = { .user = "nobody", .filter = SANDBOX_FILTER_HELPER };

	(void)state;
	need_filter();
	passes(&s, a_login_in_tls);
}

static void memory_time_and_an_open_file(void)
{
	struct timespec now;
	struct tm tm;
	uint8_t bytes[16];
	char *big;

	CLAIM(lseek(open_before, 0, SEEK_SET) == 0 && read(open_before, bytes, 6) == 6);
	CLAIM(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0);
	CLAIM(gmtime_r(&now.tv_sec, &tm) != NULL);
	CLAIM(getrandom(bytes, sizeof(bytes), 0) == sizeof(bytes));
	big = malloc(64u << 20);
	CLAIM(big);
	memset(big, 1, 64u << 20);
	big = realloc(big, 96u << 20);
	CLAIM(big && big[0] == 1);
	free(big);
	exit(0);
}

static void a_helper_can_do_its_work(void **state)
{
	const struct sandbox s = { .user = "nobody", .filter = SANDBOX_FILTER_HELPER };

	(void)state;
	need_filter();
	passes(&s, work_of_a_helper);
	passes(&s, memory_time_and_an_open_file);
}

static void a_helper_dies_of_anything_else(void **state)
{
	static const struct deed deeds[] = {
		{ "open", do_open },
		{ "exec", do_exec },
		{ "fork", do_fork },
		{ "thread", do_thread },
		{ "unix socket", do_unix_socket },
		{ "netlink socket", do_netlink_socket },
		{ "packet socket", do_packet_socket },
		{ "raw socket", do_raw_socket },
		{ "executable memory", do_executable_memory },
		{ "memory made executable", do_mprotect_exec },
		{ "signal to the parent", do_kill_parent },
		{ "signal to a thread of the parent", do_tgkill_parent },
		{ "limits of the parent", do_limit_parent },
		{ "ptrace", do_ptrace },
		{ "unlink", do_unlink },
		{ "mount", do_mount },
		{ "prctl", do_prctl },
		{ "terminal input", do_terminal_input },
	};
	const struct sandbox s = { .user = "nobody", .filter = SANDBOX_FILTER_HELPER };

	(void)state;
	need_filter();
	killed_by(&s, deeds, ARRAY_LEN(deeds));
}

/* One that listens already: it accepts, and opens no other socket. */
static int listener = -1;

static void work_of_a_server(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	CLAIM(fd < 0 && errno == EAGAIN);
	CLAIM(epoll_create1(EPOLL_CLOEXEC) >= 0 && eventfd(0, EFD_CLOEXEC) >= 0);
}

static void do_tcp_socket(void)
{
	(void)!socket(AF_INET, SOCK_STREAM, 0);
}

static void do_connect(void)
{
	const struct sockaddr_in nowhere = { .sin_family = AF_INET,
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
					     .sin_port = htons(1) };

	(void)!connect(listener, (const struct sockaddr *)&nowhere, sizeof(nowhere));
}

static void do_bind(void)
{
	const struct sockaddr_in any = { .sin_family = AF_INET };

	(void)!bind(listener, (const struct sockaddr *)&any, sizeof(any));
}

static void a_server_accepts_and_opens_nothing(void **state)
{
	static const struct deed deeds[] = {
		{ "open", do_open },
		{ "exec", do_exec },
		{ "fork", do_fork },
		{ "thread", do_thread },
		{ "tcp socket", do_tcp_socket },
		{ "unix socket", do_unix_socket },
		{ "netlink socket", do_netlink_socket },
		{ "connect", do_connect },
		{ "bind", do_bind },
		{ "executable memory", do_executable_memory },
		{ "memory made executable", do_mprotect_exec },
		{ "signal to the parent", do_kill_parent },
		{ "ptrace", do_ptrace },
		{ "unlink", do_unlink },
		{ "prctl", do_prctl },
	};
	const struct sandbox s = { .user = "nobody", .filter = SANDBOX_FILTER_SERVER };

	(void)state;
	need_filter();
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(listener >= 0);
	assert_int_equal(listen(listener, 1), 0);
	passes(&s, work_of_a_server);
	passes(&s, memory_time_and_an_open_file);
	killed_by(&s, deeds, ARRAY_LEN(deeds));
	close(listener);
}

static void a_helpers_abort_is_seen_as_one(void **state)
{
	const struct sandbox s = { .user = "nobody", .filter = SANDBOX_FILTER_HELPER };
	int status;

	(void)state;
	need_filter();
	status = child_status(&s, abort);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void work_of_the_netlink_role(void)
{
	char text[64];
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

	CLAIM(fd >= 0 && read(fd, text, sizeof(text)) > 0 && close(fd) == 0);
	CLAIM(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) >= 0);
	CLAIM(socket(AF_INET, SOCK_RAW, IPPROTO_RAW) >= 0 || errno == EPERM);
	/* Through nscd, nsswitch.conf and perhaps a library that is loaded now. */
	CLAIM(getservbyname("no-such-service", "tcp") == NULL);
	CLAIM(getprotobynumber(250) == NULL);
}

static void the_netlink_role_can_do_its_work(void **state)
{
	const struct sandbox s = { .user = "nobody", .filter = SANDBOX_FILTER_NETLINK };

	(void)state;
	need_filter();
	passes(&s, work_of_the_netlink_role);
	passes(&s, work_of_a_helper);
	passes(&s, memory_time_and_an_open_file);
}

static void the_netlink_role_dies_of_anything_else(void **state)
{
	static const struct deed deeds[] = {
		{ "exec", do_exec },
		{ "fork", do_fork },
		{ "thread", do_thread },
		{ "packet socket", do_packet_socket },
		{ "executable memory", do_executable_memory },
		{ "memory made executable", do_mprotect_exec },
		{ "signal to the parent", do_kill_parent },
		{ "ptrace", do_ptrace },
		{ "unlink", do_unlink },
		{ "mount", do_mount },
		{ "prctl", do_prctl },
		{ "terminal input", do_terminal_input },
	};
	const struct sandbox s = { .user = "nobody", .filter = SANDBOX_FILTER_NETLINK };

	(void)state;
	need_filter();
	killed_by(&s, deeds, ARRAY_LEN(deeds));
}

/* By number and as root, so that nothing but the filter can be what says EPERM. */
static void core_is_told_no(void)
{
	static const long calls[] = { SYS_execve,
				      SYS_execveat,
				      SYS_ptrace,
				      SYS_bpf,
				      SYS_mount,
				      SYS_umount2,
				      SYS_pivot_root,
				      SYS_chroot,
				      SYS_kexec_load,
				      SYS_init_module,
				      SYS_finit_module,
				      SYS_delete_module,
				      SYS_perf_event_open,
				      SYS_keyctl,
				      SYS_add_key,
				      SYS_request_key,
				      SYS_userfaultfd,
				      SYS_process_vm_readv,
				      SYS_process_vm_writev,
				      SYS_unshare,
				      SYS_setns,
				      SYS_io_uring_setup,
				      SYS_fsopen,
				      SYS_open_tree,
				      SYS_move_mount,
				      SYS_mknodat,
				      SYS_name_to_handle_at,
				      SYS_open_by_handle_at,
				      SYS_personality };

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		/* Bad pointers: a call that gets through fails with EFAULT, EINVAL or so. */
		long r = syscall(calls[i], -1L, -1L, -1L, -1L, -1L, -1L);

		if (r != -1 || errno != EPERM) {
			dprintf(STDERR_FILENO, "call %ld: %ld, %s\n", calls[i], r, strerror(errno));
			_exit(1);
		}
	}
}

static bool no_socket(long family, long type, long protocol)
{
	return syscall(SYS_socket, family, type, protocol) == -1 && errno == EPERM;
}

static void core_has_plain_sockets_alone(void)
{
	const long junk = 1L << 32; /* the kernel looks at the lower half only */

	CLAIM(no_socket(AF_PACKET, SOCK_RAW, 0));
	CLAIM(no_socket(AF_PACKET, SOCK_DGRAM, 0));
	CLAIM(no_socket(AF_PACKET | junk, SOCK_RAW, 0));
	CLAIM(no_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	CLAIM(no_socket(AF_INET | junk, SOCK_RAW | junk, IPPROTO_ICMP));
	CLAIM(no_socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
	CLAIM(no_socket(AF_INET, SOCK_PACKET, 0));
	CLAIM(no_socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER));
	CLAIM(no_socket(AF_NETLINK | junk, SOCK_RAW, NETLINK_GENERIC));
	CLAIM(no_socket(AF_VSOCK, SOCK_STREAM, 0));
	CLAIM(no_socket(AF_ALG, SOCK_SEQPACKET, 0));

	CLAIM(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) >= 0);
	CLAIM(socket(AF_INET, SOCK_DGRAM, 0) >= 0);
	CLAIM(socket(AF_UNIX, SOCK_SEQPACKET, 0) >= 0);
	CLAIM(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) >= 0);
}

static void core_makes_no_namespaces(void)
{
	static const long flags[] = { CLONE_NEWNS,   CLONE_NEWUTS, CLONE_NEWIPC,
				      CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET };

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		long r = syscall(SYS_clone, flags[i] | SIGCHLD, 0L, 0L, 0L, 0L);

		if (r == 0)
			_exit(1);
		CLAIM(r == -1 && errno == EPERM);
	}
	CLAIM(syscall(SYS_clone3, NULL, 0L) == -1 && errno == ENOSYS);
}

static void work_of_core(void)
{
	char path[] = "/tmp/parasaus-core-XXXXXX";
	struct addrinfo *list = NULL;
	pthread_t thread;
	int fd = mkstemp(path);

	CLAIM(fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0);
	CLAIM(rename(path, path) == 0 && unlink(path) == 0);
	CLAIM(pthread_create(&thread, NULL, nothing, NULL) == 0);
	CLAIM(pthread_join(thread, NULL) == 0);
	CLAIM(getaddrinfo("127.0.0.1", "80", NULL, &list) == 0);
	freeaddrinfo(list);
}

static void core_is_refused_with_eperm_and_lives(void **state)
{
	const struct sandbox s = { .filter = SANDBOX_FILTER_CORE };

	(void)state;
	need_filter();
	passes(&s, core_is_told_no);
	passes(&s, core_has_plain_sockets_alone);
	passes(&s, core_makes_no_namespaces);
	passes(&s, work_of_core);
	passes(&s, work_of_a_helper);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_becomes_somebody_else_for_good),
		cmocka_unit_test(a_role_leaves_no_core_dump),
		cmocka_unit_test(capabilities_asked_for_are_kept_and_no_other),
		cmocka_unit_test(a_role_that_stays_root_loses_its_capabilities),
		cmocka_unit_test(a_group_can_be_kept),
		cmocka_unit_test(unknown_names_are_refused_by_name),
		cmocka_unit_test(without_root_what_is_not_there_is_not_dropped),
		cmocka_unit_test(the_number_of_files_is_limited),
		cmocka_unit_test(a_limit_out_of_reach_is_approached),
		cmocka_unit_test(the_death_of_the_parent_is_still_told),
		cmocka_unit_test(a_helper_can_do_its_work),
		cmocka_unit_test(a_helper_can_log_in),
		cmocka_unit_test(a_helper_dies_of_anything_else),
		cmocka_unit_test(a_server_accepts_and_opens_nothing),
		cmocka_unit_test(a_helpers_abort_is_seen_as_one),
		cmocka_unit_test(the_netlink_role_can_do_its_work),
		cmocka_unit_test(the_netlink_role_dies_of_anything_else),
		cmocka_unit_test(core_is_refused_with_eperm_and_lives),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
