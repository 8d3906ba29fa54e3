/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store's file, as somebody else may give it to be restored: any bytes are
 * refused with a reason, or are documents within all bounds that can be served
 * and let go of.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "agent/store/store_private.h"

#define FILE_MAX (1u << 20)
#define STEPS	 100000 /* of a statement: a file must not keep us for long */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int out_of_time(void *arg)
{
	unsigned *left = arg;

	return *left == 0 || --*left == 0;
}

static void give_file(struct db *db, const uint8_t *data, size_t size)
{
	uint8_t *copy = sqlite3_malloc64(size + 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	/* A log is for files; this one is in memory. */
	if (size > 20)
		copy[18] = copy[19] = 1;
	if (sqlite3_deserialize(db->handle, "main", copy, (sqlite3_int64)size, (sqlite3_int64)size,
				SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY) !=
	    SQLITE_OK)
		abort();
}

static void check_object(const struct store_object *o)
{
	const struct store_key *k = &o->key;

	if (!*store_kind_text(k->kind) || !k->name[0] || strlen(k->ns) > STORE_NAME_MAX ||
	    strlen(k->name) > STORE_NAME_MAX || o->len > STORE_TEXT_MAX ||
	    o->claim_count > STORE_CLAIMS_MAX)
		abort();
	for (size_t i = 0; i < o->claim_count; i++) {
		if (!o->claims[i].at.port || !o->claims[i].at.addr.family)
			abort();
	}
}

static void serve(struct loaded *l)
{
	struct memory *m = xcalloc(1, sizeof(*m));
	struct store_object *o;
	size_t pos = 0, count = l->count;

	memory_init(m);
	for (size_t i = 0; i < count; i++)
		check_object(l->objects[i]);
	memory_load(m, l->epoch, l->revision, l->objects, count);
	while ((o = map_next(&m->objects, &pos)))
		memory_remove(m, &o->key, ++l->revision);
	if (m->objects.count || m->claims.count)
		abort();
	memory_done(m);
	free(m);
	free(l->objects);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct loaded loaded = { 0 };
	unsigned left = STEPS;
	struct db db;

	if (size > FILE_MAX)
		return 0;
	db_open(&db, ":memory:", DB_WRITE, NULL);
	sqlite3_progress_handler(db.handle, 100, out_of_time, &left);
	give_file(&db, data, size);
	file_check(&db, false);
	file_load(&db, NULL, &loaded);
	if (db_ok(&db))
		serve(&loaded);
	else if (loaded.count || !db.err.text[0])
		abort();
	db_close(&db);
	return 0;
}
