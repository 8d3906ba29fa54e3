/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/value.h"
#include "agent/base/xalloc.h"

#define BASE64	       sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define LINE_BYTES_MAX 255 /* bytes: of a good one there are 154 at most */
#define HEAD	       "# Who may write to the agent over TCP; 'parasausctl token' changes it.\n"

struct tokens {
	char *path;
	struct err trouble;   /* code 0: none; else why the file could not be read */
	uint64_t serial;      /* the last */
	pthread_mutex_t lock; /* never held over what waits */
	/* Changed under it by the one thread; read under it by all others. */
	struct token *items;
	size_t count;
};

/* --- names and roles -------------------------------------------------------------------------- */

static const char *const roles[] = { [TOKEN_VIEWER] = "viewer", [TOKEN_EDITOR] = "editor" };

const char *token_role_text(enum token_role r)
{
	return roles[r];
}

bool token_role_of(const char *text, enum token_role *out)
{
	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		if (strcmp(roles[i], text) == 0) {
			*out = (enum token_role)i;
			return true;
		}
	return false;
}

bool token_name_is_good(const char *name)
{
	size_t n = strspn(name,
			  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return n >= 1 && n <= TOKEN_NAME_MAX && !name[n];
}

static const struct token *find(const struct tokens *t, const char *name)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->items[i].name, name) == 0)
			return &t->items[i];
	return NULL;
}

/* --- the file --------------------------------------------------------------------------------- */

