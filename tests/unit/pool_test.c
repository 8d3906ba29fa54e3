/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool.c, claim.c, build.c: objects as pools, and what a change of one changes. */
#include "agent/pool/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "agent/pool/pool_make.h"
#include "tests/lib/pki.h"

/* --- a model, and its pools as text ---------------------------------------- */

static struct addr_range main_range, other_range;
static struct address_pool address_pools[2];
static struct prefix vip_range, refuse;
static struct pool_rules rules;

static int set_up_rules(void **state)
{
	(void)state;
	assert_int_equal(addr_range_parse("192.0.2.10-192.0.2.11", &main_range), 0);
	assert_int_equal(addr_range_parse("198.51.100.7", &other_range), 0);
	assert_int_equal(prefix_parse("192.0.2.0/24", &vip_range), 0);
	assert_int_equal(prefix_parse("10.9.0.0/16", &refuse), 0);
	address_pools[0] = (struct address_pool){ .name = (char *)(uintptr_t) "main",
						  .addresses = &main_range,
						  .address_count = 1,
						  .ports = { 30000, 49999 } };
	address_pools[1] = (struct address_pool){ .name = (char *)(uintptr_t) "outside",
						  .addresses = &other_range,
						  .address_count = 1,
						  .ports = { 50000, 50009 } };
	rules = (struct pool_rules){
		.address_pools = address_pools,
		.address_pool_count = 2,
		.vip_ranges = &vip_range,
		.vip_range_count = 1,
		.refuse = &refuse,
		.refuse_count = 1,
		.defaults = { .scheduler = "wrr",
			      .masquerade = true,
			      .drain_s = 300,
			      .weight = 1,
			      .check = check_new(CHECK_TCP) },
	};
	return 0;
}

static int tear_down_rules(void **state)
{
	(void)state;
	check_unref(rules.defaults.check);
	return 0;
}

static void put_from(struct pools *p, const struct object_origin *from, const char *text)
{
	struct doc_set s = { 0 };
	struct err err = { 0 };

	if (doc_read_yaml(text, strlen(text), &DOC_LIMITS_DEFAULT, &s, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < s.count; i++) {
		struct object *o;

		if (object_decode(s.roots[i], from, &o, &err) < 0)
			fail_msg("%s", err.text);
		pools_put(p, o);
	}
	doc_set_done(&s);
}

static void put(struct pools *p, const char *path, const char *text)
{
	const struct object_origin from = { .path = path };

	put_from(p, &from, text);
}

static void take(struct pools *p, const char *path, enum object_kind kind, const char *name)
{
	const struct object o = { .kind = kind,
				  .path = (char *)(uintptr_t)path,
				  .ns = (char *)(uintptr_t) "default",
				  .name = (char *)(uintptr_t)name };

	pools_remove(p, &o);
}

static void print_pool(struct buf *b, const struct pool *p)
{
	char text[ENDPOINT_TEXT_MAX];

	buf_printf(b, "%s", p->id);
	for (size_t i = 0; i < p->frontend_count; i++)
		buf_printf(b, " @%s/%s", endpoint_text(&p->frontends[i], text),
			   protocol_text(p->frontends[i].protocol));
	buf_printf(b, " %s", check_type_text(p->set.check->type));
	if (p->set.check->type == CHECK_HTTP)
		buf_printf(b, "(%s)", p->set.check->path);
	if (p->persistence_s)
		buf_printf(b, " persist=%u", p->persistence_s);
	for (size_t i = 0; i < p->member_count; i++) {
		const struct pool_member member = pool_member(p, i), *m = &member;

		buf_printf(b, " %s", endpoint_text(&m->endpoint, text));
		if (m->weight != 1)
			buf_printf(b, "*%u", m->weight);
		if (m->terminating)
			buf_str(b, "-going");
	}
	buf_str(b, "\n");
	for (size_t i = 0; i < p->problems.count; i++)
		buf_printf(b, "  %s %u: %s\n", p->problems.items[i].error ? "error" : "warning",
			   p->problems.items[i].line, p->problems.items[i].text);
}

static void print_change(void *arg, const char *id, struct pool *pool)
{
	struct buf *b = arg;

	if (pool) {
		assert_string_equal(pool->id, id);
		print_pool(b, pool);
	} else {
		buf_printf(b, "%s is gone\n", id);
	}
}

/* What an update tells. */
static void expect(struct pools *p, const char *want)
{
	struct buf b = { 0 };

	pools_update(p, print_change, &b);
	assert_string_equal(buf_cstr(&b), want);
	buf_done(&b);
}

static void print_orphan(void *arg, const struct object *o, const struct problems *problems)
{
	struct buf *b = arg;

	buf_printf(b, "%s %s/%s\n", object_kind_text(o->kind), o->ns, o->name);
	for (size_t i = 0; i < problems->count; i++)
		buf_printf(b, "  %s %u: %s\n", problems->items[i].error ? "error" : "warning",
			   problems->items[i].line, problems->items[i].text);
}

static void expect_orphans(const struct pools *p, const char *want)
{
	struct buf b = { 0 };

	pools_orphans(p, print_orphan, &b);
	assert_string_equal(buf_cstr(&b), want);
	buf_done(&b);
}

#define SERVICE(name, spec) \
	"---\n{apiVersion: v1, kind: Service, metadata: {name: " name "}, spec: {" spec "}}\n"
#define ENDPOINTS(name, subsets)                                                                \
	"---\n{apiVersion: v1, kind: Endpoints, metadata: {name: " name "}, subsets: [" subsets \
	"]}\n"
#define SLICE(name, service, rest)                                                           \
	"---\n{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: " name \
	", labels: {kubernetes.io/service-name: " service "}}, addressType: IPv4, " rest "}\n"
#define NODE_PORT(port) "type: NodePort, ports: [{port: 80, nodePort: " port "}]"
#define ONE(ip)		"{addresses: [{ip: " ip "}], ports: [{port: 8080}]}"

/* --- one Service ----------------------------------------------------------- */

static void the_origins_yaml_is_a_pool(void **state)
{
	struct pools *p = pools_new(&rules);
	struct buf text = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(file_read("deploy/example-origin.yaml", 65536, &text, &err), 0);
	put(p, "origin.yaml", buf_cstr(&text));
	expect(p, "parasaus.snake-demo-svc4.dcmp-svc4-tcp @192.0.2.10:40796/tcp http(/) "
		  "10.100.1.53:8090 "
		  "10.100.1.77:30253\n"
		  "  warning 12: Service: \"type\" stands in spec.ports[0]; taken as spec.type (an "
		  "API server "
		  "refuses it: move it up)\n"
		  "  warning 19: Endpoints: \"annotations\" stands at top level; taken as "
		  "metadata.annotations "
		  "(an API server drops it: move it under metadata)\n");
	expect_orphans(p, "");
	buf_done(&text);
	pools_free(p);
}

static void a_named_port_is_a_pool_each(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml",
	    SERVICE("web", "type: NodePort, sessionAffinity: ClientIP, ports: [{name: a, port: 80, "
			   "nodePort: "
			   "30080}, {name: b, port: 53, protocol: UDP, nodePort: 30053}, {name: c, "
			   "port: 1}]")
		    ENDPOINTS("web", "{addresses: [{ip: 10.0.0.2}, {ip: 10.0.0.1}], ports: [{name: "
				     "a, port: 8080}, "
				     "{name: b, port: 5353, protocol: UDP}]}, {addresses: [{ip: "
				     "10.0.0.3}], ports: "
				     "[{name: a, port: 9090}, {name: b, port: 53}]}"));
	expect(p,
	       "default.web.a-tcp @192.0.2.10:30080/tcp tcp persist=10800 10.0.0.1:8080 "
	       "10.0.0.2:8080 "
	       "10.0.0.3:9090\n"
	       "default.web.b-udp @192.0.2.10:30053/udp none persist=10800 10.0.0.1:5353 "
	       "10.0.0.2:5353\n"
	       "  warning 2: a port of UDP cannot be checked by tcp: not checked; name a TCP "
	       "port by "
	       "parasaus.io/health-check-port, or say parasaus.io/health-check-type: dns, udp or "
	       "none\n"
	       "default.web.c-tcp tcp persist=10800\n"
	       "  error 2: no frontend: no nodePort is stated; the address pools have ports "
	       "30000-49999 "
	       "(main), 50000-50009 (outside)\n"
	       "  warning 4: Endpoints: no port is named \"c\" with protocol TCP: no members\n");
	assert_int_equal(pools_count(p), 3);
	assert_non_null(pools_find(p, "default.web.b-udp"));
	assert_null(pools_find(p, "default.web.b-tcp"));
	assert_null(pools_find(p, "default/web"));
	pools_free(p);
}

