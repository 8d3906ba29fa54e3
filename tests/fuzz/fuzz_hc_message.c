/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of the channel between core and the healthcheck process, as either side may get them. */
#include <assert.h>
#include <string.h>

#include "agent/base/channel.h"
#include "healthcheck/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever was read is within bounds, so that the engine can rely on it. */
static void check_check(const struct check *c)
{
	assert(c->interval_ms >= 100 && c->interval_ms <= 60000);
	assert(c->timeout_ms >= 100 && c->timeout_ms <= c->interval_ms);
	assert(c->fast_ms >= 100 && c->fast_ms <= c->interval_ms);
	assert(c->rise >= 1 && c->rise <= 10 && c->fall >= 1 && c->fall <= 10);
	assert(c->hold_down_s <= CHECK_HOLD_MAX_S);
	assert(((check_has(c->type) & CHECK_HAS_REQUEST) != 0) == (c->path != NULL));
	assert(!c->path || (c->path[0] == '/' && strlen(c->path) <= CHECK_PATH_MAX));
	assert(!c->host ||
	       (check_has(c->type) & CHECK_HAS_HOST && strlen(c->host) <= CHECK_HOST_MAX));
	assert(!c->service ||
	       (c->type == CHECK_GRPC && c->service[0] && strlen(c->service) <= CHECK_SERVICE_MAX));
	assert(!c->match || (c->match[0] && strlen(c->match) <= CHECK_MATCH_MAX));
	assert(c->expect_count <= CHECK_EXPECT_MAX);
	assert(c->drain_count <= CHECK_EXPECT_MAX && c->degraded_count <= CHECK_EXPECT_MAX);
	assert(c->path || !(c->drain_count || c->degraded_count));
	assert(c->reuse >= 1 && c->reuse <= (c->path ? CHECK_REUSE_MAX : 1));
	assert(!c->secret || (check_uses(c) && strlen(c->secret) <= CHECK_SECRET_MAX));
	assert(!c->server_name || (check_uses(c) & CHECK_USES_CERTIFICATES &&
				   strlen(c->server_name) <= CHECK_HOST_MAX));
	assert(c->tls == CHECK_TLS_OFF || check_has(c->type) & CHECK_HAS_TLS);
	assert(c->tls != CHECK_TLS_PREFERRED || !(check_has(c->type) & CHECK_TLS_FIRST));
	assert(check_has_role(c->type, c->role));
	assert(c->role == CHECK_ROLE_ANY || c->secret ||
	       !(check_has(c->type) & CHECK_ROLE_NEEDS_SECRET));
	assert(!(c->send || c->answer) || check_has(c->type) & CHECK_HAS_WORDS);
	assert(!c->send || strlen(c->send) <= CHECK_BYTES_TEXT_MAX);
	assert(!c->answer || strlen(c->answer) <= CHECK_BYTES_TEXT_MAX);
	assert(c->via == CHECK_VIA_DIRECT || check_has(c->type) & CHECK_HAS_VIA);
	assert(!c->way.is_tunnel || c->way.vip_v4.family || c->way.vip_v6.family);
	assert((c->type == CHECK_DNS) == (c->dns_name != NULL));
	assert((c->type == CHECK_DNS) == (c->dns_type && c->dns_rcodes));
	assert(c->tls <= CHECK_TLS_REQUIRED && c->max_lag_s <= CHECK_LAG_MAX_S);
}

/* What was read well is written as the same bytes: there is one way to say a thing. */
static void same(const struct buf *written, const struct wire *before)
{
	assert(written->len == before->left);
	assert(memcmp(written->data, before->data, written->len) == 0);
}

static void read_target(struct wire *body)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct wire before = *body, inner = *body;
	struct hc_target t;
	struct check *c;

	wire_hc_target(body, &t);
	assert((t.check != NULL) == !body->bad);
	if (wire_end(body)) {
		wire_put_hc_target(&b, &t);
		same(&b, &before);
	}
	check_unref(t.check);
	/* The id guards the rest from mutations: look behind it. */
	(void)wire_u64(&inner);
	(void)wire_endpoint(&inner);
	c = wire_check(&inner);
	if (c)
		check_check(c);
	check_unref(c);
}

static bool message(void *arg, uint16_t type, struct wire *body)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct wire before = *body;
	struct hc_verdict verdict;
	struct hc_secret secret;
	struct hc_status status;
	struct hc_sight sight;

	(void)arg;
	switch (type) {
	case HC_MSG_TARGET:
		read_target(body);
		return wire_end(body);
	case HC_MSG_VERDICT:
		wire_hc_verdict(body, &verdict);
		assert(body->bad || strcmp(hc_reason_text(verdict.reason), "?") != 0);
		assert(verdict.standing <= HC_STANDING_DRAINING);
		if (!wire_end(body))
			return false;
		wire_put_hc_verdict(&b, &verdict);
		break;
	case HC_MSG_STATUS:
		wire_hc_status(body, &status);
		if (!wire_end(body))
			return false;
		wire_put_hc_status(&b, &status);
		break;
	case HC_MSG_SEEN:
		wire_hc_sight(body, &sight);
		assert(body->bad ||
		       (sight.began_ago_ms >= 0 && sight.began_ago_ms <= HC_SIGHT_MAX_MS));
		assert(strcmp(hc_reason_text(sight.reason), "?") != 0);
		if (!wire_end(body))
			return false;
		wire_put_hc_sight(&b, &sight);
		break;
	case HC_MSG_SECRET:
		wire_hc_secret(body, &secret);
		assert((secret.name != NULL) == !body->bad);
		assert(!secret.certificate == !secret.key);
		assert(!secret.key || strlen(secret.key) <= HC_SECRET_KEY_MAX);
		assert(!secret.password || strlen(secret.password) <= HC_SECRET_PASSWORD_MAX);
		if (secret.name)
			wire_put_hc_secret(&b, &secret);
		hc_secret_done(&secret);
		if (!wire_end(body))
			return false;
		break;
	default:
		return true;
	}
	same(&b, &before);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int r = channel_split(data, size, message, NULL);

	(void)r;
	return 0;
}
