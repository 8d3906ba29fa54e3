/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store [FOLDER [POOLS]]: the embedded store on the disk that FOLDER is on.
 * Writes one after the other and 64 at a time (p50, p99, writes/s); then so
 * many pools of ten members, two documents each (memory, file, time to open,
 * to back up, and to find a page of operations).
 */
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/base/loop.h"
#include "agent/base/xalloc.h"
#include "agent/store/history.h"

#define SAMPLES	  2000
#define PER_WRITE 250 /* pools, when loading */

struct bench {
	struct loop *loop;
	struct store *store;
	unsigned next, done, total, window;
	mono_t begun[SAMPLES];
	int64_t took_us[SAMPLES];
	bool answered;
};

static mono_t now(void)
{
	return clock_mono(&clock_system);
}

static double ms_since(mono_t start)
{
	return (double)(now().ns - start.ns) / 1e6;
}

static void turn(struct bench *b)
{
	if (loop_turn(b->loop, 100) < 0)
		abort();
}

static void open_store(struct bench *b, const char *path)
{
	const struct store_options options = { .path = path };
	struct store_status status = { 0 };

	if (store_open(b->loop, &options, &b->store) < 0)
		abort();
	do {
		turn(b);
		store_status(b->store, &status);
	} while (status.state == STORE_OPENING);
	if (status.state != STORE_READY) {
		fprintf(stderr, "%s\n", status.why);
		exit(1);
	}
}

/* --- documents ------------------------------------------------------------------------- */

static void service_text(struct buf *b, unsigned i)
{
	buf_reset(b);
	buf_printf(b,
		   "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"pool-%u\","
		   "\"namespace\":\"shop\",\"annotations\":{\"parasaus.io/scheduler\":\"wrr\","
		   "\"parasaus.io/health-check-type\":\"tcp\"}},\"spec\":{\"type\":\"NodePort\","
		   "\"ports\":[{\"name\":\"main\",\"protocol\":\"TCP\",\"port\":80,\"nodePort\":%u}"
		   "]}}",
		   i, 30000 + i % 35000);
}

static void endpoints_text(struct buf *b, unsigned i)
{
	buf_reset(b);
	buf_printf(
		b,
		"{\"apiVersion\":\"v1\",\"kind\":\"Endpoints\",\"metadata\":{\"name\":\"pool-%u\","
		"\"namespace\":\"shop\"},\"subsets\":[{\"addresses\":[",
		i);
	for (unsigned m = 0; m < 10; m++)
		buf_printf(b, "%s{\"ip\":\"10.%u.%u.%u\"}", m ? "," : "", i / 250 % 250, i % 250,
			   m + 1);
	buf_str(b, "],\"ports\":[{\"name\":\"main\",\"port\":8080,\"protocol\":\"TCP\"}]}]}");
}

/* --- writes ----------------------------------------------------------------------------- */

struct sample {
	struct bench *b;
	unsigned n;
};

static void submit(struct bench *b);

static void on_written(void *arg, const struct store_outcome *o)
{
	struct sample *s = arg;
	struct bench *b = s->b;

	if (o->result != STORE_OK)
		abort();
	b->took_us[s->n] = (now().ns - b->begun[s->n].ns) / 1000;
	free(s);
	b->done++;
	if (b->next < b->total)
		submit(b);
}

static void submit(struct bench *b)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct sample *s = xcalloc(1, sizeof(*s));
	char name[32];
	struct store_change c = { .key = { STORE_ENDPOINTS, "shop", name } };
	const struct store_write w = { .who = { .user = "alice", .action = "update" },
				       .changes = &c,
				       .count = 1 };

	*s = (struct sample){ b, b->next++ };
	endpoints_text(&text, s->n * 7 + b->window);
	snprintf(name, sizeof(name), "w%u", s->n % 100);
	c.text = buf_cstr(&text);
	c.len = text.len;
	b->begun[s->n] = now();
	store_write(b->store, &w, on_written, s);
}

