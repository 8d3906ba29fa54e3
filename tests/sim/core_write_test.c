/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Documents over REST: clients at core's socket, the real store behind it, and
 * what core wants of the kernel (tests/lib/core_world.h). After each answer
 * that is not 2xx, and each of a dry run, the documents are compared with what
 * they were.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/doc.h"
#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "agent/pool/address_pool.h"
#include "agent/store/history.h"
#include "tests/lib/core_world.h"
#include "tests/lib/store_world.h"

#define SERVICES  "/api/v1/namespaces/shop/services/"
#define ENDPOINTS "/api/v1/namespaces/shop/endpoints/"
#define SECRETS_  "/api/v1/namespaces/shop/secrets/"
#define JSON	  "Content-Type: application/json\r\n"
#define YAML	  "Content-Type: application/yaml\r\n"
#define MERGE	  "Content-Type: application/merge-patch+json\r\n"

#define SERVICE_AT(name, port)                                                       \
	"{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" name \
	"\",\"namespace\":\"shop\"},\"spec\":{\"type\":\"NodePort\",\"ports\":"      \
	"[{\"name\":\"p\",\"port\":80,\"nodePort\":" port "}]}}"
#define WEB SERVICE_AT("web", "30080")
#define WEB_ENDPOINTS(members)                                                  \
	"{\"kind\":\"Endpoints\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":" \
	"\"web\",\"namespace\":\"shop\"},\"subsets\":[{\"ports\":"              \
	"[{\"name\":\"p\",\"port\":8080}],\"addresses\":[" members "]}]}"
#define ONE   "{\"ip\":\"10.1.0.1\"}"
#define TWO   "{\"ip\":\"10.1.0.2\"}"
#define VIP   "-A -t 10.0.0.1:30080 -s wrr\n"
#define D1(w) "-a -t 10.0.0.1:30080 -r 10.1.0.1:8080 -m -w " w "\n"
#define D2(w) "-a -t 10.0.0.1:30080 -r 10.1.0.2:8080 -m -w " w "\n"

#define WEB_AT_20080                                                              \
	"kind: Service\napiVersion: v1\nmetadata: {name: web, namespace: shop}\n" \
	"spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: 20080}]}\n"
#define APPLIED_EDGE                                                              \
	"apiVersion: parasaus.io/v1\nkind: AddressPool\nmetadata: {name: edge}\n" \
	"spec: {addresses: [10.0.0.8], ports: 20000-20099}\n"

/* --- asking ------------------------------------------------------------------------------- */

struct answer {
	unsigned status;
	struct buf text; /* headers and body */
	const char *body;
	struct doc_set set;
	const struct doc *root; /* NULL: no JSON */
};

static void answer_done(struct answer *a)
{
	buf_done(&a->text);
	doc_set_done(&a->set);
	*a = (struct answer){ 0 };
}

static int dial(struct world *w)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path_in(w, "api.sock"));
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* Core turns while the server's thread takes and answers. */
static void exchange(struct world *w, int fd, const char *text, size_t len, struct buf *out)
{
	char piece[65536];
	size_t sent = 0;
	ssize_t n = -1;

	for (int i = 0; i < 20 * TURNS_MAX && n != 0; i++) {
		if (sent < len) {
			n = send(fd, text + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
			sent = n > 0 ? sent + (size_t)n : errno == EAGAIN ? sent : len;
		}
		turn(w);
		n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
		if (n > 0)
			buf_put(out, piece, (size_t)n);
	}
	assert_true(n == 0);
	close(fd);
}

static void read_answer(struct answer *a)
{
	const char *text = buf_cstr(&a->text), *body;
	struct err err;

	/* What an intermediate answer (100 Continue) says is not it. */
	while (strncmp(text, "HTTP/1.1 100", 12) == 0)
		text = strstr(text, "\r\n\r\n") + 4;
	if (sscanf(text, "HTTP/1.1 %u", &a->status) != 1)
		fail_msg("no answer: %s", text);
	body = strstr(text, "\r\n\r\n");
	a->body = body ? body + 4 : "";
	if (*a->body == '{' &&
	    doc_read_json(a->body, strlen(a->body), &DOC_LIMITS_DEFAULT, &a->set, &err) == 0)
		a->root = a->set.roots[0];
}

static void ask(struct world *w, const char *method, const char *target, const char *headers,
		const char *body, struct answer *out)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	int fd = dial(w);

	buf_printf(&text, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s", method, target,
		   headers);
	if (body)
		buf_printf(&text, "Content-Length: %zu\r\n", strlen(body));
	buf_printf(&text, "\r\n%s", body ? body : "");
	*out = (struct answer){ 0 };
	exchange(w, fd, (const char *)text.data, text.len, &out->text);
	read_answer(out);
}

static const char *field(const struct doc *d, const char *key)
{
	const struct doc *v = doc_get(d, key);

	return v && v->text ? v->text : "";
}

/* --- all that is there ----------------------------------------------------------------------- */

static struct store *store_of(struct world *w)
{
	return writes_store(w->context.arg);
}

/* Asks and has that status; what is not 2xx, and a dry run, changes nothing. */
static void want(struct world *w, unsigned status, const char *method, const char *target,
		 const char *headers, const char *body, struct answer *out)
{
	CLEANUP(xfree_ptr) char *before = store_world_everything(store_of(w));
	struct answer a;

	ask(w, method, target, headers, body, &a);
	if (a.status != status)
		fail_msg("%s %s: %u instead of %u\n%s", method, target, a.status, status, a.body);
	if (status >= 300 || strstr(target, "dryRun=all") || strcmp(method, "GET") == 0) {
		CLEANUP(xfree_ptr) char *after = store_world_everything(store_of(w));

		assert_string_equal(before, after);
	}
	if (out)
		*out = a;
	else
		answer_done(&a);
}

static void has_code(const struct answer *a, const char *code)
{
	assert_string_equal(field(a->root, "code"), code);
}

static uint64_t revision_of(struct world *w, enum store_kind kind, const char *name)
{
	const struct store_object *o = store_get(store_of(w),
						 &(struct store_key){ kind, "shop", name });

	assert_non_null(o);
	return o->revision;
}

/* The header If-Match for what is there now. */
static const char *if_match(struct world *w, enum store_kind kind, const char *name,
			    const char *more, char out[static 200])
{
	const struct store_object *o = store_get(store_of(w),
						 &(struct store_key){ kind, "shop", name });

	assert_non_null(o);
	snprintf(out, 200, "If-Match: \"r%" PRIu64 "\"\r\n%s", o->revision, more);
	return out;
}

static void start(struct world *w)
{
	start_all(w, "");
	for (int i = 0; i < TURNS_MAX; i++) {
		struct store_status s;

		store_status(store_of(w), &s);
		if (s.state == STORE_READY)
			return;
		turn(w);
	}
	fail_msg("the store does not open");
}

static void start_with_web(struct world *w)
{
	start(w);
	want(w, 201, "PUT", SERVICES "web", JSON, WEB, NULL);
	want(w, 201, "PUT", ENDPOINTS "web", JSON, WEB_ENDPOINTS(ONE), NULL);
	await_wanted(w, VIP D1("1"));
}

/* --- documents ------------------------------------------------------------------------------ */

static void what_is_put_is_wanted_of_the_kernel_and_read_back(void **state)
{
	struct world *w = *state;
	struct answer a;
	char tag[64];

	start_with_web(w);
	want(w, 200, "GET", SERVICES "web", "", NULL, &a);
	assert_string_equal(a.body, WEB "\n");
	assert_non_null(strstr(buf_cstr(&a.text), "ETag: \"r"));
	answer_done(&a);
	/* Who has it already is not told again; of another one's ETag it is all. */
	snprintf(tag, sizeof(tag), "If-None-Match: \"r%" PRIu64 "\"\r\n",
		 revision_of(w, STORE_SERVICE, "web"));
	want(w, 304, "GET", SERVICES "web", tag, NULL, &a);
	assert_string_equal(a.body, "");
	answer_done(&a);
	want(w, 200, "GET", SERVICES "web", "If-None-Match: \"r9999\"\r\n", NULL, NULL);
}

