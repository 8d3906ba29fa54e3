/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inject PID CALL [ARG...]: makes a process that runs issue one system call, as code of an
 * attacker's in it would, and goes away. An ARG is a number, or "=text" for the address
 * of that text, which is put below the process's stack.
 *
 * Prints what came of it: "returned N", "errno N (NAME)" or "killed by signal N (NAME)". The
 * process goes on as if nothing had been, if it lives: its own call, which had just begun, is begun
 * again. As root; on x86_64 alone.
 *
 * The call is put in the place of the process's next one where that begins. The kernel asks
 * seccomp after that, so that the filter sees what is put there.
 */
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/attr.h"

#define ARGS_MAX     6
#define RED_ZONE     128 /* below the stack pointer, in use */
#define TEXT_SPACE   4096
#define SYSCALL_STOP (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */

#ifdef __x86_64__

NORETURN static void give_up(const char *what)
{
	perror(what);
	exit(1);
}

/* How it ended; a tracer hears of it first. */
static int tell_end(int status)
{
	if (WIFSIGNALED(status))
		printf("killed by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		printf("ended with status %d\n", WEXITSTATUS(status));
	return 0;
}

/*
 * Let it go on until a call of it begins or returns. False: it ended, as *status says. Signals
 * that come meanwhile are its own.
 */
static bool next_stop(pid_t pid, int *status)
{
	long signo = 0;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, signo) < 0 && errno != ESRCH)
			give_up("PTRACE_SYSCALL");
		if (waitpid(pid, status, __WALL) < 0)
			give_up("waitpid");
		if (!WIFSTOPPED(*status))
			return false;
		if (WSTOPSIG(*status) == SYSCALL_STOP)
			return true;
		signo = *status >> 16 ? 0 : WSTOPSIG(*status);
	}
}

static void stop_it(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD) < 0)
		give_up("PTRACE_SEIZE");
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		give_up("PTRACE_INTERRUPT");
	if (waitpid(pid, &status, __WALL) < 0)
		give_up("waitpid");
	if (!WIFSTOPPED(status))
		exit(tell_end(status));
}

static uint64_t put_text(pid_t pid, uint64_t *below, char *text)
{
	size_t length = strlen(text) + 1;
	struct iovec local = { text, length };
	struct iovec remote;

	*below = (*below - length) & ~UINT64_C(15);
	remote = (struct iovec){ (void *)(uintptr_t)*below, length }; /* of the other process */
	if (process_vm_writev(pid, &local, 1, &remote, 1, 0) != (ssize_t)length)
		give_up("process_vm_writev");
	return *below;
}

static void read_args(pid_t pid, const struct user_regs_struct *regs, char **words,
		      uint64_t args[ARGS_MAX])
{
	uint64_t below = regs->rsp - RED_ZONE;

	for (size_t i = 0; i < ARGS_MAX && words[i]; i++) {
		char *end = words[i];

		if (words[i][0] == '=') {
			args[i] = put_text(pid, &below, words[i] + 1);
			continue;
		}
		args[i] = strtoull(words[i], &end, 0);
		if (end == words[i] || *end) {
			fprintf(stderr, "inject: no number: %s\n", words[i]);
			exit(2);
		}
	}
}

static void put_call(pid_t pid, const struct user_regs_struct *own, int call,
		     const uint64_t args[ARGS_MAX])
{
	struct user_regs_struct regs = *own;

	regs.orig_rax = (unsigned long long)call;
	regs.rdi = args[0];
	regs.rsi = args[1];
	regs.rdx = args[2];
	regs.r10 = args[3];
	regs.r8 = args[4];
	regs.r9 = args[5];
	if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) < 0)
		give_up("PTRACE_SETREGS");
}

/* The instruction of its own call once more, with the registers it had. */
static void begin_again(pid_t pid, struct user_regs_struct *own)
{
	own->rax = own->orig_rax;
	own->rip -= 2; /* of "syscall" */
	own->orig_rax = (unsigned long long)-1;
	if (ptrace(PTRACE_SETREGS, pid, NULL, own) < 0)
		give_up("PTRACE_SETREGS");
}

static int inject(pid_t pid, int call, char **words)
{
	struct user_regs_struct own, after;
	uint64_t args[ARGS_MAX] = { 0 };
	int status;

	stop_it(pid);
	if (!next_stop(pid, &status))
		return tell_end(status);
	if (ptrace(PTRACE_GETREGS, pid, NULL, &own) < 0)
		give_up("PTRACE_GETREGS");
	read_args(pid, &own, words, args);
	put_call(pid, &own, call, args);
	if (!next_stop(pid, &status))
		return tell_end(status);
	if (ptrace(PTRACE_GETREGS, pid, NULL, &after) < 0)
		give_up("PTRACE_GETREGS");
	begin_again(pid, &own);
	/* A filter kills on the way back from the call, which looks as if it had returned. */
	if (!next_stop(pid, &status))
		return tell_end(status);
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0)
		give_up("PTRACE_DETACH");
	if ((long long)after.rax < 0 && (long long)after.rax > -4096)
		printf("errno %lld (%s)\n", -(long long)after.rax,
		       strerrorname_np((int)-(long long)after.rax));
	else
		printf("returned %lld\n", (long long)after.rax);
	return 0;
}

#else

static int inject(pid_t pid, int call, char **words)
{
	(void)pid;
	(void)call;
	(void)words;
	fprintf(stderr, "inject: not on this architecture\n");
	return 77;
}

#endif

int main(int argc, char **argv)
{
	int call = argc < 3 ? __NR_SCMP_ERROR : seccomp_syscall_resolve_name(argv[2]);
	pid_t pid = argc < 3 ? 0 : (pid_t)atol(argv[1]);

	if (pid <= 0 || call < 0 || argc > 3 + ARGS_MAX) {
		fprintf(stderr, "usage: inject PID CALL [ARG...]\n");
		return 2;
	}
	return inject(pid, call, argv + 3);
}
