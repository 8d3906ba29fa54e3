/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One file from the disk to the sink: read, decode, compare, tell; each in
 * pieces, so that a file of many megabytes does not hold up the loop.
 *
 * Nothing is told before all of the file was read well and nobody wrote to it
 * meanwhile. A half-written YAML file can be a whole one of fewer objects, so
 * "no syntax error" proves nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/xalloc.h"
#include "watch/directory.h"

/* In one piece of work. */
#define READ_BYTES (512u << 10)
#define TELL_COUNT 100
/* Documents of a file that are remembered: there may be a file for each Service and its Endpoints. */
#define DOCUMENTS_MIN 3
/* A time stamp moves in steps of some milliseconds: a file this young may change again without
 * another stamp, so it is not known by it. */
#define STAMP_AGE_NS 100000000

enum load_phase { LOAD_READ, LOAD_DECODE, LOAD_COMPARE, LOAD_TELL, LOAD_REMOVE };

struct load {
	struct file *file;
	enum load_phase phase;
	int fd;
	struct stat st;
	struct buf text;
	struct manifest *manifest;
	struct documents documents; /* of the text; known ones are not decoded */
	size_t known;
	bool renumber;	/* for lines that moved; gives way to everything else */
	struct map old; /* entries of the last good state that were not found again yet */
	size_t next;	/* entry to work on */
	struct manifest_entry **entries; /* the new state */
	size_t entry_count;
};

void file_free(struct file *f)
{
	for (size_t i = 0; i < f->entry_count; i++)
		manifest_entry_free(f->entries[i]);
	free(f->entries);
	documents_done(&f->documents);
	free(f->problem);
	free(f);
}

static void tell_removed(struct directory *d, const struct file *f, const struct manifest_entry *e)
{
	const struct object o = {
		.kind = e->kind,
		.source = d->source,
		.path = (char *)(uintptr_t)f->name,
		.ns = (char *)(uintptr_t)e->ns,
		.name = (char *)(uintptr_t)manifest_entry_name(e),
	};

	d->sink.remove(d->sink.arg, &o);
}

static void tell_problem(struct directory *d, struct file *f, unsigned line, const char *text)
{
	bool same = text && f->problem ? strcmp(text, f->problem) == 0 && line == f->line
				       : text == f->problem;

	if (same)
		return;
	free(f->problem);
	f->problem = text ? xstrdup(text) : NULL;
	f->line = line;
	d->sink.problem(d->sink.arg, f->name, line, text);
}

static void set_bad(struct directory *d, struct file *f, bool bad)
{
	d->bad_count += (size_t)bad - (size_t)f->bad;
	f->bad = bad;
}

void file_remove(struct directory *d, struct file *f)
{
	for (size_t i = 0; i < f->entry_count; i++)
		tell_removed(d, f, f->entries[i]);
	tell_problem(d, f, 0, NULL);
	set_bad(d, f, false);
	file_free(f);
}

/* Once telling has begun, the entries are the load's. */
static void free_entries(struct load *l)
{
	struct manifest_entry *e;

	for (size_t i = 0; i < l->entry_count; i++)
		manifest_entry_free(l->entries[i]);
	for (size_t pos = 0; (e = map_next(&l->old, &pos));)
		manifest_entry_free(e);
}

void load_drop(struct directory *d)
{
	struct load *l = d->load;

	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	if (l->phase > LOAD_COMPARE)
		free_entries(l);
	buf_done(&l->text);
	documents_done(&l->documents);
	manifest_free(l->manifest);
	map_done(&l->old);
	free(l->entries);
	free(l);
	d->load = NULL;
}

void load_settle(struct directory *d)
{
	while (d->load && d->load->phase >= LOAD_COMPARE)
		load_step(d);
	load_drop(d);
}

/* The file keeps what was told of it. */
static void cannot_use(struct directory *d, struct file *f, unsigned line, const char *text)
{
	f->stamp = 0;
	set_bad(d, f, true);
	tell_problem(d, f, line, text);
	load_drop(d);
}

static void cannot_read(struct directory *d, struct file *f, int error)
{
	char text[128];

	d->unreadable = true;
	cannot_use(d, f, 0, strerror_r(error, text, sizeof(text)));
}

static bool is_json(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && strcmp(name + n - 5, ".json") == 0;
}