#define LIMITED                                                                                 \
	"---\n{apiVersion: v1, kind: Service, metadata: {name: web, annotations: "              \
	"{parasaus.io/max-connections: '100'}}, spec: {ports: [{name: a, port: 80}, {name: b, " \
	"port: 81}]}}\n"

static uint32_t limit_of(const struct pools *p, const char *id)
{
	const struct pool *pool = pools_find(p, id);

	assert_non_null(pool);
	return pool->set.max_connections;
}

static void a_limit_that_does_harm_is_not_used(void **state)
{
	struct pool_rules old = rules;
	struct pools *p = pools_new(&old);

	(void)state;
	old.no_limits = "connection limits race on Linux 6.1.76";
	put(p, "a.yaml", LIMITED);
	expect(p, "default.web.a-tcp tcp\n"
		  "  error 2: annotation parasaus.io/max-connections is not used: connection "
		  "limits race on Linux 6.1.76\n"
		  "  warning 2: there is no Endpoints default/web and no EndpointSlice of it: no "
		  "members\n"
		  "default.web.b-tcp tcp\n"
		  "  error 2: annotation parasaus.io/max-connections is not used: connection "
		  "limits race on Linux 6.1.76\n"
		  "  warning 2: there is no Endpoints default/web and no EndpointSlice of it: no "
		  "members\n");
	assert_int_equal(limit_of(p, "default.web.a-tcp"), 0);
	/* What is not asked for is not told: the configuration's own limit is told of once. */
	old.defaults.max_connections = 50;
	put(p, "a.yaml", SERVICE("web", "ports: [{port: 80}]") ENDPOINTS("web", ONE("10.0.0.1")));
	expect(p, "default.web.80-tcp tcp 10.0.0.1:8080\n"
		  "default.web.a-tcp is gone\n"
		  "default.web.b-tcp is gone\n");
	assert_int_equal(limit_of(p, "default.web.80-tcp"), 0);
	pools_free(p);

	p = pools_new(&rules);
	put(p, "a.yaml", LIMITED);
	pools_update(p, NULL, NULL);
	assert_int_equal(limit_of(p, "default.web.a-tcp"), 100);
	pools_free(p);
}

#define DB                                                                               \
	"---\n{apiVersion: v1, kind: Service, metadata: {name: db, annotations: "        \
	"{parasaus.io/health-check-type: mysql, parasaus.io/health-check-role: writer, " \
	"parasaus.io/health-check-secret: check}}, spec: {ports: [{port: 3306}]}}\n"
#define DB_POOL "default.db.3306-tcp mysql 10.0.0.1:8080\n"
#define DB_LACKS \
	DB_POOL "  error 2: annotation parasaus.io/health-check-secret: Secret default/check "
#define SECRET(v) \
	"---\n{apiVersion: v1, kind: Secret, metadata: {name: check}, stringData: {" v "}}\n"

static void expect_secret(const struct pools *p, unsigned source, const char *username)
{
	const struct object *o = pools_secret(p, source, "default", "check");

	if (username)
		assert_string_equal(o->secret->username, username);
	else
		assert_null(o);
}

static void a_secret_that_is_named_is_looked_for(void **state)
{
	const struct object_origin other = { .source = 1, .path = "a.yaml" };
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml", DB ENDPOINTS("db", ONE("10.0.0.1")));
	expect(p, DB_LACKS "is not there; checked half-open\n");
	put(p, "s.yaml", SECRET(""));
	expect(p, DB_LACKS "lacks the keys username and password; checked half-open\n");
	put(p, "s.yaml", SECRET("username: u"));
	expect(p, DB_LACKS "lacks the key password; checked half-open\n");
	expect_secret(p, 0, NULL);
	put(p, "s.yaml", SECRET("username: u, password: p, ca.crt: [p]"));
	expect(p, DB_LACKS "has a ca.crt that cannot be used: mend it, or leave it out where any "
			   "server will do; checked half-open\n");
	put(p, "s.yaml", SECRET("username: u, password: p"));
	expect(p, DB_POOL);
	expect_secret(p, 0, "u");
	/* Other values are none of the pool's concern. */
	put(p, "s.yaml", SECRET("username: v, password: q"));
	expect(p, "");
	expect_secret(p, 0, "v");
	expect_orphans(p, "");
	take(p, "s.yaml", OBJECT_SECRET, "check");
	put_from(p, &other, SECRET("username: w, password: p"));
	expect(p, DB_LACKS "is not there; checked half-open\n");
	expect_secret(p, 0, NULL);
	expect_secret(p, 1, "w");
	take(p, "a.yaml", OBJECT_SERVICE, "db");
	expect(p, "default.db.3306-tcp is gone\n");
	pools_free(p);
}

#define WEB                                                                        \
	"---\n{apiVersion: v1, kind: Service, metadata: {name: web, annotations: " \
	"{parasaus.io/health-check-type: https, parasaus.io/health-check-secret: " \
	"check}}, spec: {ports: [{port: 443}]}}\n"
#define WEB_LACKS                                                         \
	"default.web.443-tcp https 10.0.0.1:8080\n  error 2: annotation " \
	"parasaus.io/health-check-secret: Secret default/check "

/* A document of the Secret with these values; NULL: without. */
static void put_secret(struct pools *p, const char *more, const char *ca, const char *crt,
		       const char *key)
{
	const char *const keys[] = { "ca.crt", "tls.crt", "tls.key" };
	const char *const values[] = { ca, crt, key };
	struct buf b = { 0 };

	buf_printf(&b,
		   "---\n{apiVersion: v1, kind: Secret, metadata: {name: check}, stringData: "
		   "{%s",
		   more);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!values[i])
			continue;
		buf_printf(&b, "%s: \"", keys[i]);
		for (const char *s = values[i]; *s; s++)
			buf_printf(&b, *s == '\n' ? "\\n" : "%c", *s);
		buf_str(&b, "\", ");
	}
	buf_str(&b, "}}\n");
	put(p, "s.yaml", buf_cstr(&b));
	buf_done(&b);
}

static void a_secret_of_certificates_needs_no_account(void **state)
{
	const char *no_key = "lacks the key ca.crt, by which the server is trusted, or tls.crt and "
			     "tls.key, for one that asks for a certificate; checked half-open\n";
	struct pki *ca = pki_new("ours");
	struct pki_pair pair = pki_issue_person(ca, "parasaus", NULL);
	char want[512];
	struct pools *p = pools_new(&rules);

	(void)state;
	snprintf(want, sizeof(want), WEB_LACKS "%s", no_key);
	put(p, "a.yaml", WEB ENDPOINTS("web", ONE("10.0.0.1")));
	expect(p, WEB_LACKS "is not there; checked half-open\n");
	put(p, "s.yaml", SECRET("username: u, password: p"));
	expect(p, want);
	put_secret(p, "ca.crt: [p], ", NULL, pair.cert, pair.key);
	expect(p, WEB_LACKS "has a ca.crt that cannot be used: mend it, or leave it out where any "
			    "server will do; checked half-open\n");
	expect_secret(p, 0, NULL);
	put_secret(p, "", NULL, pair.cert, pair.key);
	expect(p, "default.web.443-tcp https 10.0.0.1:8080\n");
	assert_string_equal(pools_secret(p, 0, "default", "check")->secret->key, pair.key);
	put_secret(p, "", pki_ca(ca), NULL, NULL);
	expect(p, "");
	assert_string_equal(pools_secret(p, 0, "default", "check")->secret->ca, pki_ca(ca));
	pools_free(p);
	pki_pair_done(&pair);
	pki_free(ca);
}

