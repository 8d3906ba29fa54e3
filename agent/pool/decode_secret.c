/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secret, v1: a user name and a password, the certificate of an authority, a
 * certificate with its key. What is said of a value here never repeats it, nor how long it is.
 */
#include <stdio.h>
#include <string.h>

#include "agent/pool/decode.h"

/* As a Secret may have been made for somebody else, what it lacks is told where it is named. */
static const struct field {
	const char *key;
	size_t max;
	size_t offset;	   /* in struct secret */
	const char *fault; /* of a Secret with one that is refused; NULL: it is as if not there */
} fields[] = {
	{ "username", SECRET_USERNAME_MAX, offsetof(struct secret, username), NULL },
	{ "password", SECRET_PASSWORD_MAX, offsetof(struct secret, password), NULL },
	{ "ca.crt", SECRET_CA_MAX, offsetof(struct secret, ca),
	  "has a ca.crt that cannot be used: mend it, or leave it out where any server will do" },
	{ "tls.crt", SECRET_CERTIFICATE_MAX, offsetof(struct secret, certificate),
	  "has a tls.crt that cannot be used: mend it" },
	{ "tls.key", SECRET_KEY_MAX, offsetof(struct secret, key),
	  "has a tls.key that cannot be used: mend it" },
};

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648, padded; line ends inside count for nothing, as for Go. False where it is not that. */
static bool decode_base64(const char *s, char *out, size_t *out_len)
{
	uint32_t bits = 0;
	unsigned have = 0, padding = 0;
	size_t len = 0;

	for (; *s; s++) {
		int v = sextet(*s);

		if (*s == '\n' || *s == '\r')
			continue;
		if (*s == '=')
			padding++;
		if (padding ? *s != '=' || padding > 2 : v < 0)
			return false;
		bits = bits << 6 | (padding ? 0 : (uint32_t)v);
		if (++have < 4)
			continue;
		for (int shift = 16; shift >= 0; shift -= 8)
			out[len++] = (char)(bits >> shift);
		len -= padding;
		bits = have = 0;
	}
	*out_len = len;
	return have == 0;
}

static bool is_pem(const struct field *f)
{
	return f->offset >= offsetof(struct secret, ca);
}

/*
 * Says what is wrong with a value of that length and returns false. Who leaves ca.crt empty, as
 * programs that make Secrets do, asks for no authority.
 */
static bool is_usable(struct decode *c, const struct doc *v, const char *where,
		      const struct field *f, const char *value, size_t len)
{
	if (len == 0 && f->offset == offsetof(struct secret, ca)) {
		decode_note(c, false, v->line, "%s.%s is empty: with TLS any server will do", where,
			    f->key);
		return false;
	}
	if (len == 0 && f->offset != offsetof(struct secret, password)) {
		decode_note(c, true, v->line, "%s.%s is empty; not used", where, f->key);
		return false;
	}
	if (len > f->max) {
		decode_note(c, true, v->line, "%s.%s has more than %zu bytes; not used", where,
			    f->key, f->max);
		return false;
	}
	if (memchr(value, '\0', len)) {
		decode_note(c, true, v->line, "%s.%s holds a NUL; not used", where, f->key);
		return false;
	}
	/* What `echo password | base64` makes. */
	if (!is_pem(f) && len && value[len - 1] == '\n')
		decode_note(
			c, false, v->line,
			"%s.%s ends in a line feed, which counts: leave it out (printf '%%s', or "
			"echo -n) unless it is meant",
			where, f->key);
	return true;
}

/* The text of a value, whatever its type; NULL where there is none. */
static const char *text_of(struct decode *c, const struct doc *v, const char *where,
			   const struct field *f)
{
	switch (v->type) {
	case DOC_STRING:
		return v->text;
	case DOC_NULL:
		return NULL;
	case DOC_BOOL:
	case DOC_NUMBER:
		decode_note(c, false, v->line,
			    "%s.%s is %s, which an API server refuses here: put it in quotes",
			    where, f->key, doc_type_text(v->type));
		return v->text;
	case DOC_LIST:
	case DOC_MAP:
		break;
	}
	decode_note(c, true, v->line, "%s.%s is %s where a string belongs; not used", where, f->key,
		    doc_type_text(v->type));
	return NULL;
}