void load_begin(struct directory *d, struct file *f)
{
	/* A FIFO must not make us wait for its writer. */
	int fd = openat(d->dir_fd, f->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct load *l;

	f->written = false;
	if (fd < 0) {
		cannot_read(d, f, errno);
		return;
	}
	l = xcalloc(1, sizeof(*l));
	l->file = f;
	l->fd = fd;
	l->renumber = f->renumber;
	f->renumber = false;
	map_init(&l->old, manifest_entry_eq);
	d->load = l;
	if (fstat(fd, &l->st) < 0)
		cannot_read(d, f, errno);
	else if (!S_ISREG(l->st.st_mode))
		cannot_use(d, f, 0, "not a regular file");
	else if (l->st.st_size > DIRECTORY_FILE_MAX)
		cannot_use(d, f, 0, "larger than 64 MiB");
}

/* What is as it was when the file was last told stays as it was told. */
static void leave_known(struct load *l)
{
	struct buf *text = &l->text;
	size_t before = text->len;

	documents_split(&l->documents, text->data, text->len);
	l->known = documents_known(&l->documents, &l->file->documents, l->renumber);
	text->len = documents_blank(&l->documents, (char *)text->data, text->len);
	/* A known document may be a Secret. */
	explicit_bzero(text->data + text->len, before - text->len);
}

static void begin_decoding(struct directory *d, struct load *l)
{
	const struct object_origin from = {
		.source = d->source,
		.exposed = (l->st.st_mode & S_IROTH) != 0,
		.path = l->file->name,
		.node = d->node,
	};
	bool json = is_json(l->file->name);

	close(l->fd);
	l->fd = -1;
	/* Who may read the file is part of what is told of its Secrets. */
	if (from.exposed != l->file->exposed)
		documents_done(&l->file->documents);
	l->file->exposed = from.exposed;
	if (!json)
		leave_known(l);
	l->manifest = manifest_new(&from, &l->text, json);
	l->phase = LOAD_DECODE;
}

static void read_some(struct directory *d, struct load *l)
{
	size_t before = l->text.len;
	size_t left = (size_t)l->st.st_size > before ? (size_t)l->st.st_size - before : 0;
	/* One byte more than it should have: the end is seen at once, and growth too. */
	size_t want = left < READ_BYTES ? left + 1 : READ_BYTES;
	ssize_t n = read(l->fd, buf_add(&l->text, want), want);

	l->text.len = before + (n > 0 ? (size_t)n : 0);
	if (n < 0 && errno != EINTR)
		cannot_read(d, l->file, errno);
	else if (l->text.len > DIRECTORY_FILE_MAX)
		cannot_use(d, l->file, 0, "larger than 64 MiB");
	else if (n >= 0 && (size_t)n < want)
		begin_decoding(d, l);
}

static int64_t ns_of(const struct timespec *t)
{
	return t->tv_sec * INT64_C(1000000000) + t->tv_nsec;
}

static uint64_t stamp_to_keep(const struct directory *d, const struct stat *st)
{
	int64_t now_ns = clock_wall_ms(loop_clock(d->loop)) * 1000000;

	if (now_ns - ns_of(&st->st_mtim) < STAMP_AGE_NS ||
	    now_ns - ns_of(&st->st_ctim) < STAMP_AGE_NS)
		return 0;
	return file_stamp_of(st);
}

/* Whole and well: from here on it will be told. */
static void begin_comparing(struct directory *d, struct load *l)
{
	const struct manifest_result *r = manifest_result(l->manifest);
	struct file *f = l->file;

	directory_take_events(d);
	if (!d->load)
		return; /* the directory itself was lost */
	if (f->written) {
		load_drop(d); /* its end, or a quiet moment, brings it back */
		return;
	}
	if (r->broken) {
		cannot_use(d, f, r->line, r->problem);
		return;
	}
	set_bad(d, f, r->bad > 0);
	tell_problem(d, f, r->line, r->problem);
	f->stamp = stamp_to_keep(d, &l->st);
	l->entries = xreallocarray(NULL, r->count + f->entry_count,
				   sizeof(struct manifest_entry *));
	l->phase = LOAD_COMPARE;
	l->next = 0;
}

static void decode_some(struct directory *d, struct load *l)
{
	if (!manifest_step(l->manifest))
		begin_comparing(d, l);
}

/* Of a document that is as it was: its entry stays, in the line it has now. */
static bool entry_is_known(const struct documents *before, struct manifest_entry *e)
{
	const struct document *was = documents_at(before, e->line);

	if (!was || !was->now)
		return false;
	e->line += was->now->line - was->line;
	e->known = true;
	return true;
}

/* An object that is in a known document and in a new one: only the whole file tells which comes first. */
static bool is_in_doubt(const struct load *l)
{
	const struct manifest_result *r = manifest_result(l->manifest);

	for (size_t i = 0; l->known && i < r->count; i++) {
		const struct manifest_entry *e = r->items[i].entry;
		const struct manifest_entry *old = map_get(&l->old, manifest_entry_hash(e), e);

		if (old && old->known)
			return true;
	}
	return false;
}

static void forget_documents(struct file *f)
{
	for (size_t i = 0; i < f->entry_count; i++)
		f->entries[i]->known = false;
	documents_done(&f->documents);
}

static void read_whole(struct directory *d, struct load *l)
{
	struct file *f = l->file;

	forget_documents(f);
	f->stamp = 0;
	load_drop(d);
	directory_enqueue(d, f);
}

static void index_some(struct directory *d, struct load *l)
{
	struct file *f = l->file;

	for (int n = 0; n < TELL_COUNT * 10 && l->next < f->entry_count; n++) {
		struct manifest_entry *e = f->entries[l->next++];

		if (l->known)
			(void)entry_is_known(&f->documents, e);
		map_put(&l->old, manifest_entry_hash(e), e);
	}
	if (l->next < f->entry_count)
		return;
	if (is_in_doubt(l)) {
		read_whole(d, l);
		return;
	}
	/* From here the entries belong to the load: those in `old`, and those found again. */
	free(f->entries);
	f->entries = NULL;
	f->entry_count = 0;
	l->phase = LOAD_TELL;
	l->next = 0;
}

/* Takes the item over. */
static void tell_item(struct directory *d, struct load *l, struct manifest_item *item)
{
	struct manifest_entry *e = item->entry;
	struct manifest_entry *old = map_take(&l->old, manifest_entry_hash(e), e);
	struct object *o = item->object;

	*item = (struct manifest_item){ 0 };
	if (old && old->content == e->content && old->place == e->place)
		object_free(o);
	else
		d->sink.put(d->sink.arg, o);
	manifest_entry_free(old);
	l->entries[l->entry_count++] = e;
}

static void tell_some(struct directory *d, struct load *l)
{
	struct manifest_result *r = manifest_result(l->manifest);

	for (int n = 0; n < TELL_COUNT && l->next < r->count; n++, l->next++)
		tell_item(d, l, &r->items[l->next]);
	if (l->next == r->count) {
		l->phase = LOAD_REMOVE;
		l->next = 0;
	}
}

/* Told to the end: the file has what was read, and remembers by which documents. */
static void end_load(struct directory *d, struct load *l)
{
	struct file *f = l->file;
	bool moved = documents_moved(&l->documents);

	f->entries = l->entries;
	f->entry_count = (uint32_t)l->entry_count;
	l->entries = NULL;
	l->entry_count = 0;
	documents_done(&f->documents);
	/* So few are as soon read anew. */
	if (!f->problem && l->documents.count >= DOCUMENTS_MIN) {
		f->documents = l->documents;
		l->documents = (struct documents){ 0 };
	}
	load_drop(d);
	if (moved)
		directory_renumber(d, f);
}

/* What is not in the file any more; but where a document is bad, it may be that one: it stays. */
static void remove_some(struct directory *d, struct load *l)
{
	bool keep = manifest_result(l->manifest)->bad > 0;
	struct manifest_entry *e;

	for (int n = 0; n < TELL_COUNT && (e = map_next(&l->old, &l->next)); n++) {
		(void)map_take(&l->old, manifest_entry_hash(e), e);
		if (keep || e->known) {
			e->known = false;
			l->entries[l->entry_count++] = e;
			continue;
		}
		tell_removed(d, l->file, e);
		manifest_entry_free(e);
	}
	if (!l->old.count)
		end_load(d, l);
}

/* Lines are put right when nothing else is to be done; where they are told wrong, only lines are. */
static bool gives_way(struct directory *d, struct load *l)
{
	struct file *f = l->file;

	if (!l->renumber || l->phase >= LOAD_COMPARE || !(f->written || directory_has_news(d)))
		return false;
	load_drop(d);
	directory_renumber(d, f);
	return true;
}

void load_step(struct directory *d)
{
	struct load *l = d->load;

	if (gives_way(d, l))
		return;
	switch (l->phase) {
	case LOAD_READ:
		read_some(d, l);
		return;
	case LOAD_DECODE:
		decode_some(d, l);
		return;
	case LOAD_COMPARE:
		index_some(d, l);
		return;
	case LOAD_TELL:
		tell_some(d, l);
		return;
	case LOAD_REMOVE:
		remove_some(d, l);
		return;
	}
}
