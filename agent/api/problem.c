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
	[PROBLEM_NO_TARGET] = { 404, "target-not-found", "There is no such target",
				"没有这个检查目标" },
	[PROBLEM_CROSS_SITE] = { 403, "cross-site", "A page of another site must not do this",
				 "不允许其他网站的页面执行此操作" },
	[PROBLEM_NO_DOCUMENT] = { 404, "document-not-found", "There is no such document",
				  "没有这个文档" },
	[PROBLEM_NO_REVISION] = { 404, "revision-not-found",
				  "The document has no such revision any more",
				  "该文档没有这个修订版本" },
	[PROBLEM_NO_OPERATION] = { 404, "operation-not-found",
				   "There is no such operation any more", "没有这条操作记录" },
	[PROBLEM_FORBIDDEN] = { 403, "forbidden", "You may not write here", "无权在此写入" },
	[PROBLEM_TOKEN_NEEDED] = { 401, "token-needed", "This takes a token", "此操作需要令牌" },
	[PROBLEM_BAD_TOKEN] = { 401, "bad-token", "The token is not, or no longer, one of ours",
				"令牌无效或已被删除" },
	[PROBLEM_UNLISTED] = { 403, "certificate-not-listed",
			       "Nothing is granted to the holder of this certificate",
			       "该客户端证书的持有者没有任何权限" },
	[PROBLEM_NOT_GRANTED] = { 403, "not-granted",
				  "The cluster grants the token's user no such right here",
				  "集群未授予此令牌的用户相应权限" },
	[PROBLEM_TOO_MANY_REVIEWS] = { 429, "too-many-reviews", "Too many tokens are tried here",
				       "尝试的令牌过多" },
	[PROBLEM_NO_TOKEN] = { 404, "token-not-found", "There is no such token", "没有这个令牌" },
	[PROBLEM_TOKEN_EXISTS] = { 409, "token-exists", "The name has a token already",
				   "该名称已有令牌" },
	[PROBLEM_TOO_MANY_TOKENS] = { 409, "too-many-tokens", "There are as many tokens as can be",
				      "令牌数量已达上限" },
	[PROBLEM_NO_BACKUP] = { 404, "backup-not-found", "There is no such backup",
				"没有这个备份" },
	[PROBLEM_BACKUP_EXISTS] = { 409, "backup-exists", "There is a backup of that name",
				    "该名称已有备份" },
	[PROBLEM_TOO_MANY_BACKUPS] = { 409, "too-many-backups",
				       "There are as many backups as can be", "备份数量已达上限" },
	[PROBLEM_BAD_METHOD] = { 405, "method-not-allowed", "The path does not take this method",
				 "该路径不接受此方法" },
	[PROBLEM_NOT_ACCEPTABLE] = { 406, "not-acceptable",
				     "No format of this answer is acceptable",
				     "没有可接受的应答格式" },
	[PROBLEM_NO_STORE] = { 409, "managed-elsewhere",
			       "The agent has no store: its documents are kept elsewhere",
			       "代理没有内置存储，文档由别处管理" },
	[PROBLEM_NOT_OF_STORE] = { 409, "not-of-the-store", "The pool comes from another source",
				   "该池来自其他来源，请在那里编辑" },
	[PROBLEM_NAME_TAKEN] = { 409, "name-exists", "There is one of that name already",
				 "该名称已存在" },
	[PROBLEM_MEMBER_EXISTS] = { 409, "member-exists", "The pool has that member already",
				    "该池已有这个成员" },
	[PROBLEM_SELECTOR] = { 409, "selector-members",
			       "The members are those that the Service's selector finds",
			       "成员由该 Service 的选择器决定" },
	[PROBLEM_CLUSTER_TOKEN] = { 401, "cluster-token-needed",
				    "To read or write this takes a token of the cluster",
				    "读写此内容需要该集群的令牌" },
	[PROBLEM_CLUSTER_UNKNOWN] = { 401, "cluster-unauthorized",
				      "The API server does not know the token",
				      "API 服务器不认识此令牌" },
	[PROBLEM_CLUSTER_FORBIDDEN] = { 403, "cluster-forbidden",
					"The API server refuses it: a right is missing",
					"API 服务器拒绝：缺少权限" },
	[PROBLEM_CLUSTER_REFUSED] = { 422, "cluster-refused", "The API server refuses it",
				      "API 服务器拒绝了此操作" },
	[PROBLEM_CLUSTER_TROUBLE] = { 503, "cluster-trouble", "The API server cannot do it now",
				      "API 服务器暂时无法完成" },
	[PROBLEM_HALF_WRITTEN] = { 502, "half-written",
				   "Not all of it was written: look at what there is now",
				   "只写入了一部分，请查看当前内容" },
	[PROBLEM_NO_FREE_PORT] = { 409, "no-free-port", "No port of the address pools is free",
				   "地址池中没有空闲端口" },
	[PROBLEM_FRONTEND_TAKEN] = { 409, "vip-port-in-use",
				     "A frontend is another document's already",
				     "该 VIP 和端口已被其他文档占用" },
	[PROBLEM_IN_USE] = { 409, "address-pool-in-use", "Documents have addresses from it",
			     "仍有文档使用其中的地址" },
	[PROBLEM_OTHER_COUNT] = { 409, "expected-count-mismatch",
				  "They are not as many as were expected", "数量与预期不符" },
	[PROBLEM_BATCH_REFUSED] = { 409, "batch-refused",
				    "Not all of it can be done, and nothing was",
				    "其中有操作被拒绝，因此未做任何更改" },
	[PROBLEM_SNAPSHOT_EXPIRED] = { 410, "snapshot-expired",
				       "The snapshot is not kept any more; ask for the list anew",
				       "该快照已过期，请重新获取列表" },
	[PROBLEM_EXISTS] = { 412, "already-exists", "The document exists already", "文档已存在" },
	[PROBLEM_STALE] = { 412, "stale-revision", "The document has another revision by now",
			    "文档已有更新的修订版本" },
	[PROBLEM_TOO_LARGE] = { 413, "too-large", "The request is too large", "请求过大" },
	[PROBLEM_TARGET_TOO_LONG] = { 414, "target-too-long", "The request target is too long",
				      "请求目标过长" },
	[PROBLEM_BAD_TYPE] = { 415, "unsupported-type", "The body is of a type that is not taken",
			       "不支持的正文类型" },
	[PROBLEM_WRONG_HOST] = { 421, "wrong-host", "This server has no such name",
				 "本服务器没有这个名称" },
	[PROBLEM_INVALID] = { 422, "validation", "What was sent cannot be used",
			      "提交的内容无法使用" },
	[PROBLEM_KEY_REUSED] = { 422, "idempotency-key-reused",
				 "The Idempotency-Key stood for another request",
				 "该 Idempotency-Key 已用于其他请求" },
	[PROBLEM_NO_CONDITION] = { 428, "precondition-required",
				   "The document exists: say by If-Match which revision is meant",
				   "文档已存在，请用 If-Match 指明修订版本" },
	[PROBLEM_TOO_MANY_WATCHES] = { 429, "too-many-watches",
				       "There are as many watches as this socket takes",
				       "此套接字上的监视连接已达上限" },
	[PROBLEM_HEADERS_TOO_LARGE] = { 431, "headers-too-large",
					"The request's headers are too large", "请求头过大" },
	[PROBLEM_NOT_READY] = { 503, "not-ready", "The agent is not ready", "代理尚未就绪" },
	[PROBLEM_BUSY] = { 503, "busy", "Too many writes wait", "等待写入的请求过多" },
	[PROBLEM_NOT_TRIED] = { 503, "not-tried",
				"Not tried: those before it could not be done now",
				"未尝试：之前的请求暂时无法完成" },
	[PROBLEM_STORE_TROUBLE] = { 503, "store-trouble", "The store cannot do it now",
				    "存储暂时无法完成" },
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

