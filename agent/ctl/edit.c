/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl apply, delete, history, rollback, drain, undrain, weight: what
 * changes documents of the agent's store.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/api/schema.h"
#include "agent/base/endpoint.h"
#include "agent/base/file.h"
#include "agent/base/value.h"
#include "agent/base/xalloc.h"
#include "agent/ctl/document.h"
#include "agent/ctl/kinds.h"
#include "agent/ctl/table.h"
#include "agent/ctl/words.h"

#define DOCUMENTS  "/api/v1/namespaces/"
#define ANNOTATION "parasaus.io/weights"
#define WEIGHT_MAX 65535

/* --- what they share -------------------------------------------------------------------------- */

void document_params(const struct ctl_args *args, const char *between, struct buf *path)
{
	if (args->dry_run) {
		buf_printf(path, "%s" REST_DRY_RUN "=all", between);
		between = "&";
	}
	if (args->reason) {
		buf_printf(path, "%s" REST_REASON "=", between);
		client_encode(path, args->reason);
	}
}

static void put_document(struct buf *path, const char *kind, const char *ns, const char *name)
{
	buf_str(path, DOCUMENTS);
	client_encode(path, ns);
	buf_printf(path, "/%s/", kind);
	client_encode(path, name);
}

/* What has no namespace: a pool by its id, an address pool. */
static void put_plain(struct buf *path, const char *kind, const char *name)
{
	buf_printf(path, "/api/v1/%s/", kind);
	client_encode(path, name);
}

static const struct ctl_kind *find_kind(const char *word, struct err *err)
{
	CLEANUP(buf_done) struct buf all = { 0 };
	const struct ctl_kind *kind = ctl_kind_find(word, "delete");

	if (kind)
		return kind;
	ctl_kinds_put("delete", ", ", &all);
	(void)err_set(err, -EINVAL, "'%.64s' is none of %s", word, buf_cstr(&all));
	return NULL;
}

int document_find(const struct ctl_args *args, struct buf *path, struct err *err)
{
	CLEANUP(xfree_ptr) char *name = NULL;
	const char *ns = args->ns ? args->ns : "default";
	const struct ctl_kind *kind;
	char *slash;

	if (args->operand_count != 2)
		return err_set(err, -EINVAL, "say which document: KIND [NAMESPACE/]NAME");
	kind = find_kind(args->operands[0], err);
	if (!kind)
		return -EINVAL;
	if (!kind->in_namespace) {
		put_plain(path, kind->name, args->operands[1]);
		return 0;
	}
	name = xstrdup(args->operands[1]);
	slash = strchr(name, '/');
	if (slash) {
		*slash = '\0';
		ns = name;
	}
	put_document(path, kind->name, ns, slash ? slash + 1 : name);
	return 0;
}

/* --- what was done ------------------------------------------------------------------------------ */

static void put_scalar(const struct doc *d, struct buf *out)
{
	if (!d)
		return;
	if (d->text) {
		buf_printf(out, " %s", d->text);
		return;
	}
	buf_printf(out, " (%s)", d->type == DOC_MAP ? "an object" : "a list");
}

static void put_diff(const struct doc *diff, struct buf *out)
{
	for (const struct doc *d = diff ? diff->first : NULL; d; d = d->next) {
		const char *op = words_text(d, REST_OP);

		buf_printf(out, "  %c %s",
			   *op == 'a'			? '+'
			   : *op == 'r' && op[2] == 'm' ? '-'
							: '~',
			   words_text(d, REST_PATH));
		put_scalar(doc_get(d, REST_VALUE), out);
		buf_str(out, "\n");
	}
}

/* "Service shop/web configured (dry run)", "AddressPool edge created" */
static void put_change(const struct doc *d, bool dry_run, struct buf *out)
{
	const char *ns = words_text(d, REST_NAMESPACE);

	buf_printf(out, "%s %s%s%s %s%s\n", words_text(d, REST_KIND), ns, *ns ? "/" : "",
		   words_text(d, REST_NAME), words_text(d, REST_RESULT),
		   dry_run ? " (dry run)" : "");
	if (dry_run)
		put_diff(doc_get(d, REST_DIFF), out);
}

