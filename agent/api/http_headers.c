/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/http_headers.h"

#include <ctype.h>
#include <microhttpd.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/api/request_id.h"
#include "agent/api/schema.h"

/* --- the request ----------------------------------------------------------------- */

void http_headers_done(struct http_headers *h)
{
	buf_done(&h->accept);
	buf_done(&h->accept_language);
}

static void append_value(struct buf *all, const char *value)
{
	buf_str(all, all->len ? "," : "");
	buf_str(all, value);
}

/* Headers that are taken as they are; what stands twice, as it stands last. */
static const struct taken {
	const char *name;
	size_t at;
	bool once; /* twice is no good request */
} takens[] = {
	{ REST_LAST_EVENT_ID_HEADER, offsetof(struct rest_request, last_event_id), false },
	{ MHD_HTTP_HEADER_ACCEPT_ENCODING, offsetof(struct rest_request, accept_encoding), false },
	{ MHD_HTTP_HEADER_ORIGIN, offsetof(struct rest_request, origin), true },
	{ "Sec-Fetch-Site", offsetof(struct rest_request, fetch_site), true },
	{ MHD_HTTP_HEADER_CONTENT_TYPE, offsetof(struct rest_request, content_type), true },
	{ MHD_HTTP_HEADER_IF_MATCH, offsetof(struct rest_request, if_match), true },
	{ MHD_HTTP_HEADER_IF_NONE_MATCH, offsetof(struct rest_request, if_none_match), true },
	{ REST_IDEMPOTENCY_HEADER, offsetof(struct rest_request, idempotency_key), true },
	{ MHD_HTTP_HEADER_USER_AGENT, offsetof(struct rest_request, user_agent), true },
};

static void take_plain(struct http_headers *h, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_LEN(takens); i++) {
		const char **to = (const char **)((char *)h->request + takens[i].at);

		if (strcasecmp(name, takens[i].name) != 0)
			continue;
		h->twice |= takens[i].once && *to;
		*to = value;
	}
}

/* A name that is a token, as RFC 9110 has it, and a value without control characters: others may
 * be read in two ways, as "Transfer-Encoding : chunked" is. */
static bool is_plain(const char *name, const char *value)
{
	static const char mark[] = "!#$%&'*+-.^_`|~";
	bool good = *name;

	for (; *name && good; name++)
		good = isalnum((unsigned char)*name) || strchr(mark, *name);
	for (; *value && good; value++)
		good = !iscntrl((unsigned char)*value) || *value == '\t';
	return good;
}

static enum MHD_Result take_header(void *cls, enum MHD_ValueKind kind, const char *name,
				   const char *value)
{
	struct http_headers *h = cls;

	(void)kind;
	value = value ? value : "";
	h->odd |= !is_plain(name, value);
	h->request->header_bytes += strlen(name) + strlen(value) + strlen(": \r\n");
	if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0) {
		h->hosts++;
		h->request->host = value;
	} else if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
		h->lengths++;
		h->request->has_body |= strspn(value, "0") != strlen(value);
		h->request->length = strtoull(value, NULL, 10);
	} else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		h->encodings++;
		h->request->has_body = true;
	} else if (strcasecmp(name, MHD_HTTP_HEADER_AUTHORIZATION) == 0) {
		h->twice |= h->authorization != NULL;
		h->authorization = value;
	} else if (strcasecmp(name, MHD_HTTP_HEADER_ACCEPT) == 0) {
		append_value(&h->accept, value);
	} else if (strcasecmp(name, MHD_HTTP_HEADER_ACCEPT_LANGUAGE) == 0) {
		append_value(&h->accept_language, value);
	} else if (strcasecmp(name, REST_REQUEST_ID_HEADER) == 0 && request_id_is_good(value)) {
		h->request->request_id = value;
	} else {
		take_plain(h, name, value);
	}
	return MHD_YES;
}

