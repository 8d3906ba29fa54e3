/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl completion: a script for the shell, made of the tables of commands
 * and options, so that it cannot lag behind them. zsh runs the one for bash.
 *
 * What follows a command is read off its `operands`: words in small letters
 * are the choice itself ("bash|zsh"), KIND is one of kinds.h, NAME, ID and POOL are
 * ids of pools (of `describe`: of the kind before), COMMAND is a command. Documents, tokens and backups have a NAME that is not looked up.
 */
#include <ctype.h>
#include <string.h>

#include "agent/ctl/commands.h"
#include "agent/ctl/kinds.h"

/* --- options --------------------------------------------------------------------------- */

/* "-o|--output" */
static void put_pattern(const struct ctl_option *o, struct buf *out)
{
	if (ctl_option_has_short(o))
		buf_printf(out, "-%c|", o->letter);
	buf_printf(out, "--%s", o->name);
}

/* All options of which `is` holds, as one pattern. */
static void put_patterns(bool (*is)(const struct ctl_option *o), struct buf *out)
{
	const char *between = "";

	for (const struct ctl_option *o = ctl_options; o->name; o++) {
		if (!is(o))
			continue;
		buf_str(out, between);
		put_pattern(o, out);
		between = "|";
	}
}

static bool is_of_files(const struct ctl_option *o)
{
	return o->value && (strcmp(o->value, "FILE") == 0 || strcmp(o->value, "PATH") == 0);
}

static bool is_socket(const struct ctl_option *o)
{
	return o->letter == 's';
}

static bool is_other_of_value(const struct ctl_option *o)
{
	return o->value && !is_socket(o);
}

static bool is_free(const struct ctl_option *o)
{
	return o->value && !o->words && !is_of_files(o);
}

static void put_values(struct buf *out)
{
	buf_str(out, "\tcase $prev in\n\t");
	put_patterns(is_of_files, out);
	buf_str(out, ")\n\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n\t\treturn\n\t\t;;\n");
	for (const struct ctl_option *o = ctl_options; o->name; o++) {
		if (!o->words)
			continue;
		buf_str(out, "\t");
		put_pattern(o, out);
		buf_printf(out,
			   ")\n\t\tCOMPREPLY=($(compgen -W '%s' -- \"$cur\"))\n\t\treturn\n"
			   "\t\t;;\n",
			   o->words);
	}
	buf_str(out, "\t");
	put_patterns(is_free, out);
	buf_str(out, ")\n\t\treturn\n\t\t;;\n\tesac\n");
}

/* --- commands --------------------------------------------------------------------------- */

static void put_commands(struct buf *out)
{
	for (const struct ctl_command *c = ctl_commands; c->name; c++)
		buf_printf(out, "%s%s", c == ctl_commands ? "" : " ", c->name);
}

static void put_options(const struct ctl_command *c, struct buf *out)
{
	buf_printf(out, "\t\t%s) words='", c->name);
	for (const struct ctl_option *o = ctl_options; o->name; o++)
		if (ctl_takes(c, o->letter))
			buf_printf(out, "--%s ", o->name);
	out->len--;
	buf_str(out, "' ;;\n");
}

static bool is_kind(const char *operand)
{
	return strncmp(operand, "KIND", 4) == 0;
}