/* Each is told by what is wrong with it; a login goes on where only a certificate is lacking. */
static void certificates_that_are_no_use_are_told(void **state)
{
	struct pki *ca = pki_new("ours");
	struct pki_pair pair = pki_issue_person(ca, "parasaus", NULL);
	struct pki_pair other = pki_issue_person(ca, "other", NULL);
	const char *const encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGj\n"
				      "-----END ENCRYPTED PRIVATE KEY-----\n";
	const struct {
		const char *ca, *crt, *key, *fault;
	} rows[] = {
		{ NULL, pair.cert, NULL, "has a tls.crt, but lacks the key tls.key" },
		{ NULL, NULL, pair.key, "has a tls.key, but lacks the key tls.crt" },
		{ pki_ca(ca), pair.cert, other.key,
		  "has a tls.key that does not belong to its tls.crt: put in the two that were "
		  "made for "
		  "each other" },
		{ NULL, pair.key, pair.key,
		  "has a tls.crt that holds something that is no certificate in PEM "
		  "(-----BEGIN CERTIFICATE-----)" },
		{ NULL, pair.cert, pair.cert,
		  "has a tls.key that holds no private key in PEM (-----BEGIN PRIVATE KEY-----)" },
		{ NULL, pair.cert, encrypted,
		  "has a tls.key that is encrypted: take its passphrase away (openssl pkey)" },
		{ "no certificate", NULL, NULL,
		  "has a ca.crt that holds something that is no certificate in PEM "
		  "(-----BEGIN CERTIFICATE-----): mend it, or leave it out where any server will "
		  "do" },
	};
	const char *const lacks[] = { WEB_LACKS, DB_LACKS };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		const size_t k = i / 2;
		struct pools *p = pools_new(&rules);
		const bool goes_on = i % 2 && !(rows[k].ca && !rows[k].crt);
		char want[512];

		put(p, "a.yaml",
		    i % 2 ? DB ENDPOINTS("db", ONE("10.0.0.1"))
			  : WEB ENDPOINTS("web", ONE("10.0.0.1")));
		put_secret(p, "username: u, password: p, ", rows[k].ca, rows[k].crt, rows[k].key);
		snprintf(want, sizeof(want), "%s%s; checked %s\n", lacks[i % 2], rows[k].fault,
			 goes_on ? "without a certificate" : "half-open");
		expect(p, want);
		expect_secret(p, 0, "u"); /* for a check without TLS */
		put_secret(p, "username: u, password: p, ", NULL, pair.cert, pair.key);
		expect(p, i % 2 ? DB_POOL : "default.web.443-tcp https 10.0.0.1:8080\n");
		expect_secret(p, 0, "u");
		pools_free(p);
	}
	pki_pair_done(&pair);
	pki_pair_done(&other);
	pki_free(ca);
}

#define REDIS                                                                             \
	"---\n{apiVersion: v1, kind: Service, metadata: {name: db, annotations: "         \
	"{parasaus.io/health-check-type: redis, parasaus.io/health-check-tls: required, " \
	"parasaus.io/health-check-secret: check}}, spec: {ports: [{port: 6379}]}}\n"
#define REDIS_POOL "default.db.6379-tcp redis 10.0.0.1:8080\n"
#define REDIS_LACKS \
	REDIS_POOL "  error 2: annotation parasaus.io/health-check-secret: Secret default/check "

/* A login, certificates, or both; half a login is told, and the rest is used. */
static void redis_over_tls_takes_what_there_is(void **state)
{
	struct pki *ca = pki_new("ours");
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml", REDIS ENDPOINTS("db", ONE("10.0.0.1")));
	put_secret(p, "", NULL, NULL, NULL);
	expect(p, REDIS_LACKS "lacks the keys username and password, ca.crt, or tls.crt and "
			      "tls.key, of which it needs one; checked half-open\n");
	put_secret(p, "username: u, password: p, ", NULL, NULL, NULL);
	expect(p, REDIS_POOL);
	put_secret(p, "", pki_ca(ca), NULL, NULL);
	expect(p, "");
	assert_null(pools_secret(p, 0, "default", "check")->secret->username);
	put_secret(p, "username: u, ", NULL, NULL, NULL);
	expect(p, REDIS_LACKS "lacks the key password; checked half-open\n");
	put_secret(p, "username: u, ", pki_ca(ca), NULL, NULL);
	expect(p, REDIS_LACKS "lacks the key password; checked without a login\n");
	assert_non_null(pools_secret(p, 0, "default", "check"));
	pools_free(p);
	pki_free(ca);
}

/* Whom to trust, and what to show, is nothing to a login in the clear. */
static void a_login_without_tls_goes_by_itself(void **state)
{
	static const char *const checks[] = { "redis",
					      "mysql, parasaus.io/health-check-tls: \"off\"" };
	struct pki *ca = pki_new("ours");

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct pools *p = pools_new(&rules);
		CLEANUP(xfree_ptr)
		char *db = xasprintf(
			"---\n{apiVersion: v1, kind: Service, metadata: {name: db, annotations: "
			"{parasaus.io/health-check-type: %s, parasaus.io/health-check-secret: "
			"check}}, spec: {ports: [{port: 6379}]}}\n" ENDPOINTS("db",
									      ONE("10.0.0.1")),
			checks[i / 2]);
		char want[64];

		put(p, "a.yaml", db);
		put_secret(p, "username: u, password: p, ", i % 2 ? pki_ca(ca) : "none",
			   i % 2 ? "none" : NULL, NULL);
		snprintf(want, sizeof(want), "default.db.6379-tcp %s 10.0.0.1:8080\n",
			 i / 2 ? "mysql" : "redis");
		expect(p, want);
		expect_secret(p, 0, "u");
		pools_free(p);
	}
	pki_free(ca);
}

static void of_two_secrets_the_first_counts(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "b.yaml", SECRET("username: b, password: p"));
	expect(p, "");
	put(p, "a.yaml", SECRET("username: a"));
	put(p, "a.yaml", DB ENDPOINTS("db", ONE("10.0.0.1")));
	expect(p, DB_LACKS "lacks the key password; checked half-open\n");
	expect_orphans(p, "Secret default/check\n"
			  "  error 2: Secret default/check is also in a.yaml line 2, which comes "
			  "first: this one is not used\n");
	take(p, "a.yaml", OBJECT_SECRET, "check");
	expect(p, DB_POOL);
	expect_secret(p, 0, "b");
	put(p, "b.yaml", SECRET("username: b, password: [p]"));
	expect(p, DB_LACKS "lacks the key password; checked half-open\n");
	expect_orphans(p,
		       "Secret default/check\n"
		       "  error 2: Secret: stringData.password is a list where a string belongs; "
		       "not used\n");
	pools_free(p);
}

static void types_other_than_node_port(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml", SERVICE("web", "ports: [{port: 80}]") ENDPOINTS("web", ONE("10.0.0.1")));
	expect(p, "default.web.80-tcp tcp 10.0.0.1:8080\n");
	assert_string_equal(pools_find(p, "default/web")->id, "default.web.80-tcp");
	put(p, "a.yaml", SERVICE("web", "type: LoadBalancer, ports: [{port: 80}]"));
	expect(p, "default.web.80-tcp tcp 10.0.0.1:8080\n"
		  "  warning 2: no frontend: type LoadBalancer is not served by this version\n");
	put(p, "a.yaml",
	    SERVICE("web", "type: ExternalName, externalName: x, ports: [{port: 80}]"));
	expect(p, "default.web.80-tcp is gone\n");
	expect_orphans(p, "Service default/web\n"
			  "  error 2: type ExternalName names no servers: there is no pool\n"
			  "Endpoints default/web\n"
			  "  warning 4: Service default/web has no pool: not used\n");
	put(p, "a.yaml", SERVICE("web", "ports: []"));
	expect(p, "");
	expect_orphans(p, "Service default/web\n"
			  "  error 2: the Service has no usable port: there is no pool\n"
			  "Endpoints default/web\n"
			  "  warning 4: Service default/web has no pool: not used\n");
	pools_free(p);
}

static void frontends_come_from_the_address_pools_alone(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml", SERVICE("web", NODE_PORT("29999")) ENDPOINTS("web", ONE("10.0.0.1")));
	expect(p,
	       "default.web.80-tcp tcp 10.0.0.1:8080\n"
	       "  error 2: no frontend: nodePort 29999 is outside the ports of every address pool: "
	       "30000-49999 (main), 50000-50009 (outside)\n");
	put(p, "a.yaml", SERVICE("web", NODE_PORT("50000")));
	expect(p, "default.web.80-tcp tcp 10.0.0.1:8080\n"
		  "  error 2: no frontend: 198.51.100.7, the first address of outside, is outside "
		  "vipRanges\n");
	pools_free(p);
}