/* "address pool edge: 10 ports, 1 used, 9 free" */
static void put_room(const struct doc *d, struct buf *out)
{
	const struct doc *all = doc_get(d, REST_ADDRESS_POOLS_FIELD);

	for (const struct doc *p = all ? all->first : NULL; p; p = p->next)
		buf_printf(out,
			   "address pool %s: %" PRId64 " ports, %" PRId64 " used, %" PRId64
			   " free\n",
			   words_text(p, REST_NAME), words_int(p, REST_SIZE),
			   words_int(p, REST_USED), words_int(p, REST_FREE));
}

/* "kernel: set-server 10.0.0.1:30080/tcp 10.1.0.1:8080 weight 0" */
static void put_plan(const struct doc *d, struct buf *out)
{
	const struct doc *plan = doc_get(d, REST_PLAN);
	int64_t total = words_int(d, REST_PLAN_TOTAL);

	for (const struct doc *op = plan ? plan->first : NULL; op; op = op->next) {
		buf_printf(out, "kernel: %s %s/%s", words_text(op, REST_OP),
			   words_text(op, REST_FRONTEND), words_text(op, REST_PROTOCOL));
		if (doc_get(op, REST_SCHEDULER))
			buf_printf(out, " %s", words_text(op, REST_SCHEDULER));
		if (doc_get(op, REST_SERVER))
			buf_printf(out, " %s", words_text(op, REST_SERVER));
		if (doc_get(op, REST_WEIGHT))
			buf_printf(out, " weight %" PRId64, words_int(op, REST_WEIGHT));
		buf_str(out, "\n");
	}
	if (plan && total > (int64_t)plan->count)
		buf_printf(out, "kernel: and %" PRId64 " more\n", total - (int64_t)plan->count);
}

static void put_warnings(const struct doc *d, struct buf *out)
{
	const struct doc *all = doc_get(d, REST_WARNINGS);

	for (const struct doc *w = all ? all->first : NULL; w; w = w->next) {
		buf_printf(out, "warning: %s", words_text(w, REST_WHERE));
		if (words_int(w, REST_LINE))
			buf_printf(out, " line %" PRId64, words_int(w, REST_LINE));
		buf_printf(out, ": %s\n", words_text(w, REST_DETAIL));
	}
}

/* What the agent says of a write: of one document, or of several. */
static int report(const struct ctl_args *args, const struct buf *answer, bool *changed)
{
	struct doc_set set = { 0 };
	struct buf out = { 0 }, warnings = { 0 };
	const struct doc *items;
	struct err err;
	int r;

	if (doc_read_json(answer->data, answer->len, &DOC_LIMITS_DEFAULT, &set, &err) < 0)
		return command_failed("the agent's answer: %s", err.text);
	items = doc_get(set.roots[0], REST_ITEMS);
	*changed = words_bool(set.roots[0], REST_CHANGED);
	if (!items)
		put_change(set.roots[0], args->dry_run, &out);
	for (const struct doc *i = items ? items->first : NULL; i; i = i->next) {
		put_change(i, args->dry_run, &out);
		*changed = *changed || words_bool(i, REST_CHANGED);
	}
	put_room(set.roots[0], &out);
	put_plan(set.roots[0], &out);
	put_warnings(set.roots[0], &warnings);
	if (ctl_wants_json(args)) {
		r = command_print(answer);
	} else {
		fputs(buf_cstr(&warnings), stderr);
		r = command_print(&out);
	}
	buf_done(&out);
	buf_done(&warnings);
	doc_set_done(&set);
	return r;
}

int document_send(const struct ctl_args *args, struct client *c, const struct client_write *w,
		  bool *changed)
{
	struct buf answer = { 0 };
	bool unasked;
	struct err err;
	int r = client_write(c, w, &answer, &err);

	r = r < 0 ? command_refused(r, &err) : report(args, &answer, changed ? changed : &unasked);
	buf_done(&answer);
	return r;
}

/* --- apply ---------------------------------------------------------------------------------------- */

/* All files as one text of documents: they are one transaction. */
static int read_files(const struct ctl_args *args, struct buf *out, struct err *err)
{
	for (size_t i = 0; i < args->file_count; i++) {
		CLEANUP(buf_wipe) struct buf text = { 0 };
		const char *name = args->files[i];
		bool is_stdin = strcmp(name, "-") == 0;
		int r = is_stdin ? file_read_fd(STDIN_FILENO, REST_BODY_MAX, &text, err)
				 : file_read(name, REST_BODY_MAX, &text, err);

		if (r < 0)
			return is_stdin ? err_wrap(err, r, "standard input") : r;
		if (i)
			buf_str(out, "\n---\n");
		buf_put(out, text.data, text.len);
	}
	return out->len <= REST_BODY_MAX
		       ? 0
		       : err_set(err, -EFBIG, "the files have more than %u bytes together",
				 REST_BODY_MAX);
}

