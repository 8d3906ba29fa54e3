/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_shown.h"

#include <linux/netfilter.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/xalloc.h"
#include "ipvs/host_nft.h"
#include "ipvs/host_nftables.h"

struct host_shown {
	const char *name;
	struct host_nft *nft; /* for reading */
	/* The text of the table as it was made, and what is printed of it. NULL: none was made. */
	char *made, *shown;
};

int host_shown_open(const char *name, struct host_shown **out, struct err *err)
{
	struct host_shown *s = xcalloc(1, sizeof(*s));
	int r = host_nft_open(&s->nft);

	s->name = name;
	if (r < 0) {
		host_shown_close(s);
		return err_set(err, r, "netfilter socket: %s", strerror(-r));
	}
	*out = s;
	return 0;
}

void host_shown_close(struct host_shown *s)
{
	if (!s)
		return;
	host_nft_close(s->nft);
	free(s->made);
	free(s->shown);
	free(s);
}

static int is_there(struct host_shown *s, bool *out, struct err *err)
{
	int r = host_nft_has_table(s->nft, NFPROTO_INET, s->name, out);

	return r < 0 ? err_set(err, r, "nftables: %s", strerror(-r)) : 0;
}

int host_shown_list(struct host_shown *s, char **out, struct err *err)
{
	CLEANUP(xfree_ptr) char *command = NULL;
	bool there = false;
	int r = is_there(s, &there, err);

	if (r < 0)
		return r;
	if (!there) {
		*out = xstrdup("");
		return 0;
	}
	command = xasprintf("list table inet %s\n", s->name);
	return host_nftables_run(command, out, err);
}

bool host_shown_is(const struct host_shown *s, const char *listed, const char *text)
{
	bool is_made = s->made && strcmp(s->made, text) == 0;

	return host_nftables_same(listed, is_made ? s->shown : text);
}

/* What it is printed as is known from here on. */
static int remember(struct host_shown *s, const char *made, struct err *err)
{
	char *shown = NULL;
	int r = *made ? host_shown_list(s, &shown, err) : 0;

	free(s->made);
	free(s->shown);
	s->made = shown ? xstrdup(made) : NULL;
	s->shown = shown;
	return r;
}

int host_shown_make(struct host_shown *s, const char *text, bool *out_wrote, struct err *err)
{
	CLEANUP(xfree_ptr) char *listed = NULL;
	CLEANUP(buf_done) struct buf commands = { 0 };
	int r = host_shown_list(s, &listed, err);

	*out_wrote = false;
	if (r < 0 || host_shown_is(s, listed, text))
		return r;
	if (*listed)
		buf_printf(&commands, "delete table inet %s\n", s->name);
	buf_str(&commands, text);
	r = host_nftables_run(buf_cstr(&commands), NULL, err);
	if (r < 0)
		return r;
	*out_wrote = true;
	return remember(s, text, err);
}

int host_shown_delete(struct host_shown *s, bool *out_existed, struct err *err)
{
	CLEANUP(xfree_ptr) char *command = NULL;
	int r = is_there(s, out_existed, err);

	if (r < 0 || !*out_existed)
		return r;
	command = xasprintf("delete table inet %s\n", s->name);
	return host_nftables_run(command, NULL, err);
}
