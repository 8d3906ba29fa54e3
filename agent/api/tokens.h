/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tokens: who may write over TCP, by a secret that he shows with each request.
 *
 * Kept are names, roles and hashes, in memory and in a file; what a token was
 * is known to him alone who was told it when it was made. A plain hash will do,
 * for a token is 32 random bytes: nobody tries them out.
 *
 * The file has a line for each, "NAME:ROLE:MILLISECONDS:SHA256" (when it was
 * made, since 1970; hexadecimal), and lines that are empty or begin with #. It
 * is written as a whole, mode 0600; what could not be used of it is left out then.
 *
 * One thread opens, makes, lists and deletes; it waits for the disk. Any may
 * ask whose a token is: that waits for nothing but others that ask, and takes
 * the same time whatever is shown. Nothing here logs.
 */
#ifndef AGENT_API_TOKENS_H
#define AGENT_API_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/err.h"
#include "agent/pool/object.h"

#define TOKENS_MAX	1000
#define TOKENS_FILE_MAX (1u << 20) /* bytes: five times as long as it is written */
#define TOKEN_NAME_MAX	63
#define TOKEN_SECRET	32 /* random bytes */
#define TOKEN_HASH	32
#define TOKEN_PREFIX	"pst_"
#define TOKEN_TEXT	47 /* characters: the prefix, and the bytes in base64 that a URL takes */

enum token_role { TOKEN_VIEWER, TOKEN_EDITOR };
const char *token_role_text(enum token_role r); /* "viewer", "editor" */
MUST_CHECK bool token_role_of(const char *text, enum token_role *out);
/* [A-Za-z0-9._-]{1,63} */
MUST_CHECK bool token_name_is_good(const char *name);

struct token {
	char name[TOKEN_NAME_MAX + 1];
	enum token_role role;
	int64_t created_ms;
	uint64_t serial; /* of this run of the agent: one made later has another */
	uint8_t hash[TOKEN_HASH];
};

struct tokens;
/*
 * Those of the file at `path`, whose directory is ours alone. It need not be there. What is wrong
 * with it or with a line of it is added to `faults`; good lines hold. A file that cannot be read as
 * a whole holds none, and nothing is made or deleted, for that would overwrite it.
 */
MUST_CHECK struct tokens *tokens_open(const char *path, struct problems *faults);
void tokens_free(struct tokens *t); /* NULL is fine */
/* The same of a text that stands for the file's. */
MUST_CHECK struct tokens *tokens_of_text(const char *path, const char *text, size_t len,
					 struct problems *faults);

/* --- from any thread ------------------------------------------------------------------------ */

enum bearer_claim {
	BEARER_NONE,	/* no Authorization header */
	BEARER_UNKNOWN, /* nobody's: deleted, mistyped, or no token at all */
	BEARER_KNOWN
};

/* Who shows it; but for `claim` of BEARER_KNOWN alone. */
struct bearer {
	enum bearer_claim claim;
	enum token_role role;
	uint64_t serial;
	char name[TOKEN_NAME_MAX + 1];
};
/* By the header's value, "Bearer pst_..."; NULL: there is none. t may be NULL: it knows nobody. */
struct bearer tokens_bearer(struct tokens *t, const char *authorization);
/* Has its token not been deleted meanwhile? */
MUST_CHECK bool tokens_hold(struct tokens *t, const struct bearer *b);

/* --- from the thread that opened them --------------------------------------------------------- */

/*
 * A new one; *out is what to tell its owner, and to wipe then. -EINVAL: a bad name; -EEXIST: the
 * name has one; -E2BIG: there are TOKENS_MAX; -EIO: the file was not written. It has been when this
 * returns 0, and on failure nothing has changed.
 */
MUST_CHECK int tokens_make(struct tokens *t, const char *name, enum token_role role, int64_t now_ms,
			   char out[static TOKEN_TEXT + 1], struct err *err);
/* -ENOENT: the name has none; -EIO: as above. After 0 nobody is let in by it any more. */
MUST_CHECK int tokens_delete(struct tokens *t, const char *name, struct err *err);
/* In the order they were made; valid until the next change. */
const struct token *tokens_items(const struct tokens *t, size_t *out_count);

#endif
