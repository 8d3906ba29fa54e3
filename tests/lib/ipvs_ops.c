/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/ipvs_ops.h"

#include <netinet/in.h>
#include <string.h>

#include "ipvs/table.h"

static void print_deletion(const struct ipvs_op *op, struct buf *out)
{
	const struct endpoint dest = { .addr = op->dest.addr, .port = op->dest.port };
	char text[ENDPOINT_TEXT_MAX];

	buf_printf(out, "-%c -%c %s", op->kind == IPVS_DEL_SERVICE ? 'D' : 'd',
		   op->key.protocol == IPPROTO_UDP ? 'u' : 't', endpoint_text(&op->key, text));
	if (op->kind == IPVS_DEL_DEST)
		buf_printf(out, " -r %s", endpoint_text(&dest, text));
	buf_str(out, "\n");
}

void ipvs_ops_print(const struct ipvs_op *ops, size_t count, struct buf *out)
{
	static const char verbs[] = {
		[IPVS_NEW_SERVICE] = 'A',
		[IPVS_SET_SERVICE] = 'E',
		[IPVS_NEW_DEST] = 'a',
		[IPVS_SET_DEST] = 'e',
	};

	for (size_t i = 0; i < count; i++) {
		const struct ipvs_op *op = &ops[i];
		CLEANUP(buf_done) struct buf text = { 0 };
		CLEANUP(ipvs_table_done) struct ipvs_table t;
		struct ipvs_service s = ipvs_service_of(&op->key);
		const char *line;

		ipvs_table_init(&t);
		if (op->kind == IPVS_DEL_SERVICE || op->kind == IPVS_DEL_DEST) {
			print_deletion(op, out);
			continue;
		}
		if (op->kind >= IPVS_NEW_DEST) {
			*ipvs_service_add(&s) = op->dest;
		} else {
			memcpy(s.scheduler, op->scheduler, sizeof(s.scheduler));
			s.flags = op->flags;
			s.timeout = op->timeout;
			s.netmask = op->netmask;
		}
		ipvs_table_put(&t, &s);
		ipvs_table_print(&t, &text);
		line = buf_cstr(&text);
		if (op->kind >= IPVS_NEW_DEST)
			line = strchr(line, '\n') + 1;
		buf_printf(out, "-%c%s", verbs[op->kind], line + 2);
	}
}
