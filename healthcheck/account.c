/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/account.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/base/xalloc.h"

struct hc_account *hc_account_new(const struct hc_secret *s)
{
	const char *username = s->username ? s->username : "";
	const char *password = s->password ? s->password : "";
	size_t name = strlen(username) + 1, word = strlen(password) + 1;
	const struct hc_tls_own own = { s->certificate, s->key };
	struct hc_account *a;
	char *pages = mmap(NULL, name + word, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	if (pages == MAP_FAILED)
		return NULL;
	/* There may be a limit, and no swap to fear: without, it is as good as may be. */
	(void)mlock(pages, name + word);
	(void)madvise(pages, name + word, MADV_DONTDUMP);
	memcpy(pages, username, name);
	memcpy(pages + name, password, word);
	a = xcalloc(1, sizeof(*a));
	*a = (struct hc_account){ .refs = 1,
				  .username = s->username ? pages : NULL,
				  .password = s->password ? pages + name : NULL,
				  .trust = hc_tls_trust_new(s->ca_refused ? "" : s->ca_pem, own),
				  .vouches = s->ca_pem || s->key,
				  .lacks_certificate = s->pair_refused,
				  .pages = pages,
				  .size = name + word };
	return a;
}

bool hc_account_serves(const struct hc_account *a, unsigned uses)
{
	/* As secret_serves() has it. */
	if (uses & CHECK_USES_TLS && !hc_tls_trust_is_whole(a->trust))
		return false;
	if (uses & CHECK_USES_CERTIFICATES &&
	    (a->lacks_certificate || !hc_tls_trust_shows_all(a->trust)))
		return false;
	return (uses & CHECK_USES_LOGIN && a->username) ||
	       (uses & CHECK_USES_CERTIFICATES && a->vouches);
}

struct hc_account *hc_account_ref(struct hc_account *a)
{
	a->refs++;
	return a;
}

void hc_account_unref(struct hc_account *a)
{
	if (!a || --a->refs > 0)
		return;
	explicit_bzero(a->pages, a->size);
	munmap(a->pages, a->size);
	hc_tls_trust_free(a->trust);
	free(a);
}
