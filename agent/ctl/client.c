/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcurl behind client.h. The only file that knows it.
 */
#include "agent/ctl/client.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/api/schema.h"
#include "agent/base/file.h"
#include "agent/base/xalloc.h"

#define IDLE_S		10L
#define WRITE_IDLE_S	300L /* many pools, or a whole store, on a slow disk */
#define DIGEST_BYTES	32
#define FINGERPRINT_MAX (3 * DIGEST_BYTES)
#define TOKEN_FILE_MAX	((size_t)4096)
#define TOKEN_VARIABLE	"PARASAUS_TOKEN"
#define PEM_MAX		((size_t)256 * 1024)
#define CONNECT_S	5L
#define WATCH_IDLE_S	45L		   /* three heartbeats of the agent */
#define ANSWER_MAX	((size_t)64 << 20) /* of one object, or one line of a list */

struct client {
	CURL *curl;
	struct client_place place;
	const char *where;	    /* for messages */
	struct buf token;	    /* "Authorization: ..."; empty: not read yet, or none */
	char seen[FINGERPRINT_MAX]; /* of the certificate that was not the one */
	bool pair_is_good;	    /* our own certificate and its key */
};

struct client *client_new(const struct client_place *place)
{
	struct client *c = xcalloc(1, sizeof(*c));

	c->place = *place;
	c->where = place->server ? place->server : place->socket;
	c->curl = curl_easy_init();
	if (!c->curl)
		abort(); /* out of memory */
	return c;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	curl_easy_cleanup(c->curl);
	buf_wipe(&c->token);
	free(c);
}

/* --- where it is ------------------------------------------------------------------- */

static bool is_digest(const char *s)
{
	size_t digits = 0;

	for (; *s; s++) {
		if (isxdigit((unsigned char)*s))
			digits++;
		else if (*s != ':')
			return false;
	}
	return digits == 2 * (size_t)DIGEST_BYTES;
}

int client_place_check(const struct client_place *p, struct err *err)
{
	static const char scheme[] = "https://";
	const char *host = p->server;

	if (!p->server && (p->cacert || p->fingerprint))
		return err_set(err, -EINVAL, "--%s is of a --server, and there is none",
			       p->cacert ? "cacert" : "fingerprint");
	if (!p->server && (p->cert || p->key))
		return err_set(err, -EINVAL, "--%s is of a --server, and there is none",
			       p->cert ? "cert" : "key");
	if (!p->cert != !p->key)
		return err_set(err, -EINVAL, "--cert and --key go together: name the %s, too",
			       p->cert ? "certificate's key" : "key's certificate");
	if (p->cacert && p->fingerprint)
		return err_set(err, -EINVAL, "--cacert and --fingerprint do not go together");
	if (p->fingerprint && !is_digest(p->fingerprint))
		return err_set(err, -EINVAL, "--fingerprint: '%.100s' is no SHA-256 in hexadecimal",
			       p->fingerprint);
	if (!p->server)
		return 0;
	if (strncmp(host, scheme, strlen(scheme)) == 0)
		host += strlen(scheme);
	else
		host = "";
	if (!*host || host[strcspn(host, "/?#@ ")])
		return err_set(err, -EINVAL,
			       "--server: '%.100s' is not https://HOST:PORT, with nothing behind",
			       p->server);
	return 0;
}

/* Into the header that shows it. */
static int read_token(struct client *c, struct err *err)
{
	CLEANUP(buf_wipe) struct buf text = { 0 };
	const char *s;
	size_t len;
	int r;

	if (!c->place.token_file || c->token.len)
		return 0;
	buf_reserve(&text, 3 * TOKEN_FILE_MAX + 1);
	r = file_read(c->place.token_file, TOKEN_FILE_MAX, &text, err);
	if (r < 0)
		return err_wrap(err, r, "--token-file");
	s = buf_cstr(&text);
	s += strspn(s, " \t\r\n");
	len = strcspn(s, " \t\r\n");
	if (!len || s[len + strspn(s + len, " \t\r\n")])
		return err_set(err, -EINVAL, "--token-file: %s holds not one token",
			       c->place.token_file);
	buf_reserve(&c->token, TOKEN_FILE_MAX + 32);
	buf_str(&c->token, "Authorization: Bearer ");
	buf_put(&c->token, s, len);
	return 0;
}