static bool take_hash(const char *text, uint8_t out[static TOKEN_HASH])
{
	if (strlen(text) != 2 * TOKEN_HASH)
		return false;
	for (size_t i = 0; i < TOKEN_HASH; i++) {
		int high = value_digit(text[2 * i]), low = value_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* What is wrong with a line; NULL: nothing, *out is its token. */
static const char *line_fault(char *line, struct token *out)
{
	const char *name = strsep(&line, ":"), *role = strsep(&line, ":");
	const char *made = strsep(&line, ":"), *hash = line;
	uint64_t ms;

	if (!hash)
		return "not NAME:ROLE:MILLISECONDS:SHA256";
	if (!token_name_is_good(name))
		return "the name is not 1 to 63 letters, digits, dots, underscores or hyphens";
	if (!token_role_of(role, &out->role))
		return "the role is neither viewer nor editor";
	if (value_uint(made, 1, INT64_MAX, &ms) < 0)
		return "the time is not milliseconds since 1970";
	if (!take_hash(hash, out->hash))
		return "the hash is not 64 hexadecimal digits";
	strcpy(out->name, name);
	out->created_ms = (int64_t)ms;
	return NULL;
}

static const char *add_line(struct tokens *t, const char *text, size_t len)
{
	struct token token = { .serial = t->serial + 1 };
	char line[LINE_BYTES_MAX + 1];
	const char *fault;

	if (len > LINE_BYTES_MAX || memchr(text, '\0', len))
		return "too long, or not text";
	memcpy(line, text, len);
	line[len] = '\0';
	fault = line_fault(line, &token);
	if (fault)
		return fault;
	if (find(t, token.name))
		return "a second token of that name";
	if (t->count == TOKENS_MAX)
		return "one token too many";
	t->items[t->count++] = token;
	t->serial++;
	return NULL;
}

struct tokens *tokens_of_text(const char *path, const char *text, size_t len,
			      struct problems *faults)
{
	struct tokens *t = xcalloc(1, sizeof(*t));
	unsigned line = 0;

	t->path = xstrdup(path);
	t->items = xcalloc(TOKENS_MAX, sizeof(*t->items));
	pthread_mutex_init(&t->lock, NULL);
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;
		const char *fault = n && *text != '#' ? add_line(t, text, n) : NULL;

		line++;
		if (fault)
			problems_add(faults, true, line, "%s", fault);
		n += end != NULL;
		text += n;
		len -= n;
	}
	return t;
}

static int read_file(const char *path, struct buf *out, struct problems *faults, struct err *err)
{
	/* A pipe that somebody put there must not make us wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	struct stat st;
	int r = 0;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_set(err, -errno, "%s", strerror(errno));
	if (fstat(fd, &st) < 0)
		r = err_set(err, -errno, "%s", strerror(errno));
	else if (!S_ISREG(st.st_mode))
		r = err_set(err, -EINVAL, "not a file");
	else if (st.st_mode & 077)
		problems_add(faults, false, 0, "its mode is %04o instead of 0600: others reach it",
			     st.st_mode & 07777u);
	if (r == 0)
		r = file_read_fd(fd, TOKENS_FILE_MAX, out, err);
	close(fd);
	return r;
}

struct tokens *tokens_open(const char *path, struct problems *faults)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct err err = { 0 };
	struct tokens *t;

	if (read_file(path, &text, faults, &err) < 0)
		problems_add(faults, true, 0, "%s: no token is known", err.text);
	t = tokens_of_text(path, (const char *)text.data, text.len, faults);
	t->trouble = err;
	return t;
}

void tokens_free(struct tokens *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t->items);
	free(t->path);
	free(t);
}

static int write_file(const struct tokens *t, const struct token *items, size_t count,
		      struct err *err)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	if (t->trouble.code < 0)
		return err_set(err, t->trouble.code,
			       "%s could not be read, and is not overwritten: %s", t->path,
			       t->trouble.text);
	buf_str(&text, HEAD);
	for (size_t i = 0; i < count; i++) {
		buf_printf(&text, "%s:%s:%" PRId64 ":", items[i].name, roles[items[i].role],
			   items[i].created_ms);
		for (size_t k = 0; k < TOKEN_HASH; k++)
			buf_printf(&text, "%02x", items[i].hash[k]);
		buf_str(&text, "\n");
	}
	return file_write(t->path, text.data, text.len, err);
}

/* The file first: what is told to be so has to be so after a crash as well. */
static int replace(struct tokens *t, struct token *items, size_t count, struct err *err)
{
	struct token *old = t->items;
	int r = write_file(t, items, count, err);

	if (r < 0) {
		free(items);
		return err_wrap(err, -EIO, "nothing has changed");
	}
	pthread_mutex_lock(&t->lock);
	t->items = items;
	t->count = count;
	pthread_mutex_unlock(&t->lock);
	free(old);
	return 0;
}

/* --- whose it is -------------------------------------------------------------------------------- */

static void hash_text(const char *text, uint8_t out[static TOKEN_HASH])
{
	crypto_hash_sha256(out, (const unsigned char *)text, strlen(text));
}

/* All of them are compared, whichever it is. */
static bool find_hash(const struct tokens *t, const uint8_t hash[static TOKEN_HASH],
		      struct bearer *out)
{
	const struct token *found = NULL;

	for (size_t i = 0; i < t->count; i++)
		if (sodium_memcmp(t->items[i].hash, hash, TOKEN_HASH) == 0)
			found = &t->items[i];
	if (!found)
		return false;
	*out = (struct bearer){ .claim = BEARER_KNOWN,
				.role = found->role,
				.serial = found->serial };
	strcpy(out->name, found->name);
	return true;
}

/* "Bearer" in any case, and a token of ours behind one blank or several; NULL: something else. */
static const char *token_in(const char *authorization)
{
	static const char scheme[] = "Bearer ";
	const char *token;

	if (strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
		return NULL;
	token = authorization + sizeof(scheme) - 1;
	token += strspn(token, " ");
	return strlen(token) == TOKEN_TEXT &&
			       strncmp(token, TOKEN_PREFIX, sizeof(TOKEN_PREFIX) - 1) == 0
		       ? token
		       : NULL;
}

struct bearer tokens_bearer(struct tokens *t, const char *authorization)
{
	const char *token = authorization ? token_in(authorization) : NULL;
	struct bearer b = { .claim = authorization ? BEARER_UNKNOWN : BEARER_NONE };
	uint8_t hash[TOKEN_HASH];

	if (!token || !t)
		return b;
	hash_text(token, hash);
	pthread_mutex_lock(&t->lock);
	(void)find_hash(t, hash, &b);
	pthread_mutex_unlock(&t->lock);
	return b;
}

bool tokens_hold(struct tokens *t, const struct bearer *b)
{
	bool holds = false;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->count && !holds; i++)
		holds = t->items[i].serial == b->serial;
	pthread_mutex_unlock(&t->lock);
	return holds;
}

/* --- changes ------------------------------------------------------------------------------------ */

static int make_text(char out[static TOKEN_TEXT + 1], struct err *err)
{
	uint8_t secret[TOKEN_SECRET];
	size_t n = sizeof(TOKEN_PREFIX) - 1;

	_Static_assert(sodium_base64_ENCODED_LEN(TOKEN_SECRET, BASE64) ==
			       TOKEN_TEXT + 1 - (sizeof(TOKEN_PREFIX) - 1),
		       "TOKEN_TEXT is how long it is");
	if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
		return err_set(err, -EIO, "the kernel gives no random bytes");
	memcpy(out, TOKEN_PREFIX, n);
	sodium_bin2base64(out + n, TOKEN_TEXT + 1 - n, secret, sizeof(secret), BASE64);
	explicit_bzero(secret, sizeof(secret));
	return 0;
}

static struct token *copy_items(const struct tokens *t)
{
	struct token *items = xcalloc(TOKENS_MAX, sizeof(*items));

	memcpy(items, t->items, t->count * sizeof(*items));
	return items;
}

int tokens_make(struct tokens *t, const char *name, enum token_role role, int64_t now_ms,
		char out[static TOKEN_TEXT + 1], struct err *err)
{
	struct token token = { .role = role, .created_ms = now_ms, .serial = t->serial + 1 };
	char text[TOKEN_TEXT + 1];
	struct token *items;
	int r;

	if (!token_name_is_good(name))
		return err_set(err, -EINVAL,
			       "a name is 1 to %d letters, digits, dots, underscores or hyphens",
			       TOKEN_NAME_MAX);
	if (find(t, name))
		return err_set(err, -EEXIST, "'%s' has a token already", name);
	if (t->count == TOKENS_MAX)
		return err_set(err, -E2BIG, "there are %d tokens, and no more can be", TOKENS_MAX);
	r = make_text(text, err);
	if (r < 0)
		return r;
	hash_text(text, token.hash);
	strcpy(token.name, name);
	items = copy_items(t);
	items[t->count] = token;
	r = replace(t, items, t->count + 1, err);
	if (r == 0) {
		t->serial++;
		memcpy(out, text, sizeof(text));
	}
	explicit_bzero(text, sizeof(text));
	return r;
}

int tokens_delete(struct tokens *t, const char *name, struct err *err)
{
	const struct token *found = find(t, name);
	struct token *items;
	size_t at;

	if (!found)
		return err_set(err, -ENOENT, "'%.64s' has no token", name);
	at = (size_t)(found - t->items);
	items = copy_items(t);
	memmove(items + at, items + at + 1, (t->count - at - 1) * sizeof(*items));
	return replace(t, items, t->count - 1, err);
}

const struct token *tokens_items(const struct tokens *t, size_t *out_count)
{
	*out_count = t->count;
	return t->items;
}
