/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kubeconfig, YAML or JSON: whatever is read out of it is within its bounds. */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "watch/kubeconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_given(const struct kube_material *m)
{
	assert(!m->path || !m->data);
	assert(!m->data || (m->len <= KUBE_PEM_MAX && strlen(m->data) == m->len));
	return m->path || m->data;
}

static void check(struct kube_access *a)
{
	struct err err;

	assert(a->server_count == 1 && kube_server_check(a->servers[0], &err) == 0);
	assert(is_given(&a->cert) == is_given(&a->key));
	assert(!is_given(&a->ca) || !a->insecure);
	assert(!a->token || !a->token_path);
	assert(!a->token || !kube_token_problem(a->token, strlen(a->token)));
	assert(kube_access_set_servers(a, (const char *const *)a->servers, 1, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kube_access a;
	struct err err = { 0 };
	int r = kubeconfig_parse(data, size, "config", NULL, &a, &err);

	assert(r == err.code);
	if (r < 0) {
		assert(err.text[0]);
		return 0;
	}
	check(&a);
	kube_access_done(&a);
	return 0;
}
