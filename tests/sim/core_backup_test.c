/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Backups of the store, over core's sockets: a real store in a real directory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/api/backup_route.h"
#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "tests/lib/core_client.h"
#include "tests/lib/core_world.h"

#define BACKUPS	  "/api/v1/backups"
#define WEB	  "/api/v1/namespaces/shop/services/web"
#define ENDPOINTS "/api/v1/namespaces/shop/endpoints/web"
#define JSON	  "Content-Type: application/json\r\n"
#define OVER	  JSON "If-Match: *\r\n"
#define SERVICE                                                                                 \
	"{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\"},\"spec\":" \
	"{\"type\":\"NodePort\",\"ports\":[{\"name\":\"p\",\"port\":80,\"nodePort\":30080}]}}"
#define MEMBERS(list)                                                                    \
	"{\"kind\":\"Endpoints\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\"}," \
	"\"subsets\":[{\"ports\":[{\"name\":\"p\",\"port\":8080}],\"addresses\":[" list "]}]}"
#define ONE   "{\"ip\":\"10.1.0.1\"}"
#define TWO   "{\"ip\":\"10.1.0.2\"}"
#define VIP   "-A -t 10.0.0.1:30080 -s wrr\n"
#define D1(w) "-a -t 10.0.0.1:30080 -r 10.1.0.1:8080 -m -w " w "\n"
#define D2(w) "-a -t 10.0.0.1:30080 -r 10.1.0.2:8080 -m -w " w "\n"

static void start_with_web(struct world *w)
{
	struct core_answer a;
	unsigned status;

	w->over_tcp = true;
	start_all(w, "");
	do {
		core_ask(w, UNIX, "PUT", WEB, JSON, SERVICE, &a);
		status = a.status;
		core_answer_done(&a);
	} while (status == 503);
	assert_int_equal(status, 201);
	core_want(w, 201, "", UNIX, "PUT", ENDPOINTS, JSON, MEMBERS(ONE));
	await_wanted(w, VIP D1("1"));
}

static size_t count(struct world *w)
{
	struct core_answer a;
	size_t n;

	core_ask(w, UNIX, "GET", BACKUPS, "", NULL, &a);
	assert_int_equal(a.status, 200);
	n = doc_get(a.root, "items")->count;
	core_answer_done(&a);
	return n;
}

static char *file_of(struct world *w, const char *name)
{
	char inside[128];

	snprintf(inside, sizeof(inside), "state/backups/%s" BACKUP_SUFFIX, name);
	return xstrdup(path_in(w, inside));
}

