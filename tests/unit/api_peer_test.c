/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer.c, request_id.c, accept.c: who asks, by which name, in which language. */
#include "agent/api/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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
		cmocka_unit_test(a_user_has_the_name_of_his_line),
		cmocka_unit_test(a_name_of_a_request_is_short_and_plain),
		cmocka_unit_test(the_language_that_is_wanted_most_is_spoken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
