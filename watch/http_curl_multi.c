/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcurl's multi interface on the loop, and the trust that its connections
 * are made under.
 *
 * A changed trust is a new multi handle: nothing then can put a request on a
 * connection that was made under the old one, and what is under way goes on.
 */
#include "watch/http_curl_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <curl/curl.h>

#include "agent/base/xalloc.h"

/* A descriptor of libcurl's, followed. */
struct http_curl_socket {
	struct http_curl_socket *next;
	struct http_curl_era *era;
	int fd;
	loop_fd_id id;
};

/* --- files in memory ------------------------------------------------------------ */

const char *http_curl_fd_path(int fd, char out[static HTTP_CURL_FD_PATH_MAX])
{
	snprintf(out, HTTP_CURL_FD_PATH_MAX, "/proc/self/fd/%d", fd);
	return out;
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* *out is -1 where there is nothing to hold. */
static int memory_file(const char *data, size_t len, int *out)
{
	char path[HTTP_CURL_FD_PATH_MAX];
	int fd, r;

	*out = -1;
	if (!data)
		return 0;
	fd = memfd_create("parasaus-tls", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, len);
	/* Told now, and not by each connection: no /proc, no TLS. */
	if (r == 0 && access(http_curl_fd_path(fd, path), R_OK) < 0)
		r = -errno;
	if (r < 0)
		close(fd);
	else
		*out = fd;
	return r;
}

static void close_memory_file(int fd)
{
	if (fd >= 0)
		close(fd); /* the last reference: its pages go with it */
}

/* --- sockets and time ------------------------------------------------------------ */

static void act(struct http_curl_era *e, curl_socket_t fd, int what)
{
	struct http_curl *h = e->http;
	int running;
	CURLMcode m = curl_multi_socket_action(e->multi, fd, what, &running);

	assert(m == CURLM_OK || m == CURLM_BAD_SOCKET);
	http_curl_settle(h);
}

static void on_ready(void *arg, uint32_t events)
{
	struct http_curl_socket *s = arg;
	int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		   (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		   (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

	act(s->era, s->fd, what);
}

static void on_timer(void *arg)
{
	struct http_curl_era *e = arg;

	e->timer = 0;
	act(e, CURL_SOCKET_TIMEOUT, 0);
}

static int want_timer(CURLM *multi, long ms, void *arg)
{
	struct http_curl_era *e = arg;

	(void)multi;
	loop_cancel(e->http->loop, e->timer);
	e->timer = ms < 0 ? 0 : loop_timer_in(e->http->loop, ms, on_timer, e);
	return 0;
}

static void socket_free(struct http_curl_socket *s)
{
	struct http_curl_socket **at = &s->era->sockets;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	loop_del_fd(s->era->http->loop, s->id);
	free(s);
}

static int follow(struct http_curl_era *e, int fd, uint32_t events, struct http_curl_socket *s)
{
	int r;

	if (s)
		return loop_mod_fd(e->http->loop, s->id, events);
	s = xcalloc(1, sizeof(*s));
	s->era = e;
	s->fd = fd;
	r = loop_add_fd(e->http->loop, fd, events, on_ready, s, &s->id);
	if (r < 0) {
		free(s);
		return r;
	}
	s->next = e->sockets;
	e->sockets = s;
	curl_multi_assign(e->multi, fd, s);
	return 0;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
	struct http_curl_era *e = arg;
	struct http_curl_socket *s = socket;
	struct http_curl_request *r = NULL;
	uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0) |
			  (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	int error;

	if (what == CURL_POLL_REMOVE) {
		if (s)
			socket_free(s);
		return 0;
	}
	error = follow(e, fd, events, s);
	/* A failure told to libcurl would end all of them. */
	if (error < 0 && curl_easy_getinfo(easy, CURLINFO_PRIVATE, &r) == CURLE_OK && r)
		r->local_error = -error;
	return 0;
}

/* --- eras ------------------------------------------------------------------------- */

static CURLM *new_multi(struct http_curl_era *e)
{
	CURLM *m = curl_multi_init();
	unsigned bad = 0;

	if (!m)
		abort(); /* no memory */
	bad |= curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, want_socket);
	bad |= curl_multi_setopt(m, CURLMOPT_SOCKETDATA, e);
	bad |= curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, want_timer);
	bad |= curl_multi_setopt(m, CURLMOPT_TIMERDATA, e);
	bad |= curl_multi_setopt(m, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	bad |= curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)HTTP_CURL_CONNECTIONS);
	assert(bad == 0);
	return m;
}

int http_curl_era_begin(struct http_curl *h, const struct http_trust *t)
{
	struct http_curl_era *e = xcalloc(1, sizeof(*e));
	int r;

	e->http = h;
	e->cert_fd = e->key_fd = -1;
	r = memory_file(t->ca_pem, t->ca_len, &e->ca_fd);
	if (r == 0)
		r = memory_file(t->cert_pem, t->cert_len, &e->cert_fd);
	if (r == 0)
		r = memory_file(t->key_pem, t->key_len, &e->key_fd);
	if (r < 0) {
		http_curl_era_free(e);
		return r;
	}
	e->server_name = t->server_name ? xstrdup(t->server_name) : NULL;
	e->insecure = t->insecure;
	e->multi = new_multi(e);
	e->next = h->eras;
	h->eras = e;
	return 0;
}

void http_curl_era_free(struct http_curl_era *e)
{
	assert(e->requests == 0);
	if (e->multi)
		curl_multi_cleanup(e->multi);
	while (e->sockets) { /* libcurl has told of all by now, or nearly */
		struct http_curl_socket *s = e->sockets;

		e->sockets = s->next;
		loop_del_fd(e->http->loop, s->id);
		free(s);
	}
	loop_cancel(e->http->loop, e->timer);
	close_memory_file(e->ca_fd);
	close_memory_file(e->cert_fd);
	close_memory_file(e->key_fd);
	free(e->server_name);
	free(e);
}

void http_curl_sweep_eras(struct http_curl *h)
{
	struct http_curl_era **at = &h->eras->next;

	while (*at) {
		struct http_curl_era *e = *at;

		if (e->requests) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		http_curl_era_free(e);
	}
}

bool http_curl_era_add(struct http_curl_request *r)
{
	return curl_multi_add_handle(r->era->multi, r->easy) == CURLM_OK;
}

void http_curl_era_remove(struct http_curl_request *r)
{
	curl_multi_remove_handle(r->era->multi, r->easy);
}

void http_curl_era_resume(struct http_curl_request *r)
{
	/* It gives what it kept at once, and may be told to wait again. */
	CURLcode code = curl_easy_pause(r->easy, CURLPAUSE_CONT);

	if (code != CURLE_OK)
		http_curl_finish(r, code);
}

void http_curl_era_drain(struct http_curl_era *e)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(e->multi, &left))) {
		struct http_curl_request *r = NULL;

		if (m->msg == CURLMSG_DONE &&
		    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &r) == CURLE_OK && r)
			http_curl_finish(r, m->data.result);
	}
}
