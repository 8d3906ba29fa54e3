/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects out of bytes of the state file: any bytes are NULL or an object that gives the same bytes back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pool/object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire w = wire_of(data, size);
	struct object *o = wire_object(&w), *again;
	struct buf b = { 0 };

	if (!o)
		return 0;
	wire_put_object(&b, o);
	if (b.len != size - w.left || memcmp(b.data, data, b.len) != 0)
		abort();
	w = wire_of(b.data, b.len);
	again = wire_object(&w);
	if (!again || !object_same(o, again) || again->content != o->content)
		abort();
	object_free(o);
	object_free(again);
	buf_done(&b);
	return 0;
}
