/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state directory: what a start needs and the kernel cannot tell.
 *
 *   lock          one agent for each directory
 *   health        verdicts, last good sets of pools in fail-open, drains,
 *                 writers
 *   source-HASH   the last complete list of the source of that type and place, and where
 *                 the source was when it had told that
 *
 * A file is magic, version, body, CRC-32C of all before it. One that is torn,
 * of another version, or not ours is reported, left aside, and written anew.
 *
 * A directory that cannot be written ends nothing: what it has is used, and what
 * would be written is tried again with each change.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/filer.h"
#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"

#define MAGIC	      "parasaus"
#define VERSION	      6
#define HEALTH	      "health"
#define SOURCE_PREFIX "source-"
#define FILE_MAX      (1u << 30)
#define FLUSH_BYTES   65536
#define PIECE_OBJECTS 200	/* about a millisecond's work */
#define QUEUED_MAX    (4 << 20) /* bytes that may wait for the disk */
#define DISK_PATIENCE 20	/* ms, and it is asked again */
#define SAVE_DELAY_MS 20
#define SAVE_DUTY     20 /* of the time at most 1/20 is spent on writing */
#define DRAIN_MAX_MS  86400000ll
#define GOOD_MAX      65536
#define LOCK_PATIENCE 500
#define LOCK_STEP_US  10000
/* Of a target, in one byte. */
#define PROVEN	       1u
#define STANDING_SHIFT 1 /* enum hc_standing */

static bool saved_target_is(const void *object, const void *key)
{
	return ((const struct saved_target *)object)->id == *(const uint64_t *)key;
}

static bool saved_good_is(const void *object, const void *key)
{
	return strcmp(((const struct saved_good *)object)->pool_id, key) == 0;
}

const struct saved_target *saved_target(const struct core *c, uint64_t id)
{
	return map_get(&c->saved.targets, hash_table_u64(id), &id);
}

static bool is_in(const struct map *m, const char *pool_id, const struct endpoint *member)
{
	const struct saved_good *g = map_get(m, hash_table_str(pool_id), pool_id);

	for (size_t i = 0; g && i < g->count; i++) {
		if (endpoint_cmp(&g->members[i], member) == 0)
			return true;
	}
	return false;
}

bool saved_last_good(const struct core *c, const char *pool_id, const struct endpoint *member)
{
	return is_in(&c->saved.good, pool_id, member);
}

bool saved_writer(const struct core *c, const char *pool_id, const struct endpoint *member)
{
	return is_in(&c->saved.writers, pool_id, member);
}

/* --- files ------------------------------------------------------------------------ */

static char *path_of(const struct core *c, const char *name)
{
	return xasprintf("%s/%s", c->config->state_directory, name);
}

static void put_head(struct buf *b)
{
	buf_put(b, MAGIC, strlen(MAGIC));
	wire_put_u32(b, VERSION);
}

static void forget_problem(struct core *c)
{
	free(c->state_problem);
	free(c->state_file);
	c->state_problem = c->state_file = NULL;
}

/* What became of writing a file: what is new of it is logged, and the same said once. */
static void tell_written(struct core *c, const char *name, int r, const char *text)
{
	const char *why = strerror(-r);

	if (r < 0 && c->state_problem && strcmp(c->state_problem, why) == 0)
		return;
	/* Another file may be smaller. */
	if (r == 0 && (!c->state_file || strcmp(c->state_file, name) != 0))
		return;
	forget_problem(c);
	if (r < 0) {
		c->state_problem = xstrdup(why);
		c->state_file = xstrdup(name);
		log_error("state", "%s; a restart would not know of the last changes", text);
	} else {
		log_info("state", "%s is written again", c->config->state_directory);
	}
}

static struct filing *begin_file(struct core *c, const char *name)
{
	CLEANUP(xfree_ptr) char *path = path_of(c, name);

	return filing_begin(c->files, path);
}

