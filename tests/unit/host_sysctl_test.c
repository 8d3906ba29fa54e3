/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_sysctl.c: which sysctls, by kernel and use, and writing only those that differ. */
#include "ipvs/host_sysctl.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/buf.h"

static void assert_wanted(const struct host_sysctl_facts *f, const char *expected)
{
	const struct host_sysctl *wanted[HOST_SYSCTLS_MAX];
	size_t count = host_sysctls_wanted(f, wanted);
	struct buf text = { 0 };

	for (size_t i = 0; i < count; i++)
		buf_printf(&text, "%s=%ld\n", wanted[i]->name, wanted[i]->value);
	assert_string_equal(buf_cstr(&text), expected);
	buf_done(&text);
}

#define ALWAYS                               \
	"net.ipv4.vs.expire_nodest_conn=1\n" \
	"net.ipv4.vs.expire_quiescent_template=1\n"
#define REUSE "net.ipv4.vs.conn_reuse_mode=1\n"

static void versions_are_read_from_releases(void **state)
{
	(void)state;
	assert_int_equal(host_kernel_version("6.1.0-18-amd64"), KERNEL_VERSION_OF(6, 1));
	assert_int_equal(host_kernel_version("5.10"), KERNEL_VERSION_OF(5, 10));
	assert_int_equal(host_kernel_version("7.1-rc3"), KERNEL_VERSION_OF(7, 1));
	assert_int_equal(host_kernel_version("Linux"), 0);
	assert_true(KERNEL_VERSION_OF(5, 10) > KERNEL_VERSION_OF(5, 9));
}

static void without_a_frontend_only_ipvs_itself_is_set_up(void **state)
{
	(void)state;
	assert_wanted(&(struct host_sysctl_facts){ .kernel = KERNEL_VERSION_OF(6, 1) },
		      ALWAYS REUSE);
}

static void forwarding_is_turned_on_for_the_family_in_use(void **state)
{
	struct host_sysctl_facts f = { .kernel = KERNEL_VERSION_OF(6, 1), .frontends = 1 };

	(void)state;
	f.ipv4 = true;
	assert_wanted(&f, ALWAYS REUSE "net.ipv4.ip_forward=1\n");
	f.ipv4 = false;
	f.ipv6 = true;
	assert_wanted(&f, ALWAYS REUSE "net.ipv6.conf.all.forwarding=1\n");
}

static void masquerading_needs_conntrack(void **state)
{
	struct host_sysctl_facts f = { .kernel = KERNEL_VERSION_OF(6, 1), .masquerade = true };

	(void)state;
	assert_wanted(&f, ALWAYS REUSE "net.ipv4.vs.conntrack=1\n");
	f.kernel = KERNEL_VERSION_OF(5, 8);
	assert_wanted(&f, ALWAYS "net.ipv4.vs.conn_reuse_mode=0\nnet.ipv4.vs.conntrack=1\n");
}

static void estimation_is_off_or_polite_by_version_and_size(void **state)
{
	struct host_sysctl_facts f = { .kernel = KERNEL_VERSION_OF(6, 1),
				       .frontends = HOST_LARGE - 1 };

	(void)state;
	assert_wanted(&f, ALWAYS REUSE);
	f.frontends = HOST_LARGE;
	assert_wanted(&f, ALWAYS REUSE "net.ipv4.vs.run_estimation=0\n");
	f.kernel = KERNEL_VERSION_OF(6, 2);
	assert_wanted(&f, ALWAYS REUSE "net.ipv4.vs.est_nice=10\n");
}

/* --- a /proc/sys of our own --- */

struct tree {
	char root[64];
	struct buf events;
};

static int set_up(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	snprintf(t->root, sizeof(t->root), "/tmp/host_sysctl_test.XXXXXX");
	if (!mkdtemp(t->root))
		return -1;
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct tree *t = *state;
	char command[100];
	int r;

	snprintf(command, sizeof(command), "rm -rf %s", t->root);
	r = system(command);
	buf_done(&t->events);
	free(t);
	return r;
}

static void put(const struct tree *t, const char *name, const char *value)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", t->root, name);
	for (char *p = strchr(path + strlen(t->root) + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", value);
	fclose(f);
}

static void assert_value(const struct tree *t, const char *name, long expected)
{
	char path[300];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", t->root, name);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld", &value), 1);
	fclose(f);
	assert_int_equal(value, expected);
}