/* Of its two documents the newer one, also when that was written again as it was. */
static void a_pool_tells_who_changed_it_last(void **state)
{
	struct world *w = *state;
	uint64_t revision;
	char want_tag[64];
	struct answer a;

	start_with_web(w);
	want(w, 200, "PUT", ENDPOINTS "web", JSON "If-Match: *\r\n", WEB_ENDPOINTS(ONE) " ", NULL);
	want(w, 200, "PATCH", SERVICES "web", MERGE "If-Match: *\r\n",
	     "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}", NULL);
	revision = revision_of(w, STORE_SERVICE, "web");
	pass(w, 100);
	want(w, 200, "GET", "/api/v1/pools/shop.web.p-tcp", "", NULL, &a);
	snprintf(want_tag, sizeof(want_tag), "ETag: \"r%" PRIu64 "\"\r\n", revision);
	assert_non_null(strstr(buf_cstr(&a.text), want_tag));
	assert_int_equal(strtoull(field(a.root, "revision"), NULL, 10), revision);
	assert_string_equal(field(a.root, "lastAction"), "patch");
	assert_memory_equal(field(a.root, "lastOperator"), "unix:", 5);
	assert_memory_equal(field(a.root, "lastOperationTime"), "20", 2);
	answer_done(&a);
}

static void more_documents_than_one_write_takes_are_not_even_compared(void **state)
{
	CLEANUP(buf_done) struct buf many = { 0 };
	struct world *w = *state;
	struct answer a;

	start(w);
	for (int i = 0; i <= STORE_CHANGES_MAX; i++)
		buf_printf(&many,
			   "kind: Endpoints\napiVersion: v1\nmetadata: {name: e%d, namespace: "
			   "shop}\nsubsets: []\n---\n",
			   i);
	want(w, 422, "POST", "/api/v1/apply", YAML, buf_cstr(&many), &a);
	assert_non_null(strstr(a.body, "more documents than one write takes: 1000"));
	answer_done(&a);
}

static void before_the_store_is_known_nothing_is_said_to_be_absent(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct world *w = *state;
	const char *path;
	struct answer a;

	start_with_web(w);
	pass(w, 3000); /* the list is saved */
	stop_core(w);
	path = path_in(w, "state/store.db");
	assert_int_equal(file_read(path, 64u << 20, &b, NULL), 0);
	memset(b.data + 4096, 0x5a, b.len - 4096);
	assert_int_equal(file_write(path, b.data, b.len, NULL), 0);
	start_all(w, VIP D1("1"));
	pass(w, 3000);
	want(w, 503, "GET", SERVICES "web", "", NULL, &a);
	has_code(&a, "store-trouble");
	assert_non_null(strstr(a.body, "damaged"));
	answer_done(&a);
	want(w, 503, "PUT", SERVICES "web", JSON "If-Match: *\r\n", WEB, NULL);
	want(w, 503, "DELETE", SERVICES "web", "If-Match: *\r\n", NULL, NULL);
}

static void yaml_is_taken_as_well_and_a_namespace_comes_from_the_path(void **state)
{
	struct world *w = *state;
	struct answer a;

	start(w);
	want(w, 201, "PUT", SERVICES "web", YAML,
	     "kind: Service\napiVersion: v1\nmetadata:\n  name: web # the shop's\n"
	     "spec:\n  type: NodePort\n  ports:\n  - {name: p, port: 80, nodePort: 0x7580}\n",
	     NULL);
	want(w, 200, "GET", SERVICES "web", "", NULL, &a);
	assert_string_equal(a.body,
			    "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
			    "\"web\",\"namespace\":\"shop\"},\"spec\":{\"type\":\"NodePort\","
			    "\"ports\":[{\"name\":\"p\",\"port\":80,\"nodePort\":30080}]}}\n");
	answer_done(&a);
}

static void a_change_of_what_exists_says_which_revision_it_means(void **state)
{
	struct world *w = *state;
	char match[200];
	struct answer a;

	start_with_web(w);
	want(w, 428, "PUT", ENDPOINTS "web", JSON, WEB_ENDPOINTS(TWO), &a);
	has_code(&a, "precondition-required");
	answer_done(&a);
	want(w, 428, "DELETE", ENDPOINTS "web", "", NULL, NULL);
	want(w, 428, "PATCH", ENDPOINTS "web", MERGE, "{}", NULL);
	want(w, 428, "POST", ENDPOINTS "web:rollback", JSON, "{\"toRevision\":1}", NULL);
	want(w, 412, "PUT", ENDPOINTS "web", JSON "If-None-Match: *\r\n", WEB_ENDPOINTS(TWO), &a);
	has_code(&a, "already-exists");
	answer_done(&a);
	want(w, 412, "PUT", ENDPOINTS "web", JSON "If-Match: \"r1\"\r\n", WEB_ENDPOINTS(TWO), &a);
	has_code(&a, "stale-revision");
	assert_non_null(doc_get(doc_get(a.root, "current"), "revision"));
	assert_string_equal(field(doc_get(a.root, "current"), "action"), "create");
	assert_string_equal(field(doc_get(doc_get(a.root, "current"), "diff")->first, "path"),
			    "/subsets/0/addresses/0/ip");
	answer_done(&a);
	want(w, 200, "PUT", ENDPOINTS "web", if_match(w, STORE_ENDPOINTS, "web", JSON, match),
	     WEB_ENDPOINTS(ONE "," TWO), NULL);
	await_targets(w, 2);
	verdict(w, "10.1.0.2:8080", VERDICT_UP);
	await_wanted(w, VIP D1("1") D2("1"));
	/* By force. */
	want(w, 200, "DELETE", ENDPOINTS "web", "If-Match: *\r\n", NULL, NULL);
	want(w, 404, "DELETE", ENDPOINTS "web", "If-Match: *\r\n", NULL, &a);
	has_code(&a, "document-not-found");
	answer_done(&a);
	want(w, 404, "GET", ENDPOINTS "web", "", NULL, NULL);
	want(w, 404, "PUT", ENDPOINTS "web", JSON "If-Match: \"r7\"\r\n", WEB_ENDPOINTS(ONE), NULL);
}

static void the_same_again_changes_nothing(void **state)
{
	struct world *w = *state;
	CLEANUP(xfree_ptr) char *before = NULL;
	CLEANUP(xfree_ptr) char *after = NULL;
	char match[200];
	struct answer a;

	start_with_web(w);
	before = store_world_everything(store_of(w));
	want(w, 200, "PUT", SERVICES "web", if_match(w, STORE_SERVICE, "web", JSON, match), WEB,
	     &a);
	assert_non_null(strstr(buf_cstr(&a.text), "Parasaus-Changed: false\r\n"));
	assert_string_equal(field(a.root, "result"), "unchanged");
	answer_done(&a);
	after = store_world_everything(store_of(w));
	assert_string_equal(before, after);
}

static void a_merge_patch_changes_what_it_names(void **state)
{
	struct world *w = *state;
	char match[200];
	struct answer a;

	start_with_web(w);
	want(w, 200, "PATCH", ENDPOINTS "web", if_match(w, STORE_ENDPOINTS, "web", MERGE, match),
	     "{\"metadata\":{\"annotations\":{\"parasaus.io/weight\":\"7\",\"gone\":null}}}", &a);
	assert_string_equal(field(a.root, "result"), "configured");
	assert_string_equal(field(doc_get(a.root, "diff")->first, "op"), "add");
	answer_done(&a);
	await_wanted(w, VIP D1("7"));
	want(w, 200, "PATCH", ENDPOINTS "web", "If-Match: *\r\n" MERGE,
	     "{\"metadata\":{\"annotations\":null}}", NULL);
	await_wanted(w, VIP D1("1"));
	want(w, 422, "PATCH", ENDPOINTS "web", "If-Match: *\r\n" MERGE, "[]", NULL);
	want(w, 422, "PATCH", ENDPOINTS "web", "If-Match: *\r\n" MERGE,
	     "{\"metadata\":{\"name\":\"other\"}}", NULL);
	want(w, 415, "PATCH", ENDPOINTS "web", "If-Match: *\r\n" JSON, "{}", NULL);
	want(w, 404, "PATCH", ENDPOINTS "none", "If-Match: *\r\n" MERGE, "{}", NULL);
}

