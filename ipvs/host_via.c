/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths of probes that go by a VIP: the table that leads to IPVS, and what IPVS has for them. */
#include <stdio.h>
#include <string.h>

#include "ipvs/host_paths.h"
#include "ipvs/host_state.h"

int host_via_open(struct ipvs_host *h, struct err *err)
{
	h->path_services = path_services_new();
	return host_paths_open(&h->path_table, err);
}

void host_via_close(struct ipvs_host *h)
{
	ipvs_paths_done(&h->paths);
	path_services_free(h->path_services);
	host_shown_close(h->path_table);
}

static int write_services(struct ipvs_host *h, struct err *err)
{
	uint64_t writes = 0;
	int r = path_services_make(h->path_services, &h->paths, &writes, err);

	h->writes += writes;
	return r;
}

static int write_table(struct ipvs_host *h, struct err *err)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	if (h->paths_right)
		return 0;
	host_paths_text(&h->paths, &text);
	return host_write_table(h, h->path_table, buf_cstr(&text), &h->paths_right, err);
}

/* The services first: what the table sends to IPVS is to find them there. */
int host_via_write(struct ipvs_host *h, struct err *err)
{
	struct err first = { 0 };
	struct err why = { 0 };

	if (!h->paths_told)
		return 0;
	host_keep_first(&first, write_services(h, &why), &why);
	host_keep_first(&first, write_table(h, &why), &why);
	h->paths_error = first;
	return host_first(&first, err);
}

int ipvs_host_paths(struct ipvs_host *h, const struct ipvs_paths *p, struct err *err)
{
	ipvs_paths_copy(&h->paths, p);
	h->paths_told = true;
	h->paths_right = false;
	return host_via_write(h, err);
}

int ipvs_host_paths_check(struct ipvs_host *h, uint64_t *out_repairs, struct err *err)
{
	bool failed_before = h->paths_error.code < 0;
	uint64_t writes = h->writes;
	int r = host_via_write(h, err);

	*out_repairs = failed_before ? 0 : h->writes - writes;
	return r;
}

/*
 * Without a path of its own a probe is dropped, also where IPVS has its service (host_paths.h): the VIP
 * has to be here.
 */
static const char *why_not(const struct ipvs_host *h, const struct ipvs_path *p)
{
	int error = path_services_error(h->path_services, p);

	if (error)
		return strerror(-error);
	return host_model_is_local(&h->model, &p->vip) ? NULL
						       : "the VIP has no local route on this node";
}

bool ipvs_host_paths_now(const struct ipvs_host *h, struct ipvs_paths_result *out)
{
	const struct err *e = &h->paths_error;

	if (!h->paths_told)
		return false;
	*out = (struct ipvs_paths_result){ .version = h->paths.version, .error = e->code };
	if (e->code)
		snprintf(out->text, sizeof(out->text), "%.*s", (int)sizeof(out->text) - 1, e->text);
	for (size_t i = 0; i < h->paths.count && !e->code; i++) {
		const char *why = why_not(h, &h->paths.items[i]);

		if (why)
			ipvs_paths_result_fail(out, &h->paths.items[i], why);
	}
	return true;
}
