/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/core_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

void core_answer_done(struct core_answer *a)
{
	buf_done(&a->text);
	doc_set_done(&a->set);
}

int core_dial(struct world *w, enum via via)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(w->tcp_port) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(via == TCP ? AF_INET : AF_UNIX, SOCK_STREAM, 0);

	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path_in(w, "api.sock"));
	assert_true(fd >= 0);
	if (via == TCP)
		assert_int_equal(connect(fd, (struct sockaddr *)&v4, sizeof(v4)), 0);
	else
		assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

void core_say(int fd, const char *text, size_t len)
{
	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Core turns while the server's thread takes and answers; then the connection ends. */
void core_hear(struct world *w, int fd, struct core_answer *out)
{
	char piece[65536];
	const char *body;
	ssize_t n = -1;
	struct err err;

	*out = (struct core_answer){ 0 };
	for (int i = 0; i < 20 * TURNS_MAX && n != 0; i++) {
		turn(w);
		n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
		if (n > 0)
			buf_put(&out->text, piece, (size_t)n);
	}
	assert_true(n == 0);
	close(fd);
	if (sscanf(buf_cstr(&out->text), "HTTP/1.1 %u", &out->status) != 1)
		fail_msg("no answer: %s", buf_cstr(&out->text));
	body = strstr(buf_cstr(&out->text), "\r\n\r\n") + 4;
	if (*body == '{' &&
	    doc_read_json(body, strlen(body), &DOC_LIMITS_DEFAULT, &out->set, &err) == 0)
		out->root = out->set.roots[0];
}

void core_ask(struct world *w, enum via via, const char *method, const char *target,
	      const char *headers, const char *body, struct core_answer *out)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	int fd = core_dial(w, via);

	buf_printf(&text, "%s %s HTTP/1.1\r\n%sConnection: close\r\n%s", method, target,
		   strstr(headers, "Host:") ? "" : "Host: localhost\r\n", headers);
	if (body)
		buf_printf(&text, "Content-Length: %zu\r\n", strlen(body));
	buf_printf(&text, "\r\n%s", body ? body : "");
	core_say(fd, (const char *)text.data, text.len);
	core_hear(w, fd, out);
}

const char *core_field(const struct core_answer *a, const char *key)
{
	const struct doc *v = doc_get(a->root, key);

	return v && v->text ? v->text : "";
}

/* It has that status, and that code where there is one; 401 says how to do better, no other does. */
void core_want(struct world *w, unsigned status, const char *code, enum via via, const char *method,
	       const char *target, const char *headers, const char *body)
{
	struct core_answer a;

	core_ask(w, via, method, target, headers, body, &a);
	if (a.status != status || strcmp(core_field(&a, "code"), code) != 0)
		fail_msg("%s %s: not %u %s but\n%s", method, target, status, code,
			 buf_cstr(&a.text));
	assert_int_equal(strstr(buf_cstr(&a.text), "\r\nWWW-Authenticate: Bearer\r\n") != NULL,
			 status == 401);
	core_answer_done(&a);
}
