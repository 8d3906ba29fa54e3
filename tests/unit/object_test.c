/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode*.c, object*.c: documents as objects, with what is odd about them. */
#include "agent/pool/object.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/file.h"
#include "agent/base/xalloc.h"

static const struct object_origin from_file = { .source = 3, .path = "web.yaml", .node = "node-a" };

static void print_ports(struct buf *b, const struct object_port *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_printf(b, " %s:%u/%s", p[i].name, p[i].port, protocol_text(p[i].protocol));
		if (p[i].node_port)
			buf_printf(b, "@%u", p[i].node_port);
	}
}

/* One line of what counts, then a line for each problem. */
static void print_object(struct buf *b, const struct object *o)
{
	static const char *const types[] = { "ClusterIP", "NodePort", "LoadBalancer",
					     "ExternalName" };

	buf_printf(b, "%s %s/%s", object_kind_text(o->kind), o->ns, o->name);
	if (strcmp(o->service, o->name) != 0)
		buf_printf(b, " of %s", o->service);
	if (o->kind == OBJECT_SERVICE)
		buf_printf(b, " %s", types[o->type]);
	print_ports(b, o->ports, o->port_count);
	if (o->affinity_s)
		buf_printf(b, " affinity=%u", o->affinity_s);
	if (o->use_not_ready)
		buf_str(b, " use-not-ready");
	if (o->local_wanted)
		buf_str(b, " local");
	for (size_t i = 0; i < o->subset_count; i++) {
		buf_str(b, " {");
		print_ports(b, o->subsets[i].ports, o->subsets[i].port_count);
		buf_str(b, " ->");
		for (size_t j = 0; j < o->subsets[i].address_count; j++) {
			const struct object_address address = object_address_at(&o->subsets[i], j),
						    *a = &address;
			char text[ADDR_TEXT_MAX];

			buf_printf(b, " %s%s%s%s%s", addr_text(&a->addr, text),
				   a->ready ? "" : "-notready", a->serving ? "" : "-notserving",
				   a->terminating ? "-terminating" : "", a->local ? "-here" : "");
		}
		buf_str(b, " }");
	}
	for (size_t i = 0; i < o->annotation_count; i++)
		buf_printf(b, " %s=%s(%u)", o->annotations[i].key, o->annotations[i].value,
			   o->annotations[i].line);
	if (o->secret)
		buf_printf(b, " user=%s password=%s ca=%s%s",
			   o->secret->username ? o->secret->username : "-",
			   o->secret->password ? o->secret->password : "-",
			   o->secret->ca ? o->secret->ca : "-",
			   o->secret->ca_fault || o->secret->pair_fault ? " refused" : "");
	buf_str(b, "\n");
	for (size_t i = 0; i < o->problems.count; i++)
		buf_printf(b, "%s %u: %s\n", o->problems.items[i].error ? "error" : "warning",
			   o->problems.items[i].line, o->problems.items[i].text);
}

/* Every document of a text, or the error that refuses it. */
static void decode_all(const char *text, const struct object_origin *from, struct buf *b)
{
	struct doc_set s = { 0 };
	struct err err = { 0 };

	assert_int_equal(doc_read_yaml(text, strlen(text), &DOC_LIMITS_DEFAULT, &s, &err), 0);
	for (size_t i = 0; i < s.count; i++) {
		struct object *o = NULL;
		int r = object_decode(s.roots[i], from, &o, &err);

		if (r < 0) {
			buf_printf(b, "%s: %s\n", r == -ENOTSUP ? "not ours" : "refused", err.text);
			assert_null(o);
			continue;
		}
		assert_int_equal(o->source, from->source);
		assert_string_equal(o->path, from->path);
		print_object(b, o);
		object_free(o);
	}
	doc_set_done(&s);
}

static void check(const char *text, const char *want)
{
	struct buf b = { 0 };

	decode_all(text, &from_file, &b);
	assert_string_equal(buf_cstr(&b), want);
	buf_done(&b);
}

static void the_origins_yaml_is_taken_as_it_is(void **state)
{
	struct buf text = { 0 }, got = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(file_read("deploy/example-origin.yaml", 65536, &text, &err), 0);
	decode_all(buf_cstr(&text), &from_file, &got);
	assert_string_equal(
		buf_cstr(&got),
		"Service parasaus/snake-demo-svc4 NodePort dcmp-svc4:40796/tcp@40796\n"
		"warning 12: Service: \"type\" stands in spec.ports[0]; taken as spec.type (an API "
		"server "
		"refuses it: move it up)\n"
		"Endpoints parasaus/snake-demo-svc4 { dcmp-svc4:8090/tcp -> 10.100.1.53 } { "
		"dcmp-svc4:30253/tcp -> 10.100.1.77 } calledSource=kubectl-client-side-apply(20) "
		"healthCheckType=http(21)\n"
		"warning 19: Endpoints: \"annotations\" stands at top level; taken as "
		"metadata.annotations "
		"(an API server drops it: move it under metadata)\n");
	buf_done(&text);
	buf_done(&got);
}

