/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration file, parasaus.yaml(5). A strict schema: an unknown key, a
 * wrong type or a value out of range is an error with its line, and nothing
 * is used of a file that has one.
 */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/endpoint.h"
#include "agent/base/err.h"
#include "agent/base/log.h"
#include "agent/config_quota.h"
#include "agent/config_schema.h"
#include "agent/plan/mass.h"
#include "agent/pool/pool.h"

#define CONFIG_BYTES_MAX   (1 << 20)
#define CONFIG_SOURCES_MAX 16
#define CONFIG_HOSTS_MAX   16
#define CONFIG_HOLDERS_MAX 256 /* names of certificates in a list */
#define METRICS_POOLS_MAX  10000
#define CONFIG_STORE_FILE  "store.db" /* in the state directory */

enum config_source_type { CONFIG_DIRECTORY, CONFIG_KUBERNETES, CONFIG_STORE };
/* What becomes of a store's file that is damaged. */
enum config_damaged { CONFIG_DAMAGED_REFUSE, CONFIG_DAMAGED_START_EMPTY };

struct config_source {
	enum config_source_type type;
	char *directory;
	char *kubeconfig; /* NULL: in-cluster credentials */
	char *context;	  /* NULL: the file's own choice */
	char **servers;	  /* none: the kubeconfig's */
	size_t server_count;
	char *label_selector;		  /* NULL: every Service */
	enum config_damaged when_damaged; /* of the store, which there is one of */
	char *lease; /* "namespace/name"; "none": no Events; NULL: where we are installed */
};

enum config_announce_mode { CONFIG_ANNOUNCE_ALL, CONFIG_ANNOUNCE_NONE, CONFIG_ANNOUNCE_OWNER };

/* The machine that answers for some of the VIPs. */
struct config_owner {
	char *node;
	struct prefix *addresses; /* none: all that no earlier one has */
	size_t address_count;
};

struct config_announce {
	enum config_announce_mode mode;
	struct config_owner
		*owners; /* with CONFIG_ANNOUNCE_OWNER; the first that has a VIP counts */
	size_t owner_count;
	uint32_t rate; /* packets of gratuitous ARP a second; default 200 */
};

/* Addresses of this machine; family 0: the kernel's choice. */
struct config_own {
	struct addr v4, v6;
};

struct config {
	char *node;	       /* default: the host name */
	char *state_directory; /* default: /var/lib/parasaus */
	char *user; /* the roles without capabilities run as; default "parasaus" if it exists, else "nobody" */
	enum log_level log_level;
	uint32_t audit_ms;	/* default 30 s; 1..3600 s */
	uint8_t route_protocol; /* default 112 */
	uint32_t timeout_tcp_s; /* of IPVS; 0: as the kernel has it. So are the following. */
	uint32_t timeout_fin_s;
	uint32_t timeout_udp_s;
	struct config_own node_address; /* `nodeAddress`: preferred source */
	struct config_own check_from;	/* `healthcheck.sourceAddress` */
	bool check_notrack;		/* `healthcheck.notrack`; only with an address there */
	struct config_announce announce;
	struct mass_config mass;     /* `massFailure`; default: 100 targets, 30 %, 50 %, 10 % */
	struct config_quotas quotas; /* default: no limits */
	char *api_socket;	     /* default /run/parasaus/api.sock */
	struct endpoint api_listen;  /* port 0: none (the default) */
	bool api_remote;	     /* that is not loopback: a process of its own, with TLS */
	char *tls_certificate;	     /* a file; NULL: tls_self_signed, or there is no TLS */
	char *tls_key;		     /* with it */
	bool tls_self_signed;
	struct schema_texts
		api_hosts;	/* beyond loopback, besides the node's and the address's own */
	bool kubernetes_tokens; /* tokens of a cluster let people in */
	char *client_ca;	/* a file; NULL: no certificate of a client is asked for */
	/* Common names, and units as "OU=NAME" (agent/api/holder.h): */
	struct schema_texts cert_editors, cert_viewers;
	uint32_t metrics_pools;	   /* that have metrics of their own; default 0 */
	struct prefix *vip_ranges; /* default: what the address pools hold, as prefixes */
	size_t vip_range_count;
	struct prefix *refuse; /* neither real servers nor probed, besides what never is */
	size_t refuse_count;
	struct address_pool *address_pools;
	size_t address_pool_count;
	struct config_source
		*sources;     /* default: the agent's own store, where there are addresses */
	bool sources_assumed; /* ... and it was not written down */
	size_t source_count;
	struct pool_settings defaults;
	struct pool_rules rules; /* points into the above */
};

/* `name` is for messages. On success the caller frees with config_free(). */
/* The place of the first source that is a cluster; source_count: none is. */
size_t config_first_cluster(const struct config *c);

MUST_CHECK int config_read(const char *name, const void *text, size_t len, struct config **out,
			   struct err *err);
void config_free(struct config *c); /* NULL is fine */
/* The whole configuration in force, defaults included, as YAML that config_read() takes. */
void config_print(const struct config *c, struct buf *out);

#endif
