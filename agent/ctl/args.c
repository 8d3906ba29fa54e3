/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/args.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/schema.h"
#include "agent/base/value.h"
#include "agent/base/xalloc.h"
#include "agent/ctl/kinds.h"

#define WAIT_TIMEOUT_MS 60000
#define EVERY_COMMAND	"shUKAFIJ"
#define OVERVIEW_ALONE	"UKAFIJ" /* the help of each command would be longer for it */
#define SERVER_VARIABLE "PARASAUS_SERVER"
#define CERT_VARIABLE	"PARASAUS_CERT"
#define KEY_VARIABLE	"PARASAUS_KEY"

const struct ctl_option ctl_options[] = {
	{ 's', "socket", "PATH", "the agent's socket (" REST_SOCKET_DEFAULT ")", NULL },
	{ 'U', "server", "URL", "an agent elsewhere (" SERVER_VARIABLE "): https://HOST:PORT",
	  NULL },
	{ 'K', "token-file", "FILE", "the token to show there", NULL },
	{ 'I', "cert", "FILE", "or the certificate (" CERT_VARIABLE ")", NULL },
	{ 'J', "key", "FILE", "its key (" KEY_VARIABLE ")", NULL },
	{ 'A', "cacert", "FILE", "who vouches for its certificate", NULL },
	{ 'F', "fingerprint", "SHA256", "or the certificate that it has to be", NULL },
	{ 'o', "output", "FORMAT", "table (the default), wide, json, ndjson, or name",
	  "table wide json ndjson name" },
	{ 'n', "namespace", "NAME",
	  "only what is of this namespace; where a document does not say it", NULL },
	{ 'q', "query", "TEXT", "only where the name or an address holds this text", NULL },
	{ 'H', "health", "HEALTH", "only pools that are up, degraded, down or unmonitored",
	  "up degraded down unmonitored" },
	{ 'S', "state", "STATE", "only what is up, down or unknown", "up down unknown" },
	{ 'B', "sort-by", "FIELD", "in the order of FIELD, -FIELD for the other way round", NULL },
	{ 'w', "watch", NULL, "go on, and show each pool again when it changes", NULL },
	{ 'W', "synced", NULL, "until every source was read and the kernel is as wanted", NULL },
	{ 'G', "generation", "N", "until the kernel has this generation or a later one", NULL },
	{ 't', "timeout", "TIME", "give up after that long (60): 30, 0.5, 500ms, 2m", NULL },
	{ 'f', "file", "FILE", "a file of manifests, - for standard input; may be repeated", NULL },
	{ 'C', "corrected", NULL, "print the manifests in the form that an API server takes",
	  NULL },
	{ 'c', "config", "FILE", "the agent's configuration", NULL },
	{ 'y', "yes", NULL, "do it without asking", NULL },
	{ 'D', "dry-run", NULL, "say what would change, and change nothing", NULL },
	{ 'R', "reason", "TEXT", "why, for the record", NULL },
	{ 'T', "to", "N", "the revision to go back to", NULL },
	{ 'E', "all-pools", NULL, "in every pool that has the member", NULL },
	{ 'L', "role", "ROLE", "of a new token: editor (the default) or viewer", "editor viewer" },
	{ 'h', "help", NULL, "this text", NULL },
	{ 0 },
};
#define OPTIONS (ARRAY_LEN(ctl_options) - 1)

bool ctl_option_has_short(const struct ctl_option *o)
{
	return o->letter >= 'a';
}

