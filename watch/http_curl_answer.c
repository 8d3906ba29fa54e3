/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers: headers, bytes, and what the end of one means. Called by libcurl, so nothing here calls it. */
#include "watch/http_curl_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

/* --- the head ------------------------------------------------------------------ */

static bool has_name(const char *line, const char *name, const char **value)
{
	size_t n = strlen(name);

	if (strncasecmp(line, name, n) != 0 || line[n] != ':')
		return false;
	*value = line + n + 1;
	*value += strspn(*value, " \t");
	return true;
}

static int32_t seconds_of(const char *s)
{
	int32_t v = 0;

	if (*s < '0' || *s > '9')
		return -1; /* a date: nobody who sends one is waited for by it */
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (*s - '0');
		if (v >= HTTP_CURL_RETRY_MAX_S)
			return HTTP_CURL_RETRY_MAX_S;
	}
	return *s == '\0' ? v : -1;
}

/* Of: 299 - "v1 Endpoints is deprecated", the words in quotes; all of it where it is no such thing. */
static void take_warning(const char *s, char *out, size_t size)
{
	const char *open = strchr(s, '"');
	size_t n = 0;

	if (!open) {
		snprintf(out, size, "%s", s);
		return;
	}
	for (s = open + 1; *s && *s != '"' && n + 1 < size; s++) {
		if (*s == '\\' && s[1])
			s++;
		out[n++] = *s;
	}
	out[n] = '\0';
}

static void take_field(struct http_curl_request *r, const char *line)
{
	const char *v;

	if (has_name(line, "Retry-After", &v))
		r->retry_after_s = seconds_of(v);
	else if (has_name(line, "Content-Type", &v))
		snprintf(r->content_type, sizeof(r->content_type), "%s", v);
	else if (has_name(line, "Warning", &v) && !r->warning[0])
		take_warning(v, r->warning, sizeof(r->warning));
	else if (has_name(line, "Content-Encoding", &v) && strcasecmp(v, "identity") != 0)
		r->encoding = strcasecmp(v, "gzip") == 0 ? HTTP_CURL_GZIP : HTTP_CURL_OTHER;
}

/* "HTTP/1.1 200 OK": another head; what was in an interim one does not count. */
static void begin_head(struct http_curl_request *r, const char *line)
{
	const char *code = strchr(line, ' ');

	r->code = 0;
	if (code && strspn(code + 1, "0123456789") == 3)
		r->code = (code[1] - '0') * 100 + (code[2] - '0') * 10 + (code[3] - '0');
	r->retry_after_s = -1;
	r->content_type[0] = r->warning[0] = '\0';
	r->encoding = HTTP_CURL_PLAIN;
}

/* False: no such answer. */
static bool end_head(struct http_curl_request *r)
{
	const struct http_status s = {
		.status = r->code,
		.retry_after_s = r->retry_after_s,
		.content_type = r->content_type,
		.server_warning = r->warning,
	};

	if (r->code >= 100 && r->code < 200 && r->code != 101)
		return true;
	if (r->code < 200 || r->code > 599) {
		r->problem = "a status that is none";
		return false;
	}
	r->told_status = true;
	if (r->status)
		r->status(r->arg, &s);
	if (r->encoding == HTTP_CURL_GZIP)
		r->gunzip = gunzip_new();
	if (r->encoding == HTTP_CURL_OTHER)
		r->problem = "an encoding that was not asked for";
	return !r->problem;
}

size_t http_curl_on_header(char *data, size_t size, size_t count, void *arg)
{
	struct http_curl_request *r = arg;
	char line[1024] = ""; /* what is longer is none that we look at, or cut */
	size_t len = size * count, n = len < sizeof(line) ? len : sizeof(line) - 1;

	if (r->dead)
		return 0;
	r->active_at = loop_now(r->http->loop);
	if (r->told_status)
		return len; /* a trailer */
	for (size_t i = 0; i < n; i++)
		line[i] = data[i] == '\0' ? '?' : data[i];
	while (n && strchr("\r\n\t ", line[n - 1]))
		n--;
	line[n] = '\0';
	if (n == 0)
		return end_head(r) ? len : 0;
	if (strncmp(line, "HTTP/", 5) == 0)
		begin_head(r, line);
	else
		take_field(r, line);
	return len;
}

/* --- the body ------------------------------------------------------------------ */

/* False: enough. */
static bool deliver(struct http_curl_request *r, const void *data, size_t len)
{
	if (r->dead)
		return false;
	if (!r->data(r->arg, data, len))
		r->stopped = true;
	return !r->stopped && !r->dead;
}

