/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long an answer of the REST interface takes to be made, over a snapshot of
 * POOLS (35,000) pools with MEMBERS (10) members each, health and states mixed.
 *
 *   rest_lists [POOLS MEMBERS]
 *
 * Each target is asked ROUNDS times in this process, without a socket: what is
 * measured is the time that the HTTP thread would be busy. Prints for each the
 * median and the longest in ms, and the bytes of the answer. A stream counts
 * its first piece alone, for that is what comes in one turn. Last comes how long
 * two snapshots take to be compared, which happens four times a second.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent/api/rest.h"
#include "agent/api/schema.h"
#include "tests/lib/snapshots.h"

#define ROUNDS 21
#define PIECE  (64 * 1024)

static const struct {
	const char *target;
	const char *accept;
} asked[] = {
	{ REST_POOLS, NULL },
	{ REST_POOLS "?limit=1000", NULL },
	{ REST_POOLS "?limit=200&offset=34000", NULL },
	{ REST_POOLS "?q=service-349", NULL },
	{ REST_POOLS "?q=10.0.0.1:64", NULL },
	{ REST_POOLS "?q=nothing-like-it", NULL },
	{ REST_POOLS "?q=member:10.133.12.7", NULL },
	{ REST_POOLS "?q=member:133.12.7", NULL },
	{ REST_POOLS "?health=down,degraded", NULL },
	{ REST_POOLS "?vip=10.0.0.1:40000", NULL },
	{ REST_POOLS "?sort=-id&limit=200", NULL },
	{ REST_POOLS "?sort=health,-problemCount,id&limit=200&offset=20000", NULL },
	{ REST_POOLS "?sort=-down,service&limit=1000&offset=17000", NULL },
	{ REST_MEMBERS, NULL },
	{ REST_MEMBERS "?limit=1000&offset=349000", NULL },
	{ REST_MEMBERS "?q=133.12.7", NULL },
	{ REST_MEMBERS "?state=down", NULL },
	{ REST_MEMBERS "?vip=10.0.0.1:40000", NULL },
	{ REST_MEMBERS "?q=service-349", NULL },
	{ REST_MEMBERS "?namespace=a,ns&service=service-34900&check=http", NULL },
	{ REST_MEMBERS "?sort=state,-address&limit=200", NULL },
	{ REST_MEMBERS "?sort=state,-address&limit=1000&offset=175000", NULL },
	{ REST_MEMBERS "?sort=-pool,since&limit=200&offset=100000", NULL },
	{ REST_TARGETS, NULL },
	{ REST_TARGETS "?q=133.12.7", NULL },
	{ REST_TARGETS "?sort=-failed,state,address&limit=1000&offset=175000", NULL },
	{ REST_COUNTS, NULL },
	{ REST_METRICS, NULL },
	{ REST_EVENTS, NULL },
	{ REST_MEMBERS, REST_NDJSON },
	{ REST_MEMBERS "?sort=-state,address", REST_NDJSON },
};

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* Every seventh member is down, every eleventh unknown, every thirteenth on its way out. */
static void mix(struct snapshot *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->pool_count; i++)
		for (size_t k = 0; k < s->pools[i]->member_count; k++, n++) {
			struct member_mark *m = &s->pools[i]->members[k];

			m->state = n % 7 == 0	 ? VERDICT_DOWN
				   : n % 11 == 0 ? VERDICT_UNKNOWN
						 : VERDICT_UP;
			m->reasons = n % 13 == 0 ? MEMBER_REMOVED : 0;
		}
	for (size_t i = 0; s->targets && i < s->targets->count; i++)
		s->targets->items[i].failed = (uint32_t)(i * 7919 % 1000);
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void measure(const struct rest_state *s, const char *target, const char *accept)
{
	struct rest_request r = { .method = "GET", .target = target, .accept = accept };
	double took[ROUNDS];
	size_t bytes = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		double start = now_ms();
		struct rest_reply reply;

		rest_answer(&r, s, &reply);
		if (reply.status != 200)
			errx(1, "%s: status %u", target, reply.status);
		if (reply.stream && !list_stream_read(reply.stream, &reply.body, PIECE))
			errx(1, "%s: a short stream", target);
		took[i] = now_ms() - start;
		bytes = reply.body.len;
		rest_reply_done(&reply);
	}
	qsort(took, ROUNDS, sizeof(took[0]), by_value);
	printf("%-6s %-62s %8.2f %8.2f %9zu\n", accept ? "lines" : "page", target, took[ROUNDS / 2],
	       took[ROUNDS - 1], bytes);
}

static void measure_comparing(const struct snapshot *s, size_t pools, size_t members)
{
	struct feed *f = feed_new();
	double took[3];

	(void)feed_take(f, snapshot_turned(s, 0, 0, VERDICT_UP, 0), 0);
	took[0] = now_ms();
	(void)feed_take(f, snapshot_turned(s, 0, 0, VERDICT_UP, 0), 0);
	took[0] = now_ms() - took[0];
	took[1] = now_ms();
	(void)feed_take(f, snapshot_turned(s, pools / 2, 0, VERDICT_DOWN, 1), 0);
	took[1] = now_ms() - took[1];
	feed_free(f);
	f = feed_new();
	(void)feed_take(f, snapshot_large(pools, members), 0);
	{
		struct snapshot *other = snapshot_large(pools, members);

		mix(other);
		took[2] = now_ms();
		(void)feed_take(f, other, 0);
		took[2] = now_ms() - took[2];
	}
	printf("comparing: one pool %.2f ms, two pools %.2f ms, all %.2f ms\n", took[0], took[1],
	       took[2]);
	feed_free(f);
}

int main(int argc, char **argv)
{
	size_t pools = argc > 1 ? strtoul(argv[1], NULL, 10) : 35000;
	size_t members = argc > 2 ? strtoul(argv[2], NULL, 10) : 10;
	struct rest_state s = { .snapshot = snapshot_large(pools, members),
				.pictures = pictures_new(),
				.feed = feed_new() };

	mix(s.snapshot);
	printf("%-6s %-62s %8s %8s %9s\n", "form", "target", "p50 ms", "max ms", "bytes");
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		measure(&s, asked[i].target, asked[i].accept);
	measure_comparing(s.snapshot, pools, members);
	pictures_free(s.pictures);
	feed_free(s.feed);
	snapshot_unref(s.snapshot);
	return 0;
}