static void a_backup_brings_back_what_was(void **state)
{
	struct world *w = *state;
	struct core_answer a;
	struct stat st;
	char kept[128];

	start_with_web(w);
	core_ask(w, UNIX, "POST", BACKUPS, JSON, "{\"name\":\"before\"}", &a);
	assert_int_equal(a.status, 201);
	assert_string_equal(core_field(&a, "name"), "before");
	assert_int_equal(stat(core_field(&a, "path"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(st.st_size == strtoll(core_field(&a, "bytes"), NULL, 10));
	core_answer_done(&a);

	core_want(w, 200, "", UNIX, "PUT", ENDPOINTS, OVER, MEMBERS(TWO));
	await_wanted(w, VIP D1("0") D2("1"));
	core_ask(w, UNIX, "POST", BACKUPS "/before:restore?reason=a%20bad%20day", JSON, "{}", &a);
	assert_int_equal(a.status, 200);
	snprintf(kept, sizeof(kept), BACKUPS "/%s:restore", core_field(&a, "kept"));
	core_answer_done(&a);
	await_wanted(w, VIP D1("1") D2("0"));
	core_ask(w, UNIX, "GET", "/api/v1/operations?action=restore", "", NULL, &a);
	assert_int_equal(doc_get(a.root, "items")->count, 1);
	assert_string_equal(doc_string(doc_get(doc_get(a.root, "items")->first, "reason")),
			    "a bad day");
	core_answer_done(&a);

	/* What was there before is not lost either. */
	core_want(w, 200, "", UNIX, "POST", kept, JSON, "{}");
	await_wanted(w, VIP D1("0") D2("1"));
}

static void backups_are_listed_and_deleted(void **state)
{
	struct world *w = *state;
	struct core_answer a;
	char *stranger;
	struct err err;

	start_with_web(w);
	assert_int_equal(count(w), 0);
	core_ask(w, UNIX, "POST", BACKUPS, JSON, "{}", &a);
	assert_int_equal(a.status, 201);
	assert_int_equal(strlen(core_field(&a, "name")), strlen("20261128T120000Z"));
	core_answer_done(&a);
	core_want(w, 201, "", UNIX, "POST", BACKUPS, JSON, "{\"name\":\"a\"}");
	core_want(w, 409, "backup-exists", UNIX, "POST", BACKUPS, JSON, "{\"name\":\"a\"}");
	assert_int_equal(count(w), 2);
	stranger = xstrdup(path_in(w, "state/backups/notes.txt"));
	assert_int_equal(file_write(stranger, "x", 1, &err), 0);
	assert_int_equal(count(w), 2);
	core_want(w, 204, "", UNIX, "DELETE", BACKUPS "/a", "", NULL);
	core_want(w, 404, "backup-not-found", UNIX, "DELETE", BACKUPS "/a", "", NULL);
	core_want(w, 404, "backup-not-found", UNIX, "POST", BACKUPS "/a:restore", JSON, "{}");
	assert_int_equal(count(w), 1);
	free(stranger);
}

static void names_stay_in_the_directory(void **state)
{
	static const char *const names[] = { "../x", "/etc/x", ".hidden", "a b", "", "-x", "a/b" };
	struct world *w = *state;

	start_with_web(w);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char body[64];

		snprintf(body, sizeof(body), "{\"name\":\"%s\"}", names[i]);
		core_want(w, 422, "validation", UNIX, "POST", BACKUPS, JSON, body);
	}
	core_want(w, 404, "backup-not-found", UNIX, "DELETE", BACKUPS "/..%2fstore", "", NULL);
	core_want(w, 404, "backup-not-found", UNIX, "POST", BACKUPS "/..:restore", JSON, "{}");
	core_want(w, 422, "validation", UNIX, "POST", BACKUPS, JSON, "{\"label\":\"a\"}");
	core_want(w, 422, "validation", UNIX, "POST", BACKUPS, JSON, "{\"name\":\"a\",\"b\":1}");
	core_want(w, 400, "bad-parameter", UNIX, "POST", BACKUPS "?reason=x", JSON, "{}");
	core_want(w, 422, "validation", UNIX, "POST", BACKUPS, JSON, "[]");
	core_want(w, 422, "validation", UNIX, "POST", BACKUPS, JSON, "{\"name\":7}");
	assert_int_equal(count(w), 0);
}

static void what_is_no_store_is_not_restored(void **state)
{
	struct world *w = *state;
	char *path, *own;
	struct err err;

	start_with_web(w);
	core_want(w, 201, "", UNIX, "POST", BACKUPS, JSON, "{\"name\":\"good\"}");
	path = file_of(w, "bad");
	assert_int_equal(file_write(path, "SQLite format 3", 15, &err), 0);
	core_want(w, 422, "validation", UNIX, "POST", BACKUPS "/bad:restore", JSON, "{}");
	own = file_of(w, "empty");
	assert_int_equal(file_write(own, "", 0, &err), 0);
	core_want(w, 422, "validation", UNIX, "POST", BACKUPS "/empty:restore", JSON, "{}");
	await_wanted(w, VIP D1("1"));
	assert_int_equal(count(w), 3); /* and none besides */
	core_want(w, 200, "", UNIX, "PUT", ENDPOINTS, OVER, MEMBERS(TWO));
	free(path);
	free(own);
}

static void nobody_has_backups_over_tcp(void **state)
{
	struct world *w = *state;

	start_with_web(w);
	core_want(w, 403, "forbidden", TCP, "GET", BACKUPS, "", NULL);
	core_want(w, 403, "forbidden", TCP, "POST", BACKUPS, JSON, "{}");
	core_want(w, 403, "forbidden", TCP, "POST", BACKUPS "/x:restore", JSON, "{}");
	core_want(w, 415, "unsupported-type", UNIX, "POST", BACKUPS, "", "{}");
	core_want(w, 405, "method-not-allowed", UNIX, "PUT", BACKUPS, JSON, "{}");
	assert_int_equal(count(w), 0);
}

/* As many as may be; what is one too many is not begun. */
static void there_is_an_end_to_them(void **state)
{
	struct world *w = *state;
	struct err err;

	start_with_web(w);
	core_want(w, 201, "", UNIX, "POST", BACKUPS, JSON, "{\"name\":\"first\"}");
	for (int i = 1; i < BACKUPS_MAX; i++) {
		char name[16];
		CLEANUP(xfree_ptr) char *path = NULL;

		snprintf(name, sizeof(name), "n%d", i);
		path = file_of(w, name);
		assert_int_equal(file_write(path, "", 0, &err), 0);
	}
	core_want(w, 409, "too-many-backups", UNIX, "POST", BACKUPS, JSON, "{\"name\":\"last\"}");
	core_want(w, 409, "too-many-backups", UNIX, "POST", BACKUPS "/first:restore", JSON, "{}");
	core_want(w, 204, "", UNIX, "DELETE", BACKUPS "/n1", "", NULL);
	core_want(w, 201, "", UNIX, "POST", BACKUPS, JSON, "{\"name\":\"last\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, core_world_up_store, core_world_down)
		T(a_backup_brings_back_what_was), T(backups_are_listed_and_deleted),
		T(names_stay_in_the_directory),	  T(what_is_no_store_is_not_restored),
		T(nobody_has_backups_over_tcp),	  T(there_is_an_end_to_them),
	};

	return cmocka_run_group_tests_name("core's backups", tests, NULL, NULL);
}
