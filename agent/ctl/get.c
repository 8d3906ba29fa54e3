/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl get: lists as tables, or as the JSON the agent gives.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/schema.h"
#include "agent/base/clock.h"
#include "agent/ctl/commands.h"
#include "agent/ctl/kinds.h"
#include "agent/ctl/rows.h"
#include "agent/ctl/table.h"
#include "agent/ctl/words.h"

/* JSON is written out when that much has come together: a list may be long. */
#define WRITE_PIECE (64 * 1024)

struct listing {
	const struct rows *rows;
	const struct ctl_args *args;
	int64_t now_ms;
	struct table table;
	struct buf json;
	size_t count;
};

/* What has come together, once it is much. */
static int write_piece(struct listing *l, struct err *err)
{
	if (l->json.len < WRITE_PIECE)
		return 0;
	if (fwrite(l->json.data, l->json.len, 1, stdout) != 1)
		return err_set(err, -EIO, "cannot write the output: %s", strerror(errno));
	buf_reset(&l->json);
	return 0;
}

static int add_row(void *arg, const char *text, size_t len, struct err *err)
{
	struct listing *l = arg;
	struct doc_set set = { 0 };
	int r = doc_read_json(text, len, &DOC_LIMITS_DEFAULT, &set, err);

	if (r < 0)
		return r;
	l->rows->add(&l->table, set.roots[0], l->args->output == OUTPUT_WIDE, l->now_ms);
	l->count++;
	doc_set_done(&set);
	return 0;
}

/* One to a line: as it came, or its id. */
static int add_line(void *arg, const char *text, size_t len, struct err *err)
{
	struct listing *l = arg;
	struct doc_set set = { 0 };
	int r;

	l->count++;
	if (l->args->output == OUTPUT_NDJSON) {
		buf_put(&l->json, text, len);
	} else {
		r = doc_read_json(text, len, &DOC_LIMITS_DEFAULT, &set, err);
		if (r < 0)
			return r;
		/* A member's is its own within its pool alone. */
		if (doc_get(set.roots[0], REST_POOL_FIELD))
			buf_printf(&l->json, "%s/", words_text(set.roots[0], REST_POOL_FIELD));
		buf_str(&l->json, words_text(set.roots[0], REST_ID));
		doc_set_done(&set);
	}
	buf_str(&l->json, "\n");
	return write_piece(l, err);
}

static int add_json(void *arg, const char *text, size_t len, struct err *err)
{
	struct listing *l = arg;

	buf_str(&l->json, l->count++ ? ",\n  " : "[\n  ");
	buf_put(&l->json, text, len);
	return write_piece(l, err);
}

static client_item_fn *adds(enum ctl_output o)
{
	switch (o) {
	case OUTPUT_JSON:
		return add_json;
	case OUTPUT_NDJSON:
	case OUTPUT_NAME:
		return add_line;
	case OUTPUT_TABLE:
	case OUTPUT_WIDE:
		break;
	}
	return add_row;
}

static void put_param(struct buf *path, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(path, "%s%s=", strchr(buf_cstr(path), '?') ? "&" : "?", name);
	client_encode(path, value);
}

/* What narrows every list of the kind; the agent refuses what the kind has not. */
static void put_filters(struct buf *path, const struct ctl_args *args)
{
	put_param(path, REST_Q, args->query);
	put_param(path, REST_HEALTH, args->health);
	put_param(path, REST_STATE, args->state);
	put_param(path, REST_SORT, args->sort);
}

/* The path of a list; one name narrows it, in the way the kind of list has. */
static void put_path(struct buf *path, const struct rows *rows, const struct ctl_args *args,
		     const char *name)
{
	const char *slash = name ? strchr(name, '/') : NULL;
	struct buf ns = { 0 };

	if (name && !slash && rows->below) {
		command_pool_path(path, name, rows->below);
	} else if (slash && rows->by_service) {
		buf_str(path, rows->path);
		buf_put(&ns, name, (size_t)(slash - name));
		put_param(path, REST_NAMESPACE, buf_cstr(&ns));
		put_param(path, REST_SERVICE, slash + 1);
	} else {
		buf_str(path, rows->path);
		put_param(path, REST_NAMESPACE, args->ns);
		put_param(path, rows->by_name, name);
	}
	buf_done(&ns);
}