/* The file of an option; for a key, what was read is to be wiped. */
static int read_pem(const char *option, const char *file, struct buf *out, struct err *err)
{
	int r;

	buf_reserve(out, 2 * PEM_MAX + 1); /* so that a key leaves nothing behind by growing */
	r = file_read(file, PEM_MAX, out, err);
	return r < 0 ? err_wrap(err, r, "--%s", option) : 0;
}

/* The library that connects would say of all of it that there is "a problem". */
static int judge_pair(const struct client *c, const struct buf *cert, const struct buf *key,
		      struct err *err)
{
	const gnutls_datum_t cert_text = { cert->data, (unsigned)cert->len };
	const gnutls_datum_t key_text = { key->data, (unsigned)key->len };
	gnutls_certificate_credentials_t pair = NULL;
	gnutls_x509_privkey_t alone = NULL;
	gnutls_x509_crt_t *crts = NULL;
	unsigned count = 0;
	int r = 0;

	if (gnutls_x509_crt_list_import2(&crts, &count, &cert_text, GNUTLS_X509_FMT_PEM, 0) < 0)
		r = err_set(err, -EINVAL, "--cert: %s holds no certificate in PEM", c->place.cert);
	else if (gnutls_x509_privkey_init(&alone) < 0 ||
		 gnutls_x509_privkey_import2(alone, &key_text, GNUTLS_X509_FMT_PEM, NULL, 0) < 0)
		r = err_set(err, -EINVAL,
			    "--key: %s holds no private key in PEM without a password",
			    c->place.key);
	else if (gnutls_certificate_allocate_credentials(&pair) < 0 ||
		 gnutls_certificate_set_x509_key_mem(pair, &cert_text, &key_text,
						     GNUTLS_X509_FMT_PEM) < 0)
		r = err_set(err, -EINVAL, "--key: %s is not the key of the certificate in %s",
			    c->place.key, c->place.cert);
	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(crts[i]);
	gnutls_free(crts);
	if (alone)
		gnutls_x509_privkey_deinit(alone);
	if (pair)
		gnutls_certificate_free_credentials(pair);
	return r;
}

static int look_at_pair(struct client *c, struct err *err)
{
	CLEANUP(buf_done) struct buf cert = { 0 };
	CLEANUP(buf_wipe) struct buf key = { 0 };
	int r;

	if (!c->place.cert || c->pair_is_good)
		return 0;
	r = read_pem("cert", c->place.cert, &cert, err);
	if (r == 0)
		r = read_pem("key", c->place.key, &key, err);
	if (r == 0)
		r = judge_pair(c, &cert, &key, err);
	c->pair_is_good = r == 0;
	return r;
}

/* Before anything is sent: is that the certificate which is meant? */
static int check_certificate(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	struct client *c = arg;
	struct curl_tlssessioninfo *tls = NULL;
	const gnutls_datum_t *peers = NULL;
	unsigned char hash[DIGEST_BYTES];
	size_t size = sizeof(hash);
	unsigned count = 0;

	(void)ip, (void)local_ip, (void)port, (void)local_port;
	if (curl_easy_getinfo(c->curl, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK && tls &&
	    tls->backend == CURLSSLBACKEND_GNUTLS && tls->internals)
		peers = gnutls_certificate_get_peers(tls->internals, &count);
	if (!count || gnutls_fingerprint(GNUTLS_DIG_SHA256, &peers[0], hash, &size) < 0)
		return CURL_PREREQFUNC_ABORT;
	for (size_t i = 0; i < size; i++)
		snprintf(c->seen + 3 * i, 4, "%02X%s", hash[i], i + 1 < size ? ":" : "");
	for (size_t i = 0, at = 0; i < 2 * size; i++) {
		char want[2], is[3];

		at += strspn(c->place.fingerprint + at, ":");
		snprintf(is, sizeof(is), "%02x", hash[i / 2]);
		want[0] = (char)tolower((unsigned char)c->place.fingerprint[at++]);
		if (want[0] != is[i % 2])
			return CURL_PREREQFUNC_ABORT;
	}
	return CURL_PREREQFUNC_OK;
}

static void set_place(struct client *c)
{
	const struct client_place *p = &c->place;

	if (!p->server) {
		curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, p->socket);
		curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http");
		return;
	}
	curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(c->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	if (p->cert) {
		curl_easy_setopt(c->curl, CURLOPT_SSLCERT, p->cert);
		curl_easy_setopt(c->curl, CURLOPT_SSLKEY, p->key);
	}
	if (p->cacert)
		curl_easy_setopt(c->curl, CURLOPT_CAINFO, p->cacert);
	if (p->fingerprint) {
		curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYHOST, 0L);
		curl_easy_setopt(c->curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);
		curl_easy_setopt(c->curl, CURLOPT_PREREQFUNCTION, check_certificate);
		curl_easy_setopt(c->curl, CURLOPT_PREREQDATA, c);
	}
}

