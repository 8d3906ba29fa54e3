/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A certificate and its key: the key's text, or, behind a line "both", that of both. What is put
 * into credentials is so without a fault.
 */
#include <assert.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/tls_pair.h"
#include "agent/base/xalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char stranger[] = "-----BEGIN CERTIFICATE-----\n"
			       "MIIBLDCB36ADAgECAhQ2iHXDTLdLmuYGI1OiQBqbxsL+ADAFBgMrZXAwDDEKMAgG\n"
			       "A1UEAwwBeDAeFw0yNjExMjkxNDEzNDVaFw0yNjEyMjkxNDEzNDVaMAwxCjAIBgNV\n"
			       "BAMMAXgwKjAFBgMrZXADIQAD7icM3Wfjr/bRhCOLcoajMsnnOPvkPdLISMV/kEmf\n"
			       "YqNTMFEwHQYDVR0OBBYEFMdS/DKMfL6Pzlvfd+b8GQsCjdT2MB8GA1UdIwQYMBaA\n"
			       "FMdS/DKMfL6Pzlvfd+b8GQsCjdT2MA8GA1UdEwEB/wQFMAMBAf8wBQYDK2VwA0EA\n"
			       "WfUNmaRnNBfzGuRhgf+s2cgMf+uyyw5R4lHytzY1MqherySLKYFRuMvh7fj5yQwb\n"
			       "owtNsNFpMQHoqncfpXx1Bw==\n"
			       "-----END CERTIFICATE-----\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char mark[] = "both\n";
	const size_t marked = sizeof(mark) - 1;
	const bool both = size >= marked && memcmp(data, mark, marked) == 0;
	const size_t skip = both ? marked : 0;
	char *key = xstrndup((const char *)data + skip, size - skip);
	gnutls_certificate_credentials_t c;
	gnutls_x509_privkey_t used;
	enum tls_pair_fault fault;

	if (gnutls_certificate_allocate_credentials(&c) < 0)
		abort();
	fault = tls_pair_use(c, both ? key : stranger, key);
	assert(fault <= TLS_PAIR_USELESS);
	if (gnutls_certificate_get_x509_key(c, 0, &used) == 0) {
		assert(fault == TLS_PAIR_FINE);
		gnutls_x509_privkey_deinit(used);
	} else {
		assert(fault != TLS_PAIR_FINE);
	}
	gnutls_certificate_free_credentials(c);
	free(key);
	return 0;
}