static void addresses_that_may_not_be_members(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml",
	    SERVICE("web", NODE_PORT("30080")) ENDPOINTS(
		    "web",
		    "{addresses: [{ip: 127.0.0.1}, {ip: 169.254.1.1}, {ip: 192.0.2.11}, {ip: "
		    "192.0.2.99}, {ip: 10.9.1.1}, {ip: '2001:db8::1'}, {ip: 10.0.0.1}], ports: "
		    "[{port: 80}]}"));
	expect(p, "default.web.80-tcp @192.0.2.10:30080/tcp tcp 10.0.0.1:80\n"
		  "  error 4: Endpoints: address 127.0.0.1 is not used: loopback addresses are no "
		  "real "
		  "servers\n"
		  "  error 4: Endpoints: address 169.254.1.1 is not used: link-local addresses are "
		  "no real "
		  "servers\n"
		  "  error 4: Endpoints: address 192.0.2.11 is not used: it is one of the address "
		  "pool main\n"
		  "  error 4: Endpoints: address 192.0.2.99 is not used: it is inside vipRanges, "
		  "where no real servers are\n"
		  "  error 4: Endpoints: address 10.9.1.1 is not used: the configuration has its "
		  "network in `refuse`\n"
		  "  error 4: Endpoints: address 2001:db8::1 is not used: the frontend is of the "
		  "other family, which only forwarding: tunnel carries\n");
	pools_free(p);
}

static void readiness_decides_who_is_a_member(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml",
	    SERVICE("web", "ports: [{port: 80}]") SLICE(
		    "web-1", "web",
		    "ports: [{port: 80}], endpoints: [{addresses: [10.0.0.1]}, {addresses: "
		    "[10.0.0.2], conditions: {ready: false, serving: true, terminating: true}}, "
		    "{addresses: [10.0.0.3], conditions: {ready: false}}, {addresses: [10.0.0.4], "
		    "conditions: {ready: false, terminating: true}}]")
		    SLICE("web-2", "web",
			  "ports: [{port: 80}], endpoints: [{addresses: [10.0.0.4]}, {addresses: "
			  "[10.0.0.1]}]") ENDPOINTS("web", ONE("10.0.0.9")));
	expect(p, "default.web.80-tcp tcp 10.0.0.1:80 10.0.0.2:80-going 10.0.0.4:80\n");
	put(p, "a.yaml", SERVICE("web", "publishNotReadyAddresses: true, ports: [{port: 80}]"));
	expect(p, "default.web.80-tcp tcp 10.0.0.1:80 10.0.0.2:80-going 10.0.0.3:80 10.0.0.4:80\n");
	take(p, "a.yaml", OBJECT_SLICE, "web-1");
	take(p, "a.yaml", OBJECT_SLICE, "web-2");
	expect(p, "default.web.80-tcp tcp 10.0.0.9:8080\n");
	take(p, "a.yaml", OBJECT_ENDPOINTS, "web");
	expect(p, "default.web.80-tcp tcp\n"
		  "  warning 2: there is no Endpoints default/web and no EndpointSlice of it: no "
		  "members\n");
	pools_free(p);
}

static void a_single_port_needs_no_name(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml",
	    SERVICE("web", "ports: [{port: 80}]") ENDPOINTS(
		    "web",
		    "{addresses: [{ip: 10.0.0.1}], ports: [{name: http, port: 8080}]}, {addresses: "
		    "[{ip: 10.0.0.2}], ports: [{name: http, port: 8080}, {name: x, port: 1}]}"));
	expect(p, "default.web.80-tcp tcp 10.0.0.1:8080\n");
	pools_free(p);
}

#define ANNOTATED(kind, name, annotations, rest)                       \
	"---\n{apiVersion: v1, kind: " kind ", metadata: {name: " name \
	", annotations: {" annotations "}}, " rest "}\n"

static void a_tunnel_goes_to_either_family(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml",
	    ANNOTATED("Service", "web", "parasaus.io/forwarding: tunnel",
		      "spec: {" NODE_PORT("30080") "}") ENDPOINTS("web", ONE("'2001:db8::1'")));
	expect(p, "default.web.80-tcp @192.0.2.10:30080/tcp tcp [2001:db8::1]:8080\n");
	pools_free(p);
}

#define BY_VIP "parasaus.io/health-check-via: vip"
#define BY_DR  "parasaus.io/forwarding: dr, " BY_VIP

static struct check *check_of(const struct pools *p, const char *id)
{
	const struct pool *pool = pools_find(p, id);

	assert_non_null(pool);
	return pool->set.check;
}

static void a_check_by_the_vip_is_of_that_way(void **state)
{
	struct pools *p = pools_new(&rules);
	const struct check *a, *b, *c;
	char text[ADDR_TEXT_MAX];

	(void)state;
	put(p, "a.yaml",
	    ANNOTATED("Service", "a", BY_DR, "spec: {" NODE_PORT("30080") "}")
		    ENDPOINTS("a", ONE("10.0.0.1")));
	put(p, "b.yaml",
	    ANNOTATED("Service", "b", BY_DR, "spec: {" NODE_PORT("30081") "}")
		    ENDPOINTS("b", ONE("10.0.0.1")));
	put(p, "c.yaml",
	    ANNOTATED("Service", "c",
		      "parasaus.io/forwarding: tunnel, parasaus.io/tunnel-type: gue, " BY_VIP,
		      "spec: {" NODE_PORT("30082") "}") ENDPOINTS("c", ONE("10.0.0.1")));
	expect(p, "default.a.80-tcp @192.0.2.10:30080/tcp tcp 10.0.0.1:8080\n"
		  "default.b.80-tcp @192.0.2.10:30081/tcp tcp 10.0.0.1:8080\n"
		  "default.c.80-tcp @192.0.2.10:30082/tcp tcp 10.0.0.1:8080\n");
	a = check_of(p, "default.a.80-tcp");
	b = check_of(p, "default.b.80-tcp");
	c = check_of(p, "default.c.80-tcp");
	assert_string_equal(addr_text(&a->way.vip_v4, text), "192.0.2.10");
	assert_int_equal(a->way.vip_v6.family, 0);
	assert_false(a->way.is_tunnel);
	/* Another port of the same VIP is the same way. */
	assert_ptr_equal(a, b);
	assert_string_equal(addr_text(&c->way.vip_v4, text), "192.0.2.10");
	assert_true(c->way.is_tunnel);
	assert_int_equal(c->way.tunnel_type, TUNNEL_GUE);
	assert_int_equal(c->way.tunnel_port, 6080);
	pools_free(p);
}

static void a_check_by_no_vip_is_direct(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml",
	    ANNOTATED("Service", "web", BY_DR, "spec: {ports: [{port: 80}]}")
		    ENDPOINTS("web", ONE("10.0.0.1")));
	expect(p, "default.web.80-tcp tcp 10.0.0.1:8080\n");
	assert_int_equal(check_of(p, "default.web.80-tcp")->via, CHECK_VIA_VIP);
	assert_null(check_vip(check_of(p, "default.web.80-tcp"), AF_INET));
	put(p, "a.yaml",
	    ANNOTATED("Service", "web", "parasaus.io/forwarding: tunnel, " BY_VIP,
		      "spec: {" NODE_PORT("30080") "}")
		    ENDPOINTS("web", "{addresses: [{ip: 10.0.0.1}, {ip: '2001:db8::1'}], ports: "
				     "[{port: 8080}]}"));
	expect(p, "default.web.80-tcp @192.0.2.10:30080/tcp tcp 10.0.0.1:8080 "
		  "[2001:db8::1]:8080\n"
		  "  warning 2: parasaus.io/health-check-via: vip is not for servers of another "
		  "family than the frontend: 1 of its 2 members are checked directly\n");
	/* What cannot go by it is left alone. */
	put(p, "a.yaml",
	    ANNOTATED("Service", "web", BY_DR,
		      "spec: {type: NodePort, ports: [{port: 53, protocol: UDP, nodePort: 30053}]}")
		    ENDPOINTS("web", "{addresses: [{ip: 10.0.0.1}], ports: [{port: 53, protocol: "
				     "UDP}]}"));
	expect(p, "default.web.80-tcp is gone\n"
		  "default.web.53-udp @192.0.2.10:30053/udp none 10.0.0.1:53\n"
		  "  warning 2: a port of UDP cannot be checked by tcp: not checked; name a TCP "
		  "port by parasaus.io/health-check-port, or say parasaus.io/health-check-type: "
		  "dns, udp or none\n");
	pools_free(p);
}