/* One operand of a command: "bash|zsh", "KIND", "[NAME...]", "POOL". */
static void put_operand(const struct ctl_command *c, unsigned number, const char *operand,
			size_t len, struct buf *out)
{
	bool many = len > 4 && memcmp(operand + len - 4, "...]", 4) == 0;

	/* Neither documents nor tokens nor backups are listed; NAME is a pool's behind "get" alone. */
	if (strchr(c->options, 'D') || strcmp(c->name, "history") == 0 ||
	    strcmp(c->name, "token") == 0 || strcmp(c->name, "backup") == 0) {
		if (!islower((unsigned char)*operand) && !is_kind(operand))
			return;
	}
	while (len && (*operand == '[' || *operand == '-')) {
		operand++;
		len--;
	}
	if (many)
		buf_printf(out, "\t\t%s:*) ", c->name);
	else
		buf_printf(out, "\t\t%s:%u) ", c->name, number);
	if (islower((unsigned char)*operand)) {
		buf_str(out, "words='");
		for (size_t i = 0; i < len; i++)
			buf_put(out, operand[i] == '|' ? " " : operand + i, 1);
		buf_str(out, "' ;;\n");
	} else if (is_kind(operand)) {
		buf_str(out, "words='");
		ctl_kinds_put(c->name, " ", out);
		buf_str(out, "' ;;\n");
	} else if (strncmp(operand, "COMMAND", 7) == 0) {
		buf_str(out, "words=$commands ;;\n");
	} else {
		const char *kind = strcmp(c->name, "describe") == 0 ? "\"$kind\"" : "pools";

		buf_printf(out,
			   "words=$(\"${COMP_WORDS[0]}\" \"${socket[@]}\" get %s -o name "
			   "2>/dev/null) ;;\n",
			   kind);
	}
}

static void put_operands(const struct ctl_command *c, struct buf *out)
{
	unsigned number = 0;

	if (c->operands[0] == '-')
		return; /* those are options */
	for (const char *p = c->operands; *p; number++) {
		size_t len = strcspn(p, " ");

		put_operand(c, number, p, len, out);
		p += len + (p[len] == ' ');
	}
}

/* --- the script -------------------------------------------------------------------------- */

static void put_walk(struct buf *out)
{
	buf_str(out, "_parasausctl() {\n"
		     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
		     "\tlocal command='' kind='' operands=0 i words='' commands='");
	put_commands(out);
	buf_str(out, "'\n"
		     "\tlocal socket=()\n"
		     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		     "\t\tcase ${COMP_WORDS[i]} in\n"
		     "\t\t");
	put_patterns(is_socket, out);
	buf_str(out, ") socket=(-s \"${COMP_WORDS[i + 1]}\"); i=$((i + 1)) ;;\n\t\t");
	put_patterns(is_other_of_value, out);
	buf_str(out, ") i=$((i + 1)) ;;\n"
		     "\t\t-*) ;;\n"
		     "\t\t*)\n"
		     "\t\t\tif [ -z \"$command\" ]; then\n"
		     "\t\t\t\tcommand=${COMP_WORDS[i]}\n"
		     "\t\t\telse\n"
		     "\t\t\t\t[ \"$operands\" = 0 ] && kind=${COMP_WORDS[i]}\n"
		     "\t\t\t\toperands=$((operands + 1))\n"
		     "\t\t\tfi\n"
		     "\t\t\t;;\n"
		     "\t\tesac\n"
		     "\tdone\n"
		     "\tCOMPREPLY=()\n");
}

static void put_script(struct buf *out)
{
	put_walk(out);
	put_values(out);
	buf_str(out, "\tif [[ $cur == -* ]]; then\n\t\tcase $command in\n");
	for (const struct ctl_command *c = ctl_commands; c->name; c++)
		put_options(c, out);
	buf_str(out, "\t\tesac\n\telse\n\t\tcase $command:$operands in\n"
		     "\t\t:0) words=$commands ;;\n");
	for (const struct ctl_command *c = ctl_commands; c->name; c++)
		put_operands(c, out);
	buf_str(out, "\t\tesac\n\tfi\n"
		     "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
		     "}\n"
		     "complete -F _parasausctl parasausctl\n");
}

int command_completion(const struct ctl_args *args)
{
	const char *shell = args->operand_count == 1 ? args->operands[0] : "";
	bool is_zsh = strcmp(shell, "zsh") == 0;
	struct buf text = { 0 };
	int r;

	if (!is_zsh && strcmp(shell, "bash") != 0)
		return command_misused("completion", "completion for which shell? bash or zsh");
	if (is_zsh)
		buf_str(&text, "#compdef parasausctl\n");
	buf_printf(&text, "# Made by 'parasausctl completion %s'.\n", shell);
	if (is_zsh)
		buf_str(&text, "autoload -U +X bashcompinit && bashcompinit\n");
	put_script(&text);
	r = command_print(&text);
	buf_done(&text);
	return r;
}
