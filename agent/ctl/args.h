/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of parasausctl: commands, their options, their help. Both
 * are tables, and help is made of them, so that neither can lag behind.
 */
#ifndef AGENT_CTL_ARGS_H
#define AGENT_CTL_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/err.h"
#include "agent/ctl/client.h"

/* Exit codes. */
enum {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_FOUND = 3,
	CTL_CONFLICT = 4, /* something else is there */
	CTL_FORBIDDEN = 5
};

enum ctl_output { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_JSON, OUTPUT_NDJSON, OUTPUT_NAME };

struct ctl_args {
	struct client_place place;
	enum ctl_output output;
	bool help;
	const char *ns;
	const char *health;
	const char *state;
	const char *query;
	const char *sort;
	bool watch;
	bool synced;
	uint64_t generation; /* 0: not asked for */
	uint32_t timeout_ms;
	const char **files; /* of every --file; freed by ctl_args_done() */
	size_t file_count;
	bool corrected;
	const char *config;
	bool yes;
	bool dry_run;
	const char *reason;
	bool all_pools;
	const char *role; /* NULL: not given */
	uint64_t to;	  /* a revision; 0: not asked for */
	char **operands;  /* what is left, from argv */
	int operand_count;
};

/* `letter` names it in struct ctl_command; capitals have no short form. */
struct ctl_option {
	char letter;
	const char *name;
	const char *value; /* what stands for its value in help; NULL: it has none */
	const char *text;
	const char *words; /* that the value may be, for completion; NULL: it is free */
};
extern const struct ctl_option ctl_options[]; /* of every command; ends with a NULL name */
bool ctl_option_has_short(const struct ctl_option *o);

struct ctl_command {
	const char *name;
	const char *operands; /* "KIND [NAME...]", "bash|zsh" or ""; KIND: see kinds.h */
	const char *summary;  /* one line */
	const char *text;     /* for its own help */
	const char *options;  /* the letters of those it takes besides -h; see args.c */
	int (*run)(const struct ctl_args *args);
};
extern const struct ctl_command ctl_commands[]; /* ends with a NULL name */

/*
 * Options may stand before and after the command and its operands; "--" ends them. On failure
 * the command is set where it was known. -EINVAL: err says what is wrong.
 */
MUST_CHECK int ctl_parse(int argc, char **argv, const struct ctl_command **out_command,
			 struct ctl_args *out, struct err *err);
void ctl_args_done(struct ctl_args *args);

bool ctl_wants_json(const struct ctl_args *args); /* of -o */

/* Help: of one command, or (NULL) the overview. */
void ctl_help(const struct ctl_command *command, struct buf *out);
/* Does the command (NULL: none given) have the option of that letter? */
bool ctl_takes(const struct ctl_command *c, char letter);
const struct ctl_command *ctl_find(const char *name); /* NULL: there is none */

#endif