/* A path to a single object is answered by that object, without its list. */
static int fetch_one(struct client *c, const char *path, client_item_fn *add, struct listing *l,
		     struct err *err)
{
	struct buf text = { 0 };
	int r = client_text(c, path, &text, err);

	while (text.len && text.data[text.len - 1] == '\n')
		text.len--;
	if (r == 0)
		r = add(l, (const char *)text.data, text.len, err);
	buf_done(&text);
	return r;
}

static int fetch(struct client *c, struct listing *l, const char *name, struct err *err)
{
	client_item_fn *add = adds(l->args->output);
	const struct rows *rows = l->rows;
	bool by_id = name && rows->below && !strchr(name, '/');
	size_t before = l->count;
	struct buf path = { 0 };
	int r;

	put_path(&path, rows, l->args, name);
	if (by_id && !*rows->below) {
		r = fetch_one(c, buf_cstr(&path), add, l, err);
	} else {
		put_filters(&path, l->args);
		r = client_items(c, buf_cstr(&path), add, l, err);
		/* A pool that is there may have no members; a name nobody has is a mistake. */
		if (r == 0 && name && !by_id && rows->by_service && l->count == before)
			r = err_set(err, -ENOENT, "there is nothing for '%s'", name);
	}
	buf_done(&path);
	return r;
}

static int print_list(struct listing *l)
{
	struct buf text = { 0 };
	int r;

	if (l->args->output == OUTPUT_JSON) {
		buf_str(&l->json, l->count ? "\n]\n" : "[]\n");
		return command_print(&l->json);
	}
	if (l->args->output == OUTPUT_NDJSON || l->args->output == OUTPUT_NAME)
		return command_print(&l->json);
	if (l->count == 0) {
		fprintf(stderr, "no %s\n", l->rows->name);
		return CTL_OK;
	}
	table_print(&l->table, &text);
	r = command_print(&text);
	buf_done(&text);
	return r;
}

static int get_list(struct client *c, const struct rows *rows, const struct ctl_args *args)
{
	bool wide = args->output == OUTPUT_WIDE;
	struct listing l = { .rows = rows, .args = args, .now_ms = clock_wall_ms(&clock_system) };
	struct err err;
	int r = 0;

	table_init(&l.table, wide ? rows->wide_heads : rows->heads);
	if (args->operand_count == 1)
		r = fetch(c, &l, NULL, &err);
	for (int i = 1; i < args->operand_count && r == 0; i++)
		r = fetch(c, &l, args->operands[i], &err);
	r = r < 0 ? command_failed("%s", err.text) : print_list(&l);
	table_done(&l.table);
	buf_done(&l.json);
	return r;
}

static int watch_list(struct client *c, const struct rows *rows, const struct ctl_args *args)
{
	struct buf query = { 0 };
	int r;

	if (!rows || strcmp(rows->path, REST_POOLS) != 0 || args->operand_count > 1 ||
	    args->health || args->state || args->sort)
		return command_misused("get", "--watch takes pools, --namespace, --query and "
					      "--output alone");
	put_param(&query, REST_NAMESPACE, args->ns);
	put_param(&query, REST_Q, args->query);
	r = watch_pools(c, rows, args, buf_cstr(&query));
	buf_done(&query);
	return r;
}

/* --- status ------------------------------------------------------------------------ */

