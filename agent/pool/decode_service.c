/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Service, v1. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/pool/decode.h"

#define AFFINITY_DEFAULT_S 10800 /* as the API server fills it in */

/* The origin system took `type` inside a port; an API server refuses the whole object. */
static const struct doc *misplaced_type(struct decode *c, const struct doc *ports)
{
	const struct doc *found = NULL;
	size_t i = 0;

	for (const struct doc *p = ports ? ports->first : NULL; p; p = p->next, i++) {
		const struct doc *t = doc_get(p, "type");

		if (!t)
			continue;
		decode_note(c, false, t->line,
			    "\"type\" stands in spec.ports[%zu]; taken as spec.type (an API server "
			    "refuses it: move it up)",
			    i);
		if (!found)
			found = t;
	}
	return found;
}

static void read_type(struct decode *c, const struct doc *spec, const struct doc *ports)
{
	static const char *const names[] = {
		[SERVICE_CLUSTER_IP] = "ClusterIP",
		[SERVICE_NODE_PORT] = "NodePort",
		[SERVICE_LOAD_BALANCER] = "LoadBalancer",
		[SERVICE_EXTERNAL_NAME] = "ExternalName",
	};
	const struct doc *misplaced = misplaced_type(c, ports);
	const struct doc *t = decode_child(c, spec, "spec", "type", DOC_STRING);

	if (!t)
		t = misplaced;
	c->parts.type = SERVICE_CLUSTER_IP;
	if (!t)
		return;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (t->type == DOC_STRING && strcmp(t->text, names[i]) == 0) {
			c->parts.type = (enum service_type)i;
			return;
		}
	}
	decode_note(c, true, t->line,
		    "spec.type is " QUOTED_MAX ": write ClusterIP, NodePort, LoadBalancer or "
		    "ExternalName; taken as ClusterIP",
		    decode_says(t));
}

/* A name has to be there where there are several ports, and only once. */
static bool is_distinct(struct decode *c, const struct object_port *p, size_t total, unsigned line,
			const char *where)
{
	if (total > 1 && !*p->name) {
		decode_note(
			c, true, line,
			"%s has no name, which each port needs where there are several; not used",
			where);
		return false;
	}
	for (size_t i = 0; i < c->parts.port_count; i++) {
		if (strcmp(c->parts.ports[i].name, p->name) == 0) {
			decode_note(c, true, line,
				    "%s has the name \"%s\", which an earlier port has; not used",
				    where, p->name);
			return false;
		}
	}
	return true;
}

static int read_ports(struct decode *c, const struct doc *ports, struct err *err)
{
	static const char *const known[] = { "appProtocol", "name",	  "nodePort", "port",
					     "protocol",    "targetPort", "type" };
	size_t i = 0;

	if (!ports)
		return 0;
	if (ports->count > OBJECT_PORTS_MAX)
		return decode_refuse(err, -EINVAL, ports->line,
				     "Service: spec.ports has %zu entries, %d at most",
				     ports->count, OBJECT_PORTS_MAX);
	c->parts.ports = arena_take(&c->arena, ports->count * sizeof(*c->parts.ports));
	for (const struct doc *d = ports->first; d; d = d->next, i++) {
		struct object_port p;
		char where[FIELD_TEXT_MAX];

		snprintf(where, sizeof(where), "spec.ports[%zu]", i);
		decode_known(c, d, where, known, ARRAY_LEN(known));
		if (doc_get(d, "nodePort") && c->parts.type == SERVICE_CLUSTER_IP)
			decode_note(
				c, false, doc_get(d, "nodePort")->line,
				"%s.nodePort is of no use with spec.type ClusterIP: write type: "
				"NodePort under spec",
				where);
		if (decode_port(c, d, where, &p) &&
		    is_distinct(c, &p, ports->count, d->line, where))
			c->parts.ports[c->parts.port_count++] = p;
	}
	return 0;
}