static void a_netmask_without_persistence_is_told(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml",
	    ANNOTATED("Service", "web", "parasaus.io/persistence-netmask: '24'",
		      "spec: {sessionAffinity: ClientIP, " NODE_PORT("30080") "}")
		    ENDPOINTS("web", ONE("10.0.0.1")));
	expect(p, "default.web.80-tcp @192.0.2.10:30080/tcp tcp persist=10800 10.0.0.1:8080\n");
	put(p, "a.yaml",
	    ANNOTATED("Service", "web", "parasaus.io/persistence-netmask: '24'",
		      "spec: {" NODE_PORT("30080") "}"));
	expect(p, "default.web.80-tcp @192.0.2.10:30080/tcp tcp 10.0.0.1:8080\n"
		  "  warning 2: annotation parasaus.io/persistence-netmask has no effect without "
		  "spec.sessionAffinity: ClientIP\n");
	pools_free(p);
}

static void annotations_of_endpoints_win(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml",
	    ANNOTATED("Service", "web",
		      "parasaus.io/health-check-type: http, parasaus.io/weight: '3', "
		      "parasaus.io/health-check-path: /x",
		      "spec: {ports: [{port: 80}]}")
		    ANNOTATED("Endpoints", "web",
			      "parasaus.io/weight: '5', parasaus.io/weights: "
			      "'10.0.0.1=0,10.0.0.2:8080=7,10.0.0.2=8,10.0.0.9=1'",
			      "subsets: [{addresses: [{ip: 10.0.0.1}, {ip: 10.0.0.2}, {ip: "
			      "10.0.0.3}], ports: [{port: "
			      "8080}]}]"));
	expect(p, "default.web.80-tcp http(/x) 10.0.0.1:8080*0 10.0.0.2:8080*7 10.0.0.3:8080*5\n"
		  "  warning 4: annotation parasaus.io/weights: 10.0.0.9 is no member\n");
	put(p, "a.yaml",
	    ANNOTATED("Endpoints", "web", "healthCheckType: tcp",
		      "subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 8080}]}]"));
	expect(p, "default.web.80-tcp tcp 10.0.0.1:8080*3\n"
		  "  warning 2: annotation parasaus.io/health-check-path has no effect with a "
		  "health check "
		  "of type tcp\n");
	pools_free(p);
}

/* --- changes --------------------------------------------------------------- */

static void only_what_changed_is_told(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml", SERVICE("a", NODE_PORT("30001")) ENDPOINTS("a", ONE("10.0.0.1")));
	put(p, "b.yaml", SERVICE("b", NODE_PORT("30002")) ENDPOINTS("b", ONE("10.0.0.2")));
	expect(p, "default.a.80-tcp @192.0.2.10:30001/tcp tcp 10.0.0.1:8080\n"
		  "default.b.80-tcp @192.0.2.10:30002/tcp tcp 10.0.0.2:8080\n");
	expect(p, "");
	put(p, "a.yaml", ENDPOINTS("a", ONE("10.0.0.1")));
	expect(p, "");
	put(p, "a.yaml", "# a line more\n" SERVICE("a", NODE_PORT("30001")));
	expect(p, "");
	put(p, "a.yaml", ENDPOINTS("a", ONE("10.0.0.3")));
	expect(p, "default.a.80-tcp @192.0.2.10:30001/tcp tcp 10.0.0.3:8080\n");
	take(p, "a.yaml", OBJECT_SERVICE, "a");
	take(p, "a.yaml", OBJECT_SERVICE, "unknown");
	expect(p, "default.a.80-tcp is gone\n");
	expect_orphans(
		p, "Endpoints default/a\n  warning 2: there is no Service default/a: not used\n");
	take(p, "a.yaml", OBJECT_ENDPOINTS, "a");
	expect(p, "");
	expect_orphans(p, "");
	assert_int_equal(pools_count(p), 1);
	pools_free(p);
}

static void put_of_store(struct pools *p, uint64_t revision, const char *user, const char *text)
{
	const struct object_change change = { revision, (int64_t)revision * 1000,
					      (char *)(uintptr_t)user,
					      (char *)(uintptr_t) "update" };
	const struct object_origin from = { .path = "", .change = &change };

	put_from(p, &from, text);
}

static void was_changed(const struct pools *p, uint64_t revision, const char *user)
{
	const struct pool *pool = pools_find(p, "default.a.80-tcp");

	assert_non_null(pool->change);
	assert_int_equal(pool->change->revision, revision);
	assert_int_equal(pool->change->at_ms, revision * 1000);
	assert_string_equal(pool->change->user, user);
	assert_string_equal(pool->change->action, "update");
}

/* Also one that was written again as it was. */
static void a_pool_tells_the_newest_change_of_its_objects(void **state)
{
	static const char line[] = "default.a.80-tcp @192.0.2.10:30001/tcp tcp 10.0.0.1:8080\n";
	struct pools *p = pools_new(&rules);

	(void)state;
	put_of_store(p, 3, "alice", SERVICE("a", NODE_PORT("30001")));
	put_of_store(p, 2, "bob", ENDPOINTS("a", ONE("10.0.0.1")));
	expect(p, line);
	was_changed(p, 3, "alice");
	put_of_store(p, 7, "carol", ENDPOINTS("a", ONE("10.0.0.1")));
	expect(p, line);
	was_changed(p, 7, "carol");
	put_of_store(p, 7, "carol", ENDPOINTS("a", ONE("10.0.0.1")));
	expect(p, "");
	put_of_store(
		p, 9, "dave",
		SLICE("a-1", "a", "endpoints: [{addresses: [10.0.0.1]}], ports: [{port: 8080}]"));
	expect(p, line);
	was_changed(p, 9, "dave");
	take(p, "", OBJECT_SLICE, "a-1");
	expect(p, line);
	was_changed(p, 7, "carol");
	pools_free(p);
}

static void moved_lines_move_in_what_is_told(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml", SERVICE("a", NODE_PORT("1")) ENDPOINTS("a", ONE("10.0.0.1")));
	expect(p, "default.a.80-tcp tcp 10.0.0.1:8080\n"
		  "  error 2: no frontend: nodePort 1 is outside the ports of every address pool: "
		  "30000-49999 (main), 50000-50009 (outside)\n");
	put(p, "a.yaml", "# a line more\n" SERVICE("a", NODE_PORT("1")));
	expect(p, "default.a.80-tcp tcp 10.0.0.1:8080\n"
		  "  error 3: no frontend: nodePort 1 is outside the ports of every address pool: "
		  "30000-49999 (main), 50000-50009 (outside)\n");
	pools_free(p);
}

static void of_two_that_want_a_frontend_the_first_by_name_has_it(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "b.yaml", SERVICE("b", NODE_PORT("30001")) ENDPOINTS("b", ONE("10.0.0.2")));
	expect(p, "default.b.80-tcp @192.0.2.10:30001/tcp tcp 10.0.0.2:8080\n");
	put(p, "a.yaml", SERVICE("a", NODE_PORT("30001")) ENDPOINTS("a", ONE("10.0.0.1")));
	/* The loser first: its frontend is free before the winner has it. */
	expect(p, "default.b.80-tcp tcp 10.0.0.2:8080\n"
		  "  error 2: the frontend 192.0.2.10:30001/tcp belongs to Service default/a "
		  "(a.yaml line "
		  "2), which comes first\n"
		  "default.a.80-tcp @192.0.2.10:30001/tcp tcp 10.0.0.1:8080\n"
		  "  warning 2: the frontend 192.0.2.10:30001/tcp is also wanted by Service "
		  "default/b, and by "
		  "0 others\n");
	take(p, "a.yaml", OBJECT_SERVICE, "a");
	expect(p, "default.a.80-tcp is gone\n"
		  "default.b.80-tcp @192.0.2.10:30001/tcp tcp 10.0.0.2:8080\n");
	pools_free(p);
}

static void two_ports_of_one_service_do_not_share_a_frontend(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml",
	    SERVICE("a", "type: NodePort, ports: [{name: x, port: 1, nodePort: 30001}, {name: q, "
			 "port: 2, nodePort: 30001}, {name: z, port: 3, nodePort: 30001, protocol: "
			 "UDP}]") ANNOTATED("Endpoints", "a", "parasaus.io/health-check-type: none",
					    "subsets: []"));
	expect(p, "default.a.x-tcp @192.0.2.10:30001/tcp none\n"
		  "  warning 2: the frontend 192.0.2.10:30001/tcp is also wanted by Service "
		  "default/a, and by "
		  "0 others\n"
		  "  warning 4: Endpoints: no port is named \"x\" with protocol TCP: no members\n"
		  "default.a.q-tcp none\n"
		  "  error 2: the frontend 192.0.2.10:30001/tcp belongs to Service default/a "
		  "(a.yaml line 2), "
		  "which comes first\n"
		  "  warning 4: Endpoints: no port is named \"q\" with protocol TCP: no members\n"
		  "default.a.z-udp @192.0.2.10:30001/udp none\n"
		  "  warning 4: Endpoints: no port is named \"z\" with protocol UDP: no members\n");
	pools_free(p);
}

