/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: its keys as tables (agent/config_schema.h), and what must
 * hold between them. The man page, parasaus.yaml(5), lists every key here.
 */
#include "agent/config.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/doc.h"
#include "agent/base/xalloc.h"
#include "agent/config_addresses.h"
#include "agent/config_announce.h"
#include "agent/config_api.h"
#include "agent/config_defaults.h"
#include "agent/config_mass.h"
#include "agent/config_schema.h"
#include "agent/config_timeouts.h"
#include "watch/kubeconfig.h"

#define NODES_MAX 20000
#define DEPTH_MAX 8
#define PATH_LEN  1024
#define HOUR_MS	  (3600u * 1000)

/* --- texts ------------------------------------------------------------------------ */

static const char *path_fault(const char *s)
{
	return s[0] == '/' ? NULL : "has to be a whole path, beginning with '/'";
}

const char *config_node_fault(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");

	return s[n] == '\0' ? NULL : "is no name for a node: letters, digits, '.', '-' and '_'";
}

static const char *lease_fault(const char *s)
{
	const char *slash = strchr(s, '/');

	if (strcmp(s, "none") == 0)
		return NULL;
	return slash && slash > s && slash[1] && !strchr(slash + 1, '/')
		       ? NULL
		       : "has to be NAMESPACE/NAME of a Lease, or none";
}

static const char *user_fault(const char *s)
{
	return s[0] != '-' && !strpbrk(s, " :/") ? NULL : "is no name of a user";
}

/* --- routeProtocol ------------------------------------------------------------------ */

/* Routes with our number that are not ours would be removed; these are other programs' numbers. */
static const char *taken_by(uint8_t protocol)
{
	static const struct {
		uint8_t protocol;
		const char *name;
	} taken[] = {
		{ 8, "gated" },		 { 9, "router advertisements" },
		{ 10, "mrt" },		 { 11, "zebra" },
		{ 12, "bird" },		 { 13, "DECnet" },
		{ 14, "xorp" },		 { 15, "netsukuku" },
		{ 16, "DHCP" },		 { 17, "mrouted" },
		{ 18, "keepalived" },	 { 42, "babel" },
		{ 99, "Open/R" },	 { 186, "BGP of FRR" },
		{ 187, "IS-IS of FRR" }, { 188, "OSPF of FRR" },
		{ 189, "RIP of FRR" },	 { 192, "EIGRP of FRR" },
	};

	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		if (taken[i].protocol == protocol)
			return taken[i].name;
	}
	return protocol < 5 ? "the kernel and ip(8)" : NULL;
}

static int read_route_protocol(struct schema_reader *r, const struct schema_key *k,
			       const struct doc *d, void *base)
{
	struct config *c = base;
	int code = schema_number.read(r, k, d, base);

	if (code == 0 && taken_by(c->route_protocol))
		return schema_bad(r, d, "%u is the number of %s: take another, such as 112",
				  c->route_protocol, taken_by(c->route_protocol));
	return code;
}

static void print_route_protocol(const struct schema_key *k, const void *base, unsigned depth,
				 struct buf *out)
{
	schema_number.print(k, base, depth, out);
}

static const struct schema_type route_protocol_type = { .read = read_route_protocol,
							.print = print_route_protocol };

/* --- sources ------------------------------------------------------------------------ */

static int read_server(struct schema_reader *r, const struct doc *d, void *base)
{
	struct config_source *s = base;
	const char *text = schema_string(r, d);
	struct err why = { 0 };

	if (!text)
		return -EINVAL;
	if (kube_server_check(text, &why) < 0)
		return schema_bad(r, d, "%s", why.text);
	s->servers[s->server_count++] = xstrdup(text);
	return 0;
}

static int read_servers(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
			void *base)
{
	struct config_source *s = base;

	(void)k;
	s->servers = xcalloc(KUBE_SERVERS_MAX, sizeof(char *));
	return schema_read_list(r, d, KUBE_SERVERS_MAX, read_server, s);
}

static void print_servers(const struct schema_key *k, const void *base, unsigned depth,
			  struct buf *out)
{
	const struct config_source *s = base;

