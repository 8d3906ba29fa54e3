/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the commands share, and the table of them.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/api/schema.h"
#include "agent/base/doc.h"
#include "agent/ctl/commands.h"
#include "agent/ctl/words.h"

#define CANDIDATES_MAX 8 /* named in a message */

const struct ctl_command ctl_commands[] = {
	{ "get", "KIND [NAME...]", "list what the agent has",
	  "Lists pools, members, targets (what is probed), problems or events (what became of\n"
	  "pools and members), or shows the agent's status, address pools or nodes; ipvs lists "
	  "the\n"
	  "frontends as they are wanted of the kernel.\n"
	  "NAME is a pool's id, or for pools and "
	  "members NAMESPACE/SERVICE, too; for\n"
	  "targets and ipvs it is a part of ADDRESS:PORT. With --watch it takes pools, -n, -q and "
	  "-o alone.",
	  "onqHSBw", command_get },
	{ "describe", "KIND ID", "all about one pool or target",
	  "Shows a pool, its members and its problems. ID may be NAMESPACE/SERVICE where that\n"
	  "has one pool. Of a target (what is probed) it shows what the last probe asked and what\n"
	  "came of it, how it is just now, whom it is for, and its last changes; ID may be\n"
	  "ADDRESS:PORT where that has one target.",
	  "o", command_describe },
	{ "explain", "POOL", "why each member is in or out",
	  "Says of each member whether new connections reach it, why, what its last check\n"
	  "found, since when, and what happens next. POOL is a pool's id, or NAMESPACE/SERVICE\n"
	  "where that has one pool.",
	  "", command_explain },
	{ "stats", "POOL", "connections, packets and bytes of a pool",
	  "Shows what the kernel counted of each frontend and member of a pool: connections\n"
	  "that are there now, and connections, packets and bytes since it was made. POOL is a\n"
	  "pool's id, or NAMESPACE/SERVICE where that has one pool.",
	  "o", command_stats },
	{ "wait", "", "wait until the kernel is as wanted",
	  "Waits until the agent has done its work; the agent need not be there yet. Without\n"
	  "--synced or --generation it waits for --synced. Exit code 1 when time is up.",
	  "WGt", command_wait },
	{ "lint", "-f FILE", "look manifests over before they are used",
	  "Says what the agent would report of the manifests, and what a Kubernetes API server\n"
	  "would refuse or drop. All files are one set. Needs no agent. Exit code 3 when a part\n"
	  "of a manifest would not be used.",
	  "fC", command_lint },
	{ "apply", "-f FILE", "write manifests to the agent's store",
	  "Writes the documents of all files to the store of the agent, all of them or none, and\n"
	  "says of each whether it was created, configured or unchanged. With --dry-run it says\n"
	  "what would change, and nothing does.",
	  "fnDRo", command_apply },
	{ "diff", "-f FILE", "say what apply would change",
	  "Says what 'apply' of the same files would change, and changes nothing. Exit code 3 "
	  "when\n"
	  "that is anything.",
	  "fno", command_diff },
	{ "edit", "KIND NAME", "change a document in an editor",
	  "Opens a document of the agent's store as YAML in $VISUAL or $EDITOR, and writes it "
	  "back\n"
	  "unless it changes meanwhile. What the agent refuses stays in its file, which is named.\n"
	  "NAME is one of --namespace (default), or NAMESPACE/NAME.",
	  "nDRo", command_edit },
	{ "delete", "KIND NAME", "remove a document from the store",
	  "Removes a document from the agent's store, unless it changes meanwhile. NAME is one of\n"
	  "--namespace (default), or NAMESPACE/NAME; of a pool, its id: all its documents go.",
	  "nDRo", command_delete },
	{ "history", "KIND NAME", "list the revisions of a document",
	  "Lists the revisions of a document of the agent's store, the newest first, also of one\n"
	  "that was removed. NAME is one of --namespace (default), or NAMESPACE/NAME; of a\n"
	  "pool, its id: that of all its documents.",
	  "no", command_history },
	{ "rollback", "KIND NAME", "bring a document back to an earlier revision",
	  "Writes what a document was at the revision --to as a new change, unless it changes\n"
	  "meanwhile; also of one that was removed. NAME is one of --namespace (default), or\n"
	  "NAMESPACE/NAME; of a pool, its id: all its documents go back together.",
	  "nTDRo", command_rollback },
	{ "drain", "[SERVICE] MEMBER", "let a member have no new connections",
	  "Gives a member weight 0 by the annotation parasaus.io/weights of its Endpoints in the\n"
	  "agent's store. SERVICE is NAMESPACE/NAME, MEMBER is ADDRESS or ADDRESS:PORT; with\n"
	  "--all-pools there is no SERVICE, and every pool of the store that has the member is "
	  "meant.",
	  "DRoEy", command_drain },
	{ "undrain", "[SERVICE] MEMBER", "give a member its own weight again",
	  "Takes a member out of the annotation parasaus.io/weights of its Endpoints, so that it\n"
	  "has the weight of all others. SERVICE is NAMESPACE/NAME, MEMBER is ADDRESS or\n"
	  "ADDRESS:PORT, as it was drained; --all-pools as with drain.",
	  "DRoEy", command_undrain },
	{ "weight", "[SERVICE] MEMBER WEIGHT", "give a member a weight",
	  "Gives a member a weight, 0 to 65535, by the annotation parasaus.io/weights of its\n"
	  "Endpoints in the agent's store. SERVICE is NAMESPACE/NAME, MEMBER is ADDRESS or\n"
	  "ADDRESS:PORT; --all-pools as with drain.",
	  "DRoEy", command_weight },
	{ "doctor", "", "say what is wrong with this host for the agent",
	  "Runs 'parasausd --doctor': looks at the kernel, its settings, other programs, the way\n"
	  "to real servers and that from clients, and says what is wrong and what mends it. Takes\n"
	  "up to two seconds, changes nothing, and needs root.",
	  "co", command_doctor },
	{ "cleanup", "-c FILE", "take out of the kernel what the agent put there",
	  "Runs 'parasausd -c FILE --cleanup': deletes the virtual services, routes, rules,\n"
	  "sets and proxy neighbours that belong to an agent of this configuration. It must not\n"
	  "be running. Traffic to its addresses ends.",
	  "cy", command_cleanup },
	{ "whoami", "", "who one is to the agent",
	  "Says who one is to the agent, and what one may do.", "o", command_whoami },
	{ "token", "create|list|delete [NAME]", "let users write over TCP",
	  "Makes a token and prints it, this once: who has it writes to the agent over TCP, and "
	  "is\n"
	  "on record as token:NAME. Lists tokens, or deletes one, which holds at once.",
	  "oL", command_token },
	{ "backup", "create|list|restore|delete [NAME]",
	  "copy the agent's store, and bring it back",
	  "Makes a backup of the agent's store and prints its path; lists backups; makes the "
	  "store\n"
	  "what a backup is, and what was there another backup; deletes one. A backup holds the\n"
	  "Secrets of the store. Without a NAME a new one is named by the time.",
	  "oRy", command_backup },
	{ "completion", "bash|zsh", "print a script that completes words in a shell",
	  "Prints a script for the shell: source <(parasausctl completion bash). For zsh it is\n"
	  "written to a file _parasausctl in a directory of its fpath.",
	  "", command_completion },
	{ "version", "", "print the version", "Prints the version of parasausctl.", "",
	  command_version },
	{ "help", "[COMMAND]", "print help", "Prints help, of one command or of all.", "",
	  command_help },
	{ 0 },
};