static void a_port_is_checked_by_its_own_protocol_or_another_port(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml",
	    SERVICE("a", "type: NodePort, ports: [{name: t, port: 1, nodePort: 30001}, {name: u, "
			 "port: 2, nodePort: 30002, protocol: UDP}]")
		    ANNOTATED("Endpoints", "a", "parasaus.io/health-check-type: udp",
			      "subsets: []"));
	expect(p, "default.a.t-tcp @192.0.2.10:30001/tcp none\n"
		  "  warning 2: a port of TCP cannot be checked by udp: not checked; name a UDP "
		  "port by parasaus.io/health-check-port, or say parasaus.io/health-check-type: "
		  "none\n"
		  "  warning 4: Endpoints: no port is named \"t\" with protocol TCP: no members\n"
		  "default.a.u-udp @192.0.2.10:30002/udp udp\n"
		  "  warning 4: Endpoints: no port is named \"u\" with protocol UDP: no members\n");
	put(p, "a.yaml",
	    SERVICE("a", "type: NodePort, ports: [{port: 1, nodePort: 30001}]")
		    ANNOTATED("Endpoints", "a",
			      "parasaus.io/health-check-type: udp, "
			      "parasaus.io/health-check-port: '53'",
			      "subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 1}]}]"));
	expect(p, "default.a.t-tcp is gone\n"
		  "default.a.u-udp is gone\n"
		  "default.a.1-tcp @192.0.2.10:30001/tcp udp 10.0.0.1:1\n");
	/* DNS is asked by UDP at the port of that number. */
	put(p, "a.yaml",
	    SERVICE("a", "type: NodePort, ports: [{port: 53, nodePort: 30001}]")
		    ANNOTATED("Endpoints", "a", "parasaus.io/health-check-type: dns",
			      "subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 53}]}]"));
	expect(p, "default.a.1-tcp is gone\n"
		  "default.a.53-tcp @192.0.2.10:30001/tcp dns 10.0.0.1:53\n");
	pools_free(p);
}

static void of_two_with_one_name_the_first_by_path_counts(void **state)
{
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "b.yaml", SERVICE("a", NODE_PORT("30002")) ENDPOINTS("a", ONE("10.0.0.2")));
	put(p, "a.yaml", SERVICE("a", NODE_PORT("30001")) ENDPOINTS("a", ONE("10.0.0.1")));
	expect(p, "default.a.80-tcp @192.0.2.10:30001/tcp tcp 10.0.0.1:8080\n"
		  "  warning 2: Service default/a is also in b.yaml line 2, which is not used\n"
		  "  warning 4: Endpoints default/a is also in b.yaml line 4, which is not used\n");
	expect_orphans(p, "Service default/a\n"
			  "  error 2: Service default/a is also in a.yaml line 2, which comes "
			  "first: this one "
			  "is not used\n"
			  "Endpoints default/a\n"
			  "  error 4: Endpoints default/a is also in a.yaml line 4, which comes "
			  "first: this one "
			  "is not used\n");
	take(p, "a.yaml", OBJECT_SERVICE, "a");
	take(p, "a.yaml", OBJECT_ENDPOINTS, "a");
	expect(p, "default.a.80-tcp @192.0.2.10:30002/tcp tcp 10.0.0.2:8080\n");
	expect_orphans(p, "");
	pools_free(p);
}

static void the_cluster_comes_before_files_and_lends_no_servers(void **state)
{
	const struct object_origin cluster = { .source = 7, .from_cluster = true, .path = "" };
	struct pools *p = pools_new(&rules);

	(void)state;
	put(p, "a.yaml", SERVICE("a", NODE_PORT("30001")) ENDPOINTS("a", ONE("10.0.0.1")));
	put_from(p, &cluster, SERVICE("a", NODE_PORT("30002")));
	expect(p, "default.a.80-tcp @192.0.2.10:30002/tcp tcp\n"
		  "  warning 2: Service default/a is also in a.yaml line 2, which is not used\n"
		  "  warning 2: there is no Endpoints default/a and no EndpointSlice of it: no "
		  "members\n");
	expect_orphans(p, "Service default/a\n"
			  "  error 2: Service default/a is also in source 7, which comes first: "
			  "this one is not "
			  "used\n"
			  "Endpoints default/a\n"
			  "  error 4: Service default/a comes from another source: not used\n");
	pools_free(p);
}

static void mirrored_slices_say_nothing_beside_their_endpoints(void **state)
{
	const struct object_origin cluster = { .source = 7, .from_cluster = true, .path = "" };
	struct pools *p = pools_new(&rules);

	(void)state;
	put_from(p, &cluster,
		 SERVICE("a",
			 NODE_PORT("30002")) "---\n{apiVersion: discovery.k8s.io/v1, kind: "
					     "EndpointSlice, metadata: {name: a-1, "
					     "labels: {kubernetes.io/service-name: a, "
					     "endpointslice.kubernetes.io/managed-by: "
					     "endpointslicemirroring-controller.k8s.io}}, "
					     "addressType: IPv4, endpoints: "
					     "[{addresses: [10.0.0.1]}], ports: [{port: 8080}]}\n");
	expect(p, "default.a.80-tcp @192.0.2.10:30002/tcp tcp 10.0.0.1:8080\n");
	put_from(p, &cluster, ENDPOINTS("a", ONE("10.0.0.2")));
	expect(p, "default.a.80-tcp @192.0.2.10:30002/tcp tcp 10.0.0.2:8080\n");
	put_from(
		p, &cluster,
		"---\n{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: a-2, "
		"labels: {kubernetes.io/service-name: a}}, addressType: IPv4, endpoints: "
		"[{addresses: [10.0.0.3]}], ports: [{port: 8080}]}\n");
	expect(p, "default.a.80-tcp @192.0.2.10:30002/tcp tcp 10.0.0.3:8080\n");
	pools_free(p);
}

static void others_objects_in_a_cluster_are_no_problem(void **state)
{
	const struct object_origin cluster = { .source = 7, .from_cluster = true, .path = "" };
	struct pools *p = pools_new(&rules);

	(void)state;
	put_from(p, &cluster, ENDPOINTS("election", ONE("10.0.0.2")));
	expect(p, "");
	expect_orphans(p, "");
	/* Somebody meant us by this one. */
	put_from(p, &cluster,
		 "{apiVersion: v1, kind: Endpoints, metadata: {name: b, annotations: "
		 "{healthCheckType: tcp}}}\n");
	expect(p, "");
	expect_orphans(p, "Endpoints default/b\n"
			  "  warning 1: there is no Service default/b: not used\n");
	pools_free(p);
}

static void the_older_of_two_cluster_objects_has_the_frontend(void **state)
{
	const struct object_origin cluster = { .from_cluster = true, .path = "" };
	struct pools *p = pools_new(&rules);

	(void)state;
	put_from(p, &cluster,
		 "{apiVersion: v1, kind: Service, metadata: {name: a, creationTimestamp: "
		 "'2026-01-02T00:00:00Z'}, spec: {" NODE_PORT(
			 "30001") "}}\n---\n"
				  "{apiVersion: v1, kind: Service, metadata: {name: b, "
				  "creationTimestamp: "
				  "'2026-01-01T00:00:00Z'}, spec: {" NODE_PORT("30001") "}}\n");
	pools_update(p, NULL, NULL);
	assert_int_equal(pools_find(p, "default.a.80-tcp")->frontend_count, 0);
	assert_int_equal(pools_find(p, "default.b.80-tcp")->frontend_count, 1);
	pools_free(p);
}

static void count_object(void *arg, const struct object *o)
{
	(void)o;
	(*(size_t *)arg)++;
}

static void objects_of_a_source_are_told_and_counted(void **state)
{
	const struct object_origin other = { .source = 1, .path = "x.yaml" };
	struct pools *p = pools_new(&rules);
	size_t n = 0;

	(void)state;
	put(p, "a.yaml", SERVICE("a", "") ENDPOINTS("a", ""));
	put_from(p, &other, SERVICE("b", ""));
	pools_objects(p, 0, count_object, &n);
	assert_int_equal(n, 2);
	pools_objects(p, 1, count_object, &n);
	assert_int_equal(n, 3);
	assert_int_equal(pools_object_count(p, 0), 2);
	assert_int_equal(pools_object_count(p, 1), 1);
	assert_int_equal(pools_object_count(p, 2), 0);
	put(p, "a.yaml", SERVICE("a", ""));
	assert_int_equal(pools_object_count(p, 0), 2);
	take(p, "a.yaml", OBJECT_SERVICE, "a");
	assert_int_equal(pools_object_count(p, 0), 1);
	pools_free(p);
}