/* What is known of who asks; NULL: nothing that would help. */
static const char *explain(enum rest_problem p, const struct rest_request *r, struct buf *out)
{
	const struct reviewed *v = &r->reviewed;

	if (p == PROBLEM_UNLISTED)
		holder_explain(&r->holder, out);
	else if (p == PROBLEM_NOT_GRANTED)
		buf_printf(out,
			   "'%s' may not %s the nonResourceURL " REST_CLUSTER_URL
			   " of the cluster: a ClusterRole with that right has to be bound to it",
			   v->user, v->may_read ? "update" : "get");
	else if ((p == PROBLEM_CLUSTER_TROUBLE && v->claim == REVIEW_TROUBLE) ||
		 (p == PROBLEM_CLUSTER_UNKNOWN && v->claim == REVIEW_NOBODY))
		buf_str(out, v->why);
	return out->len ? buf_cstr(out) : NULL;
}

void problem_begin(struct rest_reply *out, enum rest_problem p, const struct rest_request *r,
		   const char *detail, struct json_writer *j)
{
	enum language language = r->accept_language ? accept_language(r->accept_language)
						    : LANGUAGE_EN;
	const struct kind *kind = &problems[p];
	CLEANUP(buf_done) struct buf whose = { 0 };

	if (!detail)
		detail = explain(p, r, &whose);
	*j = (struct json_writer){ .out = &out->body };
	out->status = kind->status;
	out->allow = kind->status == 405;
	out->retry = kind->status == 503 || kind->status == 429;
	out->type = REST_PROBLEM;
	out->language = language_tag(language);
	json_put_object(j, NULL);
	json_put_text(j, REST_TYPE, "about:blank");
	json_put_text(j, REST_TITLE, language == LANGUAGE_ZH_CN ? kind->title_zh : kind->title);
	json_put_uint(j, REST_ERROR_STATUS, kind->status);
	json_put_text(j, REST_CODE, kind->code);
	put_words(j, kind, language, detail);
	if (p != PROBLEM_TARGET_TOO_LONG && p != PROBLEM_HEADERS_TOO_LARGE)
		json_put_text(j, REST_INSTANCE, r->target);
	if (r->request_id)
		json_put_text(j, REST_REQUEST_ID, r->request_id);
}

void problem_end(struct json_writer *j)
{
	json_end_object(j);
	buf_str(j->out, "\n");
}

void problem_answer(struct rest_reply *out, enum rest_problem p, const struct rest_request *r,
		    const char *detail)
{
	struct json_writer j;

	problem_begin(out, p, r, detail, &j);
	problem_end(&j);
}