static void the_corrected_form_has_no_warning(void **state)
{
	struct buf text = { 0 }, got = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(file_read("deploy/example.yaml", 65536, &text, &err), 0);
	decode_all(buf_cstr(&text), &from_file, &got);
	assert_string_equal(
		buf_cstr(&got),
		"not ours: line 1: kind Namespace (v1) is not one of ours\n"
		"Service parasaus/snake-demo-svc4 NodePort dcmp-svc4:40796/tcp@40796 "
		"health-check-type=http(14) health-check-path=/(15)\n"
		"Endpoints parasaus/snake-demo-svc4 { dcmp-svc4:8090/tcp -> 10.100.1.53 } { "
		"dcmp-svc4:30253/tcp -> 10.100.1.77 }\n");
	buf_done(&text);
	buf_done(&got);
}

#define SERVICE "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: "

static void services_are_read(void **state)
{
	(void)state;
	check(SERVICE "{}}", "Service default/web ClusterIP\n");
	check(SERVICE "{ports: [{name: a, port: 80}, {name: b, port: 53, protocol: UDP, nodePort: "
		      "30053}]}}",
	      "Service default/web ClusterIP a:80/tcp b:53/udp@30053\n"
	      "warning 1: Service: spec.ports[1].nodePort is of no use with spec.type ClusterIP: "
	      "write type: "
	      "NodePort under spec\n");
	check(SERVICE "{type: ExternalName, externalName: x}}",
	      "Service default/web ExternalName\n");
	check(SERVICE "{sessionAffinity: ClientIP, publishNotReadyAddresses: true}}",
	      "Service default/web ClusterIP affinity=10800 use-not-ready\n");
	check(SERVICE "{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: "
		      "{timeoutSeconds: 60}}}}",
	      "Service default/web ClusterIP affinity=60\n");
	check(SERVICE "{sessionAffinity: None, ports: null}}", "Service default/web ClusterIP\n");
}

/* What comes to frontends comes from outside: the policy for what is inside a cluster is none of ours. */
static void traffic_policies_are_read(void **state)
{
	(void)state;
	check(SERVICE "{type: NodePort, externalTrafficPolicy: Local}}",
	      "Service default/web NodePort local\n");
	check(SERVICE "{type: LoadBalancer, externalTrafficPolicy: Local}}",
	      "Service default/web LoadBalancer local\n");
	check(SERVICE "{type: NodePort, externalTrafficPolicy: Cluster, internalTrafficPolicy: "
		      "Local}}",
	      "Service default/web NodePort\n");
	check(SERVICE "{type: NodePort, externalTrafficPolicy: local, internalTrafficPolicy: "
		      "Node}}",
	      "Service default/web NodePort\n"
	      "error 1: Service: spec.externalTrafficPolicy is \"local\": write Cluster or Local; "
	      "taken as Cluster\n"
	      "error 1: Service: spec.internalTrafficPolicy is \"Node\": write Cluster or Local; "
	      "taken as Cluster\n");
	check(SERVICE "{externalTrafficPolicy: Local}}",
	      "Service default/web ClusterIP\n"
	      "warning 1: Service: spec.externalTrafficPolicy is of no use with spec.type "
	      "ClusterIP: write type: NodePort under spec\n");
}