/* The body between head and checksum. -ENOENT: there is none; others are logged. */
static int read_state(const struct core *c, const char *name, struct buf *text, struct wire *body)
{
	CLEANUP(xfree_ptr) char *path = path_of(c, name);
	struct err err = { 0 };
	char magic[sizeof(MAGIC) - 1];
	struct wire w, tail;
	int r = file_read(path, FILE_MAX, text, &err);

	if (r == -ENOENT)
		return r;
	if (r < 0) {
		log_error("state", "%s; starting without it", err.text);
		return r;
	}
	w = wire_of(text->data, text->len);
	wire_bytes(&w, magic, sizeof(magic));
	if (w.bad || memcmp(magic, MAGIC, sizeof(magic)) != 0 || wire_u32(&w) != VERSION ||
	    w.left < 4) {
		log_error("state", "%s: not a state file of this version; starting without it",
			  path);
		return -EBADMSG;
	}
	tail = wire_of(text->data + text->len - 4, 4);
	if (wire_u32(&tail) != crc32c(0, text->data, text->len - 4)) {
		log_error("state", "%s: damaged (checksum); starting without it", path);
		return -EBADMSG;
	}
	*body = wire_of(w.data, w.left - 4);
	return 0;
}

/* Where nothing can be made what is there is locked: the file, or else the directory. */
static int open_lock(const struct core *c, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0 || errno != EROFS)
		return fd >= 0 ? fd : -errno;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		fd = open(c->config->state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

/* Said before there is anything to write, so that it is known from the beginning. */
static void look_whether_written(struct core *c)
{
	struct statvfs fs;

	if (c->lock_fd < 0 || (fstatvfs(c->lock_fd, &fs) == 0 && fs.f_flag & ST_RDONLY)) {
		CLEANUP(xfree_ptr)
		char *text = xasprintf("stateDirectory %s: %s", c->config->state_directory,
				       strerror(EROFS));

		tell_written(c, HEALTH, -EROFS, text);
	}
}

int state_open(struct core *c)
{
	CLEANUP(xfree_ptr) char *path = path_of(c, "lock");

	map_init(&c->saved.targets, saved_target_is);
	map_init(&c->saved.good, saved_good_is);
	map_init(&c->saved.writers, saved_good_is);
	c->files = filer_new(c->files_at_once ? NULL : c->loop);
	c->lock_fd = open_lock(c, path);
	if (c->lock_fd < 0 && c->lock_fd != -ENOENT) {
		log_error("state", "%s: %s", path, strerror(-c->lock_fd));
		return -1;
	}
	look_whether_written(c);
	if (c->lock_fd < 0)
		return 0; /* there is nothing that two could spoil */
	/* The core before us may still be ending. */
	for (int i = 0; i < LOCK_PATIENCE; i++) {
		if (flock(c->lock_fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		usleep(LOCK_STEP_US);
	}
	log_error("state", "%s is held by another agent: give each its own stateDirectory", path);
	return -1;
}

void state_close(struct core *c)
{
	state_forget(c);
	loop_cancel(c->loop, c->save_timer);
	filer_free(c->files);
	forget_problem(c);
	if (c->lock_fd >= 0)
		close(c->lock_fd);
}

/* --- health ------------------------------------------------------------------------- */

static bool is_worth_saving(const struct target *t)
{
	return t->verdict.state != VERDICT_UNKNOWN;
}

static uint8_t how_it_is_known(const struct target *t)
{
	return (uint8_t)((t->verdict.proven ? PROVEN : 0) | (unsigned)t->verdict.standing
								    << STANDING_SHIFT);
}

/* One group of several: their number, which is not 0, and they. */
static void put_targets(struct target *const *some, size_t n, struct buf *b)
{
	uint32_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += is_worth_saving(some[i]);
	if (!count)
		return;
	wire_put_u32(b, count);
	for (size_t i = 0; i < n; i++) {
		const struct target *t = some[i];

		if (!is_worth_saving(t))
			continue;
		wire_put_u64(b, t->id);
		wire_put_u8(b, (uint8_t)target_applied_state(t));
		wire_put_u8(b, how_it_is_known(t));
		wire_put_i64(b, t->verdict.since_ms);
	}
}

static uint32_t good_count(const struct pool_state *ps)
{
	uint32_t n = 0;

	for (size_t i = 0; i < ps->pool->member_count; i++)
		n += pool_state_member(ps, i).last_good;
	return n;
}

/* Only where no member is up, or too few are: elsewhere the verdicts say it. */
static bool has_good(const struct pool_state *ps)
{
	return ps->fail_open && good_count(ps) <= GOOD_MAX;
}

static bool writer_of(const struct pool_state *ps, struct pool_member *out)
{
	for (size_t i = 0; i < ps->pool->member_count; i++) {
		if (!pool_state_member(ps, i).writer)
			continue;
		*out = pool_member(ps->pool, i);
		return true;
	}
	return false;
}

void state_note(struct pool_state *ps)
{
	struct pool_member writer;
	bool now = has_good(ps) || writer_of(ps, &writer);

	if (now && !ps->is_noted)
		LIST_INSERT_HEAD(&ps->core->noted, ps, noted);
	else if (!now && ps->is_noted)
		LIST_REMOVE(ps, noted);
	ps->is_noted = now;
}

void state_note_gone(struct pool_state *ps)
{
	if (ps->is_noted)
		LIST_REMOVE(ps, noted);
	ps->is_noted = false;
}

static void put_good(const struct core *c, struct buf *b)
{
	const struct pool_state *ps;
	uint32_t count = 0;

	LIST_FOREACH (ps, &c->noted, noted)
		count += has_good(ps);
	wire_put_u32(b, count);
	LIST_FOREACH (ps, &c->noted, noted) {
		if (!has_good(ps))
			continue;
		wire_put_str(b, ps->pool->id);
		wire_put_u32(b, good_count(ps));
		for (size_t i = 0; i < ps->pool->member_count; i++) {
			const struct pool_member m = pool_member(ps->pool, i);

			if (pool_state_member(ps, i).last_good)
				wire_put_endpoint(b, &m.endpoint);
		}
	}
}

static void put_writers(const struct core *c, struct buf *b)
{
	const struct pool_state *ps;
	struct pool_member m;
	uint32_t count = 0;

	LIST_FOREACH (ps, &c->noted, noted)
		count += writer_of(ps, &m);
	wire_put_u32(b, count);
	LIST_FOREACH (ps, &c->noted, noted) {
		if (!writer_of(ps, &m))
			continue;
		wire_put_str(b, ps->pool->id);
		wire_put_u32(b, 1);
		wire_put_endpoint(b, &m.endpoint);
	}
}

static void put_drains(const struct core *c, struct buf *b)
{
	const struct frontend *f;
	uint32_t count = 0;

	LIST_FOREACH (f, &c->draining, draining)
		count += (uint32_t)f->drain_count;
	wire_put_u32(b, count);
	LIST_FOREACH (f, &c->draining, draining) {
		for (size_t i = 0; i < f->drain_count; i++) {
			wire_put_endpoint(b, &f->key);
			wire_put_endpoint(b, &f->drains[i].endpoint);
			wire_put_i64(b, core_wall_of(c, f->drains[i].deadline));
			wire_put_u8(b, f->drains[i].path.forward);
			wire_put_u8(b, f->drains[i].path.tunnel);
			wire_put_u16(b, f->drains[i].path.tunnel_port);
			wire_put_u8(b, f->drains[i].done);
		}
	}
}

/*
 * The file `health` on its way to the disk: targets group by group, as they are when it comes to
 * them, then an empty group and the rest, which is of few pools and all of one moment. What changes
 * meanwhile is written with the next one.
 */
struct health_saving {
	struct core *core;
	struct filing *file;
	struct target_place at;
	uint32_t crc;
	loop_work_id work;
	timer_id wait; /* while the disk is behind */
};

/* Once what was changed meanwhile is due. */
static void save_due(void *arg);

static void on_saved(void *arg, int r, const char *text)
{
	struct core *c = arg;
	int64_t took = c->save_spent_ns / 1000000 +
		       mono_sub_ms(clock_mono(loop_clock(c->loop)), c->save_given);

	c->saving = false;
	tell_written(c, HEALTH, r, text);
	if (!c->save_timer)
		c->save_timer = loop_timer_in(c->loop, SAVE_DELAY_MS + took * SAVE_DUTY, save_due,
					      c);
}

static void give(struct health_saving *v, struct buf *b)
{
	v->crc = crc32c(v->crc, b->data, b->len);
	filing_put(v->file, b);
}

static struct health_saving *begin_health(struct core *c)
{
	struct health_saving *v = xcalloc(1, sizeof(*v));
	struct buf b = { 0 };

	loop_cancel(c->loop, c->save_timer);
	c->save_timer = 0;
	c->unsaved = false;
	c->saving = true;
	c->save_spent_ns = 0;
	v->core = c;
	v->file = begin_file(c, HEALTH);
	put_head(&b);
	give(v, &b);
	return v;
}

static void end_health(struct health_saving *v)
{
	struct core *c = v->core;
	struct buf b = { 0 };

	wire_put_u32(&b, 0);
	put_good(c, &b);
	put_drains(c, &b);
	put_writers(c, &b);
	v->crc = crc32c(v->crc, b.data, b.len);
	wire_put_u32(&b, v->crc);
	filing_put(v->file, &b);
	c->save_given = clock_mono(loop_clock(c->loop));
	filing_end(v->file, on_saved, c);
	free(v);
}

/* False: that were all. */
static bool save_targets(struct health_saving *v)
{
	struct target *some[TARGETS_PIECE];
	size_t n = targets_walk(v->core, &v->at, some);
	struct buf b = { 0 };

	put_targets(some, n, &b);
	if (b.len)
		give(v, &b);
	return n == TARGETS_PIECE;
}

static bool save_health_piece(void *arg);

static void go_on_with_health(void *arg)
{
	struct health_saving *v = arg;

	v->wait = 0;
	v->work = loop_work(v->core->loop, save_health_piece, v);
}

static bool save_health_piece(void *arg)
{
	struct health_saving *v = arg;
	struct core *c = v->core;
	mono_t before = clock_mono(loop_clock(c->loop));
	bool more;

	if (filer_queued(c->files) > QUEUED_MAX) {
		v->work = 0;
		v->wait = loop_timer_in(c->loop, DISK_PATIENCE, go_on_with_health, v);
		return false;
	}
	more = save_targets(v);
	c->save_spent_ns += clock_mono(loop_clock(c->loop)).ns - before.ns;
	if (!more) {
		c->health_saving = NULL;
		end_health(v);
	}
	return more;
}

static void give_up_health(struct core *c)
{
	struct health_saving *v = c->health_saving;

	if (!v)
		return;
	loop_work_cancel(c->loop, v->work);
	loop_cancel(c->loop, v->wait);
	filing_cancel(v->file);
	free(v);
	c->health_saving = NULL;
}

void state_save(struct core *c)
{
	struct health_saving *v;

	give_up_health(c);
	v = begin_health(c);
	while (save_targets(v))
		;
	end_health(v);
}

static void save_due(void *arg)
{
	struct core *c = arg;

	c->save_timer = 0;
	if (!c->unsaved)
		return;
	c->health_saving = begin_health(c);
	/* Few are given at once. */
	if (save_health_piece(c->health_saving))
		c->health_saving->work = loop_work(c->loop, save_health_piece, c->health_saving);
}

void state_changed(struct core *c)
{
	if (!c->planning)
		return;
	c->unsaved = true;
	if (!c->save_timer && !c->saving)
		c->save_timer = loop_timer_in(c->loop, SAVE_DELAY_MS, save_due, c);
}

/* As how_it_is_known() has it. */
static void take_how_it_is_known(struct saved_target *t, uint8_t byte)
{
	t->proven = byte & PROVEN;
	if (byte >> STANDING_SHIFT <= HC_STANDING_DRAINING)
		t->standing = (enum hc_standing)(byte >> STANDING_SHIFT);
}

static void load_group(struct core *c, struct wire *w, uint32_t count)
{
	for (uint32_t i = 0; i < count && !w->bad; i++) {
		struct saved_target t = { .id = wire_u64(w) };
		struct saved_target *s;

		t.state = wire_u8(w) == VERDICT_UP ? VERDICT_UP : VERDICT_DOWN;
		take_how_it_is_known(&t, wire_u8(w));
		t.since_ms = wire_i64(w);
		if (w->bad || saved_target(c, t.id))
			continue;
		s = xmalloc(sizeof(*s));
		*s = t;
		map_put(&c->saved.targets, hash_table_u64(t.id), s);
	}
}

static void load_targets(struct core *c, struct wire *w)
{
	uint32_t count;

	while ((count = wire_u32(w)) && !w->bad)
		load_group(c, w, count);
}

static void load_members(struct map *to, struct wire *w)
{
	uint32_t count = wire_u32(w);

	for (uint32_t i = 0; i < count && !w->bad; i++) {
		char id[1024];
		struct saved_good *g;
		uint32_t members;

		wire_str(w, id, sizeof(id));
		members = wire_u32(w);
		if (w->bad || members > GOOD_MAX || map_get(to, hash_table_str(id), id)) {
			w->bad = true;
			return;
		}
		g = xcalloc(1, sizeof(*g));
		g->pool_id = xstrdup(id);
		g->members = xcalloc(members, sizeof(*g->members));
		for (; g->count < members && !w->bad; g->count++)
			g->members[g->count] = wire_endpoint(w);
		map_put(to, hash_table_str(id), g);
	}
}

/* The clock may have been elsewhere when it was written. */
static mono_t deadline_of(const struct core *c, int64_t wall_ms)
{
	int64_t now = clock_wall_ms(loop_clock(c->loop));

	if (wall_ms < now)
		wall_ms = now;
	if (wall_ms > now + DRAIN_MAX_MS)
		wall_ms = now + DRAIN_MAX_MS;
	return core_mono_of(c, wall_ms);
}

static void load_drains(struct core *c, struct wire *w)
{
	uint32_t count = wire_u32(w);

	for (uint32_t i = 0; i < count && !w->bad; i++) {
		struct endpoint key = wire_endpoint(w);
		struct plan_drain d = { .endpoint = wire_endpoint(w) };

		d.deadline = deadline_of(c, wire_i64(w));
		d.path.forward = wire_u8(w) & 3;
		d.path.tunnel = wire_u8(w) % 3;
		d.path.tunnel_port = wire_u16(w);
		d.done = wire_u8(w);
		if (!w->bad)
			frontend_restore_drain(c, &key, &d);
	}
}

void state_load(struct core *c)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct wire w;

	if (read_state(c, HEALTH, &text, &w) < 0)
		return;
	load_targets(c, &w);
	load_members(&c->saved.good, &w);
	load_drains(c, &w);
	load_members(&c->saved.writers, &w);
	if (!wire_end(&w))
		log_error("state", "%s/health: cut short; using what could be read",
			  c->config->state_directory);
}

static void forget_members(struct map *m)
{
	struct saved_good *g;
	size_t pos = 0;

	while ((g = map_next(m, &pos))) {
		free(g->pool_id);
		free(g->members);
		free(g);
	}
	map_done(m);
}

void state_forget(struct core *c)
{
	struct saved_target *t;
	size_t pos = 0;

	while ((t = map_next(&c->saved.targets, &pos)))
		free(t);
	map_done(&c->saved.targets);
	forget_members(&c->saved.good);
	forget_members(&c->saved.writers);
}

/* --- sources ------------------------------------------------------------------------- */

static void put_identity(const struct core_source *s, struct buf *b)
{
	wire_put_u8(b, (uint8_t)s->config->type);
	wire_put_str(b, source_where(s));
}

static void source_name(const struct core_source *s, char *out, size_t size)
{
	struct buf b = { 0 };

	put_identity(s, &b);
	snprintf(out, size, SOURCE_PREFIX "%016llx", (unsigned long long)hash_id(b.data, b.len));
	buf_done(&b);
}

/* The place of the source that a file is of; the caller frees. NULL: none that is known. */
static char *read_place(const struct core *c, const char *name)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	char where[4096];
	struct wire w;

	if (strncmp(name, SOURCE_PREFIX, strlen(SOURCE_PREFIX)) != 0 ||
	    read_state(c, name, &text, &w) < 0)
		return NULL;
	(void)wire_u8(&w);
	wire_str(&w, where, sizeof(where));
	return w.bad ? NULL : xstrdup(where);
}

char *state_other_source(const struct core *c)
{
	CLEANUP(xfree_ptr) char *store = path_of(c, CONFIG_STORE_FILE);
	char *found = NULL;
	struct dirent *e;
	DIR *d;

	if (access(store, F_OK) == 0)
		return NULL;
	d = opendir(c->config->state_directory);
	while (d && !found && (e = readdir(d)))
		found = read_place(c, e->d_name);
	if (d)
		closedir(d);
	return found;
}

/* A source's file on its way to the disk, never all of it in memory. */
struct source_saving {
	struct core_source *source;
	struct pools_walk walk;
	struct filing *file;
	struct buf b; /* not given to be written yet */
	uint32_t crc;
	loop_work_id work;
	timer_id wait;	  /* while the disk is behind */
	int64_t spent_ns; /* of the loop's time */
	mono_t given;	  /* when the last of it was */
	bool given_all;
};

static void flush(struct source_saving *v)
{
	v->crc = crc32c(v->crc, v->b.data, v->b.len);
	filing_put(v->file, &v->b);
}

/* Each object with its length before it, so that one that is not understood can be skipped. */
static void put_object(void *arg, const struct object *o)
{
	struct source_saving *v = arg;
	size_t at = v->b.len;
	struct buf size = { 0 };

	/* What is secret is written nowhere: its source tells it anew. */
	if (o->kind == OBJECT_SECRET)
		return;
	wire_put_u32(&v->b, 0);
	wire_put_object(&v->b, o);
	wire_put_u32(&size, (uint32_t)(v->b.len - at - 4));
	memcpy(v->b.data + at, size.data, 4);
	buf_done(&size);
	if (v->b.len >= FLUSH_BYTES)
		flush(v);
}

static void on_source_saved(void *arg, int r, const char *text)
{
	struct source_saving *v = arg;
	struct core_source *s = v->source;
	mono_t now = clock_mono(loop_clock(s->core->loop));
	int64_t took = v->spent_ns / 1000000 + mono_sub_ms(now, v->given);
	char name[32];

	source_name(s, name, sizeof(name));
	tell_written(s->core, name, r, text);
	s->saving = NULL;
	free(v);
	source_saved(s, took);
}

static void end_walk(struct source_saving *v)
{
	struct core *c = v->source->core;

	loop_work_cancel(c->loop, v->work);
	loop_cancel(c->loop, v->wait);
	pools_walk_end(c->pools, &v->walk);
}

/* All is told: the file is whole. */
static void end_file(struct source_saving *v, filing_done_fn *fn)
{
	end_walk(v);
	flush(v);
	wire_put_u32(&v->b, v->crc);
	filing_put(v->file, &v->b);
	v->given = clock_mono(loop_clock(v->source->core->loop));
	v->given_all = true;
	filing_end(v->file, fn, v);
}

static bool save_piece(void *arg);

static void go_on(void *arg)
{
	struct source_saving *v = arg;

	v->wait = 0;
	v->work = loop_work(v->source->core->loop, save_piece, v);
}

static bool save_piece(void *arg)
{
	struct source_saving *v = arg;
	struct core *c = v->source->core;
	mono_t before = clock_mono(loop_clock(c->loop));
	bool more;

	if (filer_queued(c->files) > QUEUED_MAX) {
		v->work = 0;
		v->wait = loop_timer_in(c->loop, DISK_PATIENCE, go_on, v);
		return false;
	}
	more = pools_walk_step(c->pools, &v->walk, PIECE_OBJECTS);
	v->spent_ns += clock_mono(loop_clock(c->loop)).ns - before.ns;
	if (!more)
		end_file(v, on_source_saved);
	return more;
}

static struct source_saving *begin_saving(struct core_source *s)
{
	struct source_saving *v = xcalloc(1, sizeof(*v));
	char name[32];

	source_name(s, name, sizeof(name));
	v->source = s;
	v->file = begin_file(s->core, name);
	put_head(&v->b);
	put_identity(s, &v->b);
	wire_put_str(&v->b, s->core->config->node);
	wire_put_str(&v->b, s->cursor ? s->cursor : "");
	v->walk = (struct pools_walk){ .source = s->index, .fn = put_object, .arg = v };
	pools_walk_begin(s->core->pools, &v->walk);
	return v;
}

void state_save_source(struct core_source *s)
{
	s->saving = begin_saving(s);
	s->saving->work = loop_work(s->core->loop, save_piece, s->saving);
}

void state_save_source_at_once(struct core_source *s)
{
	struct source_saving *v = begin_saving(s);

	while (pools_walk_step(s->core->pools, &v->walk, SIZE_MAX))
		;
	end_file(v, NULL);
	free(v);
}

/* False: it is on its way to the disk as it is. */
bool state_give_up_saving(struct core_source *s)
{
	struct source_saving *v = s->saving;
	bool given_up = v && !v->given_all;

	if (given_up) {
		end_walk(v);
		buf_done(&v->b);
		filing_cancel(v->file);
	}
	s->saving = NULL;
	free(v);
	return given_up;
}

static void load_objects(struct wire *w, state_object_fn *fn, void *arg)
{
	while (w->left && !w->bad) {
		uint32_t len = wire_u32(w);
		struct object *o;
		struct wire one;

		if (w->bad || len > w->left)
			break;
		one = wire_of(w->data, len);
		w->data += len;
		w->left -= len;
		o = wire_object(&one);
		if (o)
			fn(arg, o);
	}
}

void state_load_source(struct core *c, const struct core_source *s, state_object_fn *fn, void *arg,
		       char **cursor)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	char name[32], where[4096], node[256], at[WATCH_CURSOR_MAX];
	struct wire w;
	uint8_t type;

	*cursor = NULL;
	source_name(s, name, sizeof(name));
	if (read_state(c, name, &text, &w) < 0)
		return;
	type = wire_u8(&w);
	wire_str(&w, where, sizeof(where));
	if (w.bad || type != s->config->type || strcmp(where, source_where(s)) != 0) {
		log_warn("state", "%s is of another source (%s): not used for %s", name, where,
			 source_where(s));
		return;
	}
	wire_str(&w, node, sizeof(node));
	/* Which servers are on this node is said in terms of its name. */
	if (w.bad || strcmp(node, c->config->node) != 0) {
		log_warn("state", "%s is of node %s: not used on %s", name, node, c->config->node);
		return;
	}
	wire_str(&w, at, sizeof(at));
	load_objects(&w, fn, arg);
	if (!w.bad && *at)
		*cursor = xstrdup(at);
}
