/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lint*.c: what is told of manifests, and their corrected form. */
#include "agent/pool/lint.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/file.h"

static void print_findings(struct lint *l, struct buf *b)
{
	size_t n;
	const struct lint_finding *f = lint_findings(l, &n);

	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s:%u: %s: %s\n", f[i].file, f[i].line,
			   f[i].error ? "error" : "warning", f[i].text);
}

static void expect_findings(const char *text, const char *want)
{
	struct lint *l = lint_new(NULL);
	struct buf b = { 0 };

	lint_add(l, "a.yaml", text, strlen(text));
	print_findings(l, &b);
	assert_string_equal(buf_cstr(&b), want);
	buf_done(&b);
	lint_free(l);
}

static void expect_corrected(const char *text, const char *want)
{
	struct lint *l = lint_new(NULL);
	struct buf b = { 0 };

	lint_add(l, "a.yaml", text, strlen(text));
	assert_int_equal(lint_corrected(l, &b), 0);
	assert_string_equal(buf_cstr(&b), want);
	buf_done(&b);
	lint_free(l);
}

static const char *read_file(const char *path, struct buf *b)
{
	struct err err = { 0 };

	if (file_read(path, 65536, b, &err) < 0)
		fail_msg("%s", err.text);
	return buf_cstr(b);
}

static void the_origins_yaml_is_corrected_to_the_example(void **state)
{
	struct buf origin = { 0 }, example = { 0 };

	(void)state;
	read_file("deploy/example-origin.yaml", &origin);
	read_file("deploy/example.yaml", &example);
	expect_findings(
		buf_cstr(&origin),
		"a.yaml:12: warning: Service: \"type\" stands in spec.ports[0]; taken as spec.type "
		"(an API "
		"server refuses it: move it up)\n"
		"a.yaml:19: warning: Endpoints: \"annotations\" stands at top level; taken as "
		"metadata.annotations (an API server drops it: move it under metadata)\n"
		"a.yaml:21: warning: a health check of type http without "
		"parasaus.io/health-check-path asks for "
		"\"/\": say what to ask for\n");
	expect_corrected(buf_cstr(&origin), buf_cstr(&example));
	buf_done(&origin);
	buf_done(&example);
}

static void the_example_is_clean_and_stays_as_it_is(void **state)
{
	struct buf example = { 0 };

	(void)state;
	read_file("deploy/example.yaml", &example);
	expect_findings(buf_cstr(&example), "");
	expect_corrected(buf_cstr(&example), buf_cstr(&example));
	buf_done(&example);
}

#define SERVICE(name, spec) \
	"---\n{apiVersion: v1, kind: Service, metadata: {name: " name "}, spec: {" spec "}}\n"
#define ENDPOINTS(name)                                                 \
	"---\n{apiVersion: v1, kind: Endpoints, metadata: {name: " name \
	"}, subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}]}\n"

static void a_pair_needs_both(void **state)
{
	(void)state;
	expect_findings(SERVICE("a", "type: NodePort, ports: [{port: 80, nodePort: 30001}]")
				ENDPOINTS("b"),
			"a.yaml:2: warning: there is no Endpoints default/a and no EndpointSlice "
			"of it: no members\n"
			"a.yaml:4: warning: there is no Service default/b: not used\n");
	expect_findings(SERVICE("a", "ports: [{port: 80, nodePort: 30001}]") ENDPOINTS("a"),
			"a.yaml:2: warning: Service: spec.ports[0].nodePort is of no use with "
			"spec.type ClusterIP: "
			"write type: NodePort under spec\n");
}

static void an_address_pool_is_looked_over(void **state)
{
	(void)state;
	expect_findings("kind: AddressPool\napiVersion: parasaus.io/v1\nmetadata: {name: a}\n"
			"spec: {addresses: [10.0.0.1], ports: 80}\n",
			"");
	expect_findings("kind: AddressPool\napiVersion: parasaus.io/v1\nmetadata: {name: a}\n"
			"spec: {addresses: [10.0.0.1], port: 80}\n",
			"a.yaml:4: error: spec.port is not known: there are addresses, "
			"ports, reserved, namespaces and autoAssign\n");
}

static void several_files_are_one_set(void **state)
{
	static const char a[] = SERVICE("a",
					"type: NodePort, ports: [{port: 80, nodePort: 30001}]");
	static const char b[] = ENDPOINTS("a")
		SERVICE("b", "type: NodePort, ports: [{port: 80, nodePort: 30001}]") ENDPOINTS("b")
			SERVICE("a", "") "---\nkind: ConfigMap\napiVersion: v1\n";
	struct lint *l = lint_new(NULL);
	struct buf got = { 0 };

	(void)state;
	lint_add(l, "a.yaml", a, sizeof(a) - 1);
	lint_add(l, "b.yaml", b, sizeof(b) - 1);
	print_findings(l, &got);
	assert_string_equal(
		buf_cstr(&got),
		"a.yaml:2: warning: Service default/a is also in b.yaml line 8, which is not used\n"
		"b.yaml:4: error: nodePort 30001/tcp is also that of Service default/a (a.yaml "
		"line 2)\n"
		"b.yaml:8: error: Service default/a is also in a.yaml line 2, which comes first: "
		"this one is not "
		"used\n"
		"b.yaml:10: warning: kind ConfigMap (v1) is not one of ours\n");
	buf_done(&got);
	lint_free(l);
}