/* --- any order gives the same ---------------------------------------------- */

static uint64_t random_state;

static unsigned random_below(unsigned n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 33) % n;
}

/* A world small enough that everything clashes: 2 paths, 4 names, 3 node ports. */
#define SLOTS 24

static void slot_text(size_t slot, unsigned variant, struct buf *b)
{
	static const char *const annotations[] = { "", "healthCheckType: http",
						   "parasaus.io/weight: '9'",
						   "parasaus.io/nonsense: x" };
	char name = (char)('a' + slot % 4);
	unsigned kind = (unsigned)(slot / 4) % 3;

	buf_reset(b);
	for (unsigned i = variant % 2; i > 0; i--)
		buf_str(b, "#\n");
	if (kind == 0)
		buf_printf(b,
			   "{apiVersion: v1, kind: Service, metadata: {name: %c, annotations: "
			   "{%s}}, spec: "
			   "{type: %s, ports: [{name: x, port: 1, nodePort: %u}, {name: q, port: "
			   "2, nodePort: %u}]}}",
			   name, annotations[variant / 2 % 4],
			   variant % 13 ? "NodePort" : "ExternalName", 30000 + variant % 3,
			   30000 + variant / 3 % 3);
	else if (kind == 1)
		buf_printf(b,
			   "{apiVersion: v1, kind: Endpoints, metadata: {name: %c, annotations: "
			   "{%s}}, subsets: "
			   "[{addresses: [{ip: 10.0.0.%u}, {ip: 10.0.0.%u}], ports: [{name: x, "
			   "port: 1}]}]}",
			   name, annotations[variant / 2 % 4], variant % 5, variant / 5 % 5 + 1);
	else
		buf_printf(b,
			   "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: "
			   "{name: s%zu, labels: "
			   "{kubernetes.io/service-name: %c}}, addressType: IPv4, ports: [{name: "
			   "y, port: 2}], "
			   "endpoints: [{addresses: [10.0.0.%u]}]}",
			   slot, (char)('a' + variant % 4), variant % 5 + 1);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct lines {
	char *items[64];
	size_t count;
};

static void add_pool_line(void *arg, const char *id, struct pool *pool)
{
	struct lines *l = arg;
	struct buf b = { 0 };

	assert_non_null(pool);
	(void)id;
	print_pool(&b, pool);
	l->items[l->count++] = xstrdup(buf_cstr(&b));
	buf_done(&b);
}

static void add_orphan_line(void *arg, const struct object *o, const struct problems *problems)
{
	struct lines *l = arg;
	struct buf b = { 0 };

	buf_printf(&b, "%s ", o->path);
	print_orphan(&b, o, problems);
	l->items[l->count++] = xstrdup(buf_cstr(&b));
	buf_done(&b);
}

static void join(struct lines *l, struct buf *out)
{
	qsort(l->items, l->count, sizeof(l->items[0]), by_text);
	for (size_t i = 0; i < l->count; i++) {
		buf_str(out, l->items[i]);
		free(l->items[i]);
	}
}

static const struct object_origin origins[2] = { { .path = "m.yaml" },
						 { .path = "n.yaml", .source = 1 } };

static struct object *slot_object(size_t slot, unsigned variant)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	CLEANUP(doc_set_done) struct doc_set set = { 0 };
	struct object *o = NULL;
	struct err err;

	slot_text(slot, variant, &b);
	if (doc_read_yaml(b.data, b.len, &DOC_LIMITS_DEFAULT, &set, &err) < 0 ||
	    object_decode(set.roots[0], &origins[slot / 12], &o, &err) < 0)
		fail_msg("%s", err.text);
	return o;
}

static void put_slot(struct pools *p, size_t slot, unsigned variant)
{
	pools_put(p, slot_object(slot, variant));
}

static struct object slot_identity(size_t slot, char name[static 8])
{
	static const enum object_kind kinds[] = { OBJECT_SERVICE, OBJECT_ENDPOINTS, OBJECT_SLICE };
	struct object o = { .kind = kinds[slot / 4 % 3],
			    .source = origins[slot / 12].source,
			    .path = (char *)(uintptr_t)origins[slot / 12].path,
			    .ns = (char *)(uintptr_t) "default",
			    .name = name };

	if (o.kind == OBJECT_SLICE)
		snprintf(name, 8, "s%zu", slot);
	else
		snprintf(name, 8, "%c", (char)('a' + slot % 4));
	return o;
}

static void remove_slot(struct pools *p, size_t slot)
{
	char name[8];
	struct object o = slot_identity(slot, name);

	pools_remove(p, &o);
}

/* What a fresh model makes of the same objects. */
static void from_scratch(const unsigned variants[SLOTS], struct buf *out)
{
	struct pools *p = pools_new(&rules);
	struct lines l = { .count = 0 };

	for (size_t i = SLOTS; i-- > 0;) {
		if (variants[i])
			put_slot(p, i, variants[i]);
	}
	pools_update(p, add_pool_line, &l);
	pools_orphans(p, add_orphan_line, &l);
	join(&l, out);
	pools_free(p);
}

/* The pools as a listener knows them. */
struct known {
	struct pool *pools[16];
	size_t count;
};

static void follow(void *arg, const char *id, struct pool *pool)
{
	struct known *k = arg;
	size_t i = 0;

	while (i < k->count && strcmp(k->pools[i]->id, id) != 0)
		i++;
	if (!pool) {
		assert_true(i < k->count); /* gone only what was there */
		pool_unref(k->pools[i]);
		k->pools[i] = k->pools[--k->count];
		return;
	}
	if (i < k->count)
		pool_unref(k->pools[i]);
	else
		k->count++;
	k->pools[i] = pool_ref(pool);
}

static void compare(struct pools *p, const struct known *k, const unsigned variants[SLOTS],
		    uint64_t seed)
{
	struct buf want = { 0 }, got = { 0 };
	struct lines l = { .count = 0 };

	for (size_t i = 0; i < k->count; i++) {
		assert_ptr_equal(pools_find(p, k->pools[i]->id), k->pools[i]);
		add_pool_line(&l, k->pools[i]->id, k->pools[i]);
	}
	assert_int_equal(pools_count(p), k->count);
	pools_orphans(p, add_orphan_line, &l);
	join(&l, &got);
	from_scratch(variants, &want);
	if (strcmp(buf_cstr(&want), buf_cstr(&got)) != 0)
		fail_msg("seed %" PRIu64 ": has\n%s\nfrom scratch\n%s", seed, buf_cstr(&got),
			 buf_cstr(&want));
	buf_done(&want);
	buf_done(&got);
}

/* --- what would be is what then is ------------------------------------------- */

struct foreseen {
	const struct pool *now[64];
	char *id[64], *then[64]; /* NULL: none */
	size_t count;
};

static void foresee(void *arg, const struct pool *now, const struct pool *then)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct foreseen *f = arg;

	assert_true(now || then);
	f->now[f->count] = now;
	f->id[f->count] = xstrdup(now ? now->id : then->id);
	if (then)
		print_pool(&b, then);
	f->then[f->count++] = then ? xstrdup(buf_cstr(&b)) : NULL;
}

/* Removes from f. */
static void check_foreseen(struct pools *p, struct foreseen *f, uint64_t seed)
{
	while (f->count) {
		size_t i = --f->count;
		struct pool *is = pools_find(p, f->id[i]);
		CLEANUP(buf_done) struct buf b = { 0 };

		if (is)
			print_pool(&b, is);
		if (!is != !f->then[i] || (is && strcmp(buf_cstr(&b), f->then[i]) != 0))
			fail_msg("seed %" PRIu64 ": is\n%s\nforeseen was\n%s", seed,
				 is ? buf_cstr(&b) : "nothing",
				 f->then[i] ? f->then[i] : "nothing");
		free(f->id[i]);
		free(f->then[i]);
	}
}

static bool is_foreseen(const struct foreseen *f, const char *id)
{
	for (size_t i = 0; i < f->count; i++) {
		if (strcmp(f->id[i], id) == 0)
			return true;
	}
	return false;
}

struct edits_of_slots {
	size_t slots[4];
	unsigned variants[4];
	size_t count;
};