static void what_cannot_be_used_is_refused_with_its_place(void **state)
{
	struct world *w = *state;
	const struct doc *error;
	struct answer a;

	start(w);
	want(w, 422, "PUT", SERVICES "web", YAML,
	     "kind: Service\napiVersion: v1\nmetadata: {name: web}\nspec:\n  type: NodePort\n"
	     "  ports:\n  - name: p\n    port: 70000\n    nodePort: 30080\n",
	     &a);
	has_code(&a, "validation");
	error = doc_get(a.root, "errors")->first;
	assert_string_equal(field(error, "pointer"), "/spec/ports/0/port");
	assert_string_equal(field(error, "line"), "8");
	answer_done(&a);
	want(w, 422, "PUT", SERVICES "web", YAML, "kind: Service\n  a: b\n", &a);
	assert_string_equal(field(doc_get(a.root, "errors")->first, "line"), "2");
	answer_done(&a);
	want(w, 422, "PUT", ENDPOINTS "web", YAML,
	     "kind: Endpoints\napiVersion: v1\nmetadata:\n  name: web\n  annotations:\n"
	     "    parasaus.io/weight: \"many\"\n",
	     &a);
	assert_string_equal(field(doc_get(a.root, "errors")->first, "pointer"),
			    "/metadata/annotations/parasaus.io~1weight");
	assert_string_equal(field(doc_get(a.root, "errors")->first, "line"), "6");
	answer_done(&a);
	/* No address pool has that port. */
	want(w, 422, "PUT", SERVICES "web", JSON, SERVICE_AT("web", "29999"), &a);
	assert_string_equal(field(doc_get(a.root, "errors")->first, "pointer"),
			    "/spec/ports/0/nodePort");
	answer_done(&a);
	/* Nor is there such a namespace. */
	want(w, 422, "PUT", "/api/v1/namespaces/Not%20One/services/web", YAML,
	     "kind: Service\napiVersion: v1\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n",
	     NULL);
	want(w, 422, "POST", "/api/v1/apply?namespace=Not%20One", YAML,
	     "kind: Service\napiVersion: v1\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n",
	     NULL);
	want(w, 422, "PUT", "/api/v1/namespaces/default/services/web", YAML,
	     "kind: Service\napiVersion: v1\nmetadata: {name: web, namespace: 5}\n"
	     "spec: {ports: [{port: 80}]}\n",
	     NULL);
	want(w, 422, "PUT", SERVICES "other", JSON, WEB, NULL);
	want(w, 422, "PUT", ENDPOINTS "web", JSON, WEB, NULL);
	want(w, 422, "PUT", SERVICES "web", JSON, "", NULL);
	want(w, 422, "PUT", SERVICES "web", JSON, "17", NULL);
	want(w, 422, "PUT", SERVICES "web", YAML,
	     "kind: Service\napiVersion: v1\nmetadata: {name: web}\n---\nkind: Service\n", NULL);
}

static void a_frontend_is_one_documents_alone(void **state)
{
	struct world *w = *state;
	const struct doc *holder;
	char match[200];
	struct answer a;

	start_with_web(w);
	want(w, 409, "PUT", SERVICES "thief", JSON, SERVICE_AT("thief", "30080"), &a);
	has_code(&a, "vip-port-in-use");
	holder = doc_get(a.root, "holder");
	assert_string_equal(field(holder, "kind"), "Service");
	assert_string_equal(field(holder, "namespace"), "shop");
	assert_string_equal(field(holder, "name"), "web");
	assert_non_null(strstr(field(holder, "frontend"), "10.0.0.1:30080"));
	answer_done(&a);
	want(w, 409, "PUT", SERVICES "thief?dryRun=all", JSON, SERVICE_AT("thief", "30080"), NULL);
	want(w, 200, "PUT", SERVICES "web", if_match(w, STORE_SERVICE, "web", JSON, match),
	     SERVICE_AT("web", "30081"), NULL);
	want(w, 201, "PUT", SERVICES "thief", JSON, SERVICE_AT("thief", "30080"), NULL);
}

static void a_dry_run_tells_what_would_be_and_does_nothing(void **state)
{
	struct world *w = *state;
	char match[200];
	struct answer a;

	start_with_web(w);
	want(w, 200, "PUT", SERVICES "new?dryRun=all", JSON, SERVICE_AT("new", "30099"), &a);
	assert_string_equal(field(a.root, "result"), "created");
	assert_non_null(doc_get(a.root, "object"));
	assert_null(strstr(buf_cstr(&a.text), "ETag: "));
	answer_done(&a);
	want(w, 404, "GET", SERVICES "new", "", NULL, NULL);
	want(w, 200, "PUT", ENDPOINTS "web?dryRun=all",
	     if_match(w, STORE_ENDPOINTS, "web", JSON, match), WEB_ENDPOINTS(TWO), &a);
	assert_string_equal(field(doc_get(a.root, "diff")->first, "value"), "10.1.0.2");
	answer_done(&a);
	want(w, 412, "PUT", ENDPOINTS "web?dryRun=all", JSON "If-Match: \"r1\"\r\n",
	     WEB_ENDPOINTS(TWO), NULL);
	want(w, 200, "DELETE", SERVICES "web?dryRun=all", "If-Match: *\r\n", NULL, &a);
	assert_string_equal(field(a.root, "result"), "removed");
	answer_done(&a);
	want(w, 200, "POST", "/api/v1/apply?dryRun=all", JSON, SERVICE_AT("new", "30099"), NULL);
	want(w, 400, "PUT", SERVICES "new?dryRun=some", JSON, SERVICE_AT("new", "30099"), NULL);
	/* Nor is it recorded. */
	want(w, 200, "GET", "/api/v1/operations?name=new", "", NULL, &a);
	assert_string_equal(field(a.root, "total"), "0");
	answer_done(&a);
	await_wanted(w, VIP D1("1"));
}

/* "set-server 10.0.0.1:30080 10.1.0.1:8080 0; ..." */
static const char *plan_text(const struct answer *a, struct buf *out)
{
	static const char *const fields[] = { "op", "frontend", "scheduler", "server", "weight" };
	const struct doc *plan = doc_get(a->root, "plan");

	buf_reset(out);
	assert_non_null(plan);
	for (const struct doc *op = plan->first; op; op = op->next) {
		for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
			const struct doc *d = doc_get(op, fields[i]);

			if (d)
				buf_printf(out, "%s%s", i ? " " : "", d->text);
		}
		buf_str(out, "; ");
	}
	return buf_cstr(out);
}

/* The dry run tells this plan, and the write then comes to that table. */
static void planned(struct world *w, const char *method, const char *target, const char *headers,
		    const char *body, const char *plan, const char *table)
{
	CLEANUP(buf_done) struct buf dry = { 0 }, text = { 0 };
	struct answer a;

	buf_printf(&dry, "%s?dryRun=all", target);
	ask(w, method, buf_cstr(&dry), headers, body, &a);
	assert_in_range(a.status, 200, 201);
	assert_string_equal(plan_text(&a, &text), plan);
	answer_done(&a);
	ask(w, method, target, headers, body, &a);
	assert_in_range(a.status, 200, 201);
	assert_null(doc_get(a.root, "plan"));
	answer_done(&a);
	await_wanted(w, table);
}

#define OTHER "-A -t 10.0.0.1:30099 -s wrr\n"
#define ANY   JSON "If-Match: *\r\n"

static void a_dry_run_tells_what_the_kernel_would_be_told(void **state)
{
	struct world *w = *state;

	start_with_web(w);
	planned(w, "PUT", SERVICES "new", JSON, SERVICE_AT("new", "30099"),
		"new-service 10.0.0.1:30099 wrr; ", VIP D1("1") OTHER);
	planned(w, "PUT", SERVICES "new", ANY, SERVICE_AT("new", "30099"), "", VIP D1("1") OTHER);
	/* The one that leaves drains. */
	planned(w, "PUT", ENDPOINTS "web", ANY, WEB_ENDPOINTS(TWO),
		"set-server 10.0.0.1:30080 10.1.0.1:8080 0; "
		"new-server 10.0.0.1:30080 10.1.0.2:8080 1; ",
		VIP D1("0") D2("1") OTHER);
	planned(w, "PATCH", ENDPOINTS "web", MERGE "If-Match: *\r\n",
		"{\"metadata\":{\"annotations\":{\"parasaus.io/weight\":\"3\","
		"\"parasaus.io/scheduler\":\"rr\"}}}",
		"set-server 10.0.0.1:30080 10.1.0.2:8080 3; set-service 10.0.0.1:30080 rr; ",
		"-A -t 10.0.0.1:30080 -s rr\n" D1("0") D2("3") OTHER);
	/* To another port: it drains at the old one. */
	planned(w, "PUT", SERVICES "web", ANY, SERVICE_AT("web", "30098"),
		"new-service 10.0.0.1:30098 rr; new-server 10.0.0.1:30098 10.1.0.2:8080 3; "
		"set-server 10.0.0.1:30080 10.1.0.2:8080 0; ",
		"-A -t 10.0.0.1:30080 -s rr\n" D1("0")
			D2("0") "-A -t 10.0.0.1:30098 -s rr\n"
				"-a -t 10.0.0.1:30098 -r 10.1.0.2:8080 -m -w 3\n" OTHER);
	planned(w, "DELETE", SERVICES "new", "If-Match: *\r\n", NULL,
		"delete-service 10.0.0.1:30099; ",
		"-A -t 10.0.0.1:30080 -s rr\n" D1("0")
			D2("0") "-A -t 10.0.0.1:30098 -s rr\n"
				"-a -t 10.0.0.1:30098 -r 10.1.0.2:8080 -m -w 3\n");
}

