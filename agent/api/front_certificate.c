/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/front_certificate.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdint.h>
#include <string.h>

/* --- the subject ------------------------------------------------------------------ */

/* The encodings that are text as it stands. Others could hold the same name in another way. */
static bool is_text(unsigned long tag)
{
	enum { UTF8_STRING = 12, PRINTABLE_STRING = 19, IA5_STRING = 22 };

	return tag == UTF8_STRING || tag == PRINTABLE_STRING || tag == IA5_STRING;
}

static bool has_oid(const gnutls_x509_ava_st *a, const char *oid)
{
	size_t len = strlen(oid);

	/* It may count its NUL. */
	return a->oid.size >= len && a->oid.size <= len + 1 && memcmp(a->oid.data, oid, len) == 0;
}

static bool take_name(const gnutls_x509_ava_st *a, char out[static SUBJECT_NAME_MAX + 1])
{
	const char *s = (const char *)a->value.data;

	if (!is_text(a->value_tag) || !subject_name_is_good(s, a->value.size))
		return false;
	memcpy(out, s, a->value.size);
	out[a->value.size] = '\0';
	return true;
}

/* False: the subject is no good. */
static bool take_part(const gnutls_x509_ava_st *a, struct subject *out)
{
	if (has_oid(a, GNUTLS_OID_X520_COMMON_NAME))
		return !*out->name && take_name(a, out->name);
	if (has_oid(a, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME))
		return out->unit_count < SUBJECT_UNITS_MAX &&
		       take_name(a, out->units[out->unit_count++]);
	return true;
}

static bool read_subject(gnutls_x509_crt_t crt, struct subject *out)
{
	gnutls_x509_ava_st a;
	gnutls_x509_dn_t dn;
	int r = 0;

	if (gnutls_x509_crt_get_subject(crt, &dn) < 0)
		return false;
	for (int i = 0, k = 1; r == 0 && k > 0; i++) {
		for (k = 0; (r = gnutls_x509_dn_get_rdn_ava(dn, i, k, &a)) == 0; k++)
			if (!take_part(&a, out))
				return false;
		r = r == GNUTLS_E_ASN1_ELEMENT_NOT_FOUND ? 0
							 : r; /* the end of this one, or of all */
	}
	if (r < 0)
		return false;
	return *out->name;
}

/* Of the first that the client has shown. False: there is none, or it is no good. */
static bool subject_of(gnutls_session_t session, struct subject *out)
{
	unsigned count = 0;
	const gnutls_datum_t *peers = gnutls_certificate_get_peers(session, &count);
	gnutls_x509_crt_t crt;
	bool good;

	*out = (struct subject){ 0 };
	if (!peers || !count || gnutls_x509_crt_init(&crt) < 0)
		return false;
	good = gnutls_x509_crt_import(crt, &peers[0], GNUTLS_X509_FMT_DER) == 0 &&
	       read_subject(crt, out);
	gnutls_x509_crt_deinit(crt);
	if (!good)
		*out = (struct subject){ 0 };
	return good;
}

void front_certificate_subject(struct gnutls_session_int *session, struct subject *out)
{
	if (!session || !subject_of(session, out))
		*out = (struct subject){ 0 };
}

/* --- the handshake ---------------------------------------------------------------- */

static gnutls_alert_description_t alert_of(unsigned status)
{
	if (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED))
		return GNUTLS_A_CERTIFICATE_EXPIRED;
	if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA))
		return GNUTLS_A_UNKNOWN_CA;
	return GNUTLS_A_BAD_CERTIFICATE;
}

static int refuse(gnutls_session_t session, gnutls_alert_description_t why)
{
	(void)gnutls_alert_send(session, GNUTLS_AL_FATAL, why);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

static int verify(gnutls_session_t session)
{
	char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
	gnutls_typed_vdata_st use = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
				      .data = (unsigned char *)purpose };
	unsigned count = 0, status = 0;
	struct subject subject;

	if (!gnutls_certificate_get_peers(session, &count) || !count)
		return 0;
	if (gnutls_certificate_verify_peers(session, &use, 1, &status) < 0)
		return refuse(session, GNUTLS_A_BAD_CERTIFICATE);
	if (status)
		return refuse(session, alert_of(status));
	return subject_of(session, &subject) ? 0 : refuse(session, GNUTLS_A_BAD_CERTIFICATE);
}

void front_certificate_verify(struct gnutls_session_int *session)
{
	if (session)
		gnutls_session_set_verify_function(session, verify);
}

/* --- the authorities -------------------------------------------------------------- */

int front_authorities_look(const char *pem, size_t len, struct err *err)
{
	const gnutls_datum_t text = { (unsigned char *)(uintptr_t)pem, (unsigned)len };
	gnutls_x509_crt_t *crts = NULL;
	unsigned count = 0;
	int r = gnutls_x509_crt_list_import2(&crts, &count, &text, GNUTLS_X509_FMT_PEM, 0);
	bool good = r >= 0 && count;

	if (!good)
		return err_set(err, -EINVAL, "it holds no certificate in PEM");
	for (unsigned i = 0; i < count; i++) {
		good = good && gnutls_x509_crt_get_ca_status(crts[i], NULL) > 0;
		gnutls_x509_crt_deinit(crts[i]);
	}
	gnutls_free(crts);
	if (count > FRONT_AUTHORITIES_MAX)
		return err_set(err, -E2BIG, "it holds %u certificates; the most is %d", count,
			       FRONT_AUTHORITIES_MAX);
	return good ? 0
		    : err_set(err, -EINVAL,
			      "it holds a certificate that is none of an authority: the "
			      "authority's belongs there, not that of a client");
}