const struct ctl_command *ctl_find(const char *name)
{
	for (const struct ctl_command *c = ctl_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

bool ctl_takes(const struct ctl_command *c, char letter)
{
	return strchr(EVERY_COMMAND, letter) || (c && strchr(c->options, letter));
}

/* --- values of options ---------------------------------------------------------- */

static int take_output(const char *value, enum ctl_output *out, struct err *err)
{
	static const char *const words[] = { [OUTPUT_TABLE] = "table",
					     [OUTPUT_WIDE] = "wide",
					     [OUTPUT_JSON] = "json",
					     [OUTPUT_NDJSON] = "ndjson",
					     [OUTPUT_NAME] = "name" };
	size_t i = 0;

	while (i < ARRAY_LEN(words) && strcmp(value, words[i]) != 0)
		i++;
	if (i == ARRAY_LEN(words))
		return err_set(err, -EINVAL,
			       "--output: '%.32s' is none of table, wide, json, ndjson, name",
			       value);
	*out = (enum ctl_output)i;
	return 0;
}

static int take_value(char letter, const char *value, struct ctl_args *a, struct err *err)
{
	switch (letter) {
	case 's':
		a->place.socket = value;
		a->place.server = NULL;
		break;
	case 'U':
		a->place.server = value;
		break;
	case 'K':
		a->place.token_file = value;
		break;
	case 'I':
		a->place.cert = value;
		break;
	case 'J':
		a->place.key = value;
		break;
	case 'A':
		a->place.cacert = value;
		break;
	case 'F':
		a->place.fingerprint = value;
		break;
	case 'o':
		return take_output(value, &a->output, err);
	case 'n':
		a->ns = value;
		break;
	case 'q':
		a->query = value;
		break;
	case 'H':
		a->health = value;
		break;
	case 'S':
		a->state = value;
		break;
	case 'B':
		a->sort = value;
		break;
	case 'w':
		a->watch = true;
		break;
	case 'W':
		a->synced = true;
		break;
	case 'G':
		if (value_uint(value, 1, INT64_MAX, &a->generation) < 0)
			return err_set(err, -EINVAL, "--generation: '%.32s' is not a number from 1",
				       value);
		break;
	case 't':
		if (value_duration_ms(value, 0, 24 * 3600 * 1000, &a->timeout_ms) < 0)
			return err_set(err, -EINVAL,
				       "--timeout: '%.32s' is not a time up to 24h, such as 30 or "
				       "2m",
				       value);
		break;
	case 'f':
		a->files = xreallocarray(a->files, a->file_count + 1, sizeof(*a->files));
		a->files[a->file_count++] = value;
		break;
	case 'C':
		a->corrected = true;
		break;
	case 'c':
		a->config = value;
		break;
	case 'E':
		a->all_pools = true;
		break;
	case 'y':
		a->yes = true;
		break;
	case 'D':
		a->dry_run = true;
		break;
	case 'R':
		a->reason = value;
		break;
	case 'T':
		if (value_uint(value, 1, INT64_MAX, &a->to) < 0)
			return err_set(err, -EINVAL, "--to: '%.32s' is not a number from 1", value);
		break;
	case 'L':
		a->role = value;
		if (strcmp(value, "editor") != 0 && strcmp(value, "viewer") != 0)
			return err_set(err, -EINVAL, "--role: '%.32s' is neither editor nor viewer",
				       value);
		break;
	case 'h':
		a->help = true;
		break;
	}
	return 0;
}

/* --- parsing -------------------------------------------------------------------- */

struct getopt_tables {
	char letters[2 * OPTIONS + 3];
	struct option names[OPTIONS + 1];
};

/* For getopt_long(): all options, whatever the command, so that a message can say whose it is. */
static void fill_tables(struct getopt_tables *t)
{
	char *p = t->letters;

	memset(t, 0, sizeof(*t));
	*p++ = ':'; /* tell a missing value from an unknown option */
	for (size_t i = 0; i < OPTIONS; i++) {
		const struct ctl_option *o = &ctl_options[i];

		t->names[i] = (struct option){ .name = o->name,
					       .has_arg = o->value ? required_argument
								   : no_argument,
					       .val = o->letter };
		if (!ctl_option_has_short(o))
			continue;
		*p++ = o->letter;
		if (o->value)
			*p++ = ':';
	}
}

/* `word` is the argument that getopt stopped at. */
static int bad_option(int found, const char *word, struct err *err)
{
	if (found == ':')
		return err_set(err, -EINVAL, "option '%.64s' needs a value", word);
	if (optopt && !(word[0] == '-' && word[1] == '-') && found == '?')
		return err_set(err, -EINVAL, "unknown option '-%c'", optopt);
	return err_set(err, -EINVAL, "unknown option '%.64s'", word);
}

static int find_command(const char *name, const struct ctl_command **out, struct err *err)
{
	const char *names[32], *near;
	size_t count = 0;

	*out = ctl_find(name);
	if (*out)
		return 0;
	for (const struct ctl_command *c = ctl_commands; c->name && count < ARRAY_LEN(names); c++)
		names[count++] = c->name;
	near = value_nearest(name, names, count);
	if (near)
		return err_set(err, -EINVAL, "unknown command '%.64s'; did you mean '%s'?", name,
			       near);
	return err_set(err, -EINVAL, "unknown command '%.64s'", name);
}

/* Options once more, now that the command is known: does it take them? */
static int check_taken(const char *seen, const struct ctl_command *c, struct err *err)
{
	assert(c);
	for (; *seen; seen++)
		for (size_t i = 0; i < OPTIONS; i++)
			if (ctl_options[i].letter == *seen && !ctl_takes(c, *seen))
				return err_set(err, -EINVAL, "'%s' has no option --%s", c->name,
					       ctl_options[i].name);
	return 0;
}

/* What is said there is of any server, and in nobody's way where none is asked. */
static void use_environment(struct client_place *p)
{
	const char *cert = getenv(CERT_VARIABLE), *key = getenv(KEY_VARIABLE);

	if (!p->server)
		return;
	if (!p->cert && cert && *cert)
		p->cert = cert;
	if (!p->key && key && *key)
		p->key = key;
}

int ctl_parse(int argc, char **argv, const struct ctl_command **out_command, struct ctl_args *out,
	      struct err *err)
{
	char seen[OPTIONS + 1] = "";
	const char *server = getenv(SERVER_VARIABLE);
	struct getopt_tables tables;
	int found, r;

	*out = (struct ctl_args){ .place.socket = REST_SOCKET_DEFAULT,
				  .timeout_ms = WAIT_TIMEOUT_MS };
	if (server && *server)
		out->place.server = server;
	*out_command = NULL;
	fill_tables(&tables);
	opterr = 0;
	optind = 0; /* glibc: begin anew */
	while ((found = getopt_long(argc, argv, tables.letters, tables.names, NULL)) != -1) {
		if (found == '?' || found == ':')
			return bad_option(found, argv[optind > 0 ? optind - 1 : 0], err);
		if (!strchr(seen, found))
			seen[strlen(seen)] = (char)found;
		r = take_value((char)found, optarg, out, err);
		if (r < 0)
			return r;
	}
	if (optind == argc)
		return out->help ? 0 : err_set(err, -EINVAL, "no command given");
	r = find_command(argv[optind], out_command, err);
	if (r < 0)
		return r;
	out->operands = argv + optind + 1;
	out->operand_count = argc - optind - 1;
	use_environment(&out->place);
	r = check_taken(seen, *out_command, err);
	return r < 0 ? r : client_place_check(&out->place, err);
}

bool ctl_wants_json(const struct ctl_args *args)
{
	return args->output == OUTPUT_JSON || args->output == OUTPUT_NDJSON;
}

void ctl_args_done(struct ctl_args *args)
{
	free(args->files);
	args->files = NULL;
	args->file_count = 0;
}

/* --- help ----------------------------------------------------------------------- */

static void put_options(const struct ctl_command *c, struct buf *out)
{
	buf_str(out, "\nOptions:\n");
	for (size_t i = 0; i < OPTIONS; i++) {
		const struct ctl_option *o = &ctl_options[i];
		struct buf left = { 0 };

		if (!ctl_takes(c, o->letter) || (c && strchr(OVERVIEW_ALONE, o->letter)))
			continue;
		if (ctl_option_has_short(o))
			buf_printf(&left, "-%c, ", o->letter);
		else
			buf_str(&left, "    ");
		buf_printf(&left, "--%s%s%s", o->name, o->value ? " " : "",
			   o->value ? o->value : "");
		buf_printf(out, "  %-24s  %s\n", buf_cstr(&left), o->text);
		buf_done(&left);
	}
}

static void put_kinds(const struct ctl_command *c, struct buf *out)
{
	if (strncmp(c->operands, "KIND", 4) != 0)
		return;
	buf_str(out, "\nKIND is one of these, or what stands beside it, in capitals or not:\n");
	ctl_kinds_help(c->name, out);
}

void ctl_help(const struct ctl_command *command, struct buf *out)
{
	if (command) {
		buf_printf(out, "Usage: parasausctl %s%s%s [OPTION...]\n\n%s\n", command->name,
			   command->operands[0] ? " " : "", command->operands, command->text);
		put_kinds(command, out);
		put_options(command, out);
		return;
	}
	buf_str(out, "Usage: parasausctl [OPTION...] COMMAND [OPTION...]\n\n"
		     "Looks at a Parasaus agent on this machine, or elsewhere, and writes to "
		     "its store.\n\nCommands:\n");
	for (const struct ctl_command *c = ctl_commands; c->name; c++)
		buf_printf(out, "  %-10s  %s\n", c->name, c->summary);
	put_options(NULL, out);
	buf_str(out,
		"\n'parasausctl COMMAND --help' tells more; parasausctl(8) all of it.\n"
		"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 lint or diff found something,\n"
		"4 something else is there by now, 5 not allowed.\n");
}