static void read_affinity(struct decode *c, const struct doc *spec)
{
	const struct doc *affinity = decode_child(c, spec, "spec", "sessionAffinity", DOC_STRING);
	const struct doc *config = decode_child(c, spec, "spec", "sessionAffinityConfig", DOC_MAP);
	const struct doc *client = decode_child(c, config, "spec.sessionAffinityConfig", "clientIP",
						DOC_MAP);
	const struct doc *timeout = doc_get(client, "timeoutSeconds");
	int64_t seconds = AFFINITY_DEFAULT_S;

	if (!affinity || strcmp(affinity->text, "None") == 0)
		return;
	if (strcmp(affinity->text, "ClientIP") != 0) {
		decode_note(c, true, affinity->line,
			    "spec.sessionAffinity is " QUOTED_MAX
			    ": write ClientIP or None; taken as None",
			    affinity->text);
		return;
	}
	if (timeout && timeout->type != DOC_NULL &&
	    !doc_integer(timeout, 1, OBJECT_AFFINITY_MAX, &seconds))
		decode_note(c, true, timeout->line,
			    "spec.sessionAffinityConfig.clientIP.timeoutSeconds is " QUOTED_MAX
			    " where a whole number from 1 to %d belongs; taken as %d",
			    decode_says(timeout), OBJECT_AFFINITY_MAX, AFFINITY_DEFAULT_S);
	c->parts.affinity_s = (uint32_t)seconds;
}

/* Cluster or Local; true: Local. */
static bool read_policy(struct decode *c, const struct doc *spec, const char *key)
{
	const struct doc *p = decode_child(c, spec, "spec", key, DOC_STRING);

	if (p && strcmp(p->text, "Local") != 0 && strcmp(p->text, "Cluster") != 0)
		decode_note(c, true, p->line,
			    "spec.%s is " QUOTED_MAX ": write Cluster or Local; taken as Cluster",
			    key, p->text);
	return p && strcmp(p->text, "Local") == 0;
}

/*
 * What comes to frontends is what Kubernetes calls external traffic. Internal is what comes to the
 * cluster's own address, which is no frontend: of that policy only the word is looked at.
 */
static void read_policies(struct decode *c, const struct doc *spec)
{
	bool local = read_policy(c, spec, "externalTrafficPolicy");

	(void)read_policy(c, spec, "internalTrafficPolicy");
	if (local && c->parts.type == SERVICE_CLUSTER_IP)
		decode_note(c, false, doc_get(spec, "externalTrafficPolicy")->line,
			    "spec.externalTrafficPolicy is of no use with spec.type ClusterIP: "
			    "write type: NodePort under spec");
	c->parts.local_wanted = local && (c->parts.type == SERVICE_NODE_PORT ||
					  c->parts.type == SERVICE_LOAD_BALANCER);
}

int decode_service(struct decode *c, const struct doc *d, struct err *err)
{
	static const char *const known_top[] = { "apiVersion", "kind",	 "metadata",
						 "spec",       "status", "annotations" };
	static const char *const known[] = {
		"allocateLoadBalancerNodePorts",
		"clusterIP",
		"clusterIPs",
		"externalIPs",
		"externalName",
		"externalTrafficPolicy",
		"healthCheckNodePort",
		"internalTrafficPolicy",
		"ipFamilies",
		"ipFamilyPolicy",
		"loadBalancerClass",
		"loadBalancerIP",
		"loadBalancerSourceRanges",
		"ports",
		"publishNotReadyAddresses",
		"selector",
		"sessionAffinity",
		"sessionAffinityConfig",
		"trafficDistribution",
		"type",
	};
	const struct doc *spec = decode_child(c, d, "", "spec", DOC_MAP);
	const struct doc *ports = decode_child(c, spec, "spec", "ports", DOC_LIST);

	decode_known(c, d, "", known_top, ARRAY_LEN(known_top));
	decode_known(c, spec, "spec", known, ARRAY_LEN(known));
	read_type(c, spec, ports);
	read_affinity(c, spec);
	read_policies(c, spec);
	decode_bool(c, spec, "spec", "publishNotReadyAddresses", &c->parts.use_not_ready);
	return read_ports(c, ports, err);
}
