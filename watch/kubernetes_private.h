/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the source. kubernetes.c starts it and tells its state,
 * kubernetes_objects.c brings what the reflectors read to the sink,
 * kubernetes_confirm.c asks by name for what vanished, kubernetes_secret.c
 * reads Secrets, kubernetes_report.c tells what is wrong.
 */
#ifndef WATCH_KUBERNETES_PRIVATE_H
#define WATCH_KUBERNETES_PRIVATE_H

#include "watch/kube_api.h"
#include "watch/kubernetes.h"
#include "watch/kubernetes_index.h"
#include "watch/reflector.h"

enum kube_resource { KUBE_SERVICES, KUBE_ENDPOINTS, KUBE_SLICES, KUBE_RESOURCES };

struct kube_kind {
	struct kubernetes *k;
	struct kube_index index;
	struct reflector *reflector;
	uint64_t newest;  /* revision of what was inherited */
	uint64_t resume;  /* its revision at the start; 0: a list */
	bool denied_told; /* as a problem */
	bool unnamed_told;
	unsigned bad; /* objects of which a problem is told */
};

struct kube_secret;

struct kubernetes {
	struct watch_source base;
	struct loop *loop;
	struct watch_sink sink;
	unsigned source;
	char *node;
	struct http *http;
	struct kube_credentials *credentials;
	struct kube_api api;
	char *query[KUBE_RESOURCES];
	uint64_t identity; /* of the servers and the selector, for the cursor */
	uint32_t start_jitter_ms;
	struct kube_kind kinds[KUBE_RESOURCES];
	struct map suspects;	  /* struct kube_suspect by kind, namespace and Service */
	bool confirm_denied;	  /* told as a problem */
	struct kube_lease *lease; /* NULL: no Events are made */
	struct kube_events *events;
	struct kube_secret *secrets;
	bool inherits;
	bool told, told_complete;
	char *told_why;
	size_t told_kind;		 /* of which that is */
	char cursor[WATCH_CURSOR_MAX];	 /* as told */
	char revision[WATCH_CURSOR_MAX]; /* for people */
};

/* --- kubernetes.c ----------------------------------------------------------- */

extern const char *const kube_paths[KUBE_RESOURCES]; /* "/api/v1" */
extern const char *const kube_names[KUBE_RESOURCES]; /* "services" */
/* Complete or not, problems, cursor: whatever is another than was told. */
void kube_tell_state(struct kubernetes *k);

/* --- kubernetes_objects.c --------------------------------------------------- */

extern const struct reflector_sink kube_reflector_sink; /* but for its arg, the kind */
void kube_remove(struct kube_kind *kind, struct kube_entry *e);
void kube_inherit(struct kube_kind *kind, const struct object *o);

/* --- kubernetes_confirm.c --------------------------------------------------- */

void kube_suspects_init(struct kubernetes *k);
void kube_suspects_done(struct kubernetes *k);
/* By a DELETED event (an order, if its Service agrees), or because a list lacked it. */
void kube_suspect(struct kube_kind *kind, struct kube_entry *e, bool ordered);
/* It is there after all, or gone for good. */
void kube_unsuspect(struct kube_kind *kind, struct kube_entry *e);
/* What was deleted of this Service is gone with it; of what a list lacked nobody has said so. */
void kube_suspects_of_service(struct kubernetes *k, const char *ns, const char *service);

/* --- kubernetes_secret.c ---------------------------------------------------- */

void kube_need_secret(struct kubernetes *k, const char *ns, const char *name, bool needed);
void kube_secrets_done(struct kubernetes *k);

/* --- kubernetes_report.c ---------------------------------------------------- */

void kube_report_start(struct kubernetes *k, const struct watch_kubernetes *c);
void kube_report_done(struct kubernetes *k);
void kube_report(struct kubernetes *k, const struct watch_report *r);

#endif
