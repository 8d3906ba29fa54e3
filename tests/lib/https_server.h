/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An HTTP server for tests, with TLS or without, that sends what it is told
 * and nothing else: so that it can break off, fall silent or lie. HTTP/1.1; a
 * thread for each connection, on 127.0.0.1.
 */
#ifndef TESTS_LIB_HTTPS_SERVER_H
#define TESTS_LIB_HTTPS_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/attr.h"

struct https_server;
struct https_connection;

/* One request's head. True: wait for the next one on this connection; false: it is closed. */
typedef bool https_serve_fn(struct https_connection *c, const char *head, void *arg);

struct https_options {
	const char *cert; /* PEM; NULL: without TLS */
	const char *key;
	const char
		*client_ca; /* a client has to have a certificate of it; NULL: none is asked for */
	https_serve_fn *serve;
	void *arg;
};

MUST_CHECK struct https_server *https_server_start(const struct https_options *o);
/* Wakes and ends all connections. NULL is fine. */
void https_server_stop(struct https_server *s);
unsigned https_server_port(const struct https_server *s);
unsigned https_server_connections(struct https_server *s); /* that there ever were */

/* --- for serve() --------------------------------------------------------------- */

void https_send(struct https_connection *c, const void *data, size_t len);
void https_send_text(struct https_connection *c, const char *text);
/* The connection ends as if the machine had died: no TLS alert, a reset. */
void https_reset(struct https_connection *c);
/* Until https_server_go() or the peer or the test closes. False: it is over. */
bool https_wait(struct https_connection *c);
void https_server_go(struct https_server *s); /* one https_wait() returns */

#endif