static void a_repetition_by_its_key_has_the_first_answer(void **state)
{
	struct world *w = *state;
	struct answer a;

	start(w);
	want(w, 201, "PUT", SERVICES "web", JSON "Idempotency-Key: k1\r\n", WEB, NULL);
	ask(w, "PUT", SERVICES "web", JSON "Idempotency-Key: k1\r\n", WEB, &a);
	assert_int_equal(a.status, 200);
	answer_done(&a);
	want(w, 200, "GET", "/api/v1/operations?name=web", "", NULL, &a);
	assert_string_equal(field(a.root, "total"), "1");
	answer_done(&a);
	want(w, 422, "PUT", SERVICES "other", JSON "Idempotency-Key: k1\r\n",
	     SERVICE_AT("other", "30081"), &a);
	has_code(&a, "idempotency-key-reused");
	answer_done(&a);
}

/* --- secrets -------------------------------------------------------------------------------- */

#define SECRET(password)                                                                     \
	"{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"db\","          \
	"\"namespace\":\"shop\",\"annotations\":{\"kubectl.kubernetes.io/last-applied-"      \
	"configuration\":\"" password "\"}},\"stringData\":{\"username\":\"u\",\"password\"" \
	":\"" password "\"}}"

static void no_answer_holds_the_value_of_a_secret(void **state)
{
	static const char *const questions[] = { SECRETS_ "db",
						 SECRETS_ "db/revisions",
						 SECRETS_ "db/revisions/1",
						 SECRETS_ "db/revisions/2",
						 "/api/v1/operations",
						 "/api/v1/operations/1",
						 "/api/v1/operations/2" };
	struct world *w = *state;
	struct answer a;

	start(w);
	want(w, 201, "PUT", SECRETS_ "db", JSON, SECRET("hunter2"), &a);
	assert_null(strstr(buf_cstr(&a.text), "hunter2"));
	answer_done(&a);
	want(w, 200, "PUT", SECRETS_ "db", JSON "If-Match: *\r\n", SECRET("hunter3"), &a);
	assert_null(strstr(buf_cstr(&a.text), "hunter"));
	assert_non_null(strstr(a.body, "\"dataKeys\":[\"username\",\"password\"]"));
	answer_done(&a);
	want(w, 412, "PUT", SECRETS_ "db", JSON "If-Match: \"r1\"\r\n", SECRET("hunter4"), &a);
	assert_null(strstr(buf_cstr(&a.text), "hunter"));
	answer_done(&a);
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		ask(w, "GET", questions[i], "", NULL, &a);
		assert_null(strstr(buf_cstr(&a.text), "hunter"));
		answer_done(&a);
	}
	/* What it is shown as cannot wipe it. */
	want(w, 200, "GET", SECRETS_ "db", "", NULL, &a);
	want(w, 422, "PUT", SECRETS_ "db", JSON "If-Match: *\r\n", a.body, NULL);
	answer_done(&a);
}

/* --- many at once ---------------------------------------------------------------------------- */

#define WEB_YAML                                                                  \
	"kind: Service\napiVersion: v1\nmetadata: {name: web, namespace: shop}\n" \
	"spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: 30080}]}\n"
#define ENDPOINTS_YAML(ip)                                                               \
	"---\nkind: Endpoints\napiVersion: v1\nmetadata: {name: web, namespace: shop}\n" \
	"subsets: [{ports: [{name: p, port: 8080}], addresses: [{ip: " ip "}]}]\n"

static const char *result_of(const struct answer *a, unsigned i)
{
	const struct doc *d = doc_get(a->root, "items")->first;

	for (; i > 0; i--)
		d = d->next;
	return field(d, "result");
}

static void documents_are_applied_together_or_not_at_all(void **state)
{
	struct world *w = *state;
	struct answer a;

	start(w);
	want(w, 200, "POST", "/api/v1/apply", YAML, WEB_YAML ENDPOINTS_YAML("10.1.0.1"), &a);
	assert_string_equal(result_of(&a, 0), "created");
	assert_string_equal(result_of(&a, 1), "created");
	answer_done(&a);
	await_wanted(w, VIP D1("1"));
	want(w, 200, "POST", "/api/v1/apply", YAML, WEB_YAML ENDPOINTS_YAML("10.1.0.2"), &a);
	assert_string_equal(result_of(&a, 0), "unchanged");
	assert_string_equal(result_of(&a, 1), "configured");
	answer_done(&a);
	/* The second of them cannot be: neither is. */
	want(w, 409, "POST", "/api/v1/apply", YAML,
	     "kind: Service\napiVersion: v1\nmetadata: {name: a, namespace: shop}\n"
	     "spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: 30100}]}\n---\n"
	     "kind: Service\napiVersion: v1\nmetadata: {name: b, namespace: shop}\n"
	     "spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: 30080}]}\n",
	     NULL);
	want(w, 422, "POST", "/api/v1/apply", YAML, WEB_YAML "---\n" WEB_YAML, NULL);
	want(w, 422, "POST", "/api/v1/apply", YAML,
	     WEB_YAML "---\nkind: Deployment\napiVersion: apps/v1\nmetadata: {name: x}\n", NULL);
	want(w, 422, "POST", "/api/v1/apply", YAML, "", NULL);
}

static void the_origin_systems_example_is_applied_with_warnings(void **state)
{
	static const char example[] =
		"kind: Service\napiVersion: v1\nmetadata:\n  name: snake-demo-svc4\n"
		"  namespace: parasaus\nspec:\n  ports:\n  - nodePort: 40796\n    port: 40796\n"
		"    protocol: TCP\n    name: dcmp-svc4\n    type: NodePort\n---\n"
		"kind: Endpoints\napiVersion: v1\nmetadata:\n  name: snake-demo-svc4\n"
		"  namespace: parasaus\nannotations:\n  calledSource: \"kubectl\"\n"
		"  healthCheckType: \"http\"\nsubsets:\n- addresses:\n  - ip: 10.100.1.53\n"
		"  ports:\n  - port: 8090\n    name: dcmp-svc4\n";
	struct world *w = *state;
	struct answer a;

	start(w);
	want(w, 200, "POST", "/api/v1/apply", YAML, example, &a);
	assert_true(doc_get(a.root, "warnings")->count >= 2);
	answer_done(&a);
	await_wanted(w, "-A -t 10.0.0.1:40796 -s wrr\n"
			"-a -t 10.0.0.1:40796 -r 10.100.1.53:8090 -m -w 1\n");
}

/* --- pools ----------------------------------------------------------------------------------- */

#define NEW_POOL                                                                           \
	"{\"namespace\":\"shop\",\"name\":\"web\",\"portName\":\"p\",\"port\":30080,"      \
	"\"members\":[{\"address\":\"10.1.0.1\",\"port\":8080},{\"address\":\"10.1.0.2\"," \
	"\"port\":8080,\"weight\":3}]}"
#define WEB_POOL "/api/v1/pools/shop.web.p-tcp"

static void a_pool_is_made_and_edited_as_a_pool(void **state)
{
	struct world *w = *state;
	struct answer a;

	start(w);
	want(w, 201, "POST", "/api/v1/pools", JSON, NEW_POOL, &a);
	assert_non_null(strstr(buf_cstr(&a.text), "Location: " WEB_POOL "\r\n"));
	assert_non_null(strstr(buf_cstr(&a.text), "ETag: \"r2\"\r\n"));
	answer_done(&a);
	await_wanted(w, VIP D1("1") D2("3"));
	want(w, 200, "PATCH", WEB_POOL "/members/10.1.0.2-8080", MERGE "If-Match: \"r2\"\r\n",
	     "{\"drain\":true}", NULL);
	await_wanted(w, VIP D1("1") D2("0"));
	pass(w, 100);
	/* What reads them is another part: they agree on the revision. */
	want(w, 200, "GET", WEB_POOL, "", NULL, &a);
	assert_non_null(strstr(buf_cstr(&a.text), "ETag: \"r3\"\r\n"));
	assert_string_equal(field(a.root, "lastAction"), "drain");
	answer_done(&a);
	want(w, 200, "GET", WEB_POOL "/spec", "", NULL, &a);
	assert_non_null(strstr(buf_cstr(&a.text), "ETag: \"r3\"\r\n"));
	answer_done(&a);
	want(w, 304, "GET", WEB_POOL "/spec", "If-None-Match: \"r3\"\r\n", NULL, NULL);
	want(w, 405, "PUT", WEB_POOL, JSON, "{}", &a);
	assert_non_null(strstr(buf_cstr(&a.text), "Allow: GET, HEAD, PATCH, DELETE\r\n"));
	answer_done(&a);
	want(w, 415, "PATCH", WEB_POOL, JSON "If-Match: *\r\n", "{}", NULL);
	want(w, 415, "POST", "/api/v1/pools", YAML, NEW_POOL, NULL);
	want(w, 200, "DELETE", WEB_POOL, "If-Match: \"r3\"\r\n", NULL, NULL);
	await_wanted(w, VIP D1("0") D2("0"));
	want(w, 404, "GET", WEB_POOL "/spec", "", NULL, NULL);
}