void client_encode(struct buf *path, const char *text)
{
	for (; *text; text++) {
		unsigned char b = (unsigned char)*text;

		if (b < 0x80 && (isalnum(b) || strchr("-._~", b)))
			buf_put(path, text, 1);
		else
			buf_printf(path, "%%%02X", b);
	}
}

/* --- one exchange ---------------------------------------------------------------- */

struct answer {
	struct client *client;
	struct buf text;      /* of an object, of an error, or of the line that is not whole yet */
	client_item_fn *item; /* NULL: not a list */
	void *arg;
	int result;			  /* of item() */
	long idle_s;			  /* 0: IDLE_S */
	const struct client_write *write; /* NULL: it is a GET */
	char *etag;			  /* where that goes; NULL: it is not asked for */
	struct err *err;
};

/* Hands out the whole lines of what has come; keeps the rest. */
static int give_lines(struct answer *a)
{
	const char *start = (const char *)a->text.data, *end, *newline;

	if (!a->text.len)
		return 0;
	end = start + a->text.len;
	while ((newline = memchr(start, '\n', (size_t)(end - start)))) {
		int r = newline > start ? a->item(a->arg, start, (size_t)(newline - start), a->err)
					: 0;

		if (r < 0)
			return r;
		start = newline + 1;
	}
	a->text.len = (size_t)(end - start);
	memmove(a->text.data, start, a->text.len);
	return 0;
}

