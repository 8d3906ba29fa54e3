/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that keep objects of a cluster as they have them elsewhere: what is
 * edited here they undo when they look next, or when they are run.
 */
#include <string.h>

#include "agent/api/edit_cluster.h"

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* By a label or annotation; NULL: by none. */
static const char *owner_by(const char *key, const char *value)
{
	if (strcmp(key, "app.kubernetes.io/managed-by") == 0 && strcmp(value, "Helm") == 0)
		return "Helm";
	if (starts_with(key, "argocd.argoproj.io/"))
		return "Argo CD";
	if (starts_with(key, "kustomize.toolkit.fluxcd.io/") ||
	    starts_with(key, "helm.toolkit.fluxcd.io/"))
		return "Flux";
	return NULL;
}

/* Flux runs Helm, and undoes things sooner: of two the second one counts. */
static const char *owner_in(const struct tree *map, const char *owner)
{
	for (const struct tree *t = map && map->type == DOC_MAP ? map->first : NULL; t;
	     t = t->next) {
		const char *found = t->text ? owner_by(t->key, t->text) : NULL;

		if (found && (!owner || strcmp(owner, "Helm") == 0))
			owner = found;
	}
	return owner;
}

void cluster_warn_of_owner(struct edit *e, const struct store_key *key, const struct tree *metadata)
{
	const char *owner = owner_in(tree_get(metadata, "labels"), NULL);

	owner = owner_in(tree_get(metadata, "annotations"), owner);
	if (owner)
		problems_add(&e->warnings, false, 0,
			     "%s %s/%s is kept by %s, which will undo this change: change it there "
			     "too",
			     store_kind_text(key->kind), key->ns, key->name, owner);
}