/* Below, `refused` tells a value that is there and no use from none. */

static char *read_plain(struct decode *c, const struct doc *v, const struct field *f, bool *refused)
{
	const char *text = text_of(c, v, "stringData", f);
	size_t len = text ? strlen(text) : 0;

	*refused = false;
	if (text && is_usable(c, v, "stringData", f, text, len))
		return arena_strndup(&c->arena, text, len);
	*refused = text ? len > 0 : v->type != DOC_NULL;
	return NULL;
}

static char *read_encoded(struct decode *c, const struct doc *v, const struct field *f,
			  bool *refused)
{
	const char *text = text_of(c, v, "data", f);
	size_t room = text ? strlen(text) + 4 : 0, len;
	char *value;

	*refused = !text && v->type != DOC_NULL;
	if (!text)
		return NULL;
	value = arena_take(&c->arena, room);
	if (!decode_base64(text, value, &len)) {
		*refused = true;
		decode_note(
			c, true, v->line,
			"data.%s is not base64; not used: encode it, or write it under stringData",
			f->key);
	} else if (is_usable(c, v, "data", f, value, len)) {
		value[len] = '\0';
		return value;
	} else {
		*refused = len > 0;
	}
	explicit_bzero(value, room);
	return NULL;
}

/* `stringData` goes before `data`, as an API server merges them. */
static char *read_value(struct decode *c, const struct doc *data, const struct doc *plain,
			const struct field *f, bool *refused)
{
	const struct doc *v = doc_get(plain, f->key);

	*refused = false;
	if (v)
		return read_plain(c, v, f, refused);
	v = doc_get(data, f->key);
	return v ? read_encoded(c, v, f, refused) : NULL;
}

/* Where a map belongs; says nothing of what stands there instead. */
static const struct doc *map_of(struct decode *c, const struct doc *d, const char *key)
{
	const struct doc *v = doc_get(d, key);

	if (!v || v->type == DOC_NULL || v->type == DOC_MAP)
		return v && v->type == DOC_MAP ? v : NULL;
	decode_note(c, true, v->line, "%s is %s where a map belongs; not used", key,
		    doc_type_text(v->type));
	return NULL;
}

static void refuse(struct secret *s, const struct field *f)
{
	const char **fault = f->offset == offsetof(struct secret, ca) ? &s->ca_fault
								      : &s->pair_fault;

	if (!*fault)
		*fault = f->fault;
}

int decode_secret(struct decode *c, const struct doc *d, struct err *err)
{
	static const char *const known[] = { "apiVersion", "data", "immutable", "kind",
					     "metadata",   "type", "stringData" };
	const struct doc *data = map_of(c, d, "data"), *plain = map_of(c, d, "stringData");
	char *values[ARRAY_LEN(fields)];
	struct secret s = { 0 };

	(void)err;
	decode_known(c, d, "", known, ARRAY_LEN(known));
	if (c->exposed)
		decode_note(c, false, d->line,
			    "everybody on this machine may read the file: take that right away "
			    "(chmod o-r)");
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		bool refused;

		values[i] = read_value(c, data, plain, &fields[i], &refused);
		if (refused)
			refuse(&s, &fields[i]);
		*(const char **)((char *)&s + fields[i].offset) = values[i];
	}
	if (!s.ca_fault)
		s.ca_fault = secret_ca_fault(&s);
	if (!s.pair_fault)
		s.pair_fault = secret_pair_fault(&s);
	c->parts.secret = secret_new(&s);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		secret_wipe(values[i]);
	return 0;
}
