/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/problem.h"

#include "agent/api/accept.h"
#include "agent/api/json_writer.h"
#include "agent/api/schema.h"

static const struct kind {
	unsigned status;
	const char *code;
	const char *title;
	const char *title_zh;
} problems[PROBLEM_COUNT] = {
	[PROBLEM_BAD_REQUEST] = { 400, "bad-request", "The request is malformed", "请求格式有误" },
	[PROBLEM_BAD_PARAMETER] = { 400, "bad-parameter",
				    "A query parameter is unknown or has a bad value",
				    "查询参数未知或取值无效" },
	[PROBLEM_BODY_REFUSED] = { 400, "body-refused", "Requests here have no body",
				   "此处的请求不得带有正文" },
	[PROBLEM_NOT_FOUND] = { 404, "not-found", "There is no such path", "没有这个路径" },
	[PROBLEM_NO_POOL] = { 404, "pool-not-found", "There is no such pool", "没有这个池" },
	[PROBLEM_NO_MEMBER] = { 404, "member-not-found", "The pool has no such member",
				"该池没有这个成员" },
	[PROBLEM_CROSS_SITE] = { 403, "cross-site", "A page of another site must not do this",
				 "不允许其他网站的页面执行此操作" },
	[PROBLEM_BAD_METHOD] = { 405, "method-not-allowed", "Only GET and HEAD are answered",
				 "只接受 GET 和 HEAD" },
	[PROBLEM_NOT_ACCEPTABLE] = { 406, "not-acceptable",
				     "No format of this answer is acceptable",
				     "没有可接受的应答格式" },
	[PROBLEM_SNAPSHOT_EXPIRED] = { 410, "snapshot-expired",
				       "The snapshot is not kept any more; ask for the list anew",
				       "该快照已过期，请重新获取列表" },
	[PROBLEM_TARGET_TOO_LONG] = { 414, "target-too-long", "The request target is too long",
				      "请求目标过长" },
	[PROBLEM_WRONG_HOST] = { 421, "wrong-host", "This server has no such name",
				 "本服务器没有这个名称" },
	[PROBLEM_TOO_MANY_WATCHES] = { 429, "too-many-watches",
				       "There are as many watches as this socket takes",
				       "此套接字上的监视连接已达上限" },
	[PROBLEM_HEADERS_TOO_LARGE] = { 431, "headers-too-large",
					"The request's headers are too large", "请求头过大" },
	[PROBLEM_NOT_READY] = { 503, "not-ready", "The agent is not ready", "代理尚未就绪" },
};

unsigned problem_status(enum rest_problem p)
{
	return problems[p].status;
}

const char *problem_code(enum rest_problem p)
{
	return problems[p].code;
}

static void put_words(struct json_writer *j, const struct kind *p, enum language language,
		      const char *detail)
{
	struct buf text = { 0 };

	if (language == LANGUAGE_ZH_CN && detail)
		buf_printf(&text, "%s：%s", p->title_zh, detail);
	else if (language == LANGUAGE_ZH_CN)
		buf_str(&text, p->title_zh);
	else
		buf_str(&text, detail ? detail : p->title);
	json_put_text(j, REST_DETAIL, buf_cstr(&text));
	buf_done(&text);
}

void problem_answer(struct rest_reply *out, enum rest_problem p, const struct rest_request *r,
		    const char *detail)
{
	enum language language = r->accept_language ? accept_language(r->accept_language)
						    : LANGUAGE_EN;
	const struct kind *kind = &problems[p];
	struct json_writer j = { .out = &out->body };

	out->status = kind->status;
	out->type = REST_PROBLEM;
	out->language = language_tag(language);
	json_put_object(&j, NULL);
	json_put_text(&j, REST_TYPE, "about:blank");
	json_put_text(&j, REST_TITLE, language == LANGUAGE_ZH_CN ? kind->title_zh : kind->title);
	json_put_uint(&j, REST_ERROR_STATUS, kind->status);
	json_put_text(&j, REST_CODE, kind->code);
	put_words(&j, kind, language, detail);
	if (p != PROBLEM_TARGET_TOO_LONG && p != PROBLEM_HEADERS_TOO_LARGE)
		json_put_text(&j, REST_INSTANCE, r->target);
	if (r->request_id)
		json_put_text(&j, REST_REQUEST_ID, r->request_id);
	json_end_object(&j);
	buf_str(&out->body, "\n");
}