static size_t take_bytes(char *data, size_t one, size_t count, void *arg)
{
	struct answer *a = arg;
	long status = 0;

	if (a->text.len + count > ANSWER_MAX) {
		a->result = err_set(a->err, -EFBIG, "the answer is too long");
		return 0;
	}
	buf_put(&a->text, data, one * count);
	curl_easy_getinfo(a->client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (a->item && status == 200)
		a->result = give_lines(a);
	return a->result < 0 ? 0 : one * count;
}

static int code_of(long status)
{
	switch (status) {
	case 401:
	case 403:
		return -EACCES;
	case 404:
		return -ENOENT;
	case 409:
	case 412:
	case 428:
		return -EEXIST;
	case 503:
		return -EAGAIN;
	default:
		return -EREMOTEIO;
	}
}

/* "Service shop/web line 8: ..." of the first of several errors. */
static void put_first_error(const struct doc *problem, struct err *err)
{
	const struct doc *errors = doc_get(problem, REST_ERRORS);
	const struct doc *first = errors ? errors->first : NULL;
	const char *where = doc_string(doc_get(first, REST_WHERE));
	int64_t line = 0;

	if (!where || !doc_integer(doc_get(first, REST_LINE), 0, UINT32_MAX, &line))
		return;
	if (line)
		err_wrap(err, err->code, "%s%sline %d", where, *where ? " " : "", (int)line);
	else if (*where)
		err_wrap(err, err->code, "%s", where);
	if (errors && errors->count > 1)
		err_wrap(err, err->code, "%zu errors, the first", errors->count);
}

/* What the agent says is wrong. */
static int error_answer(const struct answer *a, long status)
{
	int code = code_of(status);
	struct doc_set set = { 0 };
	const char *detail = NULL;
	struct err ignored;

	if (doc_read_json(a->text.data, a->text.len, &DOC_LIMITS_DEFAULT, &set, &ignored) == 0 &&
	    set.count == 1)
		detail = doc_string(doc_get(set.roots[0], REST_DETAIL));
	if (detail) {
		err_set(a->err, code, "%s", detail);
		put_first_error(set.roots[0], a->err);
	} else {
		err_set(a->err, code, "the agent answered with status %ld", status);
	}
	doc_set_done(&set);
	return code;
}

static int transfer_fault(const struct client *c, CURLcode code, struct err *err)
{
	switch ((int)code) {
	case CURLE_ABORTED_BY_CALLBACK:
		return err_set(err, -EACCES,
			       "the agent at %s has another certificate: its fingerprint is %s",
			       c->where, c->seen);
	case CURLE_PEER_FAILED_VERIFICATION:
		return err_set(err, -EACCES,
			       "the certificate of the agent at %s is vouched for by nobody that "
			       "is trusted, or has another name: --cacert names who vouches, "
			       "--fingerprint the certificate itself",
			       c->where);
	case CURLE_SSL_CACERT_BADFILE:
		return err_set(err, -EINVAL, "--cacert: %s holds no certificate",
			       c->place.cacert ? c->place.cacert : "the system's file");
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		if (c->place.server)
			return err_set(err, -ENOTCONN,
				       "cannot reach the agent at %s: is that its api.listen, and "
				       "does nothing between keep you out?",
				       c->where);
		return err_set(err, -ENOTCONN,
			       "cannot reach the agent at %s: is parasausd running, and may you "
			       "use its socket? (-s names another one)",
			       c->where);
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(err, -ETIMEDOUT, "the agent at %s does not answer", c->where);
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
		return err_set(err, -EPIPE, "the agent at %s ended before its answer was whole",
			       c->where);
	default:
		return err_set(err, -EPROTO, "the agent at %s: %s", c->where,
			       curl_easy_strerror(code));
	}
}

/* Over TLS 1.3 one learns of it in place of the answer. */
static bool may_be_certificate(const struct client *c, CURLcode code, long status)
{
	return c->place.cert && status == 0 &&
	       (code == CURLE_SSL_CONNECT_ERROR || code == CURLE_RECV_ERROR ||
		code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING);
}

static int certificate_fault(const struct client *c, struct err *err)
{
	return err_set(
		err, -EACCES,
		"the agent at %s ends the connection: is the certificate in %s of an authority "
		"of its api.clientCertificates, in its time, for clients, and has it one "
		"common name?",
		c->where, c->place.cert);
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
	char *header = xasprintf("%s: %s", name, value);
	struct curl_slist *longer = curl_slist_append(list, header);

	free(header);
	return longer;
}

static struct curl_slist *set_write(struct client *c, const struct client_write *w,
				    struct curl_slist *headers)
{
	curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, w->method);
	if (w->if_match)
		headers = add_header(headers, "If-Match", w->if_match);
	if (!w->type)
		return headers;
	curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, w->body->len ? (char *)w->body->data : "");
	curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, (long)w->body->len);
	return add_header(headers, "Content-Type", w->type);
}

bool client_shows_token(const struct client_place *p)
{
	const char *token = getenv(TOKEN_VARIABLE);

	return p->token_file || (token && *token);
}

/* Of --token-file; else of the environment, as what the agent writes to a cluster takes one. */
static struct curl_slist *show_token(struct client *c, struct curl_slist *headers)
{
	const char *token = getenv(TOKEN_VARIABLE);
	char *header;

	if (c->token.len)
		return curl_slist_append(headers, buf_cstr(&c->token));
	if (!token || !*token)
		return headers;
	header = xasprintf("Authorization: Bearer %s", token);
	headers = curl_slist_append(headers, header);
	explicit_bzero(header, strlen(header));
	free(header);
	return headers;
}

static size_t take_header(char *data, size_t one, size_t count, void *arg)
{
	static const char name[] = "ETag: ";
	size_t len = one * count, n = sizeof(name) - 1;
	char *etag = arg;

	if (len > n && strncasecmp(data, name, n) == 0 && len - n < CLIENT_ETAG_MAX) {
		memcpy(etag, data + n, len - n);
		etag[len - n] = '\0';
		etag[strcspn(etag, "\r\n")] = '\0';
	}
	return len;
}