/* --- the past --------------------------------------------------------------------------------- */

static void a_document_goes_back_to_what_it_was_also_when_it_is_gone(void **state)
{
	struct world *w = *state;
	uint64_t first;
	char body[64], match[200];
	struct answer a;

	start_with_web(w);
	first = revision_of(w, STORE_ENDPOINTS, "web");
	snprintf(body, sizeof(body), "{\"toRevision\":%" PRIu64 ",\"reason\":\"was good\"}", first);
	want(w, 200, "PUT", ENDPOINTS "web", JSON "If-Match: *\r\n", WEB_ENDPOINTS(TWO), NULL);
	await_wanted(w, VIP D1("0") D2("1"));
	want(w, 200, "POST", ENDPOINTS "web:rollback?dryRun=all", JSON "If-Match: *\r\n", body,
	     NULL);
	want(w, 200, "POST", ENDPOINTS "web:rollback",
	     if_match(w, STORE_ENDPOINTS, "web", JSON, match), body, NULL);
	assert_true(revision_of(w, STORE_ENDPOINTS, "web") > first);
	await_wanted(w, VIP D1("1") D2("0"));
	want(w, 200, "DELETE", ENDPOINTS "web", "If-Match: *\r\n", NULL, NULL);
	want(w, 201, "POST", ENDPOINTS "web:rollback", JSON "Idempotency-Key: k1\r\n", body, NULL);
	/* The answer was lost, so it is asked for again: it has been done. */
	want(w, 200, "POST", ENDPOINTS "web:rollback", JSON "Idempotency-Key: k1\r\n", body, NULL);
	want(w, 200, "GET", ENDPOINTS "web", "", NULL, &a);
	assert_string_equal(a.body, WEB_ENDPOINTS(ONE) "\n");
	answer_done(&a);
	want(w, 404, "POST", ENDPOINTS "web:rollback", JSON "If-Match: *\r\n",
	     "{\"toRevision\":999}", &a);
	has_code(&a, "revision-not-found");
	answer_done(&a);
	want(w, 422, "POST", ENDPOINTS "web:rollback", JSON "If-Match: *\r\n", "{\"to\":1}", NULL);
	want(w, 200, "GET", ENDPOINTS "web/revisions", "", NULL, &a);
	assert_int_equal(doc_get(a.root, "items")->count, 5);
	assert_string_equal(field(doc_get(a.root, "items")->first, "action"), "rollback");
	answer_done(&a);
}

/* Its frontend was given to another in the meantime. */
static void going_back_does_not_take_what_is_anothers(void **state)
{
	struct world *w = *state;
	char body[64];

	start_with_web(w);
	snprintf(body, sizeof(body), "{\"toRevision\":%" PRIu64 "}",
		 revision_of(w, STORE_SERVICE, "web"));
	want(w, 200, "DELETE", SERVICES "web", "If-Match: *\r\n", NULL, NULL);
	want(w, 201, "PUT", SERVICES "heir", JSON, SERVICE_AT("heir", "30080"), NULL);
	want(w, 409, "POST", SERVICES "web:rollback", JSON, body, NULL);
}

static void who_did_what_when_and_why_is_on_record(void **state)
{
	struct world *w = *state;
	const struct doc *o;
	char target[64];
	struct answer a;

	start_with_web(w);
	want(w, 200, "PUT", ENDPOINTS "web?reason=more%20room",
	     JSON "If-Match: *\r\nX-Request-Id: r-17\r\nUser-Agent: parasausctl/1\r\n",
	     WEB_ENDPOINTS(TWO), NULL);
	want(w, 200, "GET", "/api/v1/operations?request=r-17", "", NULL, &a);
	assert_string_equal(field(a.root, "total"), "1");
	o = doc_get(a.root, "items")->first;
	assert_memory_equal(field(o, "user"), "unix:", 5);
	assert_string_equal(field(o, "source"), "cli");
	assert_string_equal(field(o, "action"), "update");
	assert_string_equal(field(o, "reason"), "more room");
	assert_string_equal(field(o, "kind"), "Endpoints");
	assert_string_equal(field(o, "forced"), "true");
	assert_string_equal(field(o, "result"), "ok");
	snprintf(target, sizeof(target), "/api/v1/operations/%s", field(o, "id"));
	answer_done(&a);
	want(w, 200, "GET", target, "", NULL, &a);
	assert_non_null(doc_get(doc_get(a.root, "beforeObject"), "subsets"));
	assert_string_equal(field(doc_get(a.root, "diff")->first, "path"),
			    "/subsets/0/addresses/0/ip");
	answer_done(&a);
	want(w, 412, "PUT", ENDPOINTS "web", JSON "If-Match: \"r1\"\r\n", WEB_ENDPOINTS(ONE), NULL);
	want(w, 200, "GET", "/api/v1/operations?kind=endpoints&result=stale&limit=1", "", NULL, &a);
	assert_string_equal(field(a.root, "total"), "1");
	answer_done(&a);
	want(w, 404, "GET", "/api/v1/operations/99999", "", NULL, NULL);
	want(w, 400, "GET", "/api/v1/operations?colour=red", "", NULL, NULL);
	want(w, 400, "GET", "/api/v1/operations?since=yesterday", "", NULL, NULL);
}

/* --- what is refused before it is read --------------------------------------------------------- */

static void what_is_no_document_of_a_known_type_and_size_is_not_read(void **state)
{
	CLEANUP(buf_done) struct buf large = { 0 };
	struct world *w = *state;
	struct answer a;

	start(w);
	want(w, 415, "PUT", SERVICES "web", "Content-Type: text/plain\r\n", WEB, &a);
	has_code(&a, "unsupported-type");
	answer_done(&a);
	want(w, 415, "PUT", SERVICES "web", "", WEB, NULL);
	want(w, 405, "POST", SERVICES "web", JSON, WEB, &a);
	assert_non_null(strstr(buf_cstr(&a.text), "Allow: GET, HEAD, PUT, PATCH, DELETE\r\n"));
	answer_done(&a);
	want(w, 405, "DELETE", "/api/v1/operations", "", NULL, NULL);
	want(w, 400, "GET", SERVICES "web", "", "x", NULL);
	want(w, 400, "PUT", SERVICES "web", JSON "If-Match: r1\r\n", WEB, NULL);
	want(w, 400, "PUT", SERVICES "web", JSON "If-Match: *\r\nIf-None-Match: *\r\n", WEB, NULL);
	want(w, 400, "PUT", SERVICES "web", JSON "If-Match: *\r\nIf-Match: *\r\n", WEB, NULL);
	want(w, 404, "GET", "/api/v1/namespaces/shop/gadgets/web", "", NULL, NULL);
	want(w, 404, "GET", "/api/v1/namespaces/shop/services", "", NULL, NULL);
	memset(buf_add(&large, 1 << 20), ' ', 1 << 20);
	buf_str(&large, WEB);
	want(w, 413, "PUT", SERVICES "web", JSON, buf_cstr(&large), NULL);
}