static void a_bad_field_costs_that_field_alone(void **state)
{
	(void)state;
	check(SERVICE "{type: nodeport, ports: [{port: 80}]}}",
	      "Service default/web ClusterIP :80/tcp\n"
	      "error 1: Service: spec.type is \"nodeport\": write ClusterIP, NodePort, "
	      "LoadBalancer or "
	      "ExternalName; taken as ClusterIP\n");
	check(SERVICE "{ports: [{name: a, port: 70000}, {name: b, port: '80'}, {name: c}, {name: "
		      "d, port: 81}]}}",
	      "Service default/web ClusterIP d:81/tcp\n"
	      "error 1: Service: spec.ports[0].port is \"70000\" where a whole number from 1 to "
	      "65535 "
	      "belongs; port not used\n"
	      "error 1: Service: spec.ports[1].port is \"80\" in quotes where a whole number from "
	      "1 to "
	      "65535 belongs; port not used\n"
	      "error 1: Service: spec.ports[2] has no port; not used\n");
	check(SERVICE
	      "{ports: [{name: a, port: 1, protocol: DCCP}, {name: b, port: 2, protocol: udp}]}}",
	      "Service default/web ClusterIP b:2/udp\n"
	      "error 1: Service: spec.ports[0].protocol is \"DCCP\", but only TCP, UDP and SCTP "
	      "are "
	      "served; "
	      "port not used\n"
	      "warning 1: Service: spec.ports[1].protocol is \"udp\", which an API server refuses: "
	      "write "
	      "UDP\n");
	check(SERVICE
	      "{ports: [{port: 1}, {name: b, port: 2}, {name: b, port: 3}, {name: B, port: 4}]}}",
	      "Service default/web ClusterIP b:2/tcp\n"
	      "error 1: Service: spec.ports[0] has no name, which each port needs where there are "
	      "several; not used\n"
	      "error 1: Service: spec.ports[2] has the name \"b\", which an earlier port has; not "
	      "used\n"
	      "error 1: Service: spec.ports[3].name is \"B\": lower-case letters, digits and '-' "
	      "only, at "
	      "most 63; port not used\n");
	check(SERVICE "{ports: [{port: 1, nodeport: 30001}], sessionAfinity: ClientIP, zebra: 1}}",
	      "Service default/web ClusterIP :1/tcp\n"
	      "warning 1: Service: unknown field spec.sessionAfinity, not used; did you mean "
	      "sessionAffinity?\n"
	      "warning 1: Service: unknown field spec.zebra, not used\n"
	      "warning 1: Service: unknown field spec.ports[0].nodeport, not used; did you mean "
	      "nodePort?\n");
	check(SERVICE "[]}",
	      "Service default/web ClusterIP\n"
	      "error 1: Service: spec is \"a list\" where a map belongs; not used\n");
	check(SERVICE "{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: "
		      "{timeoutSeconds: 0}}}}",
	      "Service default/web ClusterIP affinity=10800\n"
	      "error 1: Service: spec.sessionAffinityConfig.clientIP.timeoutSeconds is \"0\" where "
	      "a whole "
	      "number from 1 to 86400 belongs; taken as 10800\n");
}

#define ENDPOINTS "{apiVersion: v1, kind: Endpoints, metadata: {name: web}, subsets: "

static void endpoints_are_read(void **state)
{
	(void)state;
	check(ENDPOINTS
	      "[{addresses: [{ip: 10.0.0.1}, {ip: '2001:db8::1'}], notReadyAddresses: [{ip: "
	      "10.0.0.2}], ports: [{port: 80}]}]}",
	      "Endpoints default/web { :80/tcp -> 10.0.0.1 2001:db8::1 "
	      "10.0.0.2-notready-notserving }\n");
	check(ENDPOINTS "[]}", "Endpoints default/web\n");
	check(ENDPOINTS
	      "[{addresses: [{ip: 010.0.001.1}, {ip: '::ffff:10.0.0.2'}, {ip: 10.0.0.300}, {ip: "
	      "db.example}, {hostname: x}], ports: [{port: 80}]}]}",
	      "Endpoints default/web { :80/tcp -> 10.0.1.1 10.0.0.2 }\n"
	      "warning 1: Endpoints: subsets[0].addresses[0].ip is \"010.0.001.1\"; taken as "
	      "10.0.1.1\n"
	      "warning 1: Endpoints: subsets[0].addresses[1].ip is \"::ffff:10.0.0.2\"; taken as "
	      "10.0.0.2\n"
	      "error 1: Endpoints: subsets[0].addresses[2].ip is \"10.0.0.300\", which is no IP "
	      "address "
	      "(names are not looked up); not used\n"
	      "error 1: Endpoints: subsets[0].addresses[3].ip is \"db.example\", which is no IP "
	      "address "
	      "(names are not looked up); not used\n"
	      "error 1: Endpoints: subsets[0].addresses[4].ip is missing: write - ip: ADDRESS\n");
	check(ENDPOINTS
	      "[{addresses: [{ip: 10.0.0.1}]}, {addresses: [{ip: 10.0.0.2}], ports: [{port: 1}, "
	      "{port: 2}]}]}",
	      "Endpoints default/web { :1/tcp -> 10.0.0.2 }\n"
	      "error 1: Endpoints: subsets[0] has no usable port: its addresses are not used\n"
	      "error 1: Endpoints: subsets[1].ports[1] has the name \"\", which an earlier port "
	      "has; not "
	      "used\n");
}

#define SLICE                                                                                     \
	"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-1, labels: " \
	"{kubernetes.io/service-name: web}}, addressType: IPv4, "