static int apply(const struct ctl_args *args, bool *changed)
{
	CLEANUP(buf_wipe) struct buf body = { 0 };
	CLEANUP(buf_done) struct buf path = { 0 };
	struct client *c;
	struct err err;
	int r = read_files(args, &body, &err);

	if (r < 0)
		return command_failed("%s", err.text);
	buf_str(&path, REST_APPLY);
	if (args->ns) {
		buf_str(&path, "?" REST_NAMESPACE "=");
		client_encode(&path, args->ns);
	}
	document_params(args, args->ns ? "&" : "?", &path);
	c = client_new(&args->place);
	r = document_send(args, c,
			  &(struct client_write){ .method = "POST",
						  .path = buf_cstr(&path),
						  .type = REST_YAML,
						  .body = &body },
			  changed);
	client_free(c);
	return r;
}

int command_apply(const struct ctl_args *args)
{
	if (args->operand_count || !args->file_count)
		return command_misused("apply", "apply needs -f FILE for each file, or -f -");
	return apply(args, NULL);
}

int command_diff(const struct ctl_args *args)
{
	struct ctl_args dry = *args;
	bool changed = false;
	int r;

	if (args->operand_count || !args->file_count)
		return command_misused("diff", "diff needs -f FILE for each file, or -f -");
	dry.dry_run = true;
	r = apply(&dry, &changed);
	return r == CTL_OK && changed ? CTL_FOUND : r;
}

/* --- one document ------------------------------------------------------------------------------------ */

/*
 * The revision that is there, as If-Match has it; "": there is none. A pool's is told by what of it
 * can be edited: the picture of the others is a moment behind.
 */
static int read_etag(struct client *c, const char *path, char out[static CLIENT_ETAG_MAX],
		     struct err *err)
{
	bool pool = strncmp(path, REST_POOLS "/", strlen(REST_POOLS "/")) == 0;
	CLEANUP(xfree_ptr) char *whole = xasprintf("%s%s", path, pool ? "/spec" : "");
	CLEANUP(buf_done) struct buf document = { 0 };

	return client_document(c, whole, &document, out, err);
}

int command_delete(const struct ctl_args *args)
{
	struct buf path = { 0 };
	char etag[CLIENT_ETAG_MAX];
	struct client *c;
	struct err err;
	int r = document_find(args, &path, &err);

	if (r < 0) {
		buf_done(&path);
		return command_misused("delete", "%s", err.text);
	}
	c = client_new(&args->place);
	r = read_etag(c, buf_cstr(&path), etag, &err);
	document_params(args, "?", &path);
	if (r < 0)
		r = command_refused(r, &err);
	else
		r = document_send(args, c,
				  &(struct client_write){ .method = "DELETE",
							  .path = buf_cstr(&path),
							  .if_match = etag },
				  NULL);
	client_free(c);
	buf_done(&path);
	return r;
}

static void put_revisions(const struct doc *d, struct buf *out)
{
	const struct doc *items = doc_get(d, REST_ITEMS);
	static const char *const heads[] = { ">REVISION", "TIME", "USER", "ACTION", NULL };
	struct table t;

	table_init(&t, heads);
	for (const struct doc *i = items ? items->first : NULL; i; i = i->next) {
		table_cellf(&t, "%" PRId64, words_int(i, REST_REVISION));
		table_cell(&t, words_text(i, REST_AT));
		table_cell(&t, words_text(i, REST_USER));
		table_cell(&t, words_text(i, REST_ACTION));
	}
	table_print(&t, out);
	table_done(&t);
}

int command_history(const struct ctl_args *args)
{
	CLEANUP(buf_done) struct buf path = { 0 };
	struct client *c;
	struct err err;
	int r = document_find(args, &path, &err);

	if (r < 0)
		return command_misused("history", "%s", err.text);
	buf_str(&path, "/revisions");
	c = client_new(&args->place);
	r = command_show(args, c, buf_cstr(&path), put_revisions);
	client_free(c);
	return r;
}