int command_failed(const char *fmt, ...)
{
	va_list ap;

	fputs("parasausctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CTL_FAILED;
}

int command_misused(const char *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "parasausctl: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry 'parasausctl %s%s--help'.\n", command ? command : "",
		command ? " " : "");
	return CTL_USAGE;
}

static bool is_wanted(void)
{
	char line[16] = "";

	fputs("Go on? [y/N] ", stderr);
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

bool command_confirm(const struct ctl_args *args, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	if (args->yes)
		return true;
	if (!isatty(STDIN_FILENO)) {
		(void)command_failed("nothing was done: say --yes where nobody can be asked");
		return false;
	}
	if (is_wanted())
		return true;
	(void)command_failed("nothing was done");
	return false;
}

int command_refused(int r, const struct err *err)
{
	(void)command_failed("%s", err->text);
	switch (r) {
	case -EEXIST:
		return CTL_CONFLICT;
	case -EACCES:
		return CTL_FORBIDDEN;
	default:
		return CTL_FAILED;
	}
}

int command_print(const struct buf *text)
{
	if ((text->len && fwrite(text->data, text->len, 1, stdout) != 1) || fflush(stdout) != 0)
		return command_failed("cannot write the output: %s", strerror(errno));
	return CTL_OK;
}

int command_show(const struct ctl_args *args, struct client *c, const char *path,
		 void (*put)(const struct doc *d, struct buf *out))
{
	CLEANUP(doc_set_done) struct doc_set set = { 0 };
	CLEANUP(buf_done) struct buf text = { 0 };
	struct err err;
	int r;

	if (ctl_wants_json(args)) {
		r = client_text(c, path, &text, &err);
	} else {
		r = client_object(c, path, &set, &err);
		if (r == 0)
			put(set.roots[0], &text);
	}
	return r < 0 ? command_refused(r, &err) : command_print(&text);
}

int command_version(const struct ctl_args *args)
{
	(void)args;
	printf("parasausctl %s\n", PARASAUS_VERSION);
	return fflush(stdout) == 0 ? CTL_OK : CTL_FAILED;
}

int command_help(const struct ctl_args *args)
{
	const struct ctl_command *c = NULL;
	struct buf text = { 0 };
	int r;

	if (args->operand_count > 0) {
		c = ctl_find(args->operands[0]);
		if (!c)
			return command_misused(NULL, "unknown command '%s'", args->operands[0]);
	}
	ctl_help(c, &text);
	r = command_print(&text);
	buf_done(&text);
	return r;
}

void command_pool_path(struct buf *path, const char *id, const char *below)
{
	buf_str(path, REST_POOLS "/");
	client_encode(path, id);
	buf_str(path, below);
}

/* --- pools by name ---------------------------------------------------------------- */

struct candidates {
	struct buf ids; /* separated by ", " */
	size_t count;
};

static int add_candidate(void *arg, const char *text, size_t len, struct err *err)
{
	struct candidates *c = arg;
	struct doc_set set = { 0 };
	int r = doc_read_json(text, len, &DOC_LIMITS_DEFAULT, &set, err);

	if (r < 0)
		return r;
	if (c->count++ < CANDIDATES_MAX)
		buf_printf(&c->ids, "%s%s", c->ids.len ? ", " : "",
			   words_text(set.roots[0], REST_ID));
	doc_set_done(&set);
	return 0;
}

static int find_by_service(struct client *c, const char *ns, size_t ns_len, const char *service,
			   struct candidates *out, struct err *err)
{
	struct buf path = { 0 }, part = { 0 };
	int r;

	buf_put(&part, ns, ns_len);
	buf_str(&path, REST_POOLS "?" REST_NAMESPACE "=");
	client_encode(&path, buf_cstr(&part));
	buf_str(&path, "&" REST_SERVICE "=");
	client_encode(&path, service);
	r = client_items(c, buf_cstr(&path), add_candidate, out, err);
	buf_done(&path);
	buf_done(&part);
	return r;
}

int command_find_pool(struct client *c, const char *name, struct buf *out, struct err *err)
{
	const char *slash = strchr(name, '/');
	struct candidates found = { 0 };
	int r;

	if (!slash) {
		buf_str(out, name); /* whether it is there, the next request tells */
		return 0;
	}
	r = find_by_service(c, name, (size_t)(slash - name), slash + 1, &found, err);
	if (r == 0 && found.count == 0)
		r = err_set(err, -ENOENT, "no pool belongs to the service '%s'", name);
	else if (r == 0 && found.count > 1)
		r = err_set(err, -ENOTUNIQ, "'%s' has %zu pools, say which: %s%s", name,
			    found.count, buf_cstr(&found.ids),
			    found.count > CANDIDATES_MAX ? ", ..." : "");
	else if (r == 0)
		buf_put(out, found.ids.data, found.ids.len);
	buf_done(&found.ids);
	return r;
}