/* A length is told before: without one the bound holds as well. */
static void a_body_in_chunks_has_the_same_bound(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_done) struct buf text = { 0 };
	struct answer a = { 0 };

	start(w);
	buf_str(&text, "PUT " SERVICES "web HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" JSON
		       "Transfer-Encoding: chunked\r\n\r\n");
	buf_printf(&text, "%zx\r\n" WEB "\r\n0\r\n\r\n", strlen(WEB));
	exchange(w, dial(w), (const char *)text.data, text.len, &a.text);
	read_answer(&a);
	assert_int_equal(a.status, 201);
	answer_done(&a);
	buf_reset(&text);
	buf_str(&text, "PUT " SERVICES "big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" JSON
		       "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 17; i++) {
		buf_str(&text, "10000\r\n");
		memset(buf_add(&text, 65536), ' ', 65536);
		buf_str(&text, "\r\n");
	}
	buf_str(&text, "0\r\n\r\n");
	exchange(w, dial(w), (const char *)text.data, text.len, &a.text);
	read_answer(&a);
	assert_int_equal(a.status, 413);
	answer_done(&a);
	want(w, 404, "GET", SERVICES "big", "", NULL, NULL);
}

static void whoami_tells_that_one_may_write(void **state)
{
	struct world *w = *state;
	struct answer a;

	start(w);
	pass(w, 100);
	want(w, 200, "GET", "/api/v1/whoami", "", NULL, &a);
	assert_string_equal(field(a.root, "writeEnabled"), "true");
	assert_string_equal(field(doc_get(a.root, "can"), "edit"), "true");
	assert_string_equal(field(doc_get(a.root, "can"), "probe"), "false");
	answer_done(&a);
}

/* Half a request and whole ones, wherever these are: an answer, or the end of the connection. */
static void the_end_of_core_leaves_nobody_waiting(void **state)
{
	static const char half[] = "PUT " SERVICES "web HTTP/1.1\r\nHost: x\r\n" JSON
				   "Connection: close\r\nContent-Length: 5\r\n\r\n{\"a\":";
	struct world *w = *state;
	char text[1024], piece[4096];
	int fds[8];

	start(w);
	snprintf(text, sizeof(text),
		 "PUT " SERVICES "web HTTP/1.1\r\nHost: x\r\n" JSON
		 "Connection: close\r\nContent-Length: %zu\r\n\r\n" WEB,
		 strlen(WEB));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		const char *request = i ? text : half;
		ssize_t len = (ssize_t)strlen(request);

		fds[i] = dial(w);
		assert_int_equal(send(fds[i], request, (size_t)len, MSG_NOSIGNAL), len);
	}
	stop_core(w);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		while (recv(fds[i], piece, sizeof(piece), 0) > 0)
			;
		close(fds[i]);
	}
	start(w);
}

/* --- address pools ---------------------------------------------------------------------------- */

#define ADDRESS_POOLS "/api/v1/address-pools"
#define EDGE                                                                                  \
	"{\"name\":\"edge\",\"addresses\":[\"10.0.0.8\",\"10.0.0.16/30\"],\"ports\":\"20000-" \
	"20009\",\"reserved\":[\"20000-20001\"]}"
#define EDGE_PORTS(ports) "{\"spec\":{\"ports\":\"" ports "\",\"reserved\":null}}"
#define CONFIGURED	  "10.0.0.1:30000-64999"
#define OURS(ports)	  CONFIGURED " 10.0.0.8:" ports " 10.0.0.16/30:" ports
#define EDGE_VIP	  "-A -t 10.0.0.8:20002 -s wrr\n"
#define EDGE_D1		  "-a -t 10.0.0.8:20002 -r 10.1.0.1:8080 -m -w 1\n"

static void await_ours(struct world *w, const char *text)
{
	for (int i = 0; i < TURNS_MAX && strcmp(ours_text(w), text) != 0; i++)
		turn(w);
	assert_string_equal(ours_text(w), text);
}

/* The address pools and one pool, which has 10.0.0.8:20002. */
static void start_with_edge(struct world *w)
{
	start(w);
	want(w, 201, "POST", ADDRESS_POOLS, JSON, EDGE, NULL);
	want(w, 201, "POST", "/api/v1/pools", JSON,
	     "{\"name\":\"db\",\"namespace\":\"shop\",\"port\":20002,\"members\":"
	     "[{\"address\":\"10.1.0.1\",\"port\":8080}]}",
	     NULL);
	await_wanted(w, EDGE_VIP EDGE_D1);
}

static void an_address_pool_is_a_document_and_gives_frontends(void **state)
{
	struct world *w = *state;
	const struct doc *p;
	struct answer a;

	start(w);
	want(w, 200, "POST", ADDRESS_POOLS "?dryRun=all", JSON, EDGE, &a);
	/* Two are kept back. */
	assert_string_equal(field(doc_get(a.root, "addressPools")->first, "free"), "8");
	answer_done(&a);
	want(w, 201, "POST", ADDRESS_POOLS, JSON, EDGE, &a);
	assert_non_null(strstr(buf_cstr(&a.text), "Location: " ADDRESS_POOLS "/edge\r\n"));
	answer_done(&a);
	want(w, 409, "POST", ADDRESS_POOLS, JSON, EDGE, &a);
	has_code(&a, "name-exists");
	answer_done(&a);
	await_ours(w, OURS("20000-20009"));
	want(w, 201, "POST", "/api/v1/pools", JSON,
	     "{\"name\":\"db\",\"namespace\":\"shop\",\"port\":20002,\"members\":"
	     "[{\"address\":\"10.1.0.1\",\"port\":8080}]}",
	     NULL);
	await_wanted(w, EDGE_VIP EDGE_D1);
	pass(w, 1200);
	want(w, 200, "GET", ADDRESS_POOLS, "", NULL, &a);
	p = doc_get(a.root, "items")->first;
	assert_string_equal(field(p, "source"), "configuration");
	assert_string_equal(field(p, "revision"), "0");
	p = p->next;
	assert_string_equal(field(p, "name"), "edge");
	assert_string_equal(field(p, "source"), "store");
	assert_string_equal(field(p, "used"), "1");
	assert_string_equal(field(p, "size"), "10");
	assert_string_equal(field(p, "free"), "7");
	assert_memory_equal(field(p, "user"), "unix:", 5);
	assert_string_equal(doc_get(p, "reserved")->first->text, "20000-20001");
	answer_done(&a);
	want(w, 200, "GET", ADDRESS_POOLS "/edge/allocations?limit=1", "", NULL, &a);
	assert_string_equal(field(a.root, "total"), "1");
	assert_string_equal(field(doc_get(a.root, "items")->first, "frontend"), "10.0.0.8:20002");
	assert_string_equal(field(doc_get(a.root, "items")->first, "pool"), "shop.db.20002-tcp");
	answer_done(&a);
	/* The start after finds all of it. */
	stop_core(w);
	start_all(w, EDGE_VIP EDGE_D1);
	await_wanted(w, EDGE_VIP EDGE_D1);
	await_ours(w, OURS("20000-20009"));
}

/* Whatever becomes of its address pool, a pool that lives keeps its frontend. */
static void a_pool_keeps_its_frontend_when_its_address_pool_shrinks(void **state)
{
	struct world *w = *state;
	struct answer a;

	start_with_edge(w);
	want(w, 428, "PATCH", ADDRESS_POOLS "/edge", MERGE, EDGE_PORTS("20005-20009"), NULL);
	want(w, 200, "PATCH", ADDRESS_POOLS "/edge?dryRun=all", MERGE "If-Match: *\r\n",
	     EDGE_PORTS("20005-20009"), &a);
	assert_string_equal(field(a.root, "outside"), "1");
	assert_string_equal(field(a.root, "planTotal"), "0");
	assert_non_null(strstr(field(doc_get(a.root, "warnings")->first, "detail"),
			       "shop/db (10.0.0.8:20002)"));
	answer_done(&a);
	want(w, 200, "PATCH", ADDRESS_POOLS "/edge", MERGE "If-Match: *\r\n",
	     EDGE_PORTS("20005-20009"), NULL);
	await_ours(w, CONFIGURED " 10.0.0.8:20002-20002 10.0.0.8:20005-20009 "
				 "10.0.0.16/30:20005-20009");
	await_wanted(w, EDGE_VIP EDGE_D1);
	pass(w, 100);
	want(w, 200, "GET", "/api/v1/pools/shop.db.20002-tcp", "", NULL, &a);
	assert_non_null(strstr(a.body, "10.0.0.8:20002/tcp is outside its address pool"));
	answer_done(&a);
	/* Edited, moved to other addresses, and after a restart. */
	want(w, 200, "PUT", ADDRESS_POOLS "/edge", YAML "If-Match: *\r\n",
	     "apiVersion: parasaus.io/v1\nkind: AddressPool\nmetadata: {name: edge}\n"
	     "spec: {addresses: [10.0.0.99], ports: 20000-20009}\n",
	     NULL);
	want(w, 200, "PATCH", "/api/v1/pools/shop.db.20002-tcp", MERGE "If-Match: *\r\n",
	     "{\"settings\":{\"scheduler\":\"rr\"}}", NULL);
	await_wanted(w, "-A -t 10.0.0.8:20002 -s rr\n" EDGE_D1);
	stop_core(w);
	start_all(w, EDGE_VIP EDGE_D1);
	await_wanted(w, "-A -t 10.0.0.8:20002 -s rr\n" EDGE_D1);
	await_ours(w, CONFIGURED " 10.0.0.8:20002-20002 10.0.0.99:20000-20009");
	/* Held again: all is as it was. */
	want(w, 200, "POST", ADDRESS_POOLS "/edge:rollback", JSON "If-Match: *\r\n",
	     "{\"toRevision\":1}", NULL);
	await_ours(w, OURS("20000-20009"));
	pass(w, 100);
	want(w, 200, "GET", "/api/v1/pools/shop.db.20002-tcp", "", NULL, &a);
	assert_null(strstr(a.body, "outside its address pool"));
	answer_done(&a);
}