static void on_event(void *arg, enum log_level level, const char *text)
{
	struct tree *t = arg;

	buf_printf(&t->events, "%d %s\n", (int)level, text);
}

static const struct host_sysctl_facts plain = { .kernel = KERNEL_VERSION_OF(6, 1) };

static void only_what_differs_is_written_and_told(void **state)
{
	struct tree *t = *state;
	struct host_sysctls *s = host_sysctls_new(t->root, on_event, t);

	put(t, "net/ipv4/vs/expire_nodest_conn", "0");
	put(t, "net/ipv4/vs/expire_quiescent_template", "1");
	put(t, "net/ipv4/vs/conn_reuse_mode", "1");
	assert_int_equal(host_sysctls_apply(s, &plain, false), 1);
	assert_value(t, "net/ipv4/vs/expire_nodest_conn", 1);
	assert_non_null(strstr(buf_cstr(&t->events), "expire_nodest_conn set from 0 to 1: "));
	assert_null(strstr(buf_cstr(&t->events), "template"));
	host_sysctls_free(s);
}

static void each_is_read_once_and_again_when_asked(void **state)
{
	struct tree *t = *state;
	struct host_sysctls *s = host_sysctls_new(t->root, on_event, t);

	put(t, "net/ipv4/vs/expire_nodest_conn", "1");
	put(t, "net/ipv4/vs/expire_quiescent_template", "1");
	put(t, "net/ipv4/vs/conn_reuse_mode", "1");
	assert_int_equal(host_sysctls_apply(s, &plain, false), 0);
	put(t, "net/ipv4/vs/conn_reuse_mode", "0");
	assert_int_equal(host_sysctls_apply(s, &plain, false), 0);
	assert_value(t, "net/ipv4/vs/conn_reuse_mode", 0);
	assert_int_equal(host_sysctls_apply(s, &plain, true), 1);
	assert_value(t, "net/ipv4/vs/conn_reuse_mode", 1);
	host_sysctls_free(s);
}

static void what_cannot_be_set_is_told_once(void **state)
{
	struct tree *t = *state;
	struct host_sysctls *s = host_sysctls_new(t->root, on_event, t);
	size_t len;

	put(t, "net/ipv4/vs/expire_nodest_conn", "1");
	put(t, "net/ipv4/vs/conn_reuse_mode", "1");
	assert_int_equal(host_sysctls_apply(s, &plain, false), 0);
	assert_non_null(strstr(buf_cstr(&t->events),
			       "expire_quiescent_template cannot be set to 1 (No such file"));
	len = t->events.len;
	assert_int_equal(host_sysctls_apply(s, &plain, true), 0);
	assert_int_equal(t->events.len, len);
	host_sysctls_free(s);
}

/* The name of an interface may hold a dot. */
static void a_link_is_made_to_answer_and_at_once(void **state)
{
	struct tree *t = *state;
	struct host_sysctls *s = host_sysctls_new(t->root, on_event, t);
	size_t len;

	put(t, "net/ipv6/conf/eth0.7/proxy_ndp", "0");
	put(t, "net/ipv6/neigh/eth0.7/proxy_delay", "80");
	assert_int_equal(host_sysctls_answer(s, "eth0.7"), 2);
	assert_value(t, "net/ipv6/conf/eth0.7/proxy_ndp", 1);
	assert_value(t, "net/ipv6/neigh/eth0.7/proxy_delay", 0);
	assert_non_null(
		strstr(buf_cstr(&t->events), "net.ipv6.conf.eth0.7.proxy_ndp set from 0 to 1: "));
	len = t->events.len;
	assert_int_equal(host_sysctls_answer(s, "eth0.7"), 0);
	assert_int_equal(t->events.len, len);
	assert_int_equal(host_sysctls_answer(s, "eth1"), 0);
	assert_non_null(strstr(buf_cstr(&t->events), "net.ipv6.conf.eth1.proxy_ndp cannot be set"));
	len = t->events.len;
	assert_int_equal(host_sysctls_answer(s, "eth1"), 0);
	assert_int_equal(t->events.len, len);
	/* That of all interfaces will do. */
	put(t, "net/ipv6/conf/all/proxy_ndp", "1");
	put(t, "net/ipv6/conf/eth2/proxy_ndp", "0");
	put(t, "net/ipv6/neigh/eth2/proxy_delay", "0");
	assert_int_equal(host_sysctls_answer(s, "eth2"), 0);
	assert_value(t, "net/ipv6/conf/eth2/proxy_ndp", 0);
	host_sysctls_free(s);
}

