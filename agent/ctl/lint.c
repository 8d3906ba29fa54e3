/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl lint: looks manifests over without an agent. Findings are
 * written as compilers write theirs, for editors to follow.
 */
#include "agent/pool/lint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "agent/ctl/commands.h"

#define FILE_MAX ((size_t)64 << 20)

/* The texts stay until the findings have been printed. */
struct inputs {
	struct buf *texts;
	size_t count;
};

static int read_inputs(const struct ctl_args *args, struct lint *l, struct inputs *in,
		       struct err *err)
{
	in->texts = xcalloc(args->file_count, sizeof(*in->texts));
	for (; in->count < args->file_count; in->count++) {
		const char *name = args->files[in->count];
		struct buf *text = &in->texts[in->count];
		bool is_stdin = strcmp(name, "-") == 0;
		int r = is_stdin ? file_read_fd(STDIN_FILENO, FILE_MAX, text, err)
				 : file_read(name, FILE_MAX, text, err);

		if (r < 0)
			return is_stdin ? err_wrap(err, r, "standard input") : r;
		lint_add(l, is_stdin ? "stdin" : name, buf_cstr(text), text->len);
	}
	return 0;
}

static void inputs_done(struct inputs *in)
{
	for (size_t i = 0; i < in->count; i++)
		buf_done(&in->texts[i]);
	free(in->texts);
}

/* Returns how many of the findings are errors. */
static size_t put_findings(struct lint *l, struct buf *out)
{
	size_t count, errors = 0;
	const struct lint_finding *f = lint_findings(l, &count);

	for (size_t i = 0; i < count; i++) {
		errors += f[i].error;
		if (f[i].line)
			buf_printf(out, "%s:%u: ", f[i].file, f[i].line);
		else
			buf_printf(out, "%s: ", f[i].file);
		buf_printf(out, "%s: %s\n", f[i].error ? "error" : "warning", f[i].text);
	}
	return errors;
}

/* With --corrected the manifests are the output, and the findings stand aside. */
static int report(const struct ctl_args *args, struct lint *l)
{
	struct buf findings = { 0 }, corrected = { 0 };
	size_t errors = put_findings(l, &findings);
	int r = CTL_OK;

	if (!args->corrected) {
		r = command_print(&findings);
	} else {
		fputs(buf_cstr(&findings), stderr);
		r = lint_corrected(l, &corrected) < 0
			    ? command_failed("no corrected form: a file could not be read well")
			    : command_print(&corrected);
	}
	buf_done(&corrected);
	buf_done(&findings);
	return errors ? CTL_FOUND : r;
}

int command_lint(const struct ctl_args *args)
{
	struct inputs in = { 0 };
	struct lint *l;
	struct err err;
	int r;

	if (args->operand_count || !args->file_count)
		return command_misused("lint", "lint needs -f FILE for each file, or -f -");
	l = lint_new(NULL);
	r = read_inputs(args, l, &in, &err);
	r = r < 0 ? command_failed("%s", err.text) : report(args, l);
	lint_free(l);
	inputs_done(&in);
	return r;
}