	(void)k;
	for (size_t i = 0; i < s->server_count; i++) {
		schema_print_line(depth, out);
		buf_str(out, "- ");
		schema_print_text(s->servers[i], out);
	}
}

static const struct schema_type servers_type = { .read = read_servers, .print = print_servers };

static const struct schema_key kubernetes_keys[] = {
	{ .name = "kubeconfig",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct config_source, kubeconfig),
	  .min = 1,
	  .max = PATH_LEN,
	  .fault = path_fault },
	{ .name = "context",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct config_source, context),
	  .min = 1,
	  .max = 253 },
	{ .name = "servers", .type = &servers_type },
	{ .name = "labelSelector",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct config_source, label_selector),
	  .min = 1,
	  .max = 1024 },
	{ .name = "lease",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct config_source, lease),
	  .min = 1,
	  .max = 507,
	  .fault = lease_fault },
};

static int read_kubernetes(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
			   void *base)
{
	struct config_source *s = base;
	int code = schema_read_keys(r, k, d, base);

	if (code < 0)
		return code;
	if (s->context && !s->kubeconfig)
		return schema_bad_key(r, d, "context",
				      "is of no use without a kubeconfig: say `kubeconfig` too");
	s->type = CONFIG_KUBERNETES;
	return 0;
}

static void print_kubernetes(const struct schema_key *k, const void *base, unsigned depth,
			     struct buf *out)
{
	const struct config_source *s = base;
	size_t before = out->len;

	if (s->type != CONFIG_KUBERNETES)
		return;
	schema_print_keys(k, base, depth, out);
	if (out->len == before)
		buf_str(out, " {}");
}

static const struct schema_type kubernetes_type = { .read = read_kubernetes,
						    .print = print_kubernetes,
						    .keys = kubernetes_keys,
						    .key_count = ARRAY_LEN(kubernetes_keys) };

static const struct value_word damaged_words[] = {
	{ "refuse", CONFIG_DAMAGED_REFUSE },
	{ "start-empty", CONFIG_DAMAGED_START_EMPTY },
};
static const struct value_words damaged = VALUE_WORDS(damaged_words);

static const struct schema_key store_keys[] = {
	{ .name = "whenDamaged",
	  .type = &schema_word,
	  SCHEMA_FIELD(struct config_source, when_damaged),
	  .words = &damaged },
};

static int read_store(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		      void *base)
{
	struct config_source *s = base;

	s->type = CONFIG_STORE;
	return schema_read_keys(r, k, d, base);
}

static void print_store(const struct schema_key *k, const void *base, unsigned depth,
			struct buf *out)
{
	const struct config_source *s = base;

	if (s->type == CONFIG_STORE)
		schema_print_keys(k, base, depth, out);
}

static const struct schema_type store_type = { .read = read_store,
					       .print = print_store,
					       .keys = store_keys,
					       .key_count = ARRAY_LEN(store_keys) };

static const struct schema_key source_keys[] = {
	{ .name = "directory",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct config_source, directory),
	  .min = 1,
	  .max = PATH_LEN,
	  .fault = path_fault },
	{ .name = "kubernetes", .type = &kubernetes_type },
	{ .name = "store", .type = &store_type },
};

static bool is_same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool is_same_source(const struct config_source *a, const struct config_source *b)
{
	return a->type == b->type && is_same_text(a->directory, b->directory) &&
	       is_same_text(a->kubeconfig, b->kubeconfig) && is_same_text(a->context, b->context) &&
	       is_same_text(a->label_selector, b->label_selector);
}

static const char *name_of(const struct config_source *s)
{
	switch (s->type) {
	case CONFIG_DIRECTORY:
		return s->directory;
	case CONFIG_KUBERNETES:
		return s->kubeconfig ? s->kubeconfig : "the cluster we run in";
	case CONFIG_STORE:
		break;
	}
	return "the store of the state directory";
}

