/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The udp probe: one datagram, and what comes back.
 *
 * With an answer to look for, nothing else makes a server well. Without, it is
 * only ill if it is said that nobody is there: by its host (port unreachable),
 * or by the network. Silence is then as good as an answer, and a host that is
 * gone without anybody to say so looks like one that is well.
 */
#include "healthcheck/datagram.h"
#include "healthcheck/match.h"

_Static_assert(CHECK_BYTES_MAX <= HC_DATAGRAM_MAX, "what is to be said fits");

static size_t ask(const struct check *c, uint16_t id, uint8_t out[static HC_DATAGRAM_MAX])
{
	(void)id; /* there is no place for it */
	return check_bytes(c->send, out);
}

static struct hc_outcome judge(const struct check *c, uint16_t id, const uint8_t *data, size_t len)
{
	uint8_t answer[CHECK_BYTES_MAX];
	struct hc_match m;

	(void)id;
	hc_match_init(&m, (const char *)answer, check_bytes(c->answer, answer));
	hc_match_feed(&m, (const char *)data, len);
	return (struct hc_outcome){ m.found ? HC_REASON_OK : HC_REASON_NONE, 0 };
}

static enum hc_reason silence(const struct check *c)
{
	return c->answer ? HC_REASON_TIMEOUT : HC_REASON_SILENT;
}

const struct hc_datagrams hc_udp_datagrams = {
	.ask = ask,
	.judge = judge,
	.others = HC_REASON_NO_MATCH,
	.silence = silence,
};