static void connections_are_held_and_let_go_as_it_was(void **state)
{
	struct tree *t = *state;
	struct host_sysctls *s = host_sysctls_new(t->root, on_event, t);
	unsigned written;

	/* What cannot be read cannot be set. */
	assert_int_equal(host_sysctls_hold_connections(s, true, &written), -ENOENT);
	put(t, "net/ipv4/vs/expire_nodest_conn", "1");
	assert_int_equal(host_sysctls_hold_connections(s, true, &written), 0);
	assert_int_equal(written, 1);
	assert_value(t, "net/ipv4/vs/expire_nodest_conn", 0);
	assert_int_equal(host_sysctls_hold_connections(s, false, &written), 0);
	assert_int_equal(written, 1);
	assert_value(t, "net/ipv4/vs/expire_nodest_conn", 1);
	/* Where they are held already, nothing is written. */
	put(t, "net/ipv4/vs/expire_nodest_conn", "0");
	assert_int_equal(host_sysctls_hold_connections(s, true, &written), 0);
	assert_int_equal(written, 0);
	assert_int_equal(host_sysctls_hold_connections(s, false, &written), 0);
	assert_int_equal(written, 0);
	assert_value(t, "net/ipv4/vs/expire_nodest_conn", 0);
	assert_int_equal(t->events.len, 0);
	host_sysctls_free(s);
}

/* It is as if it had been killed in between: the next look at it sets it. */
static void what_cannot_be_let_go_is_set_again(void **state)
{
	struct tree *t = *state;
	struct host_sysctls *s = host_sysctls_new(t->root, on_event, t);
	char path[300];
	unsigned written;

	put(t, "net/ipv4/vs/expire_nodest_conn", "1");
	put(t, "net/ipv4/vs/expire_quiescent_template", "1");
	put(t, "net/ipv4/vs/conn_reuse_mode", "1");
	assert_int_equal(host_sysctls_apply(s, &plain, false), 0);
	assert_int_equal(host_sysctls_hold_connections(s, true, &written), 0);
	snprintf(path, sizeof(path), "%s/net/ipv4/vs/expire_nodest_conn", t->root);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(host_sysctls_hold_connections(s, false, &written), -ENOENT);
	put(t, "net/ipv4/vs/expire_nodest_conn", "0");
	assert_int_equal(host_sysctls_apply(s, &plain, false), 1);
	assert_value(t, "net/ipv4/vs/expire_nodest_conn", 1);
	host_sysctls_free(s);
}

static void forwarding_must_not_take_the_default_route_away(void **state)
{
	struct tree *t = *state;
	struct host_sysctls *s = host_sysctls_new(t->root, on_event, t);

	put(t, "net/ipv6/conf/all/forwarding", "0");
	put(t, "net/ipv6/conf/eth0.5/accept_ra", "1");
	assert_true(host_sysctls_forwarding_hurts(s, "eth0.5"));
	assert_non_null(strstr(buf_cstr(&t->events), "set net.ipv6.conf.eth0.5.accept_ra to 2"));
	put(t, "net/ipv6/conf/eth0.5/accept_ra", "2");
	assert_false(host_sysctls_forwarding_hurts(s, "eth0.5"));
	put(t, "net/ipv6/conf/eth0.5/accept_ra", "1");
	put(t, "net/ipv6/conf/all/forwarding", "1");
	assert_false(host_sysctls_forwarding_hurts(s, "eth0.5"));
	host_sysctls_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_read_from_releases),
		cmocka_unit_test(without_a_frontend_only_ipvs_itself_is_set_up),
		cmocka_unit_test(forwarding_is_turned_on_for_the_family_in_use),
		cmocka_unit_test(masquerading_needs_conntrack),
		cmocka_unit_test(estimation_is_off_or_polite_by_version_and_size),
		cmocka_unit_test_setup_teardown(only_what_differs_is_written_and_told, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(each_is_read_once_and_again_when_asked, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_set_is_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_link_is_made_to_answer_and_at_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(connections_are_held_and_let_go_as_it_was, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_let_go_is_set_again, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(forwarding_must_not_take_the_default_route_away,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