static int read_source(struct schema_reader *r, const struct doc *d, void *base)
{
	struct config *c = base;
	struct config_source *s = &c->sources[c->source_count++];
	const struct schema_section section = { source_keys, ARRAY_LEN(source_keys), s };
	int code = schema_read_map(r, d, &section, 1);

	if (code < 0)
		return code;
	if (d->count != 1)
		return schema_bad(r, d,
				  "has to be one of 'directory: PATH', 'kubernetes: ...' and "
				  "'store: ...'");
	for (const struct config_source *o = c->sources; o < s; o++) {
		if (is_same_source(o, s))
			return schema_bad_key(r, d->first, d->first->key,
					      "'%.64s' is an earlier source already", name_of(s));
	}
	return 0;
}

static int read_sources(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
			void *base)
{
	struct config *c = base;

	(void)k;
	c->sources = xcalloc(CONFIG_SOURCES_MAX, sizeof(*c->sources));
	return schema_read_list(r, d, CONFIG_SOURCES_MAX, read_source, c);
}

static void print_sources(const struct schema_key *k, const void *base, unsigned depth,
			  struct buf *out)
{
	const struct config *c = base;

	(void)k;
	for (size_t i = 0; i < c->source_count; i++)
		schema_print_item(source_keys, ARRAY_LEN(source_keys), &c->sources[i], depth, out);
}

static const struct schema_type sources_type = { .read = read_sources, .print = print_sources };

/* --- the whole ------------------------------------------------------------------------ */

static const struct value_word log_levels[] = {
	{ "error", LOG_LEVEL_ERROR },
	{ "warning", LOG_LEVEL_WARNING },
	{ "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },
};
static const struct value_words log_level_words = VALUE_WORDS(log_levels);

static const struct schema_key root_keys[] = {
	{ .name = "node",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct config, node),
	  .min = 1,
	  .max = 253,
	  .fault = config_node_fault },
	{ .name = "user",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct config, user),
	  .min = 1,
	  .max = 32,
	  .fault = user_fault },
	{ .name = "stateDirectory",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct config, state_directory),
	  .min = 1,
	  .max = PATH_LEN,
	  .fault = path_fault,
	  .fallback = "/var/lib/parasaus" },
	{ .name = "logLevel",
	  .type = &schema_word,
	  SCHEMA_FIELD(struct config, log_level),
	  .words = &log_level_words,
	  .fallback = "info" },
	{ .name = "nodeAddress",
	  .type = &config_own_addresses,
	  SCHEMA_FIELD(struct config, node_address) },
	{ .name = "vipRanges", .type = &config_vip_ranges },
	{ .name = "addressPools", .type = &config_address_pools },
	{ .name = "refuse", .type = &config_refuse },
	{ .name = "announce", .type = &config_announce },
	{ .name = "sources", .type = &sources_type },
	{ .name = "api", .type = &config_api },
	{ .name = "defaults", .type = &config_defaults },
	{ .name = "healthcheck", .type = &config_healthcheck },
	{ .name = "massFailure", .type = &config_mass },
	{ .name = "quotas", .type = &config_quotas },
	{ .name = "audit",
	  .type = &schema_ms,
	  SCHEMA_FIELD(struct config, audit_ms),
	  .min = 1000,
	  .max = HOUR_MS,
	  .fallback = "30s" },
	{ .name = "timeouts", .type = &config_timeouts },
	{ .name = "routeProtocol",
	  .type = &route_protocol_type,
	  SCHEMA_FIELD(struct config, route_protocol),
	  .min = 1,
	  .max = 255,
	  .fallback = "112" },
};

static char *default_node(void)
{
	char name[254] = "";

	if (gethostname(name, sizeof(name) - 1) < 0 || name[0] == '\0' || config_node_fault(name))
		return xstrdup("localhost");
	return xstrdup(name);
}

static struct config *new_config(void)
{
	struct config *c = xcalloc(1, sizeof(*c));
	const struct schema_section root = { root_keys, ARRAY_LEN(root_keys), c };

	schema_defaults(&root);
	config_api_defaults(c);
	config_announce_defaults(c);
	config_mass_defaults(c);
	c->node = default_node();
	c->user = xstrdup(getpwnam("parasaus") ? "parasaus" : "nobody");
	config_defaults_init(&c->defaults);
	return c;
}

/* Who has addresses to give out and names no source keeps the pools here. */
static void use_own_store(struct config *c)
{
	c->sources = xcalloc(CONFIG_SOURCES_MAX, sizeof(*c->sources));
	c->sources[c->source_count++].type = CONFIG_STORE;
	c->sources_assumed = true;
}