static int exchange(struct client *c, const char *path, const char *accept, struct answer *a)
{
	const char *base = c->place.server ? c->place.server : "http://localhost";
	char *url = xasprintf("%s%s", base, path);
	char *header = xasprintf("Accept: %s, %s;q=0.1", accept, REST_JSON);
	struct curl_slist *headers = curl_slist_append(NULL, header);
	long status = 0;
	CURLcode code;

	curl_easy_reset(c->curl);
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	set_place(c);
	curl_easy_setopt(c->curl, CURLOPT_PROXY, ""); /* whatever the environment says */
	curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "parasausctl/" PARASAUS_VERSION);
	headers = show_token(c, headers);
	if (a->write)
		headers = set_write(c, a->write, headers);
	if (a->etag) {
		curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, take_header);
		curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, a->etag);
	}
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME,
			 a->idle_s  ? a->idle_s
			 : a->write ? WRITE_IDLE_S
				    : IDLE_S);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, a);
	code = curl_easy_perform(c->curl);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	free(header);
	free(url);
	if (a->result < 0)
		return a->result;
	if (may_be_certificate(c, code, status))
		return certificate_fault(c, a->err);
	if (code != CURLE_OK)
		return transfer_fault(c, code, a->err);
	return status == 200 || status == 201 || status == 204 ? 0 : error_answer(a, status);
}

static int ask(struct client *c, const char *path, const char *accept, struct answer *a)
{
	int r = read_token(c, a->err);

	if (r == 0)
		r = look_at_pair(c, a->err);
	return r < 0 ? r : exchange(c, path, accept, a);
}

/* The answer as it came, appended to out. */
static int ask_text(struct answer *a, const char *path, struct buf *out)
{
	int r = ask(a->client, path, REST_JSON, a);

	if (r == 0)
		buf_put(out, a->text.data, a->text.len);
	buf_wipe(&a->text); /* there may be a token in it */
	return r;
}

int client_text(struct client *c, const char *path, struct buf *out, struct err *err)
{
	return ask_text(&(struct answer){ .client = c, .err = err }, path, out);
}

int client_document(struct client *c, const char *path, struct buf *out,
		    char etag[static CLIENT_ETAG_MAX], struct err *err)
{
	etag[0] = '\0';
	return ask_text(&(struct answer){ .client = c, .err = err, .etag = etag }, path, out);
}

int client_write(struct client *c, const struct client_write *w, struct buf *out, struct err *err)
{
	return ask_text(&(struct answer){ .client = c, .err = err, .write = w }, w->path, out);
}

int client_object(struct client *c, const char *path, struct doc_set *out, struct err *err)
{
	struct doc_set set = { 0 };
	struct buf text = { 0 };
	int r = client_text(c, path, &text, err);

	if (r == 0 && doc_read_json(text.data, text.len, &DOC_LIMITS_DEFAULT, &set, err) < 0)
		r = err_wrap(err, -EPROTO, "the agent's answer");
	if (r == 0)
		*out = set;
	buf_done(&text);
	return r;
}

int client_items(struct client *c, const char *path, client_item_fn *fn, void *arg, struct err *err)
{
	struct answer a = { .client = c, .item = fn, .arg = arg, .err = err };
	int r = ask(c, path, REST_NDJSON, &a);

	if (r == 0 && a.text.len)
		r = err_set(err, -EPROTO, "the agent's answer ends within a line");
	buf_done(&a.text);
	return r;
}

/* --- watches --------------------------------------------------------------------- */

struct event_reader {
	char event[32];
	client_event_fn *fn;
	void *arg;
};

/* Each frame has its name and then its data, in a line each. */
static int take_line(void *arg, const char *line, size_t len, struct err *err)
{
	struct event_reader *r = arg;

	if (len > 7 && memcmp(line, "event: ", 7) == 0) {
		len -= 7;
		len = len < sizeof(r->event) ? len : sizeof(r->event) - 1;
		memcpy(r->event, line + 7, len);
		r->event[len] = '\0';
	} else if (len > 6 && memcmp(line, "data: ", 6) == 0) {
		return r->fn(r->arg, r->event, line + 6, len - 6, err);
	}
	return 0;
}

int client_events(struct client *c, const char *path, client_event_fn *fn, void *arg,
		  struct err *err)
{
	struct event_reader reader = { .fn = fn, .arg = arg };
	struct answer a = {
		.client = c, .item = take_line, .arg = &reader, .err = err, .idle_s = WATCH_IDLE_S
	};
	int r = ask(c, path, REST_SSE, &a);

	buf_done(&a.text);
	return r == -EPIPE ? 0 : r; /* it ended, somehow: there is no other end */
}