static void slices_are_read(void **state)
{
	(void)state;
	check(SLICE "ports: [{name: a, port: 80}], endpoints: [{addresses: [10.0.0.1, 10.0.0.9]}, "
		    "{addresses: [10.0.0.2], conditions: {ready: false, serving: true, "
		    "terminating: true}}, "
		    "{addresses: [10.0.0.3], conditions: {ready: false, serving: null}}]}",
	      "EndpointSlice default/web-1 of web { a:80/tcp -> 10.0.0.1 "
	      "10.0.0.2-notready-terminating "
	      "10.0.0.3-notready }\n");
	check(SLICE "ports: [{port: 80}], endpoints: [{addresses: ['2001:db8::1']}, {}]}",
	      "EndpointSlice default/web-1 of web { :80/tcp -> }\n"
	      "error 1: EndpointSlice: endpoints[0].addresses[0] is \"2001:db8::1\", which is not "
	      "of the "
	      "slice's addressType; not used\n"
	      "error 1: EndpointSlice: endpoints[1] has no addresses; not used\n");
	check("{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-1}, "
	      "addressType: IPv4}",
	      "refused: line 1: EndpointSlice: the label kubernetes.io/service-name is \"\": it "
	      "has to name "
	      "a Service\n");
	check("{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-1, "
	      "labels: "
	      "{kubernetes.io/service-name: web}}, addressType: FQDN}",
	      "refused: line 1: EndpointSlice: addressType is \"FQDN\": write IPv4 or IPv6\n");
}

static void servers_of_this_node_are_known(void **state)
{
	const struct object_origin nowhere = { .path = "web.yaml" };
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	check(SLICE "ports: [{port: 80}], endpoints: [{addresses: [10.0.0.1], nodeName: node-a}, "
		    "{addresses: [10.0.0.2], nodeName: node-ab}, {addresses: [10.0.0.3], nodeName: "
		    "null}, {addresses: [10.0.0.4], nodeName: 7}]}",
	      "EndpointSlice default/web-1 of web { :80/tcp -> 10.0.0.1-here 10.0.0.2 10.0.0.3 "
	      "10.0.0.4 }\n");
	check(ENDPOINTS "[{addresses: [{ip: 10.0.0.1, nodeName: node-a}, {ip: 10.0.0.2, nodeName: "
			"node-b}], notReadyAddresses: [{ip: 10.0.0.3, nodeName: node-a}], ports: "
			"[{port: 80}]}]}",
	      "Endpoints default/web { :80/tcp -> 10.0.0.1-here 10.0.0.2 "
	      "10.0.0.3-notready-notserving-here }\n");
	decode_all(SLICE "ports: [{port: 80}], endpoints: [{addresses: [10.0.0.1], nodeName: "
			 "node-a}]}",
		   &nowhere, &b);
	assert_string_equal(buf_cstr(&b),
			    "EndpointSlice default/web-1 of web { :80/tcp -> 10.0.0.1 "
			    "}\n");
	/* There are hundreds of thousands of them. */
	assert_true(sizeof(struct object_address) <= 20);
}

static void what_cannot_be_used_is_refused(void **state)
{
	(void)state;
	check("[1]", "refused: line 1: not an object: it has to be a map with a \"kind\"\n");
	check("a: 1", "refused: line 1: the object has no \"kind\"\n");
	check("# x\nkind: Service\n",
	      "refused: line 2: Service: apiVersion is \"\": write apiVersion: v1\n");
	check("kind: Service\napiVersion: v2\n",
	      "refused: line 1: Service: apiVersion is \"v2\": write apiVersion: v1\n");
	check("kind: Service\napiVersion: serving.knative.dev/v1\n",
	      "not ours: line 1: kind Service (serving.knative.dev/v1) is not one of ours\n");
	check("kind: EndpointSlice\napiVersion: discovery.k8s.io/v1beta1\n",
	      "refused: line 1: EndpointSlice: apiVersion is \"discovery.k8s.io/v1beta1\": write "
	      "apiVersion: discovery.k8s.io/v1\n");
	check("kind: ConfigMap\napiVersion: v1\n",
	      "not ours: line 1: kind ConfigMap (v1) is not one of ours\n");
	check("kind: Service\napiVersion: v1\n",
	      "refused: line 1: Service: metadata.name is \"\": an object needs a name\n");
	check("kind: Service\napiVersion: v1\nmetadata:\n  name: Web\n",
	      "refused: line 4: Service: metadata.name is \"Web\": lower-case letters, digits and "
	      "'-' only, "
	      "at most 63, a letter or digit at both ends\n");
	check("kind: Service\napiVersion: v1\nmetadata: {name: a.b}\n",
	      "refused: line 3: Service: metadata.name is \"a.b\": lower-case letters, digits and "
	      "'-' only, "
	      "at most 63, a letter or digit at both ends\n");
}