static void put_line(struct buf *out, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void put_line(struct buf *out, const char *name, const char *fmt, ...)
{
	char value[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	buf_printf(out, "%-14s %s\n", name, value);
}

static void put_processes(const struct doc *status, struct buf *out)
{
	static const char *const heads[] = { "PROCESS", ">PID", ">RESIDENT", ">RESTARTS", NULL };
	const struct doc *all = doc_get(status, REST_PROCESSES);
	struct table t;

	table_init(&t, heads);
	for (const struct doc *p = all ? all->first : NULL; p; p = p->next) {
		table_cell(&t, p->key);
		table_cellf(&t, "%" PRId64, words_int(p, REST_PID));
		table_cellf(&t, "%.1f MiB",
			    (double)words_int(p, REST_RESIDENT_BYTES) / (1024 * 1024));
		table_cellf(&t, "%" PRId64, words_int(p, REST_RESTARTS));
	}
	buf_str(out, "\n");
	table_print(&t, out);
	table_done(&t);
}

static void put_sources(const struct doc *status, int64_t now_ms, struct buf *out)
{
	static const char *const heads[] = { "SOURCE",	  "WHERE",    "COMPLETE", ">OBJECTS",
					     ">HEARD OF", "REVISION", "WHY",	  NULL };
	const struct doc *all = doc_get(status, REST_SOURCES);
	char age[WORDS_SPAN_MAX];
	struct table t;

	table_init(&t, heads);
	for (const struct doc *s = all ? all->first : NULL; s; s = s->next) {
		table_cell(&t, words_text(s, REST_TYPE));
		table_cell(&t, words_text(s, REST_WHERE));
		table_cell(&t, words_bool(s, REST_COMPLETE)    ? "yes"
			       : words_bool(s, REST_DELIVERED) ? "not any more"
							       : "not yet");
		table_cellf(&t, "%" PRId64, words_int(s, REST_OBJECTS));
		table_cell(&t, words_age(s, REST_HEARD_AT, now_ms, age));
		table_cell(&t, words_text(s, REST_REVISION));
		table_cell(&t, words_text(s, REST_WHY));
	}
	buf_str(out, "\n");
	table_print(&t, out);
	table_done(&t);
}

static double seconds_of(const struct doc *d, const char *key)
{
	const struct doc *v = doc_get(d, key);

	return v && v->type == DOC_NUMBER ? strtod(v->text, NULL) : 0.0;
}

static void put_probing(const struct doc *p, struct buf *out)
{
	put_line(out, "Probes", "%" PRId64 " (%" PRId64 " under way, %" PRId64 " inconclusive)",
		 words_int(p, REST_PROBES), words_int(p, REST_RUNNING),
		 words_int(p, REST_INCONCLUSIVE));
	put_line(out, "Probes late", "%" PRId64 " ms (at most %" PRId64 " ms since the start)",
		 words_int(p, REST_LAG_MS), words_int(p, REST_LAG_MAX_MS));
	put_line(out, "Probes deferred", "%" PRId64, words_int(p, REST_DEFERRED));
}

static void put_mass(const struct doc *m, int64_t now_ms, struct buf *out)
{
	bool freeze = strcmp(words_text(m, REST_MODE), REST_MASS_FREEZE) == 0;
	char age[WORDS_SPAN_MAX];

	if (!m || m->type != DOC_MAP)
		return;
	put_line(out, "Mass failure", "%s, for %s",
		 freeze ? "removals are frozen" : "those that go down have to stand for a while",
		 words_age(m, REST_SINCE, now_ms, age));
	put_line(out, "",
		 "%" PRId64 " of %" PRId64 " targets went down at once; %" PRId64
		 " that are down are kept as yet",
		 words_int(m, REST_FALLEN), words_int(m, REST_TARGETS_FIELD),
		 words_int(m, REST_WAITING));
}

static void put_notrack(const struct doc *n, struct buf *out)
{
	const char *v4 = words_text(n, REST_IPV4), *v6 = words_text(n, REST_IPV6);

	if (!n || (strcmp(v4, REST_NOTRACK_OFF) == 0 && strcmp(v6, REST_NOTRACK_OFF) == 0))
		return;
	put_line(out, "Untracked", "probes over IPv4: %s, over IPv6: %s", v4, v6);
}

/* How long good probes took, by the types of checks. */
static void put_latency(const struct doc *all, struct buf *out)
{
	static const char *const heads[] = { "CHECK",	 ">GOOD PROBES", ">MEAN",
					     ">HALF IN", ">99 % IN",	 NULL };
	struct table t;

	if (!all || !all->first)
		return;
	table_init(&t, heads);
	for (const struct doc *d = all->first; d; d = d->next) {
		table_cell(&t, words_text(d, REST_TYPE));
		table_cellf(&t, "%" PRId64, words_int(d, REST_OK));
		table_cellf(&t, "%.3f ms", (double)words_int(d, REST_MEAN_US) / 1000);
		table_cellf(&t, "%g ms", seconds_of(d, REST_HALF_SECONDS) * 1000);
		table_cellf(&t, "%g ms", seconds_of(d, REST_MOST_SECONDS) * 1000);
	}
	buf_str(out, "\n");
	table_print(&t, out);
	table_done(&t);
}

static void put_remote(const struct doc *r, struct buf *out)
{
	if (!r || r->type != DOC_MAP)
		return;
	put_line(out, "Remote", "https://%s", words_text(r, REST_LISTEN));
	put_line(out, "Certificate", "SHA-256 %s", words_text(r, REST_FINGERPRINT));
	put_line(out, "", "until %s", words_text(r, REST_NOT_AFTER));
}

static void put_status(const struct doc *s, int64_t now_ms, struct buf *out)
{
	char age[WORDS_SPAN_MAX];

	put_line(out, "Node", "%s", words_text(s, REST_NODE));
	put_line(out, "Version", "%s", words_text(s, REST_VERSION));
	put_line(out, "Running for", "%s", words_age(s, REST_STARTED_AT, now_ms, age));
	put_line(out, "Ready", "%s", words_bool(s, REST_READY) ? "yes" : "no");
	put_line(out, "Synced", "%s (wanted generation %" PRId64 ", in the kernel %" PRId64 ")",
		 words_bool(s, REST_SYNCED) ? "yes" : "no", words_int(s, REST_GENERATION),
		 words_int(s, REST_APPLIED));
	put_line(out, "Last sync", "%.3f s", seconds_of(s, REST_LAST_SYNC_SECONDS));
	put_line(out, "Pools", "%" PRId64, words_int(s, REST_POOLS_FIELD));
	put_line(out, "Members", "%" PRId64, words_int(s, REST_MEMBERS_FIELD));
	put_line(out, "Targets", "%" PRId64, words_int(s, REST_TARGETS_FIELD));
	put_line(out, "Problems", "%" PRId64, words_int(s, REST_PROBLEMS_FIELD));
	put_line(out, "Kernel writes", "%" PRId64, words_int(s, REST_KERNEL_WRITES));
	put_line(out, "Other writes", "%" PRId64, words_int(s, REST_OTHER_WRITES));
	put_line(out, "Repairs", "%" PRId64, words_int(s, REST_REPAIRS));
	put_line(out, "mh unordered", "%" PRId64, words_int(s, REST_MH_DISORDERED));
	if (words_int(s, REST_OVER_QUOTA))
		put_line(out, "Over quota", "%" PRId64 " targets are not checked, and serve",
			 words_int(s, REST_OVER_QUOTA));
	put_mass(doc_get(s, REST_MASS), now_ms, out);
	put_notrack(doc_get(s, REST_NOTRACK), out);
	put_probing(doc_get(s, REST_PROBING), out);
	put_remote(doc_get(s, REST_REMOTE), out);
	put_processes(s, out);
	put_latency(doc_get(doc_get(s, REST_PROBING), REST_LATENCY), out);
	put_sources(s, now_ms, out);
}

/* --- address pools ------------------------------------------------------------------- */

/* All of them, or with a name the one of it. Returns how many. */
static size_t put_address_pools(const struct doc *items, const char *name, struct buf *out)
{
	static const char *const heads[] = { "NAME",  "VIP",	"PORTS",     ">SIZE", ">USED",
					     ">FREE", "SOURCE", "ADDRESSES", NULL };
	size_t count = 0;
	struct table t;

	table_init(&t, heads);
	for (const struct doc *p = items ? items->first : NULL; p; p = p->next) {
		if (name && strcmp(words_text(p, REST_NAME), name) != 0)
			continue;
		count++;
		table_cell(&t, words_text(p, REST_NAME));
		table_cell(&t, words_text(p, REST_VIP));
		table_cell(&t, words_text(p, REST_PORTS));
		table_cellf(&t, "%" PRId64, words_int(p, REST_SIZE));
		table_cellf(&t, "%" PRId64, words_int(p, REST_USED));
		table_cellf(&t, "%" PRId64, words_int(p, REST_FREE));
		table_cell(&t, words_text(p, REST_SOURCE));
		rows_cell_joined(&t, doc_get(p, REST_ADDRESSES));
	}
	table_print(&t, out);
	table_done(&t);
	return count;
}

/* --- nodes ----------------------------------------------------------------------------- */

static void put_nodes(const struct doc *d, struct buf *out)
{
	static const char *const heads[] = { "NAME",	"VERSION",  "READY",	 "SYNCED",
					     ">POOLS",	">MEMBERS", ">SERVICES", ">DESTINATIONS",
					     ">WANTED", ">APPLIED", ">PROBLEMS", NULL };
	static const char *const counts[] = { REST_POOLS_FIELD,	   REST_MEMBERS_FIELD,
					      REST_SERVICES_FIELD, REST_DESTINATIONS,
					      REST_GENERATION,	   REST_APPLIED,
					      REST_PROBLEMS_FIELD };
	const struct doc *items = doc_get(d, REST_ITEMS);
	struct table t;

	table_init(&t, heads);
	for (const struct doc *n = items ? items->first : NULL; n; n = n->next) {
		table_cell(&t, words_text(n, REST_NAME));
		table_cell(&t, words_text(n, REST_VERSION));
		table_cell(&t, words_bool(n, REST_READY) ? "yes" : "no");
		table_cell(&t, words_bool(n, REST_SYNCED) ? "yes" : "no");
		for (size_t i = 0; i < ARRAY_LEN(counts); i++)
			table_cellf(&t, "%" PRId64, words_int(n, counts[i]));
	}
	table_print(&t, out);
	table_done(&t);
}

/* --- what is one object ---------------------------------------------------------------- */

static void put_status_now(const struct doc *d, struct buf *out)
{
	put_status(d, clock_wall_ms(&clock_system), out);
}

static void put_items(const struct doc *d, struct buf *out)
{
	(void)put_address_pools(doc_get(d, REST_ITEMS), NULL, out);
}

/* As a table its line of the list; as JSON its document, which is what can be edited. */
static int get_address_pool(struct client *c, const struct ctl_args *args)
{
	CLEANUP(doc_set_done) struct doc_set set = { 0 };
	CLEANUP(buf_done) struct buf text = { 0 };
	const char *name = args->operands[1];
	struct err err;
	int r;

	if (ctl_wants_json(args)) {
		buf_str(&text, REST_ADDRESS_POOLS "/");
		client_encode(&text, name);
		return command_show(args, c, buf_cstr(&text), NULL);
	}
	r = client_object(c, REST_ADDRESS_POOLS, &set, &err);
	if (r < 0)
		return command_refused(r, &err);
	if (put_address_pools(doc_get(set.roots[0], REST_ITEMS), name, &text) == 0)
		return command_failed("there is no address pool '%.64s'", name);
	return command_print(&text);
}

static const struct single {
	const char *name, *path;
	void (*put)(const struct doc *d, struct buf *out);
	int (*get_named)(struct client *c, const struct ctl_args *args); /* NULL: has no names */
} singles[] = {
	{ "status", REST_STATUS, put_status_now, NULL },
	{ "address-pools", REST_ADDRESS_POOLS, put_items, get_address_pool },
	{ "nodes", REST_NODES, put_nodes, NULL },
};

static const struct single *find_single(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(singles); i++)
		if (strcmp(singles[i].name, name) == 0)
			return &singles[i];
	return NULL;
}

static int get_single(struct client *c, const struct single *one, const struct ctl_args *args)
{
	if (args->operand_count == 2 && one->get_named)
		return one->get_named(c, args);
	if (args->operand_count > 1)
		return command_misused("get", "'get %s' takes %s", one->name,
				       one->get_named ? "one name" : "no name");
	return command_show(args, c, one->path, one->put);
}

int command_get(const struct ctl_args *args)
{
	CLEANUP(buf_done) struct buf all = { 0 };
	const struct ctl_kind *kind;
	const struct single *single;
	const struct rows *rows;
	struct client *c;
	int r;

	ctl_kinds_put("get", ", ", &all);
	if (args->operand_count == 0)
		return command_misused("get", "get what? %s", buf_cstr(&all));
	kind = ctl_kind_find(args->operands[0], "get");
	if (!kind)
		return command_misused("get", "cannot get '%.64s': it is none of %s",
				       args->operands[0], buf_cstr(&all));
	rows = rows_find(kind->name);
	single = find_single(kind->name);
	c = client_new(&args->place);
	if (args->output == OUTPUT_NAME && (!rows || args->watch || !rows->has_id)) {
		r = command_misused("get", "--output name is for lists of what has an id");
	} else if (args->watch)
		r = watch_list(c, rows, args);
	else
		r = rows ? get_list(c, rows, args) : get_single(c, single, args);
	client_free(c);
	return r;
}
