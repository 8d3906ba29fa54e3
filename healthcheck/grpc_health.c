/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/grpc_health.h"

#include <string.h>

#define PREFIX	   5 /* compressed or not, and the length of the message: its first byte first */
#define VARINT_MAX 10

/* In the low bits of a tag: what follows it. */
enum wire_type { VARINT = 0, FIXED_64 = 1, BYTES = 2, FIXED_32 = 5 };

#define TAG(field, type) ((field) << 3 | (type))
#define REQUEST_SERVICE	 TAG(1, BYTES)
#define RESPONSE_STATUS	 TAG(1, VARINT)

static size_t put_length(uint8_t *out, size_t len)
{
	if (len < 0x80) {
		out[0] = (uint8_t)len;
		return 1;
	}
	out[0] = (uint8_t)(len | 0x80);
	out[1] = (uint8_t)(len >> 7);
	return 2;
}

size_t hc_grpc_request(const char *service, uint8_t out[static HC_GRPC_REQUEST_MAX])
{
	size_t name = service ? strlen(service) : 0, len = 0;

	if (name > 0) {
		out[PREFIX] = REQUEST_SERVICE;
		len = 1 + put_length(out + PREFIX + 1, name);
		memcpy(out + PREFIX + len, service, name);
		len += name;
	}
	out[0] = out[1] = out[2] = 0;
	out[3] = (uint8_t)(len >> 8);
	out[4] = (uint8_t)len;
	return PREFIX + len;
}

struct reader {
	const uint8_t *data;
	size_t left;
};

static bool skip(struct reader *r, uint64_t n)
{
	if (n > r->left)
		return false;
	r->data += n;
	r->left -= (size_t)n;
	return true;
}

static bool read_varint(struct reader *r, uint64_t *out)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < VARINT_MAX && i < r->left; i++) {
		v |= (uint64_t)(r->data[i] & 0x7f) << 7 * i;
		if (!(r->data[i] & 0x80)) {
			*out = v;
			return skip(r, i + 1);
		}
	}
	return false;
}

static bool skip_field(struct reader *r, uint64_t tag)
{
	uint64_t n;

	switch (tag & 7) {
	case VARINT:
		return read_varint(r, &n);
	case FIXED_64:
		return skip(r, 8);
	case FIXED_32:
		return skip(r, 4);
	case BYTES:
		return read_varint(r, &n) && skip(r, n);
	default: /* groups: nothing is written with them any more */
		return false;
	}
}

static bool read_prefix(struct reader *r)
{
	const uint8_t *p = r->data;

	if (!skip(r, PREFIX) || p[0] != 0)
		return false;
	return r->left ==
	       ((uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4]);
}

bool hc_grpc_response(const uint8_t *data, size_t len, enum hc_grpc_serving *out)
{
	struct reader r = { data, len };
	uint64_t status = HC_GRPC_SERVING_UNKNOWN; /* what is not said has the value 0 */
	uint64_t tag;

	if (!read_prefix(&r))
		return false;
	while (r.left > 0) {
		if (!read_varint(&r, &tag) || tag >> 3 == 0)
			return false;
		if (!(tag == RESPONSE_STATUS ? read_varint(&r, &status) : skip_field(&r, tag)))
			return false;
	}
	*out = status <= HC_GRPC_SERVICE_UNKNOWN ? (enum hc_grpc_serving)status
						 : HC_GRPC_SERVING_UNKNOWN;
	return true;
}