static void annotations_of_ours_are_kept(void **state)
{
	(void)state;
	check("kind: Service\napiVersion: v1\nmetadata:\n  name: 12\n  annotations:\n"
	      "    a.b/c: x\n    parasaus.io/rise: '3'\n    parasaus.io/fall: 2\n"
	      "    parasaus.io/match: [1]\n    parasaus.io/healthCheckType: tcp\n"
	      "annotations:\n  parasaus.io/rise: '9'\n  calledSource: y\n",
	      "Service default/12 ClusterIP rise=3(7) fall=2(8) calledSource=y(13)\n"
	      "warning 4: Service: metadata.name is a number, which an API server refuses here: "
	      "write "
	      "\"12\" in quotes\n"
	      "warning 8: Service: annotation parasaus.io/fall is a number, which an API server "
	      "refuses: "
	      "write \"2\" in quotes\n"
	      "error 9: Service: annotation parasaus.io/match is a list where a string belongs; "
	      "not used\n"
	      "error 10: Service: annotation parasaus.io/healthCheckType is unknown: write "
	      "healthCheckType "
	      "or parasaus.io/health-check-type\n"
	      "warning 11: Service: \"annotations\" stands at top level; taken as "
	      "metadata.annotations (an "
	      "API server drops it: move it under metadata)\n"
	      "warning 13: Service: annotation calledSource is a boolean, which an API server "
	      "refuses: "
	      "write \"y\" in quotes\n");
}

static void what_kubectl_kept_of_dropped_annotations_is_taken(void **state)
{
	(void)state;
	check("kind: Endpoints\napiVersion: v1\nmetadata:\n  name: web\n  annotations:\n"
	      "    kubectl.kubernetes.io/last-applied-configuration: |\n"
	      "      "
	      "{\"annotations\":{\"healthCheckType\":\"http\",\"other\":\"x\"},\"kind\":"
	      "\"Endpoints\"}\n",
	      "Endpoints default/web healthCheckType=http(0)\n"
	      "warning 0: Endpoints: annotation healthCheckType stands at top level of what "
	      "kubectl "
	      "applied, where the API server drops it; taken all the same: move it under "
	      "metadata\n");
	/* One warning for all of them, and metadata has the last word. */
	check("kind: Service\napiVersion: v1\nmetadata:\n  name: web\n  annotations:\n"
	      "    healthCheckType: tcp\n"
	      "    kubectl.kubernetes.io/last-applied-configuration: |\n"
	      "      "
	      "{\"annotations\":{\"healthCheckType\":\"http\",\"calledSource\":\"x\","
	      "\"parasaus.io/weight\":\"7\"}}\n",
	      "Service default/web ClusterIP healthCheckType=tcp(6) calledSource=x(0) weight=7(0)\n"
	      "warning 0: Service: annotation calledSource (and others) stands at top level of "
	      "what "
	      "kubectl applied, where the API server drops it; taken all the same: move it under "
	      "metadata\n");
	check("kind: Service\napiVersion: v1\nmetadata:\n  name: web\n  annotations:\n"
	      "    kubectl.kubernetes.io/last-applied-configuration: '{{{'\n",
	      "Service default/web ClusterIP\n");
}

/* As an API server lists them: without a kind, with fields of its own. */
static void items_of_a_list_have_the_kind_that_was_asked_for(void **state)
{
	struct object_origin from = { .from_cluster = true, .path = "", .kind = OBJECT_SLICE };
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	decode_all(
		"{metadata: {name: web-1, namespace: x, resourceVersion: '7', labels: "
		"{kubernetes.io/service-name: web}}, addressType: IPv4, endpoints: [{addresses: "
		"[10.0.0.1], conditions: {ready: null}}, {addresses: [10.0.0.2], conditions: {}}, "
		"{addresses: [10.0.0.3], conditions: {ready: false, serving: true, terminating: "
		"true}}], ports: [{port: 80}]}\n---\n"
		"{kind: Pod, apiVersion: v1, metadata: {name: p}}\n",
		&from, &b);
	assert_string_equal(buf_cstr(&b),
			    "EndpointSlice x/web-1 of web { :80/tcp -> 10.0.0.1 10.0.0.2 "
			    "10.0.0.3-notready-terminating }\n"
			    "not ours: line 3: kind Pod (v1) is not one of ours\n");
}

static void what_a_cluster_says_of_an_object_is_known(void **state)
{
	struct object_origin from = { .from_cluster = true, .path = "", .kind = OBJECT_SLICE };
	struct doc_set s = { 0 };
	static const char text[] =
		"{\"metadata\":{\"name\":\"web-1\",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\","
		"\"labels\":{\"kubernetes.io/service-name\":\"web\","
		"\"endpointslice.kubernetes.io/managed-by\":"
		"\"endpointslicemirroring-controller.k8s.io\"}},\"addressType\":\"IPv4\"}";
	struct object *o = NULL, *again;
	struct buf b = { 0 };
	struct wire w;

	(void)state;
	assert_int_equal(doc_read_json(text, strlen(text), &DOC_LIMITS_DEFAULT, &s, NULL), 0);
	assert_int_equal(object_decode(s.roots[0], &from, &o, NULL), 0);
	assert_true(o->deleting);
	assert_true(o->mirrored);
	wire_put_object(&b, o);
	w = wire_of(b.data, b.len);
	again = wire_object(&w);
	assert_non_null(again);
	assert_true(again->mirrored);
	assert_true(again->content == o->content);
	object_free(again);
	object_free(o);
	buf_done(&b);
	doc_set_done(&s);
}

