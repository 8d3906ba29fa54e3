/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl edit: a document of the agent's store in the user's editor. What
 * was written there is kept in its file until the agent has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/api/schema.h"
#include "agent/base/arena.h"
#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "agent/ctl/document.h"
#include "agent/pool/lint_tree.h"

struct edited {
	char etag[CLIENT_ETAG_MAX]; /* of what is edited */
	struct buf before, after;   /* as YAML */
	char *file;		    /* NULL: there is none */
	bool was_written;	    /* with `before` */
};

static int to_yaml(const struct buf *json, struct buf *out, struct err *err)
{
	struct doc_set set = { 0 };
	struct arena arena = { 0 };
	int r = doc_read_json(json->data, json->len, &DOC_LIMITS_DEFAULT, &set, err);

	if (r < 0)
		return err_wrap(err, r, "the agent's answer");
	tree_print(tree_of(&arena, set.roots[0]), out);
	arena_done(&arena);
	doc_set_done(&set);
	return 0;
}

static int write_file(struct edited *e, struct err *err)
{
	const char *dir = getenv("TMPDIR");
	int fd, r = 0;

	e->file = xasprintf("%s/parasausctl-XXXXXX.yaml", dir && *dir ? dir : "/tmp");
	fd = mkostemps(e->file, sizeof(".yaml") - 1, O_CLOEXEC);
	if (fd < 0) {
		r = err_set(err, -errno, "%s: %s", e->file, strerror(errno));
		free(e->file);
		e->file = NULL;
		return r;
	}
	if (write(fd, e->before.data, e->before.len) != (ssize_t)e->before.len)
		r = err_set(err, -EIO, "%s: cannot be written", e->file);
	else
		e->was_written = true;
	close(fd);
	return r;
}

/* As git does: the variable may hold options, so a shell takes it apart. */
static int run_editor(const char *file, struct err *err)
{
	const char *editor = getenv("VISUAL");
	CLEANUP(xfree_ptr) char *command = NULL;
	void (*interrupt)(int), (*quit)(int);
	int status;
	pid_t pid;

	if (!editor || !*editor)
		editor = getenv("EDITOR");
	if (!editor || !*editor)
		editor = "vi";
	command = xasprintf("%s \"$1\"", editor);
	pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "fork: %s", strerror(errno));
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, "sh", file, (char *)NULL);
		_exit(127);
	}
	/* What the keyboard sends is the editor's, as system(3) has it. */
	interrupt = signal(SIGINT, SIG_IGN);
	quit = signal(SIGQUIT, SIG_IGN);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	signal(SIGINT, interrupt);
	signal(SIGQUIT, quit);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(err, -ECANCELED, "the editor '%s' failed", editor);
	return 0;
}

static int have_edited(struct client *c, const char *path, struct edited *e, struct err *err)
{
	CLEANUP(buf_done) struct buf json = { 0 };
	int r = client_document(c, path, &json, e->etag, err);

	if (r == 0)
		r = to_yaml(&json, &e->before, err);
	if (r == 0)
		r = write_file(e, err);
	if (r == 0)
		r = run_editor(e->file, err);
	if (r == 0)
		r = file_read(e->file, REST_BODY_MAX, &e->after, err);
	return r;
}

static bool is_unchanged(const struct edited *e)
{
	return e->after.len == e->before.len &&
	       memcmp(e->after.data, e->before.data, e->before.len) == 0;
}

/* Is nothing in the file that was not there before the editor? */
static bool is_untouched(const struct edited *e)
{
	CLEANUP(buf_done) struct buf now = { 0 };

	return !e->was_written ||
	       (file_read(e->file, REST_BODY_MAX, &now, NULL) == 0 && now.len == e->before.len &&
		memcmp(now.data, e->before.data, now.len) == 0);
}

/* Nothing that was written there is lost. */
static void end_file(struct edited *e, bool is_through)
{
	if (!e->file)
		return;
	if (is_through || is_untouched(e))
		unlink(e->file);
	else
		fprintf(stderr, "parasausctl: what you wrote is in %s\n", e->file);
	free(e->file);
}

static int edit(const struct ctl_args *args, struct client *c, struct buf *path)
{
	struct edited e = { 0 };
	struct err err;
	int r = have_edited(c, buf_cstr(path), &e, &err);

	if (r < 0) {
		r = command_refused(r, &err);
	} else if (is_unchanged(&e)) {
		fputs("nothing was changed\n", stderr);
		r = CTL_OK;
	} else {
		document_params(args, "?", path);
		r = document_send(args, c,
				  &(struct client_write){ .method = "PUT",
							  .path = buf_cstr(path),
							  .type = REST_YAML,
							  .body = &e.after,
							  .if_match = e.etag },
				  NULL);
	}
	end_file(&e, r == CTL_OK && !args->dry_run);
	buf_done(&e.before);
	buf_done(&e.after);
	return r;
}

int command_edit(const struct ctl_args *args)
{
	CLEANUP(buf_done) struct buf path = { 0 };
	struct client *c;
	struct err err;
	int r = document_find(args, &path, &err);

	if (r < 0)
		return command_misused("edit", "%s", err.text);
	if (strstr(buf_cstr(&path), "/secrets/"))
		return command_misused("edit", "a Secret's values are shown to nobody: write it "
					       "anew with apply");
	if (strncmp(buf_cstr(&path), REST_POOLS, strlen(REST_POOLS)) == 0)
		return command_misused("edit",
				       "a pool is not a text: edit its service or endpoints");
	c = client_new(&args->place);
	r = edit(args, c, &path);
	client_free(c);
	return r;
}