static int compare_us(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void measure_writes(struct bench *b, unsigned window, unsigned total)
{
	mono_t start = now();
	double ms;

	b->next = b->done = 0;
	b->total = total;
	b->window = window;
	for (unsigned i = 0; i < window; i++)
		submit(b);
	while (b->done < total)
		turn(b);
	ms = ms_since(start);
	qsort(b->took_us, total, sizeof(b->took_us[0]), compare_us);
	printf("%2u at a time: %.0f writes/s, p50 %.2f ms, p99 %.2f ms, longest %.2f ms\n", window,
	       total / ms * 1000, (double)b->took_us[total / 2] / 1000,
	       (double)b->took_us[total * 99 / 100] / 1000, (double)b->took_us[total - 1] / 1000);
}

/* --- many ---------------------------------------------------------------------------------- */

static void on_loaded(void *arg, const struct store_outcome *o)
{
	if (o->result != STORE_OK)
		abort();
	*(bool *)arg = true;
}

static void load_some(struct bench *b, unsigned first, unsigned count)
{
	struct store_change *changes = xcalloc(2 * count, sizeof(*changes));
	const struct store_write w = { .who = { .user = "load", .action = "create" },
				       .changes = changes,
				       .count = 2 * (size_t)count };
	char(*names)[24] = xcalloc(count, sizeof(*names));
	struct buf text = { 0 };

	for (unsigned i = 0; i < count; i++) {
		snprintf(names[i], sizeof(names[i]), "pool-%u", first + i);
		for (int k = 0; k < 2; k++) {
			struct store_change *c = &changes[2 * i + k];

			(k ? endpoints_text : service_text)(&text, first + i);
			c->key = (struct store_key){ k ? STORE_ENDPOINTS : STORE_SERVICE, "shop",
						     names[i] };
			c->text = xstrdup(buf_cstr(&text));
			c->len = text.len;
		}
	}
	b->answered = false;
	store_write(b->store, &w, on_loaded, &b->answered);
	while (!b->answered)
		turn(b);
	for (size_t i = 0; i < w.count; i++)
		free((void *)(uintptr_t)changes[i].text);
	free(changes);
	free(names);
	buf_done(&text);
}

static double resident_mb(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long size, resident = 0;

	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static void on_operations(void *arg, enum store_result r, const struct store_operations *o)
{
	(void)o;
	if (r != STORE_OK)
		abort();
	*(bool *)arg = true;
}

static void measure_operations(struct bench *b, const char *name, const char *user)
{
	const struct store_operations_query q = {
		.name = name, .ns = name ? "shop" : NULL, .user = user, .limit = 100
	};
	mono_t start = now();

	b->answered = false;
	store_operations(b->store, &q, on_operations, &b->answered);
	while (!b->answered)
		turn(b);
	printf("a page of operations of %s: %.1f ms\n", name ? "a pool" : "a user",
	       ms_since(start));
}

static void on_copied(void *arg, enum store_result r, const char *why)
{
	if (r != STORE_OK)
		fprintf(stderr, "backup: %s\n", why);
	*(bool *)arg = true;
}

static void measure_backup(struct bench *b, const char *path)
{
	CLEANUP(xfree_ptr) char *to = xasprintf("%s.backup", path);
	mono_t start = now();

	b->answered = false;
	store_backup(b->store, to, on_copied, &b->answered);
	while (!b->answered)
		turn(b);
	printf("a backup: %.0f ms\n", ms_since(start));
	unlink(to);
}

static void measure_many(struct bench *b, const char *path, unsigned pools)
{
	struct store_status status;
	struct stat st = { 0 };
	mono_t start = now();
	double before;

	for (unsigned i = 0; i < pools; i += PER_WRITE)
		load_some(b, i, pools - i < PER_WRITE ? pools - i : PER_WRITE);
	printf("%u pools written, %u in a write: %.1f s\n", pools, PER_WRITE,
	       ms_since(start) / 1000);
	store_close(b->store);
	malloc_trim(0);
	before = resident_mb();
	start = now();
	open_store(b, path);
	store_status(b->store, &status);
	(void)!stat(path, &st);
	printf("%zu documents, a file of %.1f MB: opened in %.0f ms, %.1f MB of memory\n",
	       status.objects, (double)st.st_size / 1e6, ms_since(start), resident_mb() - before);
	measure_operations(b, "pool-7", NULL);
	measure_operations(b, NULL, "alice");
	measure_backup(b, path);
}

int main(int argc, char **argv)
{
	CLEANUP(xfree_ptr) char *dir = xasprintf("%s/store.XXXXXX", argc > 1 ? argv[1] : "/tmp");
	unsigned pools = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 35000;
	struct bench *b = xcalloc(1, sizeof(*b));
	CLEANUP(xfree_ptr) char *path = NULL, *lock = NULL;

	if (!mkdtemp(dir) || loop_new(&clock_system, &b->loop) < 0)
		return 1;
	path = xasprintf("%s/state.db", dir);
	lock = xasprintf("%s.lock", path);
	open_store(b, path);
	measure_writes(b, 1, 500);
	measure_writes(b, 64, SAMPLES);
	measure_many(b, path, pools);
	store_close(b->store);
	unlink(path);
	unlink(lock);
	rmdir(dir);
	loop_free(b->loop);
	free(b);
	return 0;
}