static struct object *decode_one(const char *text)
{
	struct doc_set s = { 0 };
	struct object *o = NULL;
	struct err err;

	assert_int_equal(doc_read_yaml(text, strlen(text), &DOC_LIMITS_DEFAULT, &s, &err), 0);
	assert_int_equal(object_decode(s.roots[0], &from_file, &o, &err), 0);
	doc_set_done(&s);
	return o;
}

static void content_tells_what_counts_and_place_the_rest(void **state)
{
	struct object *a = decode_one("kind: Service\napiVersion: v1\nmetadata: {name: web, "
				      "resourceVersion: '1'}\nspec: {ports: [{port: 80}]}\n");
	struct object *moved = decode_one(
		"# one line down\nkind: Service\napiVersion: v1\nmetadata: {name: "
		"web, resourceVersion: '1'}\nspec: {ports: [{port: 80}]}\n");
	struct object *revised = decode_one("kind: Service\napiVersion: v1\nmetadata: {name: web, "
					    "resourceVersion: '2'}\nspec: {ports: [{port: 80}]}\n");
	struct object *changed = decode_one("kind: Service\napiVersion: v1\nmetadata: {name: web, "
					    "resourceVersion: '1'}\nspec: {ports: [{port: 81}]}\n");

	(void)state;
	assert_true(object_same(a, moved) && object_same(a, changed));
	assert_true(a->content == moved->content && a->place != moved->place);
	assert_true(a->content == revised->content && a->place != revised->place);
	assert_true(a->content != changed->content && a->place == changed->place);
	object_free(a);
	object_free(moved);
	object_free(revised);
	object_free(changed);
	object_free(NULL);
}

#define SECRET "kind: Secret\napiVersion: v1\nmetadata: {name: db.check, namespace: shop}\n"

static void secrets_are_read(void **state)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{ SECRET "type: Opaque\nstringData: {username: check, password: s3cret}\n",
		  " user=check password=s3cret ca=-\n" },
		{ SECRET "type: kubernetes.io/basic-auth\ndata: {username: Y2hlY2s=, password: "
			 "czNjcmV0, other: '?', ca.crt: UEVN}\n",
		  " user=check password=s3cret ca=PEM refused\n" },
		{ SECRET "data: {username: YQ==, password: YWI=}\nstringData: {password: plain}\n",
		  " user=a password=plain ca=-\n" },
		{ SECRET "data: {username: \"Y2hl\\nY2s=\", password: ''}\n",
		  " user=check password= ca=-\n" },
		{ SECRET "immutable: true\n", " user=- password=- ca=-\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *want = xasprintf("Secret shop/db.check%s", cases[i].want);

		check(cases[i].text, want);
		free(want);
	}
}

/* What is wrong is said with line and key; the value, "hunter2", never appears. */
static void what_is_wrong_with_a_secret_does_not_tell_it(void **state)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{ SECRET "data: {username: hunter2, password: hunter2hunter=}\n",
		  "error 4: Secret: data.username is not base64; not used: encode it, or write it "
		  "under "
		  "stringData\n"
		  "error 4: Secret: data.password is not base64; not used: encode it, or write it "
		  "under "
		  "stringData\n" },
		{ SECRET "stringData:\n  password: [hunter2]\n  username: ''\n",
		  "error 6: Secret: stringData.username is empty; not used\n"
		  "error 5: Secret: stringData.password is a list where a string belongs; not "
		  "used\n" },
		{ SECRET "stringData: hunter2\n",
		  "error 4: Secret: stringData is a string where a map belongs; not used\n" },
		{ SECRET "data: {username: YQBi}\n",
		  "error 4: Secret: data.username holds a NUL; not used\n" },
		{ SECRET "password: hunter2\nannotations: {parasaus.io/weight: hunter2}\n",
		  "warning 4: Secret: unknown field password, not used\n"
		  "warning 5: Secret: unknown field annotations, not used\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *want = xasprintf("Secret shop/db.check user=- password=- ca=-\n%s",
				       cases[i].want);

		check(cases[i].text, want);
		free(want);
	}
	check(SECRET "stringData: {username: 4711, password: \"s3cret\\n\"}\n",
	      "Secret shop/db.check user=4711 password=s3cret\n ca=-\n"
	      "warning 4: Secret: stringData.username is a number, which an API server refuses "
	      "here: "
	      "put it in quotes\n"
	      "warning 4: Secret: stringData.password ends in a line feed, which counts: leave it "
	      "out "
	      "(printf '%s', or echo -n) unless it is meant\n");
}