static size_t deliver_plain(struct http_curl_request *r, const char *data, size_t len)
{
	const void *out;
	size_t out_len;
	enum gunzip_step step;

	gunzip_feed(r->gunzip, data + r->gunzip_used, len - r->gunzip_used);
	while ((step = gunzip_step(r->gunzip, &out, &out_len)) == GUNZIP_OUTPUT) {
		if (!deliver(r, out, out_len))
			return 0;
		if (!r->paused)
			continue;
		r->gunzip_used = len - gunzip_left(r->gunzip);
		r->held = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (step == GUNZIP_BAD) {
		r->problem = "the gzip stream is damaged";
		return 0;
	}
	r->gunzip_used = 0;
	return len;
}

size_t http_curl_on_data(char *data, size_t size, size_t count, void *arg)
{
	struct http_curl_request *r = arg;
	size_t len = size * count;

	if (r->dead)
		return 0;
	r->active_at = loop_now(r->http->loop);
	if (r->paused) {
		r->held = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (r->gunzip)
		return deliver_plain(r, data, len);
	return deliver(r, data, len) ? len : 0;
}

/* --- the end -------------------------------------------------------------------- */

/*
 * TLS failed because the connection did, and not because of who is who. The words are GnuTLS's and
 * libcurl's; of a request that was tried twice they are those of the first time.
 */
static bool is_broken_off(const char *error)
{
	static const char *const signs[] = { "non-properly terminated",
					     "pull function",
					     "push function",
					     "recv error",
					     "send error",
					     "Recv failure",
					     "Send failure" };

	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		if (strstr(error, signs[i]))
			return true;
	}
	return false;
}

/* With TLS 1.3 a server says only after the handshake that it does not take our certificate. */
static bool is_alert(const struct http_curl_request *r)
{
	return !r->told_status && strstr(r->error, "alert");
}

static enum http_result result_of_timeout(const struct http_curl_request *r)
{
	curl_off_t ready = 0;

	if (curl_easy_getinfo(r->easy, CURLINFO_PRETRANSFER_TIME_T, &ready) != CURLE_OK)
		return HTTP_IDLE;
	return ready || r->problem ? HTTP_IDLE : HTTP_REFUSED;
}

static enum http_result result_of_code(const struct http_curl_request *r, CURLcode code)
{
	/* NOLINTNEXTLINE(clang-diagnostic-switch-enum): the rest is many, and one to us. */
	switch ((int)code) {
	case CURLE_OK:
		return r->gunzip && !gunzip_is_whole(r->gunzip) ? HTTP_CUT : HTTP_DONE;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
		return HTTP_REFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return result_of_timeout(r);
	case CURLE_SSL_CONNECT_ERROR:
		return is_broken_off(r->error) ? HTTP_CUT : HTTP_UNTRUSTED;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT:
		return HTTP_UNTRUSTED;
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return is_alert(r) ? HTTP_UNTRUSTED : HTTP_CUT;
	case CURLE_FAILED_INIT:
	case CURLE_URL_MALFORMAT:
	case CURLE_NOT_BUILT_IN:
	case CURLE_OUT_OF_MEMORY:
	case CURLE_BAD_FUNCTION_ARGUMENT:
	case CURLE_UNKNOWN_OPTION:
		return HTTP_LOCAL;
	default:
		return HTTP_CUT;
	}
}

static const char *problem_of(const struct http_curl_request *r, CURLcode code)
{
	if (r->problem)
		return r->problem;
	if (code == CURLE_OK)
		return "the gzip stream ends before its end";
	return r->error[0] ? r->error : curl_easy_strerror(code);
}

enum http_result http_curl_result(const struct http_curl_request *r, int code, struct err *err)
{
	static const int errors[] = {
		[HTTP_DONE] = 0,
		[HTTP_CUT] = -EPIPE,
		[HTTP_REFUSED] = -ECONNREFUSED,
		[HTTP_UNTRUSTED] = -EKEYREJECTED,
		[HTTP_IDLE] = -ETIMEDOUT,
		[HTTP_STOPPED] = -ECANCELED,
		[HTTP_LOCAL] = -EIO,
	};
	enum http_result result = r->stopped	   ? HTTP_STOPPED
				  : r->local_error ? HTTP_LOCAL
						   : result_of_code(r, (CURLcode)code);

	if (result == HTTP_STOPPED)
		err_set(err, errors[result], "%s: enough", r->server);
	else if (result == HTTP_LOCAL && r->local_error && !r->problem)
		err_set(err, -r->local_error, "%s: %s", r->server, strerror(r->local_error));
	else if (result != HTTP_DONE)
		err_set(err, errors[result], "%s: %s", r->server, problem_of(r, (CURLcode)code));
	/* Some of it may be a stranger's. */
	for (char *p = err->text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	return result;
}
