/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe_words.c: every finding of a probe is a sentence, in each language. */
#include "agent/api/probe_words.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"

static void must_say(const struct probe_found *p, const char *en, const char *zh)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	probe_words(&out, LANGUAGE_EN, p);
	assert_string_equal(buf_cstr(&out), en);
	buf_reset(&out);
	probe_words(&out, LANGUAGE_ZH_CN, p);
	assert_string_equal(buf_cstr(&out), zh);
}

static struct endpoint at(const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(text, IPPROTO_TCP, &e), 0);
	return e;
}

static void an_http_probe_says_what_was_asked_and_what_came(void **state)
{
	struct endpoint where = at("10.0.0.7:8080");
	struct check *c = check_new(CHECK_HTTP);
	struct probe_found p = { c, &where, HC_REASON_STATUS, 503, 3049 };

	(void)state;
	free(c->path);
	c->path = xstrdup("/healthz");
	c->timeout_ms = 1500;
	c->expect_count = 1;
	c->expect[0] = (struct check_status_range){ 200, 399 };
	must_say(&p,
		 "GET http://10.0.0.7:8080/healthz answered 503 after 3.0 ms; 200-399 is expected",
		 "GET http://10.0.0.7:8080/healthz 应答 503，用时 3.0 ms；应为 200-399");
	p.took_us = 0;
	c->host = xstrdup("shop.example");
	must_say(&p,
		 "GET http://10.0.0.7:8080/healthz of host shop.example answered 503; 200-399 is "
		 "expected",
		 "GET http://10.0.0.7:8080/healthz（主机 shop.example） 应答 503；应为 200-399");
	p = (struct probe_found){ c, &where, HC_REASON_TIMEOUT, 0, 1500000 };
	must_say(
		&p,
		"GET http://10.0.0.7:8080/healthz of host shop.example had no answer within 1500ms",
		"GET http://10.0.0.7:8080/healthz（主机 shop.example） 未应答，限时 1500ms");
	p = (struct probe_found){ c, &where, HC_REASON_NO_MATCH, 0, 12345 };
	c->match = xstrdup("fine");
	must_say(&p,
		 "GET http://10.0.0.7:8080/healthz of host shop.example answered without the text "
		 "that is looked for after 12 ms; \"fine\" is expected",
		 "GET http://10.0.0.7:8080/healthz（主机 shop.example） "
		 "的应答中没有所需文字，用时 12 ms；应有“fine”");
	check_unref(c);
}

static void over_tls_it_says_whom_it_should_be(void **state)
{
	struct endpoint where = at("10.0.0.7:443");
	struct check *c = check_new(CHECK_HTTPS);
	struct probe_found p = { c, &where, HC_REASON_NAME, 0, 3049 };

	(void)state;
	must_say(&p, "GET https://10.0.0.7:443/ has a certificate for other names after 3.0 ms",
		 "GET https://10.0.0.7:443/ 的证书不是为该名称签发的，用时 3.0 ms");
	c->server_name = xstrdup("shop.example");
	p.took_us = 0;
	must_say(&p,
		 "GET https://10.0.0.7:443/ has a certificate for other names; shop.example is "
		 "expected",
		 "GET https://10.0.0.7:443/ 的证书不是为该名称签发的；应为 shop.example");
	check_unref(c);
}

static void a_login_says_its_code_role_and_lag(void **state)
{
	struct endpoint where = at("[2001:db8::1]:3306");
	struct check *c = check_new(CHECK_MYSQL);
	struct probe_found p = { c, &where, HC_REASON_AUTH, 1045, 900 };

	(void)state;
	must_say(&p,
		 "mysql at [2001:db8::1]:3306 is alive, but does not let the check's account in "
		 "(error 1045) after 0.9 ms",
		 "mysql [2001:db8::1]:3306 存活，但拒绝检查所用的账号（错误 1045），用时 0.9 ms");
	c->role = CHECK_ROLE_READER;
	c->max_lag_s = 30;
	p = (struct probe_found){ c, &where, HC_REASON_ROLE, 0, 900 };
	must_say(&p,
		 "mysql at [2001:db8::1]:3306 is alive, but not in the role that is asked for "
		 "(reader)",
		 "mysql [2001:db8::1]:3306 存活，但不是所要求的角色（reader）");
	p = (struct probe_found){ c, &where, HC_REASON_LAG, 31, 900 };
	must_say(&p, "mysql at [2001:db8::1]:3306 lags behind by 31 s; at most 30 s are allowed",
		 "mysql [2001:db8::1]:3306 复制落后 31 秒；至多允许 30 秒");
	p.detail = -1;
	must_say(&p,
		 "mysql at [2001:db8::1]:3306 lags behind, or cannot say how far; at most 30 s are "
		 "allowed",
		 "mysql [2001:db8::1]:3306 复制落后，或无法得知落后多少；至多允许 30 秒");
	check_unref(c);
}

static void a_dns_answer_says_what_and_what_was_expected(void **state)
{
	struct endpoint where = at("10.0.0.7:53");
	struct check *c = check_new(CHECK_DNS);
	struct probe_found p = { c, &where, HC_REASON_DNS_ERROR, 2, 4210 };

	(void)state;
	must_say(&p, "dns . SOA at 10.0.0.7:53 answered SERVFAIL after 4.2 ms; NOERROR is expected",
		 "dns . SOA 10.0.0.7:53 应答 SERVFAIL，用时 4.2 ms；应为 NOERROR");
	check_unref(c);
}

