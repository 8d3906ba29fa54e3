/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/backup_route.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/api/edit_private.h"
#include "agent/api/local.h"
#include "agent/api/origin.h"
#include "agent/api/rest_private.h"
#include "agent/api/schema.h"
#include "agent/base/xalloc.h"

#define BODY_MAX     1024u /* bytes: a name */
#define RESTORE	     ":restore"
#define KEPT_BEFORE  "before-restore-"
#define STAMP_FORMAT "%Y%m%dT%H%M%SZ"

enum what { BACKUP_ALL, BACKUP_ONE, BACKUP_RESTORE };

/* In the order of enum what. */
const struct edit_path backup_paths[] = {
	{ REST_BACKUPS, "GET, HEAD, POST", false },
	{ REST_BACKUP, "DELETE", false },
	{ REST_BACKUP_RESTORE, "POST", false },
	{ 0 },
};

struct backups {
	LIST_HEAD(, backup) under_way;
};

/* A request under way. */
struct backup {
	struct backups *all;
	LIST_ENTRY(backup) under_way;
	struct store *store;
	const char *directory;
	const struct rest_request *request;
	backup_answer_fn *answer;
	void *arg;
	int64_t now_ms;
	enum what what;
	char name[BACKUP_NAME_MAX + 1]; /* of what is made, restored or deleted */
	char kept[BACKUP_NAME_MAX + 1]; /* before a restore */
	char *reason;			/* NULL: none was given */
	struct rest_reply reply;
	struct err said;
};

/* --- names ------------------------------------------------------------------------------------ */

static bool name_is_good(const char *s)
{
	static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789._-";

	return isalnum((unsigned char)*s) && strlen(s) <= BACKUP_NAME_MAX &&
	       s[strspn(s, rest)] == '\0';
}

/* Cuts the end off; false: it has another one. */
static bool cut_end(char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	if (n <= k || strcmp(s + n - k, end) != 0)
		return false;
	s[n - k] = '\0';
	return true;
}

static char *path_of(const struct backup *b, const char *name)
{
	return xasprintf("%s/%s" BACKUP_SUFFIX, b->directory, name);
}

/* A name that is none stands for no file. */
static bool is_there(const struct backup *b, const char *name)
{
	CLEANUP(xfree_ptr) char *path = path_of(b, name);
	struct stat st;

	return lstat(path, &st) == 0;
}

static bool is_under_way(const struct backup *b, const char *name)
{
	const struct backup *o;

	LIST_FOREACH (o, &b->all->under_way, under_way)
		if (o != b && (strcmp(o->name, name) == 0 || strcmp(o->kept, name) == 0))
			return true;
	return false;
}

/* By the time, and a number where that is taken. */
static void name_by_time(const struct backup *b, const char *before,
			 char out[static BACKUP_NAME_MAX + 1])
{
	time_t s = b->now_ms / 1000;
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), STAMP_FORMAT, gmtime_r(&s, &tm));
	snprintf(out, BACKUP_NAME_MAX + 1, "%s%s", before, text);
	for (unsigned n = 2; n <= BACKUPS_MAX && (is_there(b, out) || is_under_way(b, out)); n++)
		snprintf(out, BACKUP_NAME_MAX + 1, "%s%s-%u", before, text, n);
}

/* --- admission -------------------------------------------------------------------------------- */

/* name: as long as a segment can be. */
static bool target_of(const struct uri *u, enum what *out, char name[static REST_TARGET_MAX + 1])
{
	if (u->segment_count < 3 || u->segment_count > 4 || strcmp(u->segments[0], "api") != 0 ||
	    strcmp(u->segments[1], "v1") != 0 || strcmp(u->segments[2], "backups") != 0)
		return false;
	strcpy(name, u->segment_count == 4 ? u->segments[3] : "");
	*out = u->segment_count == 3	? BACKUP_ALL
	       : cut_end(name, RESTORE) ? BACKUP_RESTORE
					: BACKUP_ONE;
	return true;
}

static bool is_asked_for(const struct rest_request *r, enum what *out)
{
	char name[REST_TARGET_MAX + 1];
	struct uri uri;
	struct err err;

	return uri_parse(r->target, &uri, &err) == 0 && target_of(&uri, out, name);
}

bool backup_is_asked_for(const struct rest_request *r)
{
	enum what what;

	return is_asked_for(r, &what);
}

