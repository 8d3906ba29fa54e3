/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TLS server in memory, with a certificate made for the occasion: the other
 * end of healthcheck/tls.h. It echoes.
 */
#ifndef TESTS_LIB_TLS_PEER_H
#define TESTS_LIB_TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/buf.h"
#include "healthcheck/probe.h"

struct tls_peer;

struct tls_peer *tls_peer_new(void);
struct tls_peer *tls_peer_new_1_2(void); /* it speaks nothing newer than TLS 1.2 */
void tls_peer_free(struct tls_peer *p);
const char *tls_peer_certificate(const struct tls_peer *p); /* PEM; its own authority */
/* The client's network: one connection, whatever the descriptor. At most `piece` bytes at a time. */
struct hc_io tls_peer_io(struct tls_peer *p, size_t piece);
/* Before the handshake: what it speaks by ALPN. It chooses nothing where it is not offered that, or
 * breaks off. */
void tls_peer_speak(struct tls_peer *p, const char *protocol, bool breaks_off);
void tls_peer_turn(struct tls_peer *p);
/* From now on: closed without a word; these bytes instead of TLS. */
void tls_peer_close(struct tls_peer *p);
void tls_peer_say(struct tls_peer *p, const void *data, size_t len);
/* TLS 1.2: to shake hands again, with a certificate of the client's or without. */
void tls_peer_ask_again(struct tls_peer *p, bool demands);
/* Its certificate is that one's from now on; other stays as long. */
void tls_peer_become(struct tls_peer *p, const struct tls_peer *other);
void tls_peer_warn(struct tls_peer *p, unsigned count); /* by so many alerts that are not fatal */
bool tls_peer_is_up(const struct tls_peer *p);		/* its side of the handshake is done */

#endif