static void a_call_says_its_service_and_its_code(void **state)
{
	struct endpoint where = at("10.0.0.7:50051");
	struct check *c = check_new(CHECK_GRPC);
	struct probe_found p = { c, &where, HC_REASON_GRPC_STATUS, 14, 900 };

	(void)state;
	must_say(&p, "grpc at 10.0.0.7:50051 answered with gRPC status 14 UNAVAILABLE after 0.9 ms",
		 "grpc 10.0.0.7:50051 应答 gRPC 状态 14 UNAVAILABLE，用时 0.9 ms");
	p.detail = 99;
	must_say(&p, "grpc at 10.0.0.7:50051 answered with gRPC status 99 after 0.9 ms",
		 "grpc 10.0.0.7:50051 应答 gRPC 状态 99，用时 0.9 ms");
	c->service = xstrdup("shop.v1.Cart");
	p = (struct probe_found){ c, &where, HC_REASON_SERVICE_UNKNOWN, 0, 0 };
	must_say(&p, "grpc shop.v1.Cart at 10.0.0.7:50051 has no service of that name",
		 "grpc shop.v1.Cart 10.0.0.7:50051 没有该名称的服务");
	c->host = xstrdup("shop.example");
	p = (struct probe_found){ c, &where, HC_REASON_BROKEN_OFF, 11, 0 };
	must_say(&p,
		 "grpc shop.v1.Cart at 10.0.0.7:50051 of host shop.example broke the call off with "
		 "HTTP/2 error 11 ENHANCE_YOUR_CALM",
		 "grpc shop.v1.Cart 10.0.0.7:50051（主机 shop.example） 以 HTTP/2 错误 11 "
		 "ENHANCE_YOUR_CALM 中断了调用");
	check_unref(c);
}

static void our_own_trouble_says_that_it_is_ours(void **state)
{
	struct endpoint where = at("10.0.0.7:80");
	struct check *c = check_new(CHECK_TCP);
	struct probe_found p = { c, &where, HC_REASON_LOCAL, ENETDOWN, 0 };

	(void)state;
	must_say(&p,
		 "tcp at 10.0.0.7:80 could not be asked: this node's own network is down (Network "
		 "is down); it counts for nothing",
		 "tcp 10.0.0.7:80 未能检查：本机网络中断（Network is down）；不计入");
	check_unref(c);
}

/* Whatever is added to enum hc_reason needs its words here, and what they name in braces is known. */
static void every_reason_has_words_in_each_language(void **state)
{
	struct endpoint where = at("10.0.0.7:80");

	(void)state;
	for (unsigned type = CHECK_NONE; type < CHECK_TYPES; type++) {
		struct check *c = check_new((enum check_type)type);

		for (unsigned r = 0; r < HC_REASON_COUNT; r++)
			for (unsigned l = LANGUAGE_EN; l <= LANGUAGE_ZH_CN; l++) {
				struct probe_found p = { c, &where, (enum hc_reason)r, 7, 1000 };
				CLEANUP(buf_done) struct buf out = { 0 };

				if (!probe_words_template((enum language)l, p.reason))
					fail_msg("'%s' has no words", hc_reason_text(p.reason));
				probe_words(&out, (enum language)l, &p);
				assert_non_null(strstr(buf_cstr(&out), "10.0.0.7:80"));
				assert_null(strpbrk(buf_cstr(&out), "{}"));
			}
		check_unref(c);
	}
	assert_null(probe_words_template(LANGUAGE_EN, HC_REASON_COUNT));
}

static void what_braces_name_is_known(void **state)
{
	static const char *const known[] = { "{it}",   "{n}",	   "{after}", "{within}",
					     "{code}", "{expect}", "{match}", "{role}",
					     "{lag}",  "{rcode}",  "{grpc}",  "{http2}",
					     "{name}" };

	(void)state;
	for (unsigned r = 0; r < HC_REASON_COUNT; r++)
		for (unsigned l = LANGUAGE_EN; l <= LANGUAGE_ZH_CN; l++) {
			const char *s = probe_words_template((enum language)l, (enum hc_reason)r);

			assert_memory_equal(s, "{it}", 4);
			while ((s = strchr(s, '{'))) {
				size_t i = 0;

				while (i < ARRAY_LEN(known) &&
				       strncmp(s, known[i], strlen(known[i])) != 0)
					i++;
				if (i == ARRAY_LEN(known))
					fail_msg("unknown: %s", s);
				s++;
			}
		}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_http_probe_says_what_was_asked_and_what_came),
		cmocka_unit_test(over_tls_it_says_whom_it_should_be),
		cmocka_unit_test(a_login_says_its_code_role_and_lag),
		cmocka_unit_test(a_dns_answer_says_what_and_what_was_expected),
		cmocka_unit_test(a_call_says_its_service_and_its_code),
		cmocka_unit_test(our_own_trouble_says_that_it_is_ours),
		cmocka_unit_test(every_reason_has_words_in_each_language),
		cmocka_unit_test(what_braces_name_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
