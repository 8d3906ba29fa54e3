/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify.c: what a supervisor reads at its socket, by a path and by an abstract name. */
#include "agent/base/notify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME_MAX_LEN (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

/* A socket as systemd has it, at "/path" or "@name". */
static int supervise(const char *where)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = strlen(where);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(sa.sun_path, where, len);
	if (*where == '@')
		sa.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&sa,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			 0);
	return fd;
}

static const char *heard(int fd)
{
	static char text[256];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void says_to(const char *where)
{
	struct notify *n = NULL;
	int fd = supervise(where);

	assert_int_equal(notify_new(where, &n), 0);
	assert_int_equal(notify_send(n, "READY=1\nSTATUS=3 pools"), 0);
	assert_string_equal(heard(fd), "READY=1\nSTATUS=3 pools");
	assert_int_equal(notify_send(n, "WATCHDOG=1"), 0);
	assert_string_equal(heard(fd), "WATCHDOG=1");
	assert_string_equal(heard(fd), "");
	close(fd);
	notify_free(n);
}

static void a_path_is_told(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char folder[80], path[100];

	(void)state;
	snprintf(folder, sizeof(folder), "%s/notify_test.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	says_to(path);
	unlink(path);
	rmdir(folder);
}

static void an_abstract_name_is_told(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof(name), "@parasaus-notify-test-%d", (int)getpid());
	says_to(name);
}

static void a_name_as_long_as_may_be_is_told(void **state)
{
	char name[NAME_MAX_LEN + 2];

	(void)state;
	snprintf(name, sizeof(name), "@%d-", (int)getpid());
	memset(name + strlen(name), 'x', sizeof(name) - strlen(name));
	name[NAME_MAX_LEN] = '\0';
	says_to(name);
}

static void who_comes_later_is_told_from_then_on(void **state)
{
	struct notify *n = NULL;
	char name[64];
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@parasaus-notify-later-%d", (int)getpid());
	assert_int_equal(notify_new(name, &n), 0);
	assert_int_equal(notify_send(n, "READY=1"), -ECONNREFUSED);
	fd = supervise(name);
	assert_int_equal(notify_send(n, "READY=1"), 0);
	assert_string_equal(heard(fd), "READY=1");
	close(fd);
	notify_free(n);
}

static void one_that_does_not_read_is_not_waited_for(void **state)
{
	struct notify *n = NULL;
	char name[64];
	int fd, r = 0;

	(void)state;
	snprintf(name, sizeof(name), "@parasaus-notify-deaf-%d", (int)getpid());
	fd = supervise(name);
	assert_int_equal(notify_new(name, &n), 0);
	for (unsigned i = 0; i < 100000 && r == 0; i++)
		r = notify_send(n, "WATCHDOG=1");
	assert_int_equal(r, -EAGAIN);
	close(fd);
	notify_free(n);
}

static void what_is_no_address_is_refused(void **state)
{
	char longer[NAME_MAX_LEN + 3] = "@";
	struct notify *n = NULL;

	(void)state;
	memset(longer + 1, 'x', NAME_MAX_LEN);
	assert_int_equal(notify_new(NULL, &n), -ENOENT);
	assert_int_equal(notify_new("", &n), -ENOENT);
	assert_int_equal(notify_new("run/notify", &n), -EINVAL);
	assert_int_equal(notify_new("vsock:2:1234", &n), -EINVAL);
	assert_int_equal(notify_new("@", &n), -EINVAL);
	assert_int_equal(notify_new("/", &n), -EINVAL);
	assert_int_equal(notify_new(longer, &n), -ENAMETOOLONG);
	assert_null(n);
	notify_free(n);
}

static void the_watchdog_is_for_whom_it_names(void **state)
{
	(void)state;
	assert_int_equal(notify_watchdog_ms("30000000", "42", 42), 30000);
	assert_int_equal(notify_watchdog_ms("30000000", NULL, 42), 30000);
	assert_int_equal(notify_watchdog_ms("30000000", "43", 42), 0);
	assert_int_equal(notify_watchdog_ms(NULL, "42", 42), 0);
	assert_int_equal(notify_watchdog_ms("", "42", 42), 0);
	assert_int_equal(notify_watchdog_ms("0", "42", 42), 0);
	assert_int_equal(notify_watchdog_ms("-1", "42", 42), 0);
	assert_int_equal(notify_watchdog_ms("18446744073709551615", "42", 42), 0);
	assert_int_equal(notify_watchdog_ms("30000000", "4 2", 42), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_told),
		cmocka_unit_test(an_abstract_name_is_told),
		cmocka_unit_test(a_name_as_long_as_may_be_is_told),
		cmocka_unit_test(who_comes_later_is_told_from_then_on),
		cmocka_unit_test(one_that_does_not_read_is_not_waited_for),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(the_watchdog_is_for_whom_it_names),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
