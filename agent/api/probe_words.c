/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/probe_words.h"

#include <string.h>

#include "agent/base/value.h"

#define LANGUAGES (LANGUAGE_ZH_CN + 1)

/*
 * In braces stand: {it}, what was asked; {n}, the detail; {after}, how long it took; {within}, how
 * long it had; {code}, the detail where it is an error code; {rcode}, the detail by its
 * name; {expect}, which status or code would have been good; {match}, the text that is looked for;
 * {name}, whom its certificate should be for; {role} and {lag}, what is asked for. Each brings the
 * blanks and marks that it needs, and is nothing where there is nothing to tell.
 */
static const char *const templates[HC_REASON_COUNT][LANGUAGES] = {
	[HC_REASON_NONE] = { "{it} was not probed yet", "{it} 尚未检查" },
	[HC_REASON_INHERITED] = { "{it} was not probed yet; its state is the one from before",
				  "{it} 尚未检查；状态沿用之前的" },
	[HC_REASON_OK] = { "{it} answered as it should{after}", "{it} 应答正常{after}" },
	[HC_REASON_REFUSED] = { "{it} was refused{after}: nothing listens there",
				"{it} 被拒绝{after}：该端口无人监听" },
	[HC_REASON_TIMEOUT] = { "{it} had no answer{within}", "{it} 未应答{within}" },
	[HC_REASON_UNREACHABLE] = { "{it} cannot be reached{code}{after}",
				    "{it} 不可达{code}{after}" },
	[HC_REASON_CLOSED] = { "{it} was closed without an answer{after}",
			       "{it} 的连接未应答即被关闭{after}" },
	[HC_REASON_BAD_REPLY] = { "{it} answered, but not in the protocol of the check{after}",
				  "{it} 的应答不符合检查所用的协议{after}" },
	[HC_REASON_STATUS] = { "{it} answered {n}{after}{expect}", "{it} 应答 {n}{after}{expect}" },
	[HC_REASON_NO_MATCH] = { "{it} answered without the text that is looked for{after}{match}",
				 "{it} 的应答中没有所需文字{after}{match}" },
	[HC_REASON_TOO_LONG] = { "{it} answered with more than is read of an answer{after}",
				 "{it} 的应答超出读取上限{after}" },
	[HC_REASON_NO_RESOURCE] = { "{it} could not be asked: this node lacks descriptors, ports "
				    "or memory{code}; it counts for nothing",
				    "{it} 未能检查：本机缺少描述符、端口或内存{code}；不计入" },
	[HC_REASON_LATE] = { "{it} was asked, but this node was too busy to judge the answer; it "
			     "counts for nothing",
			     "{it} 已检查，但本机过忙而无法判断；不计入" },
	[HC_REASON_LOCAL] = { "{it} could not be asked: this node's own network is down{code}; it "
			      "counts for nothing",
			      "{it} 未能检查：本机网络中断{code}；不计入" },
	[HC_REASON_OVER_QUOTA] = { "{it} is not probed: its namespace has as many checks as its "
				   "quota allows; it serves unless it was down before",
				   "{it} "
				   "不检查：其命名空间的检查已达配额；除非此前已下线，否则继续服"
				   "务" },
	[HC_REASON_NOT_ALLOWED] = { "{it} is not probed: its address must not be; its state is the "
				    "one from before",
				    "{it} 不检查：其地址不允许检查；状态沿用之前的" },
	[HC_REASON_AUTH] = { "{it} is alive, but does not let the check's account in{code}{after}",
			     "{it} 存活，但拒绝检查所用的账号{code}{after}" },
	[HC_REASON_BLOCKED] = { "{it} does not talk to this node{code}: FLUSH HOSTS there helps",
				"{it} 不与本机通信{code}：请在该处执行 FLUSH HOSTS" },
	[HC_REASON_SATURATED] = { "{it} is alive, with as many connections as it takes{code}",
				  "{it} 存活，但连接数已达上限{code}" },
	[HC_REASON_NOT_READY] = { "{it} answered that it is not ready to serve{code}{after}",
				  "{it} 应答尚未就绪{code}{after}" },
	[HC_REASON_SHUTDOWN] = { "{it} is shutting down{code}", "{it} 正在关闭{code}" },
	[HC_REASON_ROLE] = { "{it} is alive, but not in the role that is asked for{role}",
			     "{it} 存活，但不是所要求的角色{role}" },
	[HC_REASON_LAG] = { "{it} lags behind{lag}", "{it} 复制落后{lag}" },
	[HC_REASON_NO_SECRET] = { "{it} accepts connections; the Secret of its check is not known "
				  "here, or lacks what it needs",
				  "{it} 接受连接；检查所用的 Secret 在此未知，或缺少所需内容" },
	[HC_REASON_TLS] = { "{it} offers no TLS that can be trusted{code}",
			    "{it} 没有可信的 TLS{code}" },
	[HC_REASON_HELD_BACK] = { "{it} was not logged in to: too many logins broke off, and this "
				  "node tries once a minute",
				  "{it} 未登录：中断的登录过多，本机每分钟只尝试一次" },
	[HC_REASON_DNS_ERROR] = { "{it} answered {rcode}{after}{expect}",
				  "{it} 应答 {rcode}{after}{expect}" },
	[HC_REASON_SILENT] = { "{it} said nothing{within}, nor did anybody that it is not there",
			       "{it} 未应答{within}，也无人报告其不在" },
	[HC_REASON_NOT_SERVING] = { "{it} answered that it does not serve{after}",
				    "{it} 应答当前不提供服务{after}" },
	[HC_REASON_SERVICE_UNKNOWN] = { "{it} has no service of that name{after}",
					"{it} 没有该名称的服务{after}" },
	[HC_REASON_NO_HEALTH_SERVICE] = { "{it} does not implement grpc.health.v1.Health{after}",
					  "{it} 没有实现 grpc.health.v1.Health{after}" },
	[HC_REASON_GRPC_STATUS] = { "{it} answered with gRPC status {n}{grpc}{after}",
				    "{it} 应答 gRPC 状态 {n}{grpc}{after}" },
	[HC_REASON_BROKEN_OFF] = { "{it} broke the call off with HTTP/2 error {n}{http2}{after}",
				   "{it} 以 HTTP/2 错误 {n}{http2} 中断了调用{after}" },
	[HC_REASON_DRAINING] = { "{it} answered {n}: it is about to go{after}",
				 "{it} 应答 {n}：即将下线{after}" },
	[HC_REASON_DEGRADED] = { "{it} answered {n}: it is not at its best{after}",
				 "{it} 应答 {n}：状态不佳{after}" },
	[HC_REASON_NOT_TLS] = { "{it} answered, but not in TLS{after}",
				"{it} 有应答，但不是 TLS{after}" },
	[HC_REASON_EXPIRED] = { "{it} has a certificate that is expired, or not valid yet{after}",
				"{it} 的证书已过期或尚未生效{after}" },
	[HC_REASON_NAME] = { "{it} has a certificate for other names{after}{name}",
			     "{it} 的证书不是为该名称签发的{after}{name}" },
	[HC_REASON_CLIENT_CERTIFICATE] = { "{it} demands a client certificate that it trusts: "
					   "tls.crt and tls.key of the check's Secret{after}",
					   "{it} 要求其信任的客户端证书：检查所用 Secret 的 "
					   "tls.crt 与 "
					   "tls.key{after}" },
	[HC_REASON_NO_HTTP2] = { "{it} speaks TLS, but did not choose HTTP/2 in it (ALPN: "
				 "h2){after}",
				 "{it} 使用 TLS，但未在其中选择 HTTP/2（ALPN：h2）{after}" },
};