int command_rollback(const struct ctl_args *args)
{
	struct buf path = { 0 }, body = { 0 };
	char etag[CLIENT_ETAG_MAX];
	struct client *c;
	struct err err;
	int r = document_find(args, &path, &err);

	if (r == 0 && !args->to)
		r = err_set(&err, -EINVAL, "to which revision? --to N; 'history' lists them");
	if (r < 0) {
		buf_done(&path);
		return command_misused("rollback", "%s", err.text);
	}
	c = client_new(&args->place);
	r = read_etag(c, buf_cstr(&path), etag, &err);
	buf_str(&path, ":rollback");
	document_params(args, "?", &path);
	buf_printf(&body, "{\"" REST_TO_REVISION "\":%" PRIu64 "}", args->to);
	if (r < 0 && r != -ENOENT)
		r = command_refused(r, &err);
	else
		r = document_send(args, c,
				  &(struct client_write){ .method = "POST",
							  .path = buf_cstr(&path),
							  .type = REST_JSON,
							  .body = &body,
							  .if_match = *etag ? etag : NULL },
				  NULL);
	client_free(c);
	buf_done(&body);
	buf_done(&path);
	return r;
}

/* --- members ------------------------------------------------------------------------------------------ */

/* Where "10.0.0.1:80" or "10.0.0.1" says no port, 0. */
static int parse_member(const char *text, struct endpoint *out)
{
	*out = (struct endpoint){ 0 };
	return addr_parse(text, &out->addr) == 0 ? 0 : endpoint_parse(text, 0, out);
}

/* Is that item of "10.0.0.1:80=5,..." about this member, or, without a port, about its address? */
static bool is_about(const char *item, size_t len, const char *member)
{
	CLEANUP(xfree_ptr) char *text = xstrndup(item, len);
	char *end = strrchr(text, '=');
	struct endpoint of, m;

	if (!end)
		return false;
	*end = '\0';
	if (parse_member(text, &of) < 0 || parse_member(member, &m) < 0)
		return strcmp(text, member) == 0;
	return addr_cmp(&of.addr, &m.addr) == 0 && (!m.port || m.port == of.port);
}

static bool has_port(const struct doc *subset, uint16_t port)
{
	const struct doc *ports = doc_get(subset, "ports");
	int64_t n;

	for (const struct doc *p = ports ? ports->first : NULL; p && port; p = p->next)
		if (doc_integer(doc_get(p, "port"), port, port, &n))
			return true;
	return !port;
}

static bool has_address(const struct doc *list, const struct addr *a)
{
	struct addr other;

	for (const struct doc *i = list ? list->first : NULL; i; i = i->next) {
		const char *ip = doc_string(doc_get(i, "ip"));

		if (ip && addr_parse(ip, &other) == 0 && addr_cmp(&other, a) == 0)
			return true;
	}
	return false;
}

/* Do the Endpoints have it, ready or not? */
static bool has_member(const struct doc *endpoints, const char *member)
{
	const struct doc *subsets = doc_get(endpoints, "subsets");
	struct endpoint m;

	if (parse_member(member, &m) < 0)
		return false;
	for (const struct doc *s = subsets ? subsets->first : NULL; s; s = s->next)
		if (has_port(s, m.port) && (has_address(doc_get(s, "addresses"), &m.addr) ||
					    has_address(doc_get(s, "notReadyAddresses"), &m.addr)))
			return true;
	return false;
}

/* The annotation without the member, and with its new weight; NULL weight: without. */
static void put_weights(const char *old, const char *member, const char *weight, struct buf *out)
{
	while (*old) {
		size_t n = strcspn(old, ",");

		if (n && !is_about(old, n, member))
			buf_printf(out, "%s%.*s", out->len ? "," : "", (int)n, old);
		old += n + (old[n] == ',');
	}
	if (weight)
		buf_printf(out, "%s%s=%s", out->len ? "," : "", member, weight);
}

/* A merge patch; where nothing is left of the annotation it goes. */
static int make_patch(const struct buf *document, const char *member, const char *weight,
		      struct buf *out, struct err *err)
{
	struct doc_set set = { 0 };
	struct buf value = { 0 };
	const char *old;
	int r = doc_read_json(document->data, document->len, &DOC_LIMITS_DEFAULT, &set, err);

