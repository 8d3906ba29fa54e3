/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libcurl is told of a request, and what it may do for it. */
#include "watch/http_curl_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "agent/base/buf.h"
#include "agent/base/xalloc.h"

#define KEEPALIVE_IDLE_S     30L
#define KEEPALIVE_INTERVAL_S 10L
#define UNACKNOWLEDGED_MS    30000 /* data on the way for longer ends the connection */

static bool is_printable(const char *s, size_t max)
{
	size_t n = strnlen(s, max + 1);

	if (n > max)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] <= ' ' || s[i] >= 0x7f)
			return false;
	}
	return true;
}

/* Of https://server, to be reached under another name: the name takes the host's place. */
static char *url_by_name(struct http_curl_request *r, const char *server, const char *name)
{
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL, *url = NULL, *out = NULL;
	CLEANUP(xfree_ptr) char *in_brackets = xasprintf(strchr(name, ':') ? "[%s]" : "%s", name);

	if (u && !curl_url_set(u, CURLUPART_URL, server, 0) &&
	    !curl_url_get(u, CURLUPART_HOST, &host, 0) &&
	    !curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
	    !curl_url_set(u, CURLUPART_HOST, in_brackets, 0) &&
	    !curl_url_get(u, CURLUPART_URL, &url, 0)) {
		CLEANUP(xfree_ptr) char *to = xasprintf("::%s:%s", host, port);

		r->connect_to = curl_slist_append(NULL, to);
		out = xstrdup(url);
	}
	curl_free(host);
	curl_free(port);
	curl_free(url);
	curl_url_cleanup(u);
	return out;
}

static bool set_url(struct http_curl_request *r, const struct http_request *q)
{
	bool tls = strncasecmp(q->server, "https://", 8) == 0;
	const char *name = r->era->server_name;
	CLEANUP(xfree_ptr) char *server = NULL;
	CLEANUP(xfree_ptr) char *url = NULL;
	size_t n;

	if ((!tls && strncasecmp(q->server, "http://", 7) != 0) ||
	    !is_printable(q->server, HTTP_CURL_SERVER_MAX) || q->path[0] != '/' ||
	    !is_printable(q->path, HTTP_CURL_PATH_MAX))
		return false;
	server = name ? url_by_name(r, q->server, name) : xstrdup(q->server);
	if (!server)
		return false;
	n = strlen(server);
	if (n && server[n - 1] == '/')
		server[n - 1] = '\0';
	url = xasprintf("%s%s", server, q->path);
	/* TLS tells early whether a connection can be shared; without it that is not waited for. */
	return curl_easy_setopt(r->easy, CURLOPT_PIPEWAIT, tls ? 1L : 0L) == CURLE_OK &&
	       curl_easy_setopt(r->easy, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(r->easy, CURLOPT_CONNECT_TO, r->connect_to) == CURLE_OK;
}

static void add_header(struct http_curl_request *r, const char *name, const char *value)
{
	struct buf line = { 0 };
	struct curl_slist *list;

	buf_printf(&line, "%s: %s", name, value);
	list = curl_slist_append(r->headers, buf_cstr(&line));
	r->refused |= !list;
	if (list)
		r->headers = list;
	explicit_bzero(line.data, line.len);
	buf_done(&line);
}

static bool is_header_value(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	}
	return true;
}

