/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of ipvs/host.h share: host.c writes, host_read.c reads. */
#ifndef IPVS_HOST_STATE_H
#define IPVS_HOST_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "ipvs/host.h"
#include "ipvs/host_herald.h"
#include "ipvs/host_link.h"
#include "ipvs/host_model.h"
#include "ipvs/host_probes.h"
#include "ipvs/host_proxy.h"
#include "ipvs/host_route.h"
#include "ipvs/host_rules.h"
#include "ipvs/host_set.h"
#include "ipvs/host_shown.h"
#include "ipvs/host_sysctl.h"
#include "ipvs/host_watch.h"
#include "ipvs/path_services.h"

struct ipvs_host {
	const struct ipvs_config *config;
	ipvs_host_event_fn *event;
	ipvs_host_changed_fn *changed;
	void *arg;
	struct host_model model;
	struct host_routes *routes;
	struct host_rules *rules;
	struct host_shown *probe_table;
	struct ipvs_notrack notrack; /* as it should be */
	struct host_shown *path_table;
	struct path_services *path_services;
	struct ipvs_paths paths; /* as they should be, once they were told */
	struct err paths_error;	 /* why they could not be written the last time */
	struct host_sets *sets;
	struct host_sysctls *sysctls;
	struct host_watch *watch;
	struct host_links links;
	struct host_proxies proxies; /* as they were read, and written since */
	struct loop *loop;
	timer_id more;		    /* something was left to be written */
	struct host_herald *herald; /* NULL: nobody is told anything */
	bool herald_complained;
	uint32_t kernel;
	struct addr source_v4; /* of VIP routes: the node's address, if it is there */
	struct addr source_v6;
	bool rules_right;  /* the table is there with chains and rules as they should be */
	bool probes_right; /* the same of the table for health checks */
	bool paths_right;  /* and of that for paths */
	bool paths_told;
	bool sets_there;
	bool sets_complained;
	bool source_complained;
	bool ipv6_asked;
	bool ipv6_held; /* IPv6 forwarding would take the host's default route away */
	uint64_t writes;
};

/* An event. */
void host_tell(struct ipvs_host *h, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Of several parts that are each on their own the first failure is the one that is told. */
void host_keep_first(struct err *first, int r, const struct err *why);
int host_first(const struct err *first, struct err *err);

/* What is written is not taken for others' changes. *out_right: it is as it should be now. */
MUST_CHECK int host_write_table(struct ipvs_host *h, struct host_shown *table, const char *text,
				bool *out_right, struct err *err);

/* The preferred source of routes to `dst`; family 0: none. */
const struct addr *host_source_of(const struct ipvs_host *h, const struct addr *dst);

/* --- host_via.c --- */
MUST_CHECK int host_via_open(struct ipvs_host *h, struct err *err);
void host_via_close(struct ipvs_host *h);
/* Read IPVS and, where it may not be right, the table; repair what differs. Nothing before paths are told. */
MUST_CHECK int host_via_write(struct ipvs_host *h, struct err *err);

/* --- host_tell.c --- */
void host_tell_open(struct ipvs_host *h);
void host_tell_close(struct ipvs_host *h);
/* Tell the links of VIPs that are owned since the last time. */
void host_tell_fresh(struct ipvs_host *h);
/* Links that came, or are not what they were before, are told of all VIPs. */
void host_tell_links(struct ipvs_host *h, const struct host_links *before);

/* --- host_answer.c --- */
/* Read the proxy neighbours into the model. */
MUST_CHECK int host_answer_read(struct ipvs_host *h, struct err *err);
/*
 * Make those changes to proxy neighbours that add or those that remove; where it takes any, by what
 * the kernel has now. What is too much at a time stays touched in the model, and *out_more becomes
 * true.
 */
MUST_CHECK int host_answer_write(struct ipvs_host *h, const struct host_changes *c, bool add,
				 bool *out_more, struct err *err);
/* What the links need on which there are any. */
void host_answer_sysctls(struct ipvs_host *h);

/* --- host_read.c --- */
/*
 * Read the links, and hand out what they were; the caller frees that. False: they cannot be read and
 * are as they were, and *out_before is empty.
 */
bool host_read_links(struct ipvs_host *h, struct host_links *out_before);

/* What nftables has is not known any more. */
void host_rules_forget(struct host_model *m);
/*
 * Read the host into the model. With `sets_whole` every entry of the ipsets, else only where their
 * number is not the one we know.
 */
MUST_CHECK int host_read_all(struct ipvs_host *h, bool sets_whole, struct err *err);

#endif
