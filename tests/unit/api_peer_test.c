/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer.c, request_id.c, accept.c: who asks, by which name, in which language. */
#include "agent/api/peer.h"

#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/api/accept.h"
#include "agent/api/request_id.h"

static void the_other_end_of_a_unix_socket_is_known(void **state)
{
	struct peer p;
	int fds[2], tcp = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	p = peer_of(fds[0]);
	assert_true(p.known);
	assert_int_equal(p.uid, getuid());
	assert_int_equal(p.pid, getpid());
	assert_false(peer_of(tcp).known);
	assert_false(peer_of(-1).known);
	close(fds[0]);
	close(fds[1]);
	close(tcp);
}

#define STRANGER 54321
#define OTHER	 54320

/* One end of a connection to a socket that has a file. */
static int served(const char *path, int *out_client)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int listening = socket(AF_UNIX, SOCK_STREAM, 0), fd;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	assert_int_equal(bind(listening, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(listening, 1), 0);
	*out_client = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(*out_client, (struct sockaddr *)&sa, sizeof(sa)), 0);
	fd = accept(listening, NULL, NULL);
	assert_true(fd >= 0);
	close(listening);
	return fd;
}

static void root_the_owner_and_the_group_of_the_socket_may_write(void **state)
{
	static const struct {
		struct peer p;
		bool may, without_file;
	} cases[] = {
		{ { .known = true, .uid = 0, .gid = STRANGER }, true, true },
		{ { .known = true, .uid = OTHER, .gid = STRANGER }, true, false },
		{ { .known = true, .uid = STRANGER, .gid = OTHER }, true, false },
		{ { .known = true, .uid = STRANGER, .gid = STRANGER }, false, false },
		{ { .known = false, .uid = 0, .gid = 0 }, false, false },
	};
	char path[64];
	int client, fd;

	(void)state;
	if (getuid() != 0)
		skip(); /* the file cannot be given to somebody else */
	snprintf(path, sizeof(path), "/tmp/api_peer_test.%d.sock", getpid());
	fd = served(path, &client);
	assert_int_equal(chown(path, OTHER, OTHER), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(peer_may_write(fd, &cases[i].p), cases[i].may);
	unlink(path);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(peer_may_write(fd, &cases[i].p), cases[i].without_file);
	close(fd);
	close(client);
}

/* Of his groups the kernel knows all that he had when he connected. */
static void any_of_ones_groups_will_do(void **state)
{
	const struct peer p = { .known = true, .uid = STRANGER, .gid = STRANGER };
	const gid_t groups[] = { 7, OTHER };
	char path[64];
	int status, client, fd;
	pid_t child;

	(void)state;
	if (getuid() != 0)
		skip();
	fflush(stdout);
	child = fork(); /* groups are a process's for good */
	assert_true(child >= 0);
	if (child == 0) {
		snprintf(path, sizeof(path), "/tmp/api_peer_test.%d.sock", getpid());
		if (setgroups(ARRAY_LEN(groups), groups) < 0)
			_exit(1);
		fd = served(path, &client);
		if (chown(path, OTHER, OTHER) < 0 || !peer_may_write(fd, &p))
			_exit(2);
		if (chown(path, OTHER, STRANGER + 1) < 0 || peer_may_write(fd, &p))
			_exit(3);
		unlink(path);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void a_user_has_the_name_of_his_line(void **state)
{
	static const struct {
		uid_t uid;
		const char *name;
	} cases[] = {
		{ 0, "root" }, { 7, "alice" }, { 8, "8" },   { 9, "9" },
		{ 10, "10" },  { 12, "last" }, { 70, "70" }, { (uid_t)-2, "4294967294" },
	};
	static const char passwd[] = "cut\n"
				     "root:x:0:0::/root:/bin/sh\n"
				     "alice:x:7:7::/:/bin/sh\n"
				     "other:x:9\n" /* no fourth field */
				     ":x:10:10:nobody:/:\n"
				     "\n"
				     "last:x:12:1:";
	char path[] = "/tmp/api_peer_test.XXXXXX", name[PEER_NAME_MAX];
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, passwd, strlen(passwd)), strlen(passwd));
	close(fd);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct peer p = { .known = true, .uid = cases[i].uid };

		assert_string_equal(peer_user(&p, path, name), cases[i].name);
	}
	unlink(path);
	assert_string_equal(peer_user(&(struct peer){ .uid = 7 }, path, name), "7");
}

static void a_name_of_a_request_is_short_and_plain(void **state)
{
	static const char *const bad[] = { "", "a b", "a\n", "ä", "a;b", "a\"" };
	char longest[REQUEST_ID_MAX + 2], first[REQUEST_ID_MAX + 1], second[REQUEST_ID_MAX + 1];
	struct request_ids ids;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(request_id_is_good(bad[i]));
	memset(longest, 'a', sizeof(longest));
	longest[REQUEST_ID_MAX + 1] = '\0';
	assert_false(request_id_is_good(longest));
	longest[REQUEST_ID_MAX] = '\0';
	assert_true(request_id_is_good(longest));
	request_ids_begin(&ids);
	assert_true(request_id_is_good(request_id_make(&ids, first)));
	assert_string_not_equal(first, request_id_make(&ids, second));
}

static void the_language_that_is_wanted_most_is_spoken(void **state)
{
	static const struct {
		const char *accept;
		enum language language;
	} cases[] = {
		{ NULL, LANGUAGE_EN },
		{ "", LANGUAGE_EN },
		{ "*", LANGUAGE_EN },
		{ "zh-Hans-CN", LANGUAGE_ZH_CN },
		{ "ZH-cn;q=0.1", LANGUAGE_ZH_CN },
		{ "en;q=0.5,zh;q=0.6", LANGUAGE_ZH_CN },
		{ "en,zh", LANGUAGE_EN },
		{ "*;q=0.5,en;q=0.1", LANGUAGE_ZH_CN },
		{ ";;,,q=", LANGUAGE_EN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(accept_language(cases[i].accept), cases[i].language);
	assert_string_equal(language_tag(LANGUAGE_ZH_CN), "zh-CN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_other_end_of_a_unix_socket_is_known),
		cmocka_unit_test(root_the_owner_and_the_group_of_the_socket_may_write),
		cmocka_unit_test(any_of_ones_groups_will_do),
		cmocka_unit_test(a_user_has_the_name_of_his_line),
		cmocka_unit_test(a_name_of_a_request_is_short_and_plain),
		cmocka_unit_test(the_language_that_is_wanted_most_is_spoken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
