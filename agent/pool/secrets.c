/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secrets in the model: by source, namespace and name, with the Services whose
 * checks name them. A Secret comes to no pool; what it lacks is told where it
 * is named, and what is wrong with it on itself.
 */
#include "agent/pool/build.h"

const struct object *secret_in_force(const struct service *s)
{
	const struct object *best = NULL;

	for (size_t i = 0; s && i < s->object_count; i++) {
		if (!best || object_precedence(s->objects[i], best) < 0)
			best = s->objects[i];
	}
	return best;
}

static bool has_login(const struct secret *s)
{
	return s->username && s->password;
}

static const char *login_fault(const struct secret *s)
{
	if (!s->username)
		return s->password ? "lacks the key username"
				   : "lacks the keys username and password";
	return s->password ? NULL : "lacks the key password";
}

static const char *certificate_fault(const struct secret *s)
{
	return s->ca || s->key ? NULL
			       : "lacks the key ca.crt, by which the server is trusted, or tls.crt "
				 "and tls.key, for one that asks for a certificate";
}

/* Nothing of it is needed, but half a login is a slip. */
static const char *any_fault(const struct secret *s)
{
	if (s->username || s->password)
		return login_fault(s);
	return s->ca || s->key ? NULL
			       : "lacks the keys username and password, ca.crt, or tls.crt and "
				 "tls.key, of which it needs one";
}

const char *secret_fault(const struct object *o, unsigned uses)
{
	const struct secret *s;
	const char *fault;

	if (!o)
		return "is not there";
	s = o->secret;
	if (uses & CHECK_USES_TLS && s->ca_fault)
		return s->ca_fault;
	if (uses & CHECK_USES_CERTIFICATES) {
		if (s->pair_fault)
			return s->pair_fault;
		return uses & CHECK_USES_LOGIN ? any_fault(s) : certificate_fault(s);
	}
	fault = login_fault(s);
	return !fault && uses & CHECK_USES_TLS ? s->pair_fault : fault;
}

bool secret_serves(const struct object *o, unsigned uses)
{
	const struct secret *s = o ? o->secret : NULL;

	/* To be asked whom to trust, and go on without, were to trust anybody. */
	if (!s || (uses & CHECK_USES_TLS && s->ca_fault))
		return false;
	/* A login is refused by a server that wants a certificate, and no more; all of TLS breaks off. */
	if (uses & CHECK_USES_CERTIFICATES && s->pair_fault)
		return false;
	return (uses & CHECK_USES_LOGIN && has_login(s)) ||
	       (uses & CHECK_USES_CERTIFICATES && (s->ca || s->key));
}

static void unlink_user(struct service *user)
{
	struct service *s = user->secret;

	if (!s)
		return;
	*(user->prev_user ? &user->prev_user->next_user : &s->users) = user->next_user;
	if (user->next_user)
		user->next_user->prev_user = user->prev_user;
	user->secret = user->next_user = user->prev_user = NULL;
}

void secret_use(struct service *user, struct service *s)
{
	if (user->secret == s)
		return;
	unlink_user(user);
	if (!s)
		return;
	user->secret = s;
	user->next_user = s->users;
	if (s->users)
		s->users->prev_user = user;
	s->users = user;
}

void secret_changed(struct pools *p, struct service *s)
{
	for (struct service *user = s->users; user; user = user->next_user)
		model_mark_dirty(p, user);
}

struct built secret_build(struct pools *p, const struct service *s)
{
	struct build b = { .p = p, .s = s };
	const struct object *best = secret_in_force(s);
	char where[OBJECT_WHERE_MAX];

	for (size_t i = 0; i < s->object_count; i++) {
		const struct object *o = s->objects[i];
		struct problems *told;

		if (o == best && !o->problems.count)
			continue;
		told = build_orphan(&b, o);
		if (o != best)
			problems_add_in(
				told, true, o->path, o->line,
				"Secret %s/%s is also in %s, which comes first: this one is "
				"not used",
				o->ns, o->name, object_where(best, where));
	}
	return b.out;
}

const struct object *pools_secret(const struct pools *p, unsigned source, const char *ns,
				  const char *name)
{
	const struct object *o =
		secret_in_force(model_find(p, &(struct service_key){ ns, name, true, source }));

	return secret_serves(o, CHECK_USES_LOGIN) ||
			       secret_serves(o, CHECK_USES_CERTIFICATES | CHECK_USES_TLS)
		       ? o
		       : NULL;
}
