/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of http_curl.h. http_curl.c has the requests, http_curl_setup.c
 * what they ask, http_curl_answer.c what comes back, http_curl_multi.c libcurl on the loop and the trust.
 *
 * libcurl forbids much inside of its callbacks, and ours may do anything. So
 * whatever is asked for from outside only leaves a mark, and http_curl_settle()
 * does it, from the loop and never with libcurl beneath it.
 */
#ifndef WATCH_HTTP_CURL_PRIVATE_H
#define WATCH_HTTP_CURL_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/loop.h"
#include "watch/gunzip.h"
#include "watch/http_curl.h"

#define HTTP_CURL_CONNECT_MS  10000 /* name, connection and TLS together */
#define HTTP_CURL_RETRY_MAX_S 3600
#define HTTP_CURL_ERROR_MAX   256 /* CURL_ERROR_SIZE */
#define HTTP_CURL_TYPE_MAX    128
#define HTTP_CURL_WARNING_MAX 512
#define HTTP_CURL_PATH_MAX    8192
#define HTTP_CURL_SERVER_MAX  1024
#define HTTP_CURL_CONNECTIONS 8 /* idle ones that are kept */

struct http_curl;

/*
 * Requests under one trust: they have a multi handle, and with it connections,
 * of their own. One that is not the newest goes with its last request.
 */
struct http_curl_era {
	struct http_curl *http;
	struct http_curl_era *next;
	void *multi; /* CURLM */
	struct http_curl_socket *sockets;
	timer_id timer;
	size_t requests;
	/* Files in memory, -1: none. libcurl's GnuTLS takes no blobs for these. */
	int ca_fd, cert_fd, key_fd;
	char *server_name;
	bool insecure;
};

struct http_curl_request {
	struct http_curl *http;
	struct http_curl_era *era;
	http_id id;
	void *easy;    /* CURL */
	void *headers; /* struct curl_slist */
	void *connect_to;
	char *server; /* as it was asked for */
	void *body;   /* to send; it may be a secret */
	size_t body_len;
	void (*status)(void *arg, const struct http_status *s);
	bool (*data)(void *arg, const void *data, size_t len);
	void (*end)(void *arg, enum http_result r, const struct err *err);
	void *arg;
	/* Asked of us. */
	bool dead; /* no callback any more */
	bool paused;
	/* As it is. */
	bool refused; /* could not be set up; `problem` says why */
	bool added;
	bool held;    /* libcurl was told to wait, and keeps what it has */
	bool stopped; /* data() said so */
	bool told_status;
	int local_error; /* errno of our own trouble */
	/* Bounds. */
	uint32_t idle_s;
	mono_t active_at;
	mono_t deadline; /* { 0 }: none */
	timer_id timer;
	/* The answer's head. */
	int code;
	int32_t retry_after_s;
	enum { HTTP_CURL_PLAIN, HTTP_CURL_GZIP, HTTP_CURL_OTHER } encoding;
	char content_type[HTTP_CURL_TYPE_MAX];
	char warning[HTTP_CURL_WARNING_MAX];
	struct gunzip *gunzip;
	size_t gunzip_used; /* of the piece that libcurl will give again */
	const char *problem;
	char error[HTTP_CURL_ERROR_MAX];
};

struct http_curl {
	struct http base;
	struct loop *loop;
	char *user_agent;
	struct http_curl_era *eras;	     /* the newest first; never NULL */
	struct http_curl_request **requests; /* in the order they were started */
	size_t request_count, request_size;
	http_id last_id;
	bool settle_later; /* put off to the end of the turn */
	bool settling;
	bool again;
};

/* --- http_curl.c ------------------------------------------------------------ */

/* Do what was asked for, and tell what is over. */
void http_curl_settle(struct http_curl *h);
/* It is over with a CURLcode: end() is told. http_curl_settle() frees it, and has to come after. */
void http_curl_finish(struct http_curl_request *r, int code);

/* --- http_curl_setup.c -------------------------------------------------------- */

/* Sets r->refused and r->problem where it cannot be made. */
void http_curl_set_up(struct http_curl_request *r, const struct http_request *q);
void http_curl_free_headers(struct http_curl_request *r); /* overwritten first */

/* --- http_curl_answer.c ------------------------------------------------------- */

/* libcurl's callbacks; arg is the request. */
size_t http_curl_on_header(char *data, size_t size, size_t count, void *arg);
size_t http_curl_on_data(char *data, size_t size, size_t count, void *arg);
enum http_result http_curl_result(const struct http_curl_request *r, int code, struct err *err);

/* --- http_curl_multi.c -------------------------------------------------------- */

/* Puts a new era in front. NULL trust: the system's. */
MUST_CHECK int http_curl_era_begin(struct http_curl *h, const struct http_trust *t);
void http_curl_era_free(struct http_curl_era *e); /* it has no requests */
/* Frees those that have none, but for the newest. */
void http_curl_sweep_eras(struct http_curl *h);
MUST_CHECK bool http_curl_era_add(struct http_curl_request *r);
void http_curl_era_remove(struct http_curl_request *r);
/* Goes on with one that was held. */
void http_curl_era_resume(struct http_curl_request *r);
/* Tells what ended meanwhile. */
void http_curl_era_drain(struct http_curl_era *e);
/* Of the path through which libcurl reads a file in memory. */
#define HTTP_CURL_FD_PATH_MAX 32
const char *http_curl_fd_path(int fd, char out[static HTTP_CURL_FD_PATH_MAX]);

#endif
