/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams from netlink: answers, and dumps of services and destinations. */
#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#include "ipvs/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipvs_reply r;
	struct ipvs_service s;
	struct ipvs_dest d;
	struct ipvs_dest_stats stats;
	struct ipvs_counters counters;
	uint64_t connections;
	uint32_t mark;

	while (ipvs_reply_next(&data, &size, &r) == 1) {
		assert(r.error <= 0 && r.error >= -4095);
		if (ipvs_decode_service(&r, &s) == 0) {
			assert(memchr(s.scheduler, '\0', sizeof(s.scheduler)));
			assert(!(s.flags & ~(uint32_t)IPVS_FLAGS_ALL));
			assert(s.dest_count == 0 && !s.dests);
		}
		if (ipvs_decode_marked_service(&r, &s, &mark) == 0) {
			assert(memchr(s.scheduler, '\0', sizeof(s.scheduler)));
			assert(s.key.addr.family == AF_INET || s.key.addr.family == AF_INET6);
		}
		if (ipvs_decode_dest(&r, AF_INET6, &d, &connections) == 0)
			assert(d.addr.family == AF_INET || d.addr.family == AF_INET6);
		if (ipvs_decode_dest_stats(&r, AF_INET, &stats) == 0)
			assert(stats.addr.family == AF_INET || stats.addr.family == AF_INET6);
		(void)!ipvs_decode_service_stats(&r, &counters);
	}
	return 0;
}