#define CA_REFUSED "Secret shop/db.check user=- password=- ca=- refused\nerror 4: Secret: "
#define CA_NONE	   "Secret shop/db.check user=- password=- ca=-\n"

/* Who names an authority does not mean that anybody will do. */
static void a_ca_that_cannot_be_used_is_not_none(void **state)
{
	(void)state;
	check(SECRET "data: {ca.crt: '-----BEGIN CERTIFICATE-----'}\n",
	      CA_REFUSED "data.ca.crt is not base64; not used: encode it, or write it under "
			 "stringData\n");
	check(SECRET "data: {ca.crt: YQBi}\n", CA_REFUSED "data.ca.crt holds a NUL; not used\n");
	check(SECRET "stringData: {ca.crt: [a]}\n",
	      CA_REFUSED "stringData.ca.crt is a list where a string belongs; not used\n");
	check(SECRET "data: {ca.crt: {a: b}}\n",
	      CA_REFUSED "data.ca.crt is a map where a string belongs; not used\n");
	check(SECRET "data: {ca.crt: ''}\n",
	      CA_NONE "warning 4: Secret: data.ca.crt is empty: with TLS any server will do\n");
	check(SECRET "stringData: {ca.crt: ''}\n", CA_NONE
	      "warning 4: Secret: stringData.ca.crt is empty: with TLS any server will do\n");
	check(SECRET "data: {ca.crt: null}\n", CA_NONE);
}

static void the_values_of_a_secret_are_bounded(void **state)
{
	static const struct {
		const char *key;
		size_t max;
	} keys[] = { { "username", SECRET_USERNAME_MAX },
		     { "password", SECRET_PASSWORD_MAX },
		     { "ca.crt", SECRET_CA_MAX } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		for (size_t more = 0; more <= 1; more++) {
			struct buf text = { 0 };
			struct object *o;

			buf_printf(&text, SECRET "stringData:\n  %s: ", keys[i].key);
			memset(buf_add(&text, keys[i].max + more), 'x', keys[i].max + more);
			o = decode_one(buf_cstr(&text));
			assert_int_equal(o->problems.count, more);
			assert_int_equal(o->secret->ca != NULL,
					 !more && keys[i].max == SECRET_CA_MAX);
			object_free(o);
			buf_done(&text);
		}
	}
}

static void a_secret_that_everybody_may_read_is_told(void **state)
{
	static const struct object_origin exposed = { .exposed = true, .path = "db.yaml" };
	struct buf got = { 0 };

	(void)state;
	decode_all(SECRET "---\nkind: Service\napiVersion: v1\nmetadata: {name: web}\n", &exposed,
		   &got);
	assert_string_equal(
		buf_cstr(&got),
		"Secret shop/db.check user=- password=- ca=-\n"
		"warning 1: Secret: everybody on this machine may read the file: take that "
		"right away (chmod o-r)\n"
		"Service default/web ClusterIP\n");
	buf_done(&got);
}

