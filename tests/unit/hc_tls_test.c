/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls.c: the client's half of TLS, against a server in memory. */
#include "healthcheck/tls.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <cmocka.h>

#include "tests/lib/pki.h"
#include "tests/lib/tls_peer.h"

#define TURNS 20000
#define WHOLE 100000

static const struct hc_tls_own nothing; /* to show */

static int shake(struct hc_tls *t, struct tls_peer *p)
{
	int r = -EAGAIN;

	for (int i = 0; i < TURNS && r == -EAGAIN; i++) {
		r = hc_tls_handshake(t);
		tls_peer_turn(p);
	}
	return r;
}

static void echo(struct hc_tls *t, struct tls_peer *p, const char *text)
{
	size_t len = strlen(text), sent = 0, got = 0;
	char back[200];

	for (int i = 0; i < TURNS && got < len; i++) {
		ssize_t n = sent < len ? hc_tls_send(t, text + sent, len - sent) : 0;

		assert_true(n >= 0 || n == -EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		tls_peer_turn(p);
		n = hc_tls_recv(t, back + got, sizeof(back) - got);
		assert_true(n > 0 || n == -EAGAIN);
		got += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(got, len);
	assert_memory_equal(back, text, len);
}

static void what_is_said_goes_through_in_any_pieces(void **state)
{
	static const size_t pieces[] = { WHOLE, 500, 7, 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct tls_peer *p = tls_peer_new();
		struct hc_io io = tls_peer_io(p, pieces[i]);
		struct hc_tls_trust *trust = hc_tls_trust_new(NULL, nothing);
		struct hc_tls *t = hc_tls_new(&io, 7, trust, NULL);

		assert_int_equal(shake(t, p), 0);
		assert_int_equal(hc_tls_trusts(t), HC_REASON_OK); /* nobody asked */
		echo(t, p, "a question");
		echo(t, p, "another, that is somewhat longer than the first one was");
		tls_peer_close(p);
		assert_int_equal(hc_tls_recv(t, &(char){ 0 }, 1), 0);
		hc_tls_free(t);
		hc_tls_trust_free(trust);
		tls_peer_free(p);
	}
}

/* Does the handshake come to its end, and is the server trusted then? */
static bool is_trusted(const char *ca_pem, struct tls_peer *p)
{
	struct hc_io io = tls_peer_io(p, WHOLE);
	struct hc_tls_trust *trust = hc_tls_trust_new(ca_pem, nothing);
	struct hc_tls *t = hc_tls_new(&io, 7, trust, NULL);
	bool yes;

	assert_int_equal(shake(t, p), 0);
	yes = hc_tls_trusts(t) == HC_REASON_OK;
	echo(t, p, "goodbye"); /* one can still leave in due form */
	hc_tls_free(t);
	hc_tls_trust_free(trust);
	return yes;
}

static void trust_is_asked_after_the_handshake(void **state)
{
	struct tls_peer *peers[5], *stranger = tls_peer_new();
	char damaged[3000];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		peers[i] = tls_peer_new();
	assert_true(is_trusted(tls_peer_certificate(peers[0]), peers[0]));
	assert_false(is_trusted(tls_peer_certificate(stranger), peers[1]));
	assert_false(is_trusted("no certificate", peers[2]));
	assert_false(is_trusted("", peers[3]));
	assert_true(strlen(tls_peer_certificate(peers[4])) < sizeof(damaged));
	strcpy(damaged, tls_peer_certificate(peers[4]));
	damaged[200] ^= 1;
	assert_false(is_trusted(damaged, peers[4]));
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		tls_peer_free(peers[i]);
	tls_peer_free(stranger);
}

static void a_peer_that_does_not_speak_tls_fails_the_handshake(void **state)
{
	/* The alerts: handshake_failure, unrecognized_name. */
	static const struct {
		const char *said;
		size_t len;
		enum hc_reason fault;
	} peers[] = {
		{ "HTTP/1.1 400 Bad Request\r\n\r\n", 28, HC_REASON_NOT_TLS },
		{ "\x15\3\1\0\2\2\x28", 7, HC_REASON_TLS },
		{ "\x15\3\1\0\2\2\x70", 7, HC_REASON_NAME },
		{ "\x16\3\3\xff\xff\2", 6, HC_REASON_NOT_TLS },
		{ NULL, 0, HC_REASON_CLOSED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
		struct tls_peer *p = tls_peer_new();
		struct hc_io io = tls_peer_io(p, WHOLE);
		struct hc_tls_trust *trust = hc_tls_trust_new(NULL, nothing);
		struct hc_tls *t = hc_tls_new(&io, 7, trust, NULL);

		assert_int_equal(hc_tls_handshake(t), -EAGAIN);
		assert_false(hc_tls_wants_write(t));
		if (peers[i].said)
			tls_peer_say(p, peers[i].said, peers[i].len);
		else
			tls_peer_close(p);
		assert_int_equal(hc_tls_handshake(t), -EPROTO);
		assert_int_equal(hc_tls_fault(t).reason, peers[i].fault);
		hc_tls_free(t);
		hc_tls_trust_free(trust);
		tls_peer_free(p);
	}
}

static void what_is_damaged_on_the_way_is_an_error(void **state)
{
	struct tls_peer *p = tls_peer_new();
	struct hc_io io = tls_peer_io(p, WHOLE);
	struct hc_tls_trust *trust = hc_tls_trust_new(NULL, nothing);
	struct hc_tls *t = hc_tls_new(&io, 7, trust, NULL);

	(void)state;
	assert_int_equal(shake(t, p), 0);
	echo(t, p, "well so far");
	tls_peer_say(p, "\x17\3\3\0\x20xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 37);
	assert_int_equal(hc_tls_recv(t, &(char){ 0 }, 1), -EPROTO);
	hc_tls_free(t);
	hc_tls_trust_free(trust);
	tls_peer_free(p);
}

/* Whoever reads until something else comes reads as long as the server likes. */
static void a_server_may_warn_but_not_for_ever(void **state)
{
	struct tls_peer *p = tls_peer_new_1_2();
	struct hc_io io = tls_peer_io(p, WHOLE);
	struct hc_tls *t = hc_tls_new(&io, 7, NULL, NULL);

	(void)state;
	assert_int_equal(shake(t, p), 0);
	tls_peer_warn(p, 16);
	echo(t, p, "well so far");
	tls_peer_warn(p, 1000);
	assert_int_equal(hc_tls_recv(t, &(char){ 0 }, 1), -EPROTO);
	assert_int_equal(hc_tls_fault(t).reason, HC_REASON_TLS);
	hc_tls_free(t);
	tls_peer_free(p);
}

static void it_may_not_in_the_handshake_either(void **state)
{
	struct tls_peer *p = tls_peer_new();
	struct hc_io io = tls_peer_io(p, WHOLE);
	struct hc_tls *t = hc_tls_new(&io, 7, NULL, NULL);

	(void)state;
	assert_int_equal(hc_tls_handshake(t), -EAGAIN);
	for (int i = 0; i < 1000; i++)
		tls_peer_say(p, "\x15\3\3\0\2\1\x64", 7);
	assert_int_equal(hc_tls_handshake(t), -EPROTO);
	hc_tls_free(t);
	tls_peer_free(p);
}

/* What receiving comes to once both have nothing more to say. */
static ssize_t hear_nothing(struct hc_tls *t, struct tls_peer *p)
{
	ssize_t n = -EAGAIN;

	for (int i = 0; i < TURNS && n == -EAGAIN; i++) {
		n = hc_tls_recv(t, &(char){ 0 }, 1);
		tls_peer_turn(p);
	}
	return n;
}

static void a_server_may_shake_hands_once_more(void **state)
{
	static const size_t pieces[] = { WHOLE, 7 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct tls_peer *p = tls_peer_new_1_2();
		struct hc_io io = tls_peer_io(p, pieces[i]);
		struct hc_tls *t = hc_tls_new(&io, 7, NULL, NULL);

		assert_int_equal(shake(t, p), 0);
		tls_peer_ask_again(p, false);
		assert_int_equal(hear_nothing(t, p), -EAGAIN);
		assert_true(tls_peer_is_up(p));
		echo(t, p, "well so far");
		tls_peer_ask_again(p, false);
		assert_int_equal(hear_nothing(t, p), -EPROTO);
		assert_int_equal(hc_tls_fault(t).reason, HC_REASON_TLS);
		hc_tls_free(t);
		tls_peer_free(p);
	}
}

static void it_may_demand_a_certificate_then(void **state)
{
	struct pki *ca = pki_new("ours");
	struct pki_pair ours = pki_issue_person(ca, "parasaus", NULL);
	const struct hc_tls_own own = { ours.cert, ours.key };

	(void)state;
	for (int has = 0; has < 2; has++) {
		struct tls_peer *p = tls_peer_new_1_2();
		struct hc_io io = tls_peer_io(p, WHOLE);
		struct hc_tls_trust *trust = hc_tls_trust_new(NULL, has ? own : nothing);
		struct hc_tls *t = hc_tls_new(&io, 7, trust, NULL);

		assert_int_equal(shake(t, p), 0);
		tls_peer_ask_again(p, true);
		assert_int_equal(hear_nothing(t, p), has ? -EAGAIN : -EPROTO);
		if (has)
			echo(t, p, "well so far");
		else
			assert_int_equal(hc_tls_fault(t).reason, HC_REASON_CLIENT_CERTIFICATE);
		hc_tls_free(t);
		hc_tls_trust_free(trust);
		tls_peer_free(p);
	}
	pki_pair_done(&ours);
	pki_free(ca);
}

/* It was asked for its name before. */
static void it_may_be_nobody_else_then(void **state)
{
	struct tls_peer *p = tls_peer_new_1_2(), *other = tls_peer_new_1_2();
	struct hc_io io = tls_peer_io(p, WHOLE);
	struct hc_tls *t = hc_tls_new(&io, 7, NULL, NULL);

	(void)state;
	assert_int_equal(shake(t, p), 0);
	tls_peer_become(p, other);
	tls_peer_ask_again(p, false);
	assert_int_equal(hear_nothing(t, p), -EPROTO);
	assert_int_equal(hc_tls_fault(t).reason, HC_REASON_TLS);
	hc_tls_free(t);
	tls_peer_free(p);
	tls_peer_free(other);
}

/* RFC 9113 section 3.2, as most clients of gRPC hold it. */
static void a_protocol_has_to_be_chosen(void **state)
{
	static const struct {
		const char *speaks; /* NULL: it knows nothing of it */
		bool breaks_off;
		enum hc_reason reason;
	} peers[] = {
		{ "h2", false, HC_REASON_OK },
		{ NULL, false, HC_REASON_NO_HTTP2 },
		{ "http/1.1", false, HC_REASON_NO_HTTP2 },
		{ "http/1.1", true, HC_REASON_NO_HTTP2 },
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(peers); i++) {
		const size_t k = i / 2;
		struct tls_peer *p = i % 2 ? tls_peer_new() : tls_peer_new_1_2();
		struct hc_io io = tls_peer_io(p, WHOLE);
		struct hc_tls *t = hc_tls_new(&io, 7, NULL, NULL);
		int r;

		if (peers[k].speaks)
			tls_peer_speak(p, peers[k].speaks, peers[k].breaks_off);
		assert_true(hc_tls_offer(t, "h2"));
		r = shake(t, p);
		assert_int_equal(r, peers[k].breaks_off ? -EPROTO : 0);
		assert_int_equal(r ? hc_tls_fault(t).reason : hc_tls_trusts(t), peers[k].reason);
		hc_tls_free(t);
		tls_peer_free(p);
	}
}

/* Who is not trusted is so whatever it chose. */
static void trust_comes_before_the_protocol(void **state)
{
	struct tls_peer *p = tls_peer_new(), *stranger = tls_peer_new();
	struct hc_io io = tls_peer_io(p, WHOLE);
	struct hc_tls_trust *trust = hc_tls_trust_new(tls_peer_certificate(stranger), nothing);
	struct hc_tls *t = hc_tls_new(&io, 7, trust, NULL);

	(void)state;
	assert_true(hc_tls_offer(t, "h2"));
	assert_int_equal(shake(t, p), 0);
	assert_int_equal(hc_tls_trusts(t), HC_REASON_TLS);
	hc_tls_free(t);
	hc_tls_trust_free(trust);
	tls_peer_free(p);
	tls_peer_free(stranger);
}

static bool is_whole(const char *ca, const char *certificate, const char *key)
{
	struct hc_tls_trust *t = hc_tls_trust_new(ca, (struct hc_tls_own){ certificate, key });
	bool yes = hc_tls_trust_is_whole(t) && hc_tls_trust_shows_all(t);

	hc_tls_trust_free(t);
	return yes;
}

static void what_cannot_be_used_is_told(void **state)
{
	struct pki *ca = pki_new("ours");
	struct pki_pair ours = pki_issue_person(ca, "parasaus", NULL);
	struct pki_pair other = pki_issue_person(ca, "other", NULL);

	(void)state;
	assert_true(is_whole(NULL, NULL, NULL));
	assert_true(is_whole(pki_ca(ca), NULL, NULL));
	assert_true(is_whole(pki_ca(ca), ours.cert, ours.key));
	assert_false(is_whole("no certificate", NULL, NULL));
	assert_false(is_whole(NULL, ours.cert, other.key));
	assert_false(is_whole(NULL, "no certificate", ours.key));
	assert_false(is_whole(pki_ca(ca), ours.cert, "no key"));
	pki_pair_done(&ours);
	pki_pair_done(&other);
	pki_free(ca);
}

/* A certificate of such a key; whoever signed it. */
static bool is_small(gnutls_pk_algorithm_t signer_of, unsigned bits, size_t exponent_len)
{
	static uint8_t modulus[65536 / 8], exponent[1024];
	const gnutls_datum_t m = { modulus, bits / 8 }, e = { exponent, (unsigned)exponent_len };
	gnutls_x509_privkey_t signer;
	gnutls_x509_crt_t c, issuer;
	gnutls_pubkey_t key;
	gnutls_datum_t der;
	int bad = 0;
	bool yes;

	memset(modulus, 0xa5, sizeof(modulus));
	memset(exponent, 0x5b, sizeof(exponent));
	bad |= gnutls_x509_privkey_init(&signer) | gnutls_x509_crt_init(&c) |
	       gnutls_x509_crt_init(&issuer) | gnutls_pubkey_init(&key);
	bad |= gnutls_x509_privkey_generate(signer, GNUTLS_PK_ECDSA,
					    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (signer_of == GNUTLS_PK_RSA)
		bad |= gnutls_pubkey_import_rsa_raw(key, &m, &e);
	bad |= gnutls_x509_crt_set_version(c, 3) | gnutls_x509_crt_set_serial(c, "1", 1) |
	       gnutls_x509_crt_set_dn(c, "CN=stranger", NULL);
	bad |= signer_of == GNUTLS_PK_RSA ? gnutls_x509_crt_set_pubkey(c, key)
					  : gnutls_x509_crt_set_key(c, signer);
	bad |= gnutls_x509_crt_set_activation_time(c, 1700000000) |
	       gnutls_x509_crt_set_expiration_time(c, 1800000000);
	bad |= gnutls_x509_crt_set_dn(issuer, "CN=issuer", NULL) |
	       gnutls_x509_crt_set_key(issuer, signer) |
	       gnutls_x509_crt_sign2(c, issuer, signer, GNUTLS_DIG_SHA256, 0) |
	       gnutls_x509_crt_export2(c, GNUTLS_X509_FMT_DER, &der);
	assert_int_equal(bad, 0);
	yes = hc_tls_key_is_small(der.data, der.size);
	gnutls_free(der.data);
	gnutls_pubkey_deinit(key);
	gnutls_x509_crt_deinit(issuer);
	gnutls_x509_crt_deinit(c);
	gnutls_x509_privkey_deinit(signer);
	return yes;
}

/* A signature by one of 65,536 bits would hold up all other probes for ten seconds. */
static void a_key_that_takes_long_is_refused(void **state)
{
	(void)state;
	assert_true(is_small(GNUTLS_PK_ECDSA, 0, 0));
	assert_true(is_small(GNUTLS_PK_RSA, 2048, 3));
	assert_true(is_small(GNUTLS_PK_RSA, 8192, 8));
	assert_false(is_small(GNUTLS_PK_RSA, 8192, 9));
	assert_false(is_small(GNUTLS_PK_RSA, 8200, 3));
	assert_false(is_small(GNUTLS_PK_RSA, 65536, 3));
	assert_false(hc_tls_key_is_small("no certificate", 14));
	assert_false(hc_tls_key_is_small("", 0));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_goes_through_in_any_pieces),
		cmocka_unit_test(trust_is_asked_after_the_handshake),
		cmocka_unit_test(a_peer_that_does_not_speak_tls_fails_the_handshake),
		cmocka_unit_test(what_is_damaged_on_the_way_is_an_error),
		cmocka_unit_test(a_server_may_warn_but_not_for_ever),
		cmocka_unit_test(it_may_not_in_the_handshake_either),
		cmocka_unit_test(a_server_may_shake_hands_once_more),
		cmocka_unit_test(it_may_demand_a_certificate_then),
		cmocka_unit_test(it_may_be_nobody_else_then),
		cmocka_unit_test(a_key_that_takes_long_is_refused),
		cmocka_unit_test(a_protocol_has_to_be_chosen),
		cmocka_unit_test(trust_comes_before_the_protocol),
		cmocka_unit_test(what_cannot_be_used_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