enum edit_admission backup_admit(const struct rest_request *r, struct rest_reply *out)
{
	struct local_rule rule = {
		.body_max = BODY_MAX,
		.over_tcp = "backups are made, listed and restored over the unix socket alone"
	};
	enum what what;

	if (!is_asked_for(r, &what))
		return EDIT_NOT_OURS;
	rule.methods = backup_paths[what].methods;
	return local_admit(r, &rule, out);
}

/* --- one of them -------------------------------------------------------------------------------- */

struct backups *backups_new(void)
{
	return xcalloc(1, sizeof(struct backups));
}

static void backup_free(struct backup *b)
{
	rest_reply_done(&b->reply);
	free(b->reason);
	free(b);
}

void backups_free(struct backups *all)
{
	struct backup *b;

	while (all && (b = LIST_FIRST(&all->under_way))) {
		LIST_REMOVE(b, under_way);
		if (b->store)
			store_forget(b->store, b);
		backup_free(b);
	}
	free(all);
}

static void done(struct backup *b)
{
	backup_answer_fn *answer = b->answer;
	struct rest_reply reply = b->reply;
	const struct err said = b->said;
	void *arg = b->arg;

	b->reply = (struct rest_reply){ 0 };
	LIST_REMOVE(b, under_way);
	backup_free(b);
	answer(arg, &reply, &said);
}

static void refuse(struct backup *b, enum rest_problem p, const char *detail)
{
	problem_answer(&b->reply, p, b->request, detail);
	if (p == PROBLEM_STORE_TROUBLE)
		err_set(&b->said, -EIO, "%s", detail);
	done(b);
}

static void say(struct backup *b, const char *what)
{
	char user[REST_USER_TEXT_MAX];

	err_set(&b->said, 0, "backup %s %s by %s", b->name, what,
		rest_user(b->request, user) ? user : "somebody");
}

/* --- the list ----------------------------------------------------------------------------------- */

struct file {
	char name[BACKUP_NAME_MAX + 1];
	uint64_t bytes;
	int64_t at_ms;
};

static bool look_at(const struct backup *b, const char *entry, struct file *out)
{
	char name[NAME_MAX + 1];
	CLEANUP(xfree_ptr) char *path = NULL;
	struct stat st;

	snprintf(name, sizeof(name), "%s", entry);
	if (!cut_end(name, BACKUP_SUFFIX) || !name_is_good(name))
		return false;
	path = path_of(b, name);
	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	strcpy(out->name, name);
	out->bytes = (uint64_t)st.st_size;
	out->at_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	return true;
}

/* Those that others put there beyond what is counted are not seen. */
static size_t look(const struct backup *b, struct file out[static BACKUPS_MAX])
{
	DIR *d = opendir(b->directory);
	const struct dirent *e;
	size_t n = 0;

	while (d && n < BACKUPS_MAX && (e = readdir(d)))
		n += look_at(b, e->d_name, &out[n]);
	if (d)
		closedir(d);
	return n;
}