size_t config_first_cluster(const struct config *c)
{
	size_t i = 0;

	while (i < c->source_count && c->sources[i].type != CONFIG_KUBERNETES)
		i++;
	return i;
}

static int read_root(struct schema_reader *r, const struct doc *root, struct config *c)
{
	const struct schema_section section = { root_keys, ARRAY_LEN(root_keys), c };
	int code = root ? schema_read_map(r, root, &section, 1) : 0;

	if (code == 0)
		code = config_check_addresses(r, root, c);
	if (code == 0)
		code = config_check_announce(r, root, c);
	if (code < 0)
		return code;
	if (!c->sources && (c->address_pool_count || c->vip_range_count))
		use_own_store(c);
	/* Without a source everything of ours in the kernel would be surplus, and go. */
	if (c->source_count == 0)
		return schema_bad(r, NULL,
				  "`sources` is missing: say where pools come from, such as "
				  "'sources: [{directory: /etc/parasaus/pools}]', or give "
				  "addressPools to keep them in the agent's own store");
	if (c->kubernetes_tokens && config_first_cluster(c) == c->source_count)
		return schema_bad(
			r, NULL,
			"`api.kubernetesTokens` takes a cluster whose tokens those are: add "
			"'- kubernetes: {}' to `sources`, or leave it out");
	c->rules = (struct pool_rules){
		.address_pools = c->address_pools,
		.address_pool_count = c->address_pool_count,
		.vip_ranges = c->vip_ranges,
		.vip_range_count = c->vip_range_count,
		.refuse = c->refuse,
		.refuse_count = c->refuse_count,
		.node_v4 = c->node_address.v4,
		.node_v6 = c->node_address.v6,
		.defaults = c->defaults,
	};
	return 0;
}

int config_read(const char *name, const void *text, size_t len, struct config **out,
		struct err *err)
{
	const struct doc_limits limits = { .nodes = NODES_MAX, .depth = DEPTH_MAX };
	CLEANUP(doc_set_done) struct doc_set docs = { 0 };
	struct schema_reader r = { .file = name, .err = err };
	struct config *c;
	int code;

	if (len > CONFIG_BYTES_MAX)
		return err_set(err, -EFBIG, "%s: is larger than %d bytes", name, CONFIG_BYTES_MAX);
	code = doc_read_yaml(text, len, &limits, &docs, err);
	if (code < 0)
		return err_wrap(err, code, "%s", name);
	if (docs.count > 1)
		return schema_bad(&r, docs.roots[1], "a second document begins here ('---')");

	c = new_config();
	code = read_root(&r, docs.count > 0 ? docs.roots[0] : NULL, c);
	if (code < 0) {
		config_free(c);
		return code;
	}
	*out = c;
	return 0;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->address_pool_count; i++) {
		free(c->address_pools[i].name);
		free(c->address_pools[i].addresses);
	}
	for (size_t i = 0; i < c->source_count; i++) {
		struct config_source *s = &c->sources[i];

		for (size_t n = 0; n < s->server_count; n++)
			free(s->servers[n]);
		free(s->servers);
		free(s->directory);
		free(s->kubeconfig);
		free(s->context);
		free(s->label_selector);
		free(s->lease);
	}
	config_announce_done(&c->announce);
	config_quotas_done(&c->quotas);
	check_unref(c->defaults.check);
	free(c->address_pools);
	free(c->sources);
	free(c->vip_ranges);
	free(c->refuse);
	free(c->node);
	free(c->user);
	free(c->state_directory);
	free(c->api_socket);
	schema_texts_done(&c->api_hosts);
	schema_texts_done(&c->cert_editors);
	schema_texts_done(&c->cert_viewers);
	free(c->client_ca);
	free(c->tls_certificate);
	free(c->tls_key);
	free(c);
}

void config_print(const struct config *c, struct buf *out)
{
	buf_str(out, "# The configuration in force, defaults included.");
	schema_print(root_keys, ARRAY_LEN(root_keys), c, 0, out);
	buf_str(out, "\n");
}