void http_headers_read(struct MHD_Connection *c, const char *version, struct http_headers *h)
{
	bool needs_host = strcmp(version, MHD_HTTP_VERSION_1_0) != 0;

	MHD_get_connection_values(c, MHD_HEADER_KIND, take_header, h);
	if (h->accept.len)
		h->request->accept = buf_cstr(&h->accept);
	if (h->accept_language.len)
		h->request->accept_language = buf_cstr(&h->accept_language);
	h->request->ambiguous = h->hosts > 1 || (needs_host && !h->hosts) || h->lengths > 1 ||
				h->encodings > 1 || (h->lengths && h->encodings) || h->twice ||
				h->odd;
}

static enum MHD_Result wipe_secret(void *cls, enum MHD_ValueKind kind, const char *name,
				   const char *value)
{
	(void)cls;
	(void)kind;
	if (value && strcasecmp(name, MHD_HTTP_HEADER_AUTHORIZATION) == 0)
		explicit_bzero((char *)(uintptr_t)value, strlen(value));
	return MHD_YES;
}

void http_headers_wipe(struct MHD_Connection *c)
{
	MHD_get_connection_values(c, MHD_HEADER_KIND, wipe_secret, NULL);
}

/* --- the answer ------------------------------------------------------------------ */

/*
 * What a browser is told of every answer: nothing inside it is code, but for our own files; nobody
 * puts it into a page of theirs, nor learns from where ours went on.
 */
static enum MHD_Result add_guards(struct MHD_Response *m)
{
	static const char *const guards[][2] = {
		{ "X-Content-Type-Options", "nosniff" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "Content-Security-Policy",
		  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
		  "connect-src 'self'; base-uri 'none'; form-action 'none'; "
		  "frame-ancestors 'none'; require-trusted-types-for 'script'" },
	};
	enum MHD_Result ok = MHD_YES;

	for (size_t i = 0; i < ARRAY_LEN(guards); i++)
		ok &= MHD_add_response_header(m, guards[i][0], guards[i][1]);
	return ok;
}

/* "no-cache" is: keep it, and ask whether it still holds. */
static enum MHD_Result add_caching(struct MHD_Response *m, const struct rest_reply *reply)
{
	enum MHD_Result ok = MHD_YES;

	if (!reply->keep) {
		ok &= MHD_add_response_header(m, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
		ok &= MHD_add_response_header(m, MHD_HTTP_HEADER_VARY, "Accept, Accept-Language");
		return ok;
	}
	ok &= MHD_add_response_header(m, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
	ok &= MHD_add_response_header(m, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
	if (reply->gzip)
		ok &= MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	return ok;
}

bool http_headers_add(struct MHD_Response *m, const char *request_id, struct rest_reply *reply)
{
	enum MHD_Result ok = add_guards(m) & add_caching(m, reply);

	if (reply->type)
		ok &= MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
	ok &= MHD_add_response_header(m, REST_REQUEST_ID_HEADER, request_id);
	if (reply->type && reply->status == 200 && strcmp(reply->type, REST_SSE) == 0)
		ok &= MHD_add_response_header(m, "X-Accel-Buffering", "no");
	if (reply->language)
		ok &= MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_LANGUAGE, reply->language);
	if (reply->link.len)
		ok &= MHD_add_response_header(m, "Link", buf_cstr(&reply->link));
	if (reply->location.len)
		ok &= MHD_add_response_header(m, MHD_HTTP_HEADER_LOCATION,
					      buf_cstr(&reply->location));
	if (reply->allow)
		ok &= MHD_add_response_header(m, MHD_HTTP_HEADER_ALLOW,
					      reply->methods ? reply->methods : "GET, HEAD");
	if (reply->status == 401)
		ok &= MHD_add_response_header(m, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
	if (*reply->etag)
		ok &= MHD_add_response_header(m, MHD_HTTP_HEADER_ETAG, reply->etag);
	if (reply->unchanged)
		ok &= MHD_add_response_header(m, REST_CHANGED_HEADER, "false");
	if (reply->retry)
		ok &= MHD_add_response_header(m, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	if (reply->close)
		ok &= MHD_add_response_header(m, MHD_HTTP_HEADER_CONNECTION, "close");
	return ok == MHD_YES;
}