	if (r < 0)
		return err_wrap(err, -EPROTO, "the agent's answer");
	if (!has_member(set.roots[0], member)) {
		doc_set_done(&set);
		return err_set(err, -ENOENT, "its Endpoints have no member %.64s", member);
	}
	old = doc_string(
		doc_get(doc_get(doc_get(set.roots[0], "metadata"), "annotations"), ANNOTATION));
	put_weights(old ? old : "", member, weight, &value);
	if (old && strpbrk(old, "\"\\"))
		r = err_set(err, -EINVAL, "the annotation " ANNOTATION " is not one of weights");
	else if (value.len)
		buf_printf(out, "{\"metadata\":{\"annotations\":{\"" ANNOTATION "\":\"%s\"}}}",
			   buf_cstr(&value));
	else
		buf_str(out, "{\"metadata\":{\"annotations\":{\"" ANNOTATION "\":null}}}");
	buf_done(&value);
	doc_set_done(&set);
	return r;
}

/* "NAMESPACE/SERVICE" to its Endpoints; the member is checked. */
static int find_member(const char *service, const char *member, struct buf *path, struct err *err)
{
	CLEANUP(xfree_ptr) char *ns = xstrdup(service);
	char *slash = strchr(ns, '/');
	struct endpoint m;

	if (!slash || slash == ns || !slash[1])
		return err_set(err, -EINVAL, "'%.64s' is not NAMESPACE/SERVICE", service);
	if (parse_member(member, &m) < 0)
		return err_set(err, -EINVAL, "'%.64s' is not ADDRESS or ADDRESS:PORT", member);
	*slash = '\0';
	put_document(path, "endpoints", ns, slash + 1);
	return 0;
}

/* Read, changed and written only while it is what was read. */
static int set_weight(const struct ctl_args *args, const char *command, const char *weight)
{
	struct buf path = { 0 }, document = { 0 }, patch = { 0 };
	char etag[CLIENT_ETAG_MAX];
	struct client *c;
	struct err err;
	int r = find_member(args->operands[0], args->operands[1], &path, &err);

	if (r < 0) {
		buf_done(&path);
		return command_misused(command, "%s", err.text);
	}
	c = client_new(&args->place);
	r = client_document(c, buf_cstr(&path), &document, etag, &err);
	document_params(args, "?", &path);
	if (r == 0) {
		r = make_patch(&document, args->operands[1], weight, &patch, &err);
		if (r < 0)
			err_wrap(&err, r, "%.320s", args->operands[0]);
	}
	if (r < 0)
		r = command_refused(r, &err);
	else
		r = document_send(args, c,
				  &(struct client_write){ .method = "PATCH",
							  .path = buf_cstr(&path),
							  .type = REST_MERGE_PATCH,
							  .body = &patch,
							  .if_match = etag },
				  NULL);
	client_free(c);
	buf_done(&patch);
	buf_done(&document);
	buf_done(&path);
	return r;
}

/* Are they as many as there should be? One less with --all-pools. */
static bool has_operands(const struct ctl_args *args, int count)
{
	return args->operand_count == count - (args->all_pools ? 1 : 0);
}

/* `weight`: NULL: none of its own. */
static int weigh(const struct ctl_args *args, const char *command, const char *weight)
{
	return args->all_pools ? command_all_pools(args, command, NULL)
			       : set_weight(args, command, weight);
}

int command_drain(const struct ctl_args *args)
{
	if (!has_operands(args, 2))
		return command_misused("drain", "drain what? NAMESPACE/SERVICE ADDRESS[:PORT], or "
						"--all-pools ADDRESS[:PORT]");
	return weigh(args, "drain", "0");
}

int command_undrain(const struct ctl_args *args)
{
	if (!has_operands(args, 2))
		return command_misused("undrain", "undrain what? NAMESPACE/SERVICE ADDRESS[:PORT], "
						  "or --all-pools ADDRESS[:PORT]");
	return weigh(args, "undrain", NULL);
}

int command_weight(const struct ctl_args *args)
{
	const char *weight = args->operand_count ? args->operands[args->operand_count - 1] : "";
	uint64_t n;

	if (!has_operands(args, 3))
		return command_misused(
			"weight", "weight of what? NAMESPACE/SERVICE ADDRESS[:PORT] WEIGHT, or "
				  "--all-pools ADDRESS[:PORT] WEIGHT");
	if (value_uint(weight, 0, WEIGHT_MAX, &n) < 0)
		return command_misused("weight", "'%.32s' is not a weight from 0 to %d", weight,
				       WEIGHT_MAX);
	return args->all_pools ? command_all_pools(args, "weight", weight)
			       : set_weight(args, "weight", weight);
}
