/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_nftables.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <string.h>

#include "agent/base/xalloc.h"

static void free_context(struct nft_ctx **ctx)
{
	if (*ctx)
		nft_ctx_free(*ctx);
}

int host_nftables_run(const char *commands, char **out_text, struct err *err)
{
	CLEANUP(free_context) struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	int r;

	if (!ctx || nft_ctx_buffer_output(ctx) || nft_ctx_buffer_error(ctx))
		return err_set(err, -ENOMEM, "libnftables does not start");
	/* As independent of this host's /etc as can be: rules as text are compared. */
	nft_ctx_output_set_flags(ctx, NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE |
					      NFT_CTX_OUTPUT_NUMERIC_PROTO |
					      NFT_CTX_OUTPUT_NUMERIC_PRIO);
	r = nft_run_cmd_from_buffer(ctx, commands);
	if (r != 0) {
		const char *text = nft_ctx_get_error_buffer(ctx);

		return err_set(err, -EIO, "nftables: %.*s", (int)strcspn(text, "\n"), text);
	}
	if (out_text)
		*out_text = xstrdup(nft_ctx_get_output_buffer(ctx));
	return 0;
}

bool host_nftables_same(const char *a, const char *b)
{
	for (;;) {
		a += strspn(a, " \t\n");
		b += strspn(b, " \t\n");
		size_t n = strcspn(a, "\n");

		if (n != strcspn(b, "\n") || memcmp(a, b, n) != 0)
			return false;
		if (n == 0)
			return true;
		a += n;
		b += n;
	}
}