static void an_address_pool_that_is_used_is_not_deleted(void **state)
{
	struct world *w = *state;
	struct answer a;

	start_with_edge(w);
	want(w, 409, "DELETE", ADDRESS_POOLS "/edge", "If-Match: *\r\n", NULL, &a);
	has_code(&a, "address-pool-in-use");
	assert_non_null(strstr(field(a.root, "detail"), "shop/db (10.0.0.8:20002)"));
	answer_done(&a);
	/* The kernel is to be rid of its services while they are still ours. */
	w->acknowledge = false;
	want(w, 200, "DELETE", "/api/v1/pools/shop.db.20002-tcp", "If-Match: *\r\n", NULL, NULL);
	want(w, 200, "DELETE", ADDRESS_POOLS "/edge", "If-Match: *\r\n", NULL, NULL);
	send_idle(w, "10.0.0.8:20002", "10.1.0.1:8080");
	await_wanted(w, "");
	pass(w, 500);
	assert_non_null(strstr(ours_text(w), " 10.0.0.8:20000-20009 "));
	w->acknowledge = true;
	want(w, 201, "PUT", SERVICES "web", JSON, WEB, NULL);
	await_ours(w, CONFIGURED);
	want(w, 404, "GET", ADDRESS_POOLS "/edge", "", NULL, NULL);
	want(w, 404, "GET", ADDRESS_POOLS "/edge/allocations", "", NULL, NULL);
}

static void address_pools_do_not_get_in_each_others_way(void **state)
{
	static const struct {
		const char *body, *says;
	} bad[] = {
		{ "{\"name\":\"x\",\"addresses\":[\"10.0.0.0/28\"],\"ports\":\"20009-20010\"}",
		  "overlaps addresses and ports of the address pool 'edge'" },
		{ "{\"name\":\"x\",\"addresses\":[\"10.0.0.1\"],\"ports\":\"64999\"}",
		  "overlaps addresses and ports of the address pool 'p' of the configuration" },
		{ "{\"name\":\"x\",\"addresses\":[\"10.0.1.1\"],\"ports\":\"1-9\"}",
		  "10.0.1.1 is not inside vipRanges" },
		{ "{\"name\":\"x\",\"addresses\":[\"10.0.0.5\",\"10.0.0.4/31\"],\"ports\":\"1-9\"}",
		  "overlaps another item of this list" },
		{ "{\"name\":\"p\",\"addresses\":[\"10.0.0.5\"],\"ports\":\"1-9\"}",
		  "the configuration has an address pool 'p'" },
	};
	struct world *w = *state;
	struct answer a;

	start_with_edge(w);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		want(w, 422, "POST", ADDRESS_POOLS, JSON, bad[i].body, &a);
		if (!strstr(field(a.root, "detail"), bad[i].says))
			fail_msg("%s: %s", bad[i].says, a.body);
		answer_done(&a);
	}
	want(w, 409, "PATCH", ADDRESS_POOLS "/p", MERGE "If-Match: *\r\n", "{}", &a);
	assert_non_null(strstr(field(a.root, "detail"), "under addressPools"));
	answer_done(&a);
	want(w, 200, "GET", ADDRESS_POOLS "/p", "", NULL, &a);
	assert_string_equal(field(doc_get(a.root, "spec"), "ports"), "30000-64999");
	assert_null(strstr(buf_cstr(&a.text), "ETag"));
	answer_done(&a);
}

/* Ports that are kept back go to who names them; other namespaces get none. */
static void an_address_pool_is_for_whom_it_says(void **state)
{
	struct world *w = *state;
	struct answer a;

	start(w);
	want(w, 201, "POST", ADDRESS_POOLS, JSON,
	     "{\"name\":\"edge\",\"addresses\":[\"10.0.0.8\"],\"ports\":\"20000-20002\","
	     "\"reserved\":[20000],\"namespaces\":[\"shop\"]}",
	     NULL);
	want(w, 201, "POST", ADDRESS_POOLS, JSON,
	     "{\"name\":\"slow\",\"addresses\":[\"10.0.0.9\"],\"ports\":\"21000\","
	     "\"autoAssign\":false}",
	     NULL);
	await_ours(w, CONFIGURED " 10.0.0.8:20000-20002 10.0.0.9:21000-21000");
	want(w, 422, "POST", "/api/v1/pools", JSON,
	     "{\"name\":\"a\",\"namespace\":\"other\",\"port\":20001}", &a);
	assert_non_null(strstr(a.body, "outside the ports of every address pool: 30000-64999 (p), "
				       "21000-21000 (slow)"));
	answer_done(&a);
	want(w, 201, "POST", "/api/v1/pools", JSON,
	     "{\"name\":\"a\",\"namespace\":\"shop\",\"port\":20000}", NULL);
	want(w, 201, "POST", "/api/v1/pools", JSON,
	     "{\"name\":\"b\",\"namespace\":\"shop\",\"port\":21000}", NULL);
	/* Nobody else is left out: who names no port gets one of those that are given out. */
	want(w, 201, "POST", "/api/v1/pools", JSON, "{\"name\":\"c\",\"namespace\":\"other\"}", &a);
	assert_string_equal(field(a.root, "pool"), "other.c.30000-tcp");
	answer_done(&a);
	await_wanted(w, "-A -t 10.0.0.1:30000 -s wrr\n-A -t 10.0.0.8:20000 -s wrr\n"
			"-A -t 10.0.0.9:21000 -s wrr\n");
	/* Who names an address pool has what it keeps for those, but no reserved port. */
	want(w, 201, "POST", "/api/v1/pools", JSON,
	     "{\"name\":\"d\",\"namespace\":\"shop\",\"addressPool\":\"edge\"}", &a);
	assert_string_equal(field(a.root, "pool"), "shop.d.20001-tcp");
	answer_done(&a);
	want(w, 200, "DELETE", "/api/v1/pools/shop.d.20001-tcp", "If-Match: *\r\n", NULL, NULL);
	want(w, 409, "POST", "/api/v1/pools", JSON,
	     "{\"name\":\"d\",\"namespace\":\"shop\",\"addressPool\":\"slow\"}", &a);
	has_code(&a, "no-free-port");
	assert_non_null(strstr(a.body, "no port is free: address pool slow has 1 ports"));
	answer_done(&a);
	want(w, 422, "POST", "/api/v1/pools", JSON,
	     "{\"name\":\"d\",\"namespace\":\"other\",\"addressPool\":\"edge\"}", &a);
	assert_non_null(strstr(a.body, "'edge' is not for the namespace other"));
	answer_done(&a);
	want(w, 422, "POST", "/api/v1/pools", JSON,
	     "{\"name\":\"d\",\"namespace\":\"shop\",\"addressPool\":\"edge\",\"port\":30005}", &a);
	assert_non_null(strstr(a.body, "port 30005 is not served out of 'edge' but of 'p'"));
	answer_done(&a);
	want(w, 422, "POST", "/api/v1/pools", JSON,
	     "{\"name\":\"d\",\"namespace\":\"shop\",\"addressPool\":\"none\"}", &a);
	assert_non_null(strstr(a.body, "there is no address pool 'none'"));
	answer_done(&a);
	/* No longer for its namespace: what it has it keeps. */
	want(w, 200, "PATCH", ADDRESS_POOLS "/edge", MERGE "If-Match: *\r\n",
	     "{\"spec\":{\"namespaces\":[\"none\"]}}", NULL);
	pass(w, 100);
	await_wanted(w, "-A -t 10.0.0.1:30000 -s wrr\n-A -t 10.0.0.8:20000 -s wrr\n"
			"-A -t 10.0.0.9:21000 -s wrr\n");
}