static void what_cannot_be_read_is_an_error_and_has_no_corrected_form(void **state)
{
	static const char text[] = "a: [\n";
	struct lint *l = lint_new(NULL);
	struct buf b = { 0 };

	(void)state;
	lint_add(l, "a.yaml", text, sizeof(text) - 1);
	print_findings(l, &b);
	assert_string_equal(buf_cstr(&b),
			    "a.yaml:2: error: did not find expected node content (while parsing a "
			    "flow node in line 2)\n");
	assert_int_equal(lint_corrected(l, &b), -EINVAL);
	buf_done(&b);
	lint_free(l);
	lint_free(NULL);
}

static void problems_of_a_service_are_told_once_for_all_its_ports(void **state)
{
	(void)state;
	expect_findings("{apiVersion: v1, kind: Service, metadata: {name: a, annotations: "
			"{parasaus.io/rise: x}}, spec: "
			"{type: NodePort, ports: [{name: x, port: 80}, {name: z, port: 81}]}}\n"
			"---\n{apiVersion: v1, kind: Endpoints, metadata: {name: a}, subsets: "
			"[{addresses: [{ip: "
			"10.0.0.1}], ports: [{name: x, port: 80}, {name: z, port: 81}]}]}\n",
			"a.yaml:1: error: a port of the Service states no nodePort: files have to\n"
			"a.yaml:1: error: annotation parasaus.io/rise is unknown; not used\n");
}

static void a_configuration_lets_frontends_be_judged(void **state)
{
	static const char text[] = SERVICE("a", "type: NodePort, ports: [{port: 80, nodePort: 99}]")
		ENDPOINTS("a");
	struct addr_range range;
	struct address_pool pool = { .name = (char[]){ "main" },
				     .addresses = &range,
				     .address_count = 1,
				     .ports = { 30000, 40000 } };
	struct pool_rules rules = {
		.address_pools = &pool,
		.address_pool_count = 1,
		.defaults = { .scheduler = "wrr", .weight = 1, .check = check_new(CHECK_TCP) },
	};
	struct lint *l;
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(addr_range_parse("192.0.2.1", &range), 0);
	l = lint_new(&rules);
	lint_add(l, "a.yaml", text, sizeof(text) - 1);
	print_findings(l, &b);
	assert_string_equal(
		buf_cstr(&b),
		"a.yaml:2: error: no frontend: nodePort 99 is outside the ports of every "
		"address pool: 30000-40000 (main)\n");
	buf_done(&b);
	lint_free(l);
	check_unref(rules.defaults.check);
}

static void values_are_quoted_where_an_api_server_wants_strings(void **state)
{
	(void)state;
	expect_corrected("{kind: Service, apiVersion: v1, metadata: {labels: {a: 1, b: yes}, name: "
			 "12, annotations: "
			 "{parasaus.io/rise: 3, x: 'a: b', w: \"line\\ntwo \\u00e4\", u: ''}}, "
			 "spec: {externalIPs: [], selector: "
			 "{}, ports: [{port: 80, name: on, protocol: udp, targetPort: \"8\", "
			 "nodePort: 0x7531}]}}\n",
			 "apiVersion: v1\nkind: Service\nmetadata:\n  name: \"12\"\n  labels:\n    "
			 "a: \"1\"\n    b: \"yes\"\n"
			 "    service.kubernetes.io/service-proxy-name: parasaus\n  annotations:\n "
			 "   parasaus.io/rise: \"3\"\n"
			 "    x: \"a: b\"\n    w: \"line\\ntwo \xc3\xa4\"\n    u: \"\"\nspec:\n  "
			 "ports:\n  - name: \"on\"\n"
			 "    protocol: UDP\n    port: 80\n    nodePort: 0x7531\n    targetPort: "
			 "\"8\"\n  externalIPs: []\n"
			 "  selector: {}\n");
}