const char *probe_words_template(enum language l, enum hc_reason r)
{
	return (unsigned)r < HC_REASON_COUNT ? templates[r][l] : NULL;
}

/* --- what stands in braces -------------------------------------------------------------- */

typedef void put_fn(struct buf *out, bool zh, const struct probe_found *p);

/* "GET http://10.0.0.7:8080/healthz", "mysql at 10.0.0.7:3306". */
static void put_it(struct buf *out, bool zh, const struct probe_found *p)
{
	const struct check *c = p->check;
	const char *type = check_type_text(c->type);
	char at[ENDPOINT_TEXT_MAX];

	endpoint_text(p->at, at);
	if (check_has(c->type) & CHECK_HAS_QUESTION) {
		buf_printf(out, zh ? "%s %s %s %s" : "%s %s %s at %s", type, c->dns_name,
			   value_word_text(&value_dns_types, c->dns_type), at);
		return;
	}
	if (check_has(c->type) & CHECK_HAS_REQUEST)
		buf_printf(out, "GET %s://%s%s", type, at, c->path);
	else
		buf_printf(out, zh ? "%s%s%s %s" : "%s%s%s at %s", type, c->service ? " " : "",
			   c->service ? c->service : "", at);
	if (c->host)
		buf_printf(out, zh ? "（主机 %s）" : " of host %s", c->host);
}

static void put_n(struct buf *out, bool zh, const struct probe_found *p)
{
	(void)zh;
	buf_printf(out, "%d", p->detail);
}

static void put_after(struct buf *out, bool zh, const struct probe_found *p)
{
	double ms = (double)p->took_us / 1000;

	if (p->took_us)
		buf_printf(out, zh ? "，用时 %.*f ms" : " after %.*f ms", ms < 10, ms);
}

static void put_within(struct buf *out, bool zh, const struct probe_found *p)
{
	char text[VALUE_DURATION_TEXT_MAX];

	buf_printf(out, zh ? "，限时 %s" : " within %s",
		   value_duration_text(p->check->timeout_ms, text));
}

static void put_code(struct buf *out, bool zh, const struct probe_found *p)
{
	if (p->detail <= 0)
		return;
	if (hc_reason_is_of_login(p->reason))
		buf_printf(out, zh ? "（错误 %d）" : " (error %d)", p->detail);
	else
		buf_printf(out, zh ? "（%s）" : " (%s)", strerror(p->detail));
}