static void preview_slots(const struct pools *p, const struct edits_of_slots *e,
			  struct foreseen *out)
{
	const struct object *put_list[4], *gone_list[4];
	struct pools_edit edit = { .put = put_list, .gone = gone_list };
	struct object *objects[4] = { 0 }, gone[4];
	char names[4][8];

	for (size_t i = 0; i < e->count; i++) {
		gone[i] = slot_identity(e->slots[i], names[i]);
		if (e->variants[i])
			put_list[edit.put_count++] = objects[i] = slot_object(e->slots[i],
									      e->variants[i]);
		else
			gone_list[edit.gone_count++] = &gone[i];
	}
	pools_preview(p, &edit, foresee, out);
	for (size_t i = 0; i < e->count; i++)
		object_free(objects[i]);
}

static void a_preview_is_what_then_comes(void **state)
{
	uint64_t first = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : (uint64_t)time(NULL);

	(void)state;
	for (uint64_t seed = first; seed < first + 20; seed++) {
		struct pools *p = pools_new(&rules);
		struct known k = { .count = 0 };

		random_state = seed;
		for (int step = 0; step < 60; step++) {
			struct edits_of_slots e = { .count = 1 + random_below(4) };
			struct foreseen f = { .count = 0 };
			struct known before = k;

			for (size_t i = 0; i < e.count; i++) {
				e.slots[i] = (random_below(SLOTS / 4) * 4 + i) % SLOTS;
				e.variants[i] = random_below(3) ? 1 + random_below(60) : 0;
			}
			preview_slots(p, &e, &f);
			for (size_t i = 0; i < before.count; i++)
				(void)pool_ref(before.pools[i]);
			for (size_t i = 0; i < e.count; i++) {
				if (e.variants[i])
					put_slot(p, e.slots[i], e.variants[i]);
				else
					remove_slot(p, e.slots[i]);
			}
			pools_update(p, follow, &k);
			for (size_t i = 0; i < before.count; i++) {
				/* What was not foreseen did not change. */
				if (!is_foreseen(&f, before.pools[i]->id))
					assert_ptr_equal(pools_find(p, before.pools[i]->id),
							 before.pools[i]);
				pool_unref(before.pools[i]);
			}
			check_foreseen(p, &f, seed);
		}
		while (k.count)
			pool_unref(k.pools[--k.count]);
		pools_free(p);
	}
}

static void any_order_of_changes_gives_the_same_pools(void **state)
{
	uint64_t first = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : (uint64_t)time(NULL);

	(void)state;
	for (uint64_t seed = first; seed < first + 20; seed++) {
		struct pools *p = pools_new(&rules);
		unsigned variants[SLOTS] = { 0 }; /* 0: not there */
		struct known k = { .count = 0 };

		random_state = seed;
		for (int step = 0; step < 60; step++) {
			for (unsigned n = 1 + random_below(4); n > 0; n--) {
				size_t slot = random_below(SLOTS);

				variants[slot] = random_below(3) ? 1 + random_below(60) : 0;
				if (variants[slot])
					put_slot(p, slot, variants[slot]);
				else
					remove_slot(p, slot);
			}
			pools_update(p, follow, &k);
			compare(p, &k, variants, seed);
		}
		while (k.count)
			pool_unref(k.pools[--k.count]);
		pools_free(p);
	}
}

/* --- what is kept of members ------------------------------------------------- */

static const char *const kept_v4[] = { "10.0.0.1:80", "10.0.0.1:81", "10.0.0.2:80" };
static const char *const kept_v6[] = { "[2001:db8::1]:80", "[2001:db8::2]:80" };
static const char *const kept_both[] = { "10.0.0.1:80", "10.0.0.255:1", "[2001:db8::1]:80" };

/* Each is found as it was given, and nothing beside; `protocol` is the pool's. */
static void assert_members_kept(const char *const *texts, uint32_t count, uint8_t protocol)
{
	struct pool_member members[3] = { 0 };
	struct pool parts = { .id = (char[]){ "a" },
			      .ns = (char[]){ "a" },
			      .service = (char[]){ "a" },
			      .port_name = (char[]){ "" },
			      .protocol = protocol,
			      .set.check = check_new(CHECK_NONE),
			      .member_count = count,
			      .members.any = members };
	struct pool *p;

	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(endpoint_parse(texts[i], IPPROTO_TCP, &members[i].endpoint), 0);
		members[i].weight = (uint16_t)(65535 - i);
		members[i].terminating = i == 1;
	}
	p = pool_make(&parts);
	for (uint32_t i = 0; i < count; i++) {
		const struct pool_member m = pool_member(p, i);
		struct endpoint room, other = members[i].endpoint;
		size_t place = count;

		assert_memory_equal(&m.endpoint, &members[i].endpoint, sizeof(m.endpoint));
		assert_memory_equal(pool_member_endpoint(p, i, &room), &m.endpoint, sizeof(room));
		assert_int_equal(m.weight, members[i].weight);
		assert_int_equal(m.terminating, members[i].terminating);
		assert_true(pool_member_find(p, &m.endpoint, &place));
		assert_int_equal(place, i);
		other.port = 1000;
		assert_false(pool_member_find(p, &other, NULL));
	}
	check_unref(parts.set.check);
	pool_unref(p);
}

static void members_are_kept_as_they_were_given(void **state)
{
	const struct endpoint any = { .addr = addr_v4(1), .protocol = IPPROTO_TCP, .port = 1 };

	(void)state;
	assert_members_kept(kept_v4, ARRAY_LEN(kept_v4), IPPROTO_TCP);
	assert_members_kept(kept_v6, ARRAY_LEN(kept_v6), IPPROTO_TCP);
	assert_members_kept(kept_both, ARRAY_LEN(kept_both), IPPROTO_TCP);
	assert_members_kept(kept_v4, ARRAY_LEN(kept_v4), IPPROTO_UDP);
	assert_members_kept(NULL, 0, IPPROTO_TCP);
	assert_false(pool_member_find(NULL, &any, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_origins_yaml_is_a_pool),
		cmocka_unit_test(a_named_port_is_a_pool_each),
		cmocka_unit_test(a_limit_that_does_harm_is_not_used),
		cmocka_unit_test(a_secret_that_is_named_is_looked_for),
		cmocka_unit_test(a_secret_of_certificates_needs_no_account),
		cmocka_unit_test(certificates_that_are_no_use_are_told),
		cmocka_unit_test(redis_over_tls_takes_what_there_is),
		cmocka_unit_test(a_login_without_tls_goes_by_itself),
		cmocka_unit_test(of_two_secrets_the_first_counts),
		cmocka_unit_test(types_other_than_node_port),
		cmocka_unit_test(frontends_come_from_the_address_pools_alone),
		cmocka_unit_test(addresses_that_may_not_be_members),
		cmocka_unit_test(readiness_decides_who_is_a_member),
		cmocka_unit_test(a_single_port_needs_no_name),
		cmocka_unit_test(a_tunnel_goes_to_either_family),
		cmocka_unit_test(a_check_by_the_vip_is_of_that_way),
		cmocka_unit_test(a_check_by_no_vip_is_direct),
		cmocka_unit_test(a_netmask_without_persistence_is_told),
		cmocka_unit_test(annotations_of_endpoints_win),
		cmocka_unit_test(only_what_changed_is_told),
		cmocka_unit_test(a_pool_tells_the_newest_change_of_its_objects),
		cmocka_unit_test(moved_lines_move_in_what_is_told),
		cmocka_unit_test(of_two_that_want_a_frontend_the_first_by_name_has_it),
		cmocka_unit_test(two_ports_of_one_service_do_not_share_a_frontend),
		cmocka_unit_test(a_port_is_checked_by_its_own_protocol_or_another_port),
		cmocka_unit_test(of_two_with_one_name_the_first_by_path_counts),
		cmocka_unit_test(the_cluster_comes_before_files_and_lends_no_servers),
		cmocka_unit_test(the_older_of_two_cluster_objects_has_the_frontend),
		cmocka_unit_test(mirrored_slices_say_nothing_beside_their_endpoints),
		cmocka_unit_test(others_objects_in_a_cluster_are_no_problem),
		cmocka_unit_test(objects_of_a_source_are_told_and_counted),
		cmocka_unit_test(any_order_of_changes_gives_the_same_pools),
		cmocka_unit_test(a_preview_is_what_then_comes),
		cmocka_unit_test(members_are_kept_as_they_were_given),
	};

	return cmocka_run_group_tests(tests, set_up_rules, tear_down_rules);
}
