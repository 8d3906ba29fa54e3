/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet as one of our processes may get it from another that was taken over. */
#include <stdlib.h>

#include "agent/base/channel.h"
#include "agent/base/endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads each body as far as it goes, the way decoders do. */
static bool read_body(void *arg, uint16_t type, struct wire *body)
{
	size_t *total = arg;
	char text[64];

	if (type == 0)
		abort();
	while (!body->bad && body->left) {
		*total += body->left;
		switch (type % 4) {
		case 0:
			wire_str(body, text, sizeof(text));
			break;
		case 1:
			*total += wire_u32(body);
			break;
		case 2:
			*total += wire_endpoint(body).port;
			break;
		default:
			return type & 4;
		}
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t total = 0;

	(void)!channel_split(data, size, read_body, &total);
	return 0;
}