/* Keys of what becomes of members that fail: told of where they are of no use, and quoted. */
static void slow_start_and_min_healthy_are_looked_at(void **state)
{
	static const char web[] =
		"kind: Service\napiVersion: v1\nmetadata:\n  name: a\n  annotations:\n"
		"    parasaus.io/scheduler: mh\n    parasaus.io/slow-start: '30'\n"
		"    parasaus.io/fail-policy: closed\n    parasaus.io/min-healthy: '50'\n"
		"    parasaus.io/health-check-hold-down: '600'\n"
		"spec: {type: NodePort, ports: [{port: 80, nodePort: 30001}]}\n" ENDPOINTS("a");

	(void)state;
	expect_findings(web,
			"a.yaml:7: warning: annotation parasaus.io/slow-start has no effect: the "
			"scheduler mh would send clients elsewhere with each change of a weight\n"
			"a.yaml:9: warning: annotation parasaus.io/min-healthy has no effect with "
			"parasaus.io/fail-policy: closed, which takes nobody back in; set that to "
			"open-last or open-all\n"
			"a.yaml:10: error: annotation parasaus.io/health-check-hold-down: \"600\" "
			"is not a whole number of seconds from 0 (not at all) to 300; left as it "
			"was\n");
	expect_corrected("kind: Service\napiVersion: v1\nmetadata: {name: a, annotations: "
			 "{parasaus.io/slow-start: 30, parasaus.io/health-check-hold-down: 30}}\n"
			 "spec: {type: NodePort, ports: [{port: 80, nodePort: 30001}]}\n",
			 "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  labels:\n"
			 "    service.kubernetes.io/service-proxy-name: parasaus\n"
			 "  annotations:\n    parasaus.io/slow-start: \"30\"\n"
			 "    parasaus.io/health-check-hold-down: \"30\"\nspec:\n"
			 "  type: NodePort\n  ports:\n  - port: 80\n    nodePort: 30001\n");
}

#define DB                                                                       \
	"kind: Service\napiVersion: v1\nmetadata:\n  name: db\n  annotations:\n" \
	"    parasaus.io/health-check-type: mysql\n"                             \
	"    parasaus.io/health-check-secret: check\n"                           \
	"spec: {type: NodePort, ports: [{port: 3306, nodePort: 30306}]}\n---\n"  \
	"kind: Endpoints\napiVersion: v1\nmetadata: {name: db}\n"                \
	"subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 3306}]}]\n"

static void a_secret_is_looked_at(void **state)
{
	(void)state;
	expect_findings(DB, "a.yaml:7: warning: annotation parasaus.io/health-check-secret: Secret "
			    "default/check is not there; checked half-open\n");
	expect_findings(DB "---\nkind: Secret\napiVersion: v1\nmetadata: {name: check}\n"
			   "stringData: {username: u, password: p}\n",
			"");
	expect_findings(
		DB "---\nkind: Secret\napiVersion: v1\nmetadata: {name: check}\n"
		   "data: {username: u, password: cA==}\n",
		"a.yaml:7: error: annotation parasaus.io/health-check-secret: Secret "
		"default/check lacks the key username; checked half-open\n"
		"a.yaml:18: error: Secret: data.username is not base64; not used: encode it, or "
		"write it under stringData\n");
}

static void a_secret_is_not_printed(void **state)
{
	static const char want[] = "# A Secret is left out: take it as it is (default/check).\n";

	(void)state;
	expect_corrected("kind: Secret\napiVersion: v1\nmetadata: {name: check}\n"
			 "stringData: {username: u, password: p}\n",
			 want);
	expect_corrected("kind: secret\nmetadata: {name: check}\ndata: {password: cA==}\n", want);
	expect_corrected("metadata: {name: check}\nstringData: {password: p}\n", want);
	expect_corrected("{kind: List, apiVersion: v1, items: [{kind: Secret, data: {a: b}}]}\n",
			 "# A Secret is left out: take it as it is.\n");
}

static void other_documents_stay_and_lists_are_taken_apart(void **state)
{
	(void)state;
	expect_corrected(
		"kind: List\napiVersion: v1\nitems:\n- {kind: ConfigMap, apiVersion: v1, data: {k: "
		"[[1, 2], {a: "
		"~}]}}\n- {apiVersion: v1, kind: Endpoints, metadata: {name: e, namespace: shop, "
		"annotations: "
		"{healthCheckType: HTTP}}}\n",
		"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n---\nkind: "
		"ConfigMap\napiVersion: "
		"v1\ndata:\n  k:\n  -\n    - 1\n    - 2\n  - a: ~\n---\napiVersion: v1\nkind: "
		"Endpoints\nmetadata:\n  name: e\n  namespace: shop\n  annotations:\n    "
		"parasaus.io/health-check-type: http\n    parasaus.io/health-check-path: /\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_origins_yaml_is_corrected_to_the_example),
		cmocka_unit_test(the_example_is_clean_and_stays_as_it_is),
		cmocka_unit_test(a_pair_needs_both),
		cmocka_unit_test(an_address_pool_is_looked_over),
		cmocka_unit_test(several_files_are_one_set),
		cmocka_unit_test(slow_start_and_min_healthy_are_looked_at),
		cmocka_unit_test(a_secret_is_looked_at),
		cmocka_unit_test(a_secret_is_not_printed),
		cmocka_unit_test(what_cannot_be_read_is_an_error_and_has_no_corrected_form),
		cmocka_unit_test(problems_of_a_service_are_told_once_for_all_its_ports),
		cmocka_unit_test(a_configuration_lets_frontends_be_judged),
		cmocka_unit_test(values_are_quoted_where_an_api_server_wants_strings),
		cmocka_unit_test(other_documents_stay_and_lists_are_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
