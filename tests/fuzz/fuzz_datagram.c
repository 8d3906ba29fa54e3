/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stranger answers to a question of one datagram. The first byte chooses
 * the check, the next two are the question's id.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "healthcheck/datagram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct check *udp(uint8_t choice)
{
	struct check *c = check_new(CHECK_UDP);

	c->answer = choice & 1 ? xstrdup("aab\\x00") : NULL;
	return c;
}

static struct check *dns(uint8_t choice)
{
	struct check *c = check_new(CHECK_DNS);

	if (choice & 1) {
		free(c->dns_name);
		c->dns_name = xstrdup("eXample.org");
		c->dns_type = 1;
		c->dns_rcodes = 9;
	}
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct hc_datagrams *d;
	uint8_t question[HC_DATAGRAM_MAX], *copy;
	struct hc_outcome o;
	struct check *c;
	uint16_t id;

	if (size < 3)
		return 0;
	d = data[0] & 0x80 ? &hc_dns_datagrams : &hc_udp_datagrams;
	c = data[0] & 0x80 ? dns(data[0]) : udp(data[0]);
	id = (uint16_t)(data[1] << 8 | data[2]);
	assert(d->ask(c, id, question) <= sizeof(question));
	/* A block of its own shows a step beyond it. */
	size -= 3;
	copy = xmalloc(size ? size : 1);
	memcpy(copy, data + 3, size);
	o = d->judge(c, id, copy, size);
	assert(o.reason >= HC_REASON_NONE && o.reason < HC_REASON_COUNT);
	free(copy);
	check_unref(c);
	return 0;
}