static void an_address_pool_and_who_needs_it_are_applied_together(void **state)
{
	struct world *w = *state;
	struct answer a;

	start(w);
	want(w, 200, "POST", "/api/v1/apply?dryRun=all", YAML, WEB_AT_20080 "---\n" APPLIED_EDGE,
	     &a);
	assert_string_equal(field(a.root, "planTotal"), "1");
	answer_done(&a);
	want(w, 200, "POST", "/api/v1/apply", YAML, WEB_AT_20080 "---\n" APPLIED_EDGE, NULL);
	await_wanted(w, "-A -t 10.0.0.8:20080 -s wrr\n");
	want(w, 422, "POST", "/api/v1/apply", YAML, APPLIED_EDGE "---\n" APPLIED_EDGE, &a);
	assert_non_null(strstr(a.body, "it is written twice"));
	answer_done(&a);
}

#define POOL_OF(name, ports)                                                    \
	"apiVersion: parasaus.io/v1\nkind: AddressPool\nmetadata: {name: " name \
	"}\nspec: {addresses: [10.0.0.8], ports: " ports "}\n---\n"
#define APPLY "/api/v1/apply"

/* One grows by what another one gives away, whichever of them is written first. */
static void address_pools_that_are_applied_together_are_judged_together(void **state)
{
	static const char *const turns[] = {
		POOL_OF("b", "20005-20019") POOL_OF("a", "20000-20004"),
		POOL_OF("a", "20000-20009") POOL_OF("b", "20010-20019"),
		/* What each had is the other's. */
		POOL_OF("a", "20010-20019") POOL_OF("b", "20000-20009"),
		POOL_OF("b", "20010-20019") POOL_OF("a", "20000-20009"),
	};
	struct world *w = *state;
	struct answer a;

	start(w);
	want(w, 200, "POST", APPLY, YAML, POOL_OF("b", "20010-20019") POOL_OF("a", "20000-20009"),
	     NULL);
	want(w, 201, "POST", "/api/v1/pools", JSON,
	     "{\"name\":\"db\",\"namespace\":\"shop\",\"port\":20002,\"members\":"
	     "[{\"address\":\"10.1.0.1\",\"port\":8080}]}",
	     NULL);
	await_wanted(w, EDGE_VIP EDGE_D1);
	for (size_t i = 0; i < ARRAY_LEN(turns); i++) {
		want(w, 200, "POST", APPLY "?dryRun=all", YAML, turns[i], &a);
		assert_int_equal(doc_get(a.root, "addressPools")->count, 2);
		assert_string_equal(field(a.root, "outside"), "0");
		assert_string_equal(field(a.root, "planTotal"), "0");
		answer_done(&a);
		want(w, 200, "POST", APPLY, YAML, turns[i], NULL);
		pass(w, 100);
		/* Nothing in between was ever looked at. */
		assert_null(strstr(buf_cstr(&w->log), "overlaps"));
		await_wanted(w, EDGE_VIP EDGE_D1);
	}
	want(w, 200, "GET", ADDRESS_POOLS, "", NULL, &a);
	assert_non_null(strstr(a.body, "20010-20019"));
	answer_done(&a);
	/* With a pool that needs what only all of them together give it. */
	want(w, 200, "POST", APPLY, YAML,
	     WEB_AT_20080 "---\n" POOL_OF("b", "20005-20099") POOL_OF("a", "20000-20004"), NULL);
	await_wanted(w, EDGE_VIP EDGE_D1 "-A -t 10.0.0.8:20080 -s wrr\n");
}

/* Each reason is told, and none of them is written. */
static void address_pools_that_cannot_be_together_are_refused_together(void **state)
{
	struct world *w = *state;
	struct answer a;

	start(w);
	want(w, 200, "POST", APPLY, YAML, POOL_OF("b", "20010-20019") POOL_OF("a", "20000-20009"),
	     NULL);
	for (int dry = 1; dry >= 0; dry--) {
		want(w, 422, "POST", dry ? APPLY "?dryRun=all" : APPLY, YAML,
		     POOL_OF("a", "20000-20004") POOL_OF("b", "20004-20019") POOL_OF("c", "1-9")
			     POOL_OF("p", "10-19"),
		     &a);
		has_code(&a, "validation");
		assert_int_equal(doc_get(a.root, "errors")->count, 3);
		assert_non_null(strstr(a.body, "the address pool 'b'"));
		assert_non_null(strstr(a.body, "the address pool 'a'"));
		assert_non_null(strstr(a.body, "the configuration has an address pool 'p'"));
		answer_done(&a);
	}
	await_ours(w, CONFIGURED " 10.0.0.8:20000-20009 10.0.0.8:20010-20019");
}

static void there_are_only_so_many_address_pools(void **state)
{
	CLEANUP(xfree_ptr) char *more = NULL;
	CLEANUP(buf_done) struct buf body = { 0 };
	struct world *w = *state;
	struct answer a;

	start(w);
	for (int i = 0; i < ADDRESS_POOLS_MAX; i++)
		buf_printf(&body,
			   "apiVersion: parasaus.io/v1\nkind: AddressPool\nmetadata: {name: n%d}\n"
			   "spec: {addresses: [10.0.0.8], ports: %d}\n---\n",
			   i, 1000 + i);
	more = xasprintf("%s" POOL_OF("more", "20000"), buf_cstr(&body));
	want(w, 422, "POST", APPLY, YAML, more, &a);
	assert_non_null(strstr(a.body, "address pools, which is the limit"));
	answer_done(&a);
	want(w, 200, "POST", APPLY, YAML, buf_cstr(&body), NULL);
	want(w, 422, "POST", ADDRESS_POOLS, JSON,
	     "{\"name\":\"more\",\"addresses\":[\"10.0.0.8\"],\"ports\":\"20000\"}", &a);
	answer_done(&a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, core_world_up_store, core_world_down)

static void without_a_store_documents_are_managed_elsewhere(void **state)
{
	struct world *w = *state;
	struct answer a;

	start_all(w, "");
	pass(w, 100);
	ask(w, "GET", SERVICES "web", "", NULL, &a);
	assert_int_equal(a.status, 409);
	has_code(&a, "managed-elsewhere");
	answer_done(&a);
	ask(w, "GET", "/api/v1/whoami", "", NULL, &a);
	assert_string_equal(field(a.root, "reason"), "no-store");
	answer_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_put_is_wanted_of_the_kernel_and_read_back),
		T(a_pool_tells_who_changed_it_last),
		T(more_documents_than_one_write_takes_are_not_even_compared),
		T(before_the_store_is_known_nothing_is_said_to_be_absent),
		T(yaml_is_taken_as_well_and_a_namespace_comes_from_the_path),
		T(a_change_of_what_exists_says_which_revision_it_means),
		T(the_same_again_changes_nothing),
		T(a_merge_patch_changes_what_it_names),
		T(what_cannot_be_used_is_refused_with_its_place),
		T(a_frontend_is_one_documents_alone),
		T(a_dry_run_tells_what_would_be_and_does_nothing),
		T(a_dry_run_tells_what_the_kernel_would_be_told),
		T(a_repetition_by_its_key_has_the_first_answer),
		T(no_answer_holds_the_value_of_a_secret),
		T(documents_are_applied_together_or_not_at_all),
		T(the_origin_systems_example_is_applied_with_warnings),
		T(a_pool_is_made_and_edited_as_a_pool),
		T(a_document_goes_back_to_what_it_was_also_when_it_is_gone),
		T(going_back_does_not_take_what_is_anothers),
		T(who_did_what_when_and_why_is_on_record),
		T(what_is_no_document_of_a_known_type_and_size_is_not_read),
		T(a_body_in_chunks_has_the_same_bound),
		T(whoami_tells_that_one_may_write),
		T(an_address_pool_is_a_document_and_gives_frontends),
		T(a_pool_keeps_its_frontend_when_its_address_pool_shrinks),
		T(an_address_pool_that_is_used_is_not_deleted),
		T(address_pools_do_not_get_in_each_others_way),
		T(an_address_pool_is_for_whom_it_says),
		T(an_address_pool_and_who_needs_it_are_applied_together),
		T(address_pools_that_are_applied_together_are_judged_together),
		T(address_pools_that_cannot_be_together_are_refused_together),
		T(there_are_only_so_many_address_pools),
		T(the_end_of_core_leaves_nobody_waiting),
		cmocka_unit_test_setup_teardown(without_a_store_documents_are_managed_elsewhere,
						core_world_up, core_world_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