static void content_tells_other_values_of_a_secret(void **state)
{
	static const char *const texts[] = {
		SECRET "stringData: {username: a, password: b}\n",
		SECRET "stringData: {username: a, password: c}\n",
		SECRET "stringData: {username: ab, password: ''}\n",
		SECRET "stringData: {username: a, ca.crt: b}\n",
		SECRET "data: {username: YQ==, password: Yg==, ca.crt: '-'}\n",
		SECRET "data: {username: YQ==, password: Yg==}\n",
	};
	struct object *all[ARRAY_LEN(texts)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		all[i] = decode_one(texts[i]);
	for (size_t i = 1; i < ARRAY_LEN(texts); i++)
		assert_true((all[i]->content == all[0]->content) == (i == ARRAY_LEN(texts) - 1));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		object_free(all[i]);
}

static void lists_are_told_from_objects(void **state)
{
	static const char text[] =
		"{kind: List, apiVersion: v1, items: [{a: 1}, {b: 2}]}\n---\nkind: Service\n";
	struct doc_set s = { 0 };

	(void)state;
	assert_int_equal(doc_read_yaml(text, sizeof(text) - 1, &DOC_LIMITS_DEFAULT, &s, NULL), 0);
	assert_int_equal(object_list(s.roots[0])->count, 2);
	assert_null(object_list(s.roots[1]));
	doc_set_done(&s);
}

static void bytes_give_back_the_same_object(void **state)
{
	static const char *const texts[] = {
		"kind: Service\napiVersion: v1\nmetadata: {name: web, namespace: x, uid: u, "
		"resourceVersion: "
		"'7', creationTimestamp: '2026-11-22T01:02:03Z', annotations: {parasaus.io/rise: "
		"'3', "
		"parasaus.io/fall: 1}}\nspec: {type: NodePort, externalTrafficPolicy: Local, "
		"sessionAffinity: ClientIP, ports: "
		"[{name: a, port: "
		"80, nodePort: 30080}, {name: b, port: 99999}]}\n",
		ENDPOINTS
		"[{addresses: [{ip: 10.0.0.1}, {ip: '2001:db8::1'}], notReadyAddresses: [{ip: "
		"10.0.0.2}], ports: [{port: 80}]}, {addresses: [{ip: 10.0.0.3}], ports: [{port: "
		"81}]}]}",
		SLICE
		"ports: [{name: a, port: 80}], endpoints: [{addresses: [10.0.0.1], conditions: "
		"{terminating: true}}, {addresses: [10.0.0.2], nodeName: node-a}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct object *a = decode_one(texts[i]), *z;
		struct buf bytes = { 0 }, one = { 0 }, two = { 0 };
		struct wire w;

		wire_put_object(&bytes, a);
		for (size_t cut = 0; cut < bytes.len; cut++) {
			w = wire_of(bytes.data, cut);
			assert_null(wire_object(&w));
		}
		w = wire_of(bytes.data, bytes.len);
		z = wire_object(&w);
		assert_non_null(z);
		assert_true(wire_end(&w));
		print_object(&one, a);
		print_object(&two, z);
		assert_string_equal(buf_cstr(&one), buf_cstr(&two));
		assert_true(object_same(a, z));
		assert_true(a->content == z->content && a->place == z->place);
		assert_true(a->created_ms == z->created_ms && a->line == z->line);
		assert_string_equal(a->uid, z->uid);
		assert_string_equal(a->revision, z->revision);
		buf_done(&bytes);
		buf_done(&one);
		buf_done(&two);
		object_free(a);
		object_free(z);
	}
}

static void a_slice_tells_when_what_it_is_made_of_changed(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "2026-11-22T01:02:03Z", 1795309323000 },
		{ "2026-11-22T01:02:03.5Z", 1795309323500 },
		{ "2026-11-22T01:02:03.987654321Z", 1795309323987 },
		{ "2026-11-22T01:02:03.987", 0 },
		{ "2026-11-22T01:02:03+01:00", 0 },
		{ "yesterday", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct object *o;
		char text[400];

		snprintf(text, sizeof(text),
			 "{kind: Endpoints, apiVersion: v1, metadata: {name: web, annotations: "
			 "{endpoints.kubernetes.io/last-change-trigger-time: '%s'}}, subsets: []}",
			 cases[i].text);
		o = decode_one(text);
		assert_int_equal(o->trigger_ms, cases[i].ms);
		object_free(o);
	}
}

static void problems_are_bounded(void **state)
{
	struct problems p = { 0 }, q = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		problems_add(&p, true, 1, "problem %d", i);
	assert_int_equal(p.count, PROBLEMS_MAX + 1);
	assert_string_equal(p.items[PROBLEMS_MAX].text,
			    "there are more problems, which are not listed");
	problems_copy(&q, &p);
	problems_copy(&q, &p);
	assert_int_equal(q.count, PROBLEMS_MAX + 1);
	problems_done(&p);
	problems_done(&q);
	assert_null(p.items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_origins_yaml_is_taken_as_it_is),
		cmocka_unit_test(the_corrected_form_has_no_warning),
		cmocka_unit_test(services_are_read),
		cmocka_unit_test(traffic_policies_are_read),
		cmocka_unit_test(servers_of_this_node_are_known),
		cmocka_unit_test(a_bad_field_costs_that_field_alone),
		cmocka_unit_test(endpoints_are_read),
		cmocka_unit_test(slices_are_read),
		cmocka_unit_test(what_cannot_be_used_is_refused),
		cmocka_unit_test(annotations_of_ours_are_kept),
		cmocka_unit_test(what_kubectl_kept_of_dropped_annotations_is_taken),
		cmocka_unit_test(items_of_a_list_have_the_kind_that_was_asked_for),
		cmocka_unit_test(what_a_cluster_says_of_an_object_is_known),
		cmocka_unit_test(content_tells_what_counts_and_place_the_rest),
		cmocka_unit_test(secrets_are_read),
		cmocka_unit_test(what_is_wrong_with_a_secret_does_not_tell_it),
		cmocka_unit_test(a_ca_that_cannot_be_used_is_not_none),
		cmocka_unit_test(the_values_of_a_secret_are_bounded),
		cmocka_unit_test(a_secret_that_everybody_may_read_is_told),
		cmocka_unit_test(content_tells_other_values_of_a_secret),
		cmocka_unit_test(lists_are_told_from_objects),
		cmocka_unit_test(bytes_give_back_the_same_object),
		cmocka_unit_test(problems_are_bounded),
		cmocka_unit_test(a_slice_tells_when_what_it_is_made_of_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
