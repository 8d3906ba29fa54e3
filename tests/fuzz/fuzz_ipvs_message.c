/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of the channel between core and the ipvs process, as either side may get them. */
#include <assert.h>
#include <string.h>

#include "agent/base/channel.h"
#include "ipvs/message.h"
#include "ipvs/stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever was read is within bounds, so that everything behind can rely on it. */
static void check_service(const struct ipvs_service *s)
{
	assert(s->dest_count <= IPVS_DESTS_MAX);
	assert(s->scheduler[0] && memchr(s->scheduler, '\0', sizeof(s->scheduler)));
	assert(!(s->flags & ~(uint32_t)IPVS_FLAGS_ALL));
	for (uint32_t i = 1; i < s->dest_count; i++)
		assert(ipvs_dest_cmp(&s->dests[i - 1], &s->dests[i]) < 0);
}

struct receiver {
	struct ipvs_message_reader reader;
	struct ipvs_ours_list ours;
	struct ipvs_stats_reader stats;
	bool begun;
};

static void check_ours(const struct ipvs_ours_list *l)
{
	assert(l->count <= IPVS_OURS_MAX);
	for (size_t i = 0; i < l->count; i++) {
		const struct ipvs_ours *o = &l->items[i];

		assert(addr_cmp(&o->addresses.first, &o->addresses.last) <= 0);
		assert(o->ports.first && o->ports.first <= o->ports.last);
	}
}

/* What either end makes of the body; the same bytes may be both. */
static bool check_paths(struct wire *body)
{
	struct wire again = *body;
	struct ipvs_paths_result result;
	struct ipvs_paths paths;
	bool ok;

	wire_ipvs_paths_result(&again, &result);
	assert(result.error <= 0 && memchr(result.text, '\0', sizeof(result.text)));
	assert(result.failed_count <= IPVS_PATHS_MAX);
	for (size_t i = 0; i < result.failed_count; i++) {
		assert(result.failed[i] < IPVS_PATHS_MAX);
		assert(i == 0 || result.failed[i - 1] < result.failed[i]);
	}
	wire_ipvs_paths(body, &paths);
	ok = wire_end(body);
	assert(paths.count <= IPVS_PATHS_MAX && (!body->bad || !paths.items));
	for (size_t i = 0; i < paths.count; i++) {
		assert(paths.items[i].number < IPVS_PATHS_MAX);
		assert(i == 0 || paths.items[i - 1].number < paths.items[i].number);
	}
	ipvs_paths_done(&paths);
	return ok || wire_end(&again);
}

static bool message(void *arg, uint16_t type, struct wire *body)
{
	struct receiver *to = arg;
	struct ipvs_service s = { 0 };
	struct ipvs_commit commit;
	struct ipvs_status status;
	struct ipvs_problem problem;
	struct ipvs_notrack notrack;
	struct ipvs_stats_answer answer;
	int r;

	switch (type) {
	case IPVS_MSG_SERVICE:
	case IPVS_MSG_DESTS:
		r = ipvs_message_read(&to->reader, type, body, &s);
		if (r == 1)
			check_service(&s);
		ipvs_service_done(&s);
		return r >= 0;
	case IPVS_MSG_OURS:
		r = ipvs_message_read_ours(&to->ours, &to->begun, body);
		check_ours(&to->ours);
		return r >= 0;
	case IPVS_MSG_STATS:
	case IPVS_MSG_STATS_DESTS:
		r = ipvs_stats_read(&to->stats, type, body, &answer);
		assert(r != 1 || answer.stats.dest_count <= IPVS_DESTS_MAX);
		if (r == 1)
			ipvs_stats_done(&answer.stats);
		return r >= 0;
	case IPVS_MSG_NOTRACK:
		wire_ipvs_notrack(body, &notrack);
		for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++)
			assert(notrack.parts[i].count <= IPVS_NOTRACK_SOME_MAX);
		return wire_end(body);
	case IPVS_MSG_PATHS:
		return check_paths(body);
	case IPVS_MSG_COMMIT:
		wire_ipvs_commit(body, &commit);
		return wire_end(body);
	case IPVS_MSG_STATUS:
		wire_ipvs_status(body, &status);
		return wire_end(body);
	case IPVS_MSG_PROBLEM:
		wire_ipvs_problem(body, &problem);
		return wire_end(body);
	default:
		return true;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct receiver to = { 0 };
	int r = channel_split(data, size, message, &to);

	(void)r;
	ipvs_message_reader_done(&to.reader);
	ipvs_ours_list_done(&to.ours);
	ipvs_stats_reader_done(&to.stats);
	return 0;
}