static void set_headers(struct http_curl_request *r, const struct http_request *q)
{
	const struct {
		const char *name, *value;
	} headers[] = {
		{ "Accept", q->accept ? q->accept : "application/json" },
		{ "Content-Type", q->body ? q->content_type : NULL },
		{ "Accept-Encoding", q->gzip ? "gzip" : NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		if (headers[i].value && !is_header_value(headers[i].value))
			r->refused = true;
		else if (headers[i].value)
			add_header(r, headers[i].name, headers[i].value);
	}
	add_header(r, "Expect", ""); /* none: no waiting before a body */
	if (!q->token)
		return;
	CLEANUP(buf_done) struct buf bearer = { 0 };

	buf_printf(&bearer, "Bearer %s", q->token);
	if (is_header_value(buf_cstr(&bearer)))
		add_header(r, "Authorization", buf_cstr(&bearer));
	else
		r->refused = true;
	explicit_bzero(bearer.data, bearer.len);
}

static unsigned set_method(CURL *e, struct http_curl_request *r, const struct http_request *q)
{
	unsigned bad = 0;

	if (q->body) {
		r->body_len = q->body_len;
		r->body = xmalloc(q->body_len + 1);
		memcpy(r->body, q->body, q->body_len);
		bad |= curl_easy_setopt(e, CURLOPT_POST, 1L);
		bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len);
		bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body);
	} else if (strcmp(q->method, "HEAD") == 0) {
		bad |= curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	}
	if (!is_printable(q->method, 16) || !q->method[0])
		return CURLE_BAD_FUNCTION_ARGUMENT;
	if (q->body || (strcmp(q->method, "HEAD") != 0 && strcmp(q->method, "GET") != 0))
		bad |= curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, q->method);
	return bad;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct http_curl_request *r = arg;
	int fd = socket(a->family, a->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->protocol);
	const unsigned user_timeout = UNACKNOWLEDGED_MS;

	(void)purpose;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			r->local_error = errno;
		return CURL_SOCKET_BAD;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof(user_timeout));
	return fd;
}

static unsigned set_connection(CURL *e, struct http_curl_request *r)
{
	unsigned bad = 0;

	bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	bad |= curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	bad |= curl_easy_setopt(e, CURLOPT_PROXY, "");
	bad |= curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	bad |= curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	/* Without this, giving up on a name waits for the thread that resolves it. */
	bad |= curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CURL_CONNECT_MS);
	bad |= curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	bad |= curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	bad |= curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	bad |= curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, r);
	return bad;
}

static unsigned set_trust(CURL *e, const struct http_curl_era *era)
{
	char path[HTTP_CURL_FD_PATH_MAX];
	unsigned bad = 0;

	bad |= curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	bad |= curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, era->insecure ? 0L : 1L);
	bad |= curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, era->insecure ? 0L : 2L);
	if (era->ca_fd >= 0)
		bad |= curl_easy_setopt(e, CURLOPT_CAINFO, http_curl_fd_path(era->ca_fd, path));
	if (era->ca_fd >= 0) /* a folder of the system's would be trusted as well */
		bad |= curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	if (era->cert_fd >= 0)
		bad |= curl_easy_setopt(e, CURLOPT_SSLCERT, http_curl_fd_path(era->cert_fd, path));
	if (era->key_fd >= 0)
		bad |= curl_easy_setopt(e, CURLOPT_SSLKEY, http_curl_fd_path(era->key_fd, path));
	return bad;
}

static unsigned set_answer(CURL *e, struct http_curl_request *r)
{
	unsigned bad = 0;

	bad |= curl_easy_setopt(e, CURLOPT_PRIVATE, r);
	bad |= curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->error);
	bad |= curl_easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	bad |= curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, http_curl_on_header);
	bad |= curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
	bad |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, http_curl_on_data);
	bad |= curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
	return bad;
}

void http_curl_set_up(struct http_curl_request *r, const struct http_request *q)
{
	unsigned bad = 0;

	set_headers(r, q);
	bad |= curl_easy_setopt(r->easy, CURLOPT_USERAGENT, r->http->user_agent);
	bad |= set_connection(r->easy, r);
	bad |= set_trust(r->easy, r->era);
	bad |= set_answer(r->easy, r);
	bad |= set_method(r->easy, r, q);
	bad |= curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
	if (!set_url(r, q))
		r->problem = "no such URL";
	else if (bad || r->refused)
		r->problem = "no request that can be made";
	r->refused = r->problem != NULL;
}

void http_curl_free_headers(struct http_curl_request *r)
{
	struct curl_slist *list = r->headers;

	for (struct curl_slist *i = list; i; i = i->next)
		explicit_bzero(i->data, strlen(i->data)); /* one of them is the token */
	curl_slist_free_all(list);
	r->headers = NULL;
}