static void put_rcode(struct buf *out, bool zh, const struct probe_found *p)
{
	(void)zh;
	value_dns_rcode_put(out, p->detail);
}

static void put_expect(struct buf *out, bool zh, const struct probe_found *p)
{
	char text[VALUE_STATUSES_TEXT_MAX], rcodes[VALUE_RCODES_TEXT_MAX];

	if (p->check->dns_rcodes)
		buf_printf(out, zh ? "；应为 %s" : "; %s is expected",
			   value_dns_rcodes_text(p->check->dns_rcodes, rcodes));
	if (p->check->expect_count)
		buf_printf(out, zh ? "；应为 %s" : "; %s is expected",
			   value_statuses_text(p->check->expect, p->check->expect_count, text));
}

static void put_match(struct buf *out, bool zh, const struct probe_found *p)
{
	const char *text = p->check->match ? p->check->match : p->check->answer;

	if (text)
		buf_printf(out, zh ? "；应有“%s”" : "; \"%s\" is expected", text);
}

static void put_whom(struct buf *out, bool zh, const struct probe_found *p)
{
	const struct check *c = p->check;
	const char *name = c->server_name ? c->server_name : c->host;

	if (name)
		buf_printf(out, zh ? "；应为 %s" : "; %s is expected", name);
}

static void put_role(struct buf *out, bool zh, const struct probe_found *p)
{
	if (p->check->role != CHECK_ROLE_ANY)
		buf_printf(out, zh ? "（%s）" : " (%s)",
			   value_word_text(&value_check_roles, p->check->role));
}

static void put_lag(struct buf *out, bool zh, const struct probe_found *p)
{
	if (p->detail < 0)
		buf_str(out, zh ? "，或无法得知落后多少" : ", or cannot say how far");
	else
		buf_printf(out, zh ? " %d 秒" : " by %d s", p->detail);
	if (p->check->max_lag_s)
		buf_printf(out, zh ? "；至多允许 %u 秒" : "; at most %u s are allowed",
			   p->check->max_lag_s);
}

/* " UNAVAILABLE": a number's name, where it has one. */
static void put_name(struct buf *out, int32_t n, const char *const *names, size_t count)
{
	if (n >= 0 && (size_t)n < count)
		buf_printf(out, " %s", names[n]);
}

static void put_grpc(struct buf *out, bool zh, const struct probe_found *p)
{
	/* google.rpc.Code */
	static const char *const names[] = {
		"OK",
		"CANCELLED",
		"UNKNOWN",
		"INVALID_ARGUMENT",
		"DEADLINE_EXCEEDED",
		"NOT_FOUND",
		"ALREADY_EXISTS",
		"PERMISSION_DENIED",
		"RESOURCE_EXHAUSTED",
		"FAILED_PRECONDITION",
		"ABORTED",
		"OUT_OF_RANGE",
		"UNIMPLEMENTED",
		"INTERNAL",
		"UNAVAILABLE",
		"DATA_LOSS",
		"UNAUTHENTICATED",
	};

	(void)zh;
	put_name(out, p->detail, names, ARRAY_LEN(names));
}

static void put_http2(struct buf *out, bool zh, const struct probe_found *p)
{
	/* RFC 9113 section 7 */
	static const char *const names[] = {
		"NO_ERROR",
		"PROTOCOL_ERROR",
		"INTERNAL_ERROR",
		"FLOW_CONTROL_ERROR",
		"SETTINGS_TIMEOUT",
		"STREAM_CLOSED",
		"FRAME_SIZE_ERROR",
		"REFUSED_STREAM",
		"CANCEL",
		"COMPRESSION_ERROR",
		"CONNECT_ERROR",
		"ENHANCE_YOUR_CALM",
		"INADEQUATE_SECURITY",
		"HTTP_1_1_REQUIRED",
	};

	(void)zh;
	put_name(out, p->detail, names, ARRAY_LEN(names));
}

static put_fn *find(const char *name, size_t len)
{
	static const struct {
		const char *name;
		put_fn *put;
	} all[] = { { "it", put_it },	      { "n", put_n },	      { "after", put_after },
		    { "within", put_within }, { "code", put_code },   { "expect", put_expect },
		    { "match", put_match },   { "rcode", put_rcode }, { "role", put_role },
		    { "lag", put_lag },	      { "grpc", put_grpc },   { "http2", put_http2 },
		    { "name", put_whom } };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strlen(all[i].name) == len && memcmp(all[i].name, name, len) == 0)
			return all[i].put;
	return NULL;
}

void probe_words(struct buf *out, enum language l, const struct probe_found *p)
{
	const char *s = probe_words_template(l, p->reason);

	while (s && *s) {
		size_t plain = strcspn(s, "{"), len;
		put_fn *put;

		buf_put(out, s, plain);
		s += plain;
		if (!*s)
			return;
		len = strcspn(s, "}");
		put = find(s + 1, len - 1);
		if (put)
			put(out, l == LANGUAGE_ZH_CN, p);
		s += len + (s[len] == '}');
	}
}