static int newest_first(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void put_file(const struct backup *b, const struct file *f, struct json_writer *j)
{
	CLEANUP(xfree_ptr) char *path = path_of(b, f->name);

	json_put_object(j, NULL);
	json_put_text(j, REST_NAME, f->name);
	json_put_text(j, REST_PATH, path);
	json_put_uint(j, REST_BYTES, f->bytes);
	json_put_time(j, REST_CREATED_AT, f->at_ms);
	json_end_object(j);
}

static void list(struct backup *b)
{
	struct json_writer j = { .out = &b->reply.body };
	struct file files[BACKUPS_MAX];
	size_t n = look(b, files);

	if (n)
		qsort(files, n, sizeof(*files), newest_first);
	json_put_object(&j, NULL);
	json_put_array(&j, REST_ITEMS);
	for (size_t i = 0; i < n; i++)
		put_file(b, &files[i], &j);
	json_end_array(&j);
	json_put_uint(&j, REST_TOTAL, n);
	json_end_object(&j);
	buf_str(&b->reply.body, "\n");
	done(b);
}

/* --- making one --------------------------------------------------------------------------------- */

/* Ready to be written, or refused. */
static bool make_room(struct backup *b, const char *name)
{
	struct file files[BACKUPS_MAX];
	struct err err;

	if (is_there(b, name) || is_under_way(b, name)) {
		err_set(&err, -EEXIST, "'%s' is there: delete it, or choose another name", name);
		refuse(b, PROBLEM_BACKUP_EXISTS, err.text);
		return false;
	}
	if (look(b, files) == BACKUPS_MAX) {
		refuse(b, PROBLEM_TOO_MANY_BACKUPS, NULL);
		return false;
	}
	if (mkdir(b->directory, 0700) == 0 || errno == EEXIST)
		return true;
	err_set(&err, -errno, "%s: %s", b->directory, strerror(errno));
	refuse(b, PROBLEM_STORE_TROUBLE, err.text);
	return false;
}

static void on_made(void *arg, enum store_result r, const char *why)
{
	CLEANUP(xfree_ptr) char *entry = NULL;
	struct backup *b = arg;
	struct json_writer j = { .out = &b->reply.body };
	struct file f;

	entry = xasprintf("%s" BACKUP_SUFFIX, b->name);
	if (r != STORE_OK || !look_at(b, entry, &f)) {
		refuse(b, PROBLEM_STORE_TROUBLE, r != STORE_OK ? why : "it is gone already");
		return;
	}
	b->reply.status = 201;
	put_file(b, &f, &j);
	buf_str(&b->reply.body, "\n");
	say(b, "made");
	done(b);
}

static void make(struct backup *b)
{
	CLEANUP(xfree_ptr) char *path = NULL;

	if (!*b->name)
		name_by_time(b, "", b->name);
	if (!make_room(b, b->name))
		return;
	path = path_of(b, b->name);
	store_backup(b->store, path, on_made, b);
}

/* --- restoring ------------------------------------------------------------------------------------ */

static void on_restored(void *arg, enum store_result r, const char *why)
{
	struct backup *b = arg;
	struct json_writer j = { .out = &b->reply.body };
	struct store_status now;

	if (r == STORE_CORRUPT || r == STORE_IN_USE) {
		CLEANUP(xfree_ptr) char *kept = path_of(b, b->kept);

		(void)!unlink(kept); /* nothing was replaced, nor begun to be */
		refuse(b, r == STORE_CORRUPT ? PROBLEM_INVALID : PROBLEM_STORE_TROUBLE, why);
		return;
	}
	if (r != STORE_OK) {
		struct err err;

		err_set(&err, -EIO, "%s; what was there before is kept as backup %s", why, b->kept);
		refuse(b, PROBLEM_STORE_TROUBLE, err.text);
		return;
	}
	store_status(b->store, &now);
	json_put_object(&j, NULL);
	json_put_text(&j, REST_NAME, b->name);
	json_put_text(&j, REST_KEPT, b->kept);
	json_put_uint(&j, REST_REVISION, now.revision);
	json_end_object(&j);
	buf_str(&b->reply.body, "\n");
	say(b, "restored");
	done(b);
}

static void on_kept(void *arg, enum store_result r, const char *why)
{
	CLEANUP(xfree_ptr) char *path = NULL;
	struct backup *b = arg;
	const struct rest_request *request = b->request;
	char user[REST_USER_TEXT_MAX], peer[32];
	struct store_who who;

	if (r != STORE_OK) {
		refuse(b, PROBLEM_STORE_TROUBLE, why);
		return;
	}
	snprintf(peer, sizeof(peer), "pid %d", (int)request->peer.pid);
	who = (struct store_who){ .user = rest_user(request, user) ? user : "unix:?",
				  .source = edit_source_word(request),
				  .peer = peer,
				  .request = request->request_id,
				  .action = "restore",
				  .reason = b->reason };
	path = path_of(b, b->name);
	store_restore(b->store, path, &who, on_restored, b);
}

static void restore(struct backup *b)
{
	CLEANUP(xfree_ptr) char *path = NULL;

	name_by_time(b, KEPT_BEFORE, b->kept);
	if (!make_room(b, b->kept))
		return;
	path = path_of(b, b->kept);
	store_backup(b->store, path, on_kept, b);
}

/* --- deleting -------------------------------------------------------------------------------------- */

static void drop(struct backup *b)
{
	CLEANUP(xfree_ptr) char *path = path_of(b, b->name);
	struct err err;

	if (unlink(path) < 0) {
		err_set(&err, -errno, "%s: %s", path, strerror(errno));
		refuse(b, PROBLEM_STORE_TROUBLE, err.text);
		return;
	}
	b->reply.status = 204;
	b->reply.type = NULL;
	say(b, "deleted");
	done(b);
}

/* --- what to do -------------------------------------------------------------------------------------- */

/* {"name": ...} of a new one, which need not have one, and {} of a restore. */
static int read_wish(struct backup *b, const struct doc *d, struct err *err)
{
	const struct doc *f = d->type == DOC_MAP ? d->first : NULL;
	const char *name = doc_string(f);

	if (d->type != DOC_MAP)
		return err_set(err, -EINVAL, "the body has to be an object");
	if (!f)
		return 0;
	if (b->what != BACKUP_ALL || strcmp(f->key, REST_NAME) != 0 || f->next)
		return err_set(err, -EINVAL, "unknown field '%.64s'",
			       f->next && b->what == BACKUP_ALL ? f->next->key : f->key);
	if (!name || !name_is_good(name))
		return err_set(err, -EINVAL,
			       "'name' has to be letters, digits, dots, underscores and hyphens, "
			       "%d at most, the first of them a letter or a digit",
			       BACKUP_NAME_MAX);
	strcpy(b->name, name);
	return 0;
}

static int read_body(struct backup *b, struct err *err)
{
	const struct doc_limits limits = { .nodes = 16, .depth = 4 };
	CLEANUP(doc_set_done) struct doc_set set = { 0 };
	const struct rest_request *r = b->request;
	int code = doc_read_json(r->body ? r->body : "", r->body_len, &limits, &set, err);

	return code < 0 ? err_wrap(err, code, "the body") : read_wish(b, set.roots[0], err);
}

static int read_params(struct backup *b, const struct uri *u, struct err *err)
{
	for (size_t i = 0; i < u->param_count; i++) {
		const struct uri_param *p = &u->params[i];

		if (b->what != BACKUP_RESTORE || strcmp(p->name, REST_REASON) != 0)
			return err_set(err, -EINVAL, "unknown query parameter '%.64s'", p->name);
		if (strlen(p->value) > STORE_REASON_MAX)
			return err_set(err, -EINVAL, REST_REASON ": at most %d bytes",
				       STORE_REASON_MAX);
		b->reason = xstrdup(p->value);
	}
	return 0;
}

/* What is wrong with what is asked for; PROBLEM_COUNT: nothing. */
static enum rest_problem prepare(struct backup *b, struct err *err)
{
	char name[REST_TARGET_MAX + 1];
	struct uri uri;

	if (uri_parse(b->request->target, &uri, err) < 0 || !target_of(&uri, &b->what, name))
		return PROBLEM_BAD_REQUEST;
	if (read_params(b, &uri, err) < 0)
		return PROBLEM_BAD_PARAMETER;
	if (!b->store)
		return PROBLEM_NO_STORE;
	if (b->what != BACKUP_ALL && (!name_is_good(name) || !is_there(b, name))) {
		err_set(err, -ENOENT, "no backup has the name '%.64s'", name);
		return PROBLEM_NO_BACKUP;
	}
	if (b->what != BACKUP_ALL)
		strcpy(b->name, name);
	if (strcmp(b->request->method, "POST") == 0 && read_body(b, err) < 0)
		return PROBLEM_INVALID;
	return PROBLEM_COUNT;
}

static void go_on(struct backup *b)
{
	if (b->what == BACKUP_RESTORE)
		restore(b);
	else if (b->what == BACKUP_ONE)
		drop(b);
	else if (origin_is_safe(b->request->method))
		list(b);
	else
		make(b);
}

void backup_begin(const struct backup_place *p, const struct rest_request *r, backup_answer_fn *fn,
		  void *arg)
{
	struct backup *b = xcalloc(1, sizeof(*b));
	struct err err = { 0 };
	enum rest_problem problem;

	b->all = p->backups;
	b->store = p->store;
	b->directory = p->directory;
	b->now_ms = p->now_ms;
	b->request = r;
	b->answer = fn;
	b->arg = arg;
	b->reply = (struct rest_reply){ .status = 200, .type = REST_JSON };
	LIST_INSERT_HEAD(&p->backups->under_way, b, under_way);
	problem = prepare(b, &err);
	if (problem == PROBLEM_COUNT)
		go_on(b);
	else
		refuse(b, problem, err.text[0] ? err.text : NULL);
}
