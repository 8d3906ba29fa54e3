/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/host_model.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"

struct host_vip {
	struct addr addr;
	uint8_t present; /* bits 1 << HOST_ROUTE ... */
	bool wrong_route;
	bool wrong_proxy;
	bool foreign_route;
	bool touched;
	bool served;	    /* IPVS has its services */
	bool told;	    /* host_model_owned() had it */
	uint32_t frontends; /* that are wanted */
};

struct host_front {
	struct endpoint key;
	uint8_t present; /* bits 1 << HOST_DIRECT ... */
	bool wanted;
	bool masquerade;
	bool touched;
};

static bool vip_eq(const void *object, const void *key)
{
	const struct host_vip *v = object;

	return memcmp(&v->addr, key, sizeof(v->addr)) == 0;
}

static bool front_eq(const void *object, const void *key)
{
	const struct host_front *f = object;

	return memcmp(&f->key, key, sizeof(f->key)) == 0;
}

void host_model_init(struct host_model *m, const struct ipvs_announce *a)
{
	*m = (struct host_model){ .announce = a };
	map_init(&m->vips, vip_eq);
	map_init(&m->fronts, front_eq);
}

void host_model_done(struct host_model *m)
{
	size_t pos = 0;
	void *object;

	while ((object = map_next(&m->vips, &pos)))
		free(object);
	for (pos = 0; (object = map_next(&m->fronts, &pos));)
		free(object);
	map_done(&m->vips);
	map_done(&m->fronts);
	free(m->touched_vips);
	free(m->touched_fronts);
	free(m->configured);
}

static void touch_vip(struct host_model *m, struct host_vip *v)
{
	if (v->touched)
		return;
	if (m->touched_vip_count == m->touched_vip_size) {
		m->touched_vip_size = m->touched_vip_size ? m->touched_vip_size * 2 : 64;
		m->touched_vips = xreallocarray(m->touched_vips, m->touched_vip_size,
						sizeof(struct host_vip *));
	}
	m->touched_vips[m->touched_vip_count++] = v;
	v->touched = true;
}

static void touch_front(struct host_model *m, struct host_front *f)
{
	if (f->touched)
		return;
	if (m->touched_front_count == m->touched_front_size) {
		m->touched_front_size = m->touched_front_size ? m->touched_front_size * 2 : 64;
		m->touched_fronts = xreallocarray(m->touched_fronts, m->touched_front_size,
						  sizeof(struct host_front *));
	}
	m->touched_fronts[m->touched_front_count++] = f;
	f->touched = true;
}

/* Found, or made and empty. */
static struct host_vip *vip_of(struct host_model *m, const struct addr *a)
{
	uint64_t hash = hash_table(a, sizeof(*a));
	struct host_vip *v = map_get(&m->vips, hash, a);

	if (!v) {
		v = xcalloc(1, sizeof(*v));
		v->addr = *a;
		map_put(&m->vips, hash, v);
	}
	return v;
}

static struct host_front *front_of(struct host_model *m, const struct endpoint *key)
{
	uint64_t hash = hash_table(key, sizeof(*key));
	struct host_front *f = map_get(&m->fronts, hash, key);

	if (!f) {
		f = xcalloc(1, sizeof(*f));
		f->key = *key;
		map_put(&m->fronts, hash, f);
	}
	return f;
}

static bool is_v6(const struct endpoint *e)
{
	return e->addr.family == AF_INET6;
}

void host_model_want(struct host_model *m, const struct endpoint *key, bool masquerade)
{
	struct host_front *f = front_of(m, key);

	if (!f->wanted) {
		struct host_vip *v = vip_of(m, &key->addr);

		v->frontends++;
		touch_vip(m, v);
		f->wanted = true;
		m->wanted++;
		m->wanted_v6 += is_v6(key);
	} else {
		m->wanted_masquerade -= f->masquerade;
	}
	f->masquerade = masquerade;
	m->wanted_masquerade += masquerade;
	touch_front(m, f);
}

void host_model_unwant(struct host_model *m, const struct endpoint *key)
{
	struct host_front *f = map_get(&m->fronts, hash_table(key, sizeof(*key)), key);
	struct host_vip *v;

	if (!f)
		return;
	touch_front(m, f);
	if (!f->wanted)
		return;
	f->wanted = false;
	m->wanted--;
	m->wanted_v6 -= is_v6(key);
	m->wanted_masquerade -= f->masquerade;
	v = vip_of(m, &key->addr);
	v->frontends--;
	v->served = v->served && v->frontends;
	v->told = v->told && v->frontends;
	touch_vip(m, v);
}

static bool is_of_vip(enum host_part part)
{
	return part <= HOST_PROXY;
}

void host_model_forget(struct host_model *m, enum host_part part)
{
	uint8_t keep = (uint8_t) ~(1u << part);
	struct host_front *f;
	struct host_vip *v;
	size_t pos = 0;

	if (!is_of_vip(part)) {
		while ((f = map_next(&m->fronts, &pos)))
			f->present &= keep;
		return;
	}
	while ((v = map_next(&m->vips, &pos))) {
		v->present &= keep;
		if (part == HOST_ROUTE)
			v->wrong_route = v->foreign_route = false;
		if (part == HOST_PROXY)
			v->wrong_proxy = false;
	}
}

void host_model_saw(struct host_model *m, enum host_part part, const struct endpoint *key,
		    bool right)
{
	if (!is_of_vip(part)) {
		front_of(m, key)->present |= (uint8_t)(1u << part);
		return;
	}
	struct host_vip *v = vip_of(m, &key->addr);

	v->present |= (uint8_t)(1u << part);
	if (part == HOST_ROUTE)
		v->wrong_route = !right;
	if (part == HOST_PROXY)
		v->wrong_proxy = !right;
}

void host_model_saw_foreign_route(struct host_model *m, const struct addr *a)
{
	vip_of(m, a)->foreign_route = true;
}

/* As far as the rules and the proxy neighbours say that are there. */
static bool is_answered(const struct host_vip *v)
{
	if (v->addr.family == AF_INET6)
		return v->present & 1u << HOST_PROXY;
	return !(v->present & 1u << HOST_SILENT);
}

void host_model_adopt(struct host_model *m)
{
	struct host_vip *v;
	size_t pos = 0;

	while ((v = map_next(&m->vips, &pos)))
		v->served = v->present & (1u << HOST_ROUTE | 1u << HOST_VIP) && is_answered(v);
}

void host_model_serve(struct host_model *m)
{
	struct host_vip *v;
	size_t pos = 0;

	while ((v = map_next(&m->vips, &pos))) {
		if (v->served || v->frontends == 0)
			continue;
		v->served = true;
		touch_vip(m, v);
	}
}

static bool is_owned(const struct host_model *m, const struct host_vip *v)
{
	return m->announce && m->announce->mode == IPVS_ANNOUNCE_OWNER && v->frontends &&
	       v->served && !(v->present & 1u << HOST_OWN) && is_answered(v) &&
	       ipvs_answers_for(m->announce, &v->addr);
}

bool host_model_is_local(const struct host_model *m, const struct addr *vip)
{
	const struct host_vip *v = map_get(&m->vips, hash_table(vip, sizeof(*vip)), vip);

	return (v && (v->foreign_route || v->present & 1u << HOST_ROUTE)) ||
	       host_model_is_configured(m, vip);
}

bool host_model_is_owned(const struct host_model *m, const struct addr *vip)
{
	const struct host_vip *v = map_get(&m->vips, hash_table(vip, sizeof(*vip)), vip);

	return v && is_owned(m, v);
}

void host_model_owned(struct host_model *m, bool fresh, host_vip_fn *fn, void *arg)
{
	struct host_vip *v;
	size_t pos = 0;

	while ((v = map_next(&m->vips, &pos))) {
		if ((fresh && v->told) || !is_owned(m, v))
			continue;
		v->told = true;
		fn(arg, &v->addr);
	}
}

void host_model_configured_begin(struct host_model *m)
{
	m->configured_count = 0;
}

void host_model_configured(struct host_model *m, const struct addr *a)
{
	if (m->configured_count == m->configured_size) {
		m->configured_size = m->configured_size ? m->configured_size * 2 : 16;
		m->configured = xreallocarray(m->configured, m->configured_size,
					      sizeof(*m->configured));
	}
	m->configured[m->configured_count++] = *a;
}

static int compare_addrs(const void *a, const void *b)
{
	return addr_cmp(a, b);
}

void host_model_configured_end(struct host_model *m)
{
	if (m->configured_count > 1)
		qsort(m->configured, m->configured_count, sizeof(*m->configured), compare_addrs);
}

bool host_model_is_configured(const struct host_model *m, const struct addr *a)
{
	return m->configured_count && bsearch(a, m->configured, m->configured_count,
					      sizeof(*m->configured), compare_addrs);
}

void host_model_touch_all(struct host_model *m)
{
	struct host_front *f;
	struct host_vip *v;
	size_t pos = 0;

	while ((v = map_next(&m->vips, &pos)))
		touch_vip(m, v);
	for (pos = 0; (f = map_next(&m->fronts, &pos));)
		touch_front(m, f);
}

void host_model_touch(struct host_model *m, const struct addr *vip)
{
	touch_vip(m, vip_of(m, vip));
}

static bool is_to_be_answered(const struct host_model *m, const struct host_vip *v)
{
	if (!m->announce || m->announce->mode == IPVS_ANNOUNCE_ALL)
		return true;
	return v->served && ipvs_answers_for(m->announce, &v->addr);
}

/*
 * ARP answers unless it is kept silent, and neighbour discovery does not unless it is made to; but
 * for what the host configured as its own: that is answered for whatever we say.
 */
static unsigned answer_wants(const struct host_model *m, const struct host_vip *v)
{
	bool answered = is_to_be_answered(m, v);

	if (v->addr.family == AF_INET)
		return answered ? 0 : 1u << HOST_SILENT;
	return answered && m->links && host_links_have(m->links, &v->addr) ? 1u << HOST_PROXY : 0;
}

/* An address of an interface has the kernel's own local route, and the host's own services. */
static uint8_t vip_wants(const struct host_model *m, const struct host_vip *v)
{
	if (v->frontends == 0)
		return 0;
	if (host_model_is_configured(m, &v->addr))
		return 1u << HOST_VIP | 1u << HOST_OWN;
	return (uint8_t)(1u << HOST_VIP | (v->foreign_route ? 0u : 1u << HOST_ROUTE) |
			 answer_wants(m, v));
}

static uint8_t front_wants(const struct host_front *f)
{
	if (!f->wanted)
		return 0;
	return (uint8_t)(1u << HOST_DECLARED | (f->masquerade ? 0u : 1u << HOST_DIRECT));
}

void host_changes_add(struct host_changes *c, const struct host_change *change)
{
	if (c->count == c->size) {
		c->size = c->size ? c->size * 2 : 16;
		c->v = xreallocarray(c->v, c->size, sizeof(*c->v));
	}
	c->v[c->count++] = *change;
}

void host_changes_done(struct host_changes *c)
{
	free(c->v);
	*c = (struct host_changes){ 0 };
}

/* One change for each bit of `add` and `remove`. */
static void put_changes(struct host_changes *out, const struct endpoint *key, unsigned add,
			unsigned replace, unsigned remove)
{
	for (unsigned part = 0; part < HOST_PARTS; part++) {
		unsigned bit = 1u << part;
		struct host_change c = { *key, (uint8_t)part, true, (replace & bit) != 0 };

		if (add & bit || replace & bit) {
			host_changes_add(out, &c);
		} else if (remove & bit) {
			c.add = false;
			host_changes_add(out, &c);
		}
	}
}

static void diff_vip(const struct host_model *m, const struct host_vip *v, bool prune,
		     struct host_changes *out)
{
	struct endpoint key = { .addr = v->addr };
	unsigned wants = vip_wants(m, v);
	unsigned wrong = (v->wrong_route ? 1u << HOST_ROUTE : 0u) |
			 (v->wrong_proxy ? 1u << HOST_PROXY : 0u);

	put_changes(out, &key, wants & ~v->present, wants & v->present & wrong,
		    wants || prune ? v->present & ~wants : 0);
}

static void diff_front(const struct host_front *f, bool prune, struct host_changes *out)
{
	unsigned wants = front_wants(f);

	put_changes(out, &f->key, wants & ~f->present, 0,
		    f->wanted || prune ? f->present & ~wants : 0);
}

void host_model_diff(struct host_model *m, bool prune, struct host_changes *out)
{
	for (size_t i = 0; i < m->touched_vip_count; i++) {
		diff_vip(m, m->touched_vips[i], prune, out);
		m->touched_vips[i]->touched = false;
	}
	for (size_t i = 0; i < m->touched_front_count; i++) {
		diff_front(m->touched_fronts[i], prune, out);
		m->touched_fronts[i]->touched = false;
	}
	/* A load touches tens of thousands, a change afterwards a few. */
	free(m->touched_vips);
	free(m->touched_fronts);
	m->touched_vips = NULL;
	m->touched_fronts = NULL;
	m->touched_vip_count = m->touched_vip_size = 0;
	m->touched_front_count = m->touched_front_size = 0;
}

void host_model_all(const struct host_model *m, enum host_part part, bool prune,
		    struct host_changes *out)
{
	struct host_change c = { .part = (uint8_t)part, .add = true };
	const struct host_front *f;
	const struct host_vip *v;
	size_t pos = 0;

	while (is_of_vip(part) && (v = map_next(&m->vips, &pos))) {
		unsigned has = v->frontends || prune ? vip_wants(m, v) : v->present;

		c.key.addr = v->addr;
		if (has & 1u << part)
			host_changes_add(out, &c);
	}
	while (!is_of_vip(part) && (f = map_next(&m->fronts, &pos))) {
		unsigned has = f->wanted || prune ? front_wants(f) : f->present;

		c.key = f->key;
		if (has & 1u << part)
			host_changes_add(out, &c);
	}
}

void host_model_made(struct host_model *m, const struct host_change *c)
{
	uint8_t bit = (uint8_t)(1u << c->part);

	if (!is_of_vip(c->part)) {
		struct host_front *f = front_of(m, &c->key);

		f->present = (uint8_t)(c->add ? f->present | bit : f->present & ~bit);
		return;
	}
	struct host_vip *v = vip_of(m, &c->key.addr);

	v->present = (uint8_t)(c->add ? v->present | bit : v->present & ~bit);
	if (c->part == HOST_ROUTE)
		v->wrong_route = false;
	if (c->part == HOST_PROXY)
		v->wrong_proxy = false;
}

void host_model_sweep(struct host_model *m)
{
	struct host_front *f;
	struct host_vip *v;
	size_t pos = 0;

	while ((v = map_next(&m->vips, &pos))) {
		if (v->frontends || v->present || v->touched || v->foreign_route)
			continue;
		map_take(&m->vips, hash_table(&v->addr, sizeof(v->addr)), &v->addr);
		free(v);
	}
	for (pos = 0; (f = map_next(&m->fronts, &pos));) {
		if (f->wanted || f->present || f->touched)
			continue;
		map_take(&m->fronts, hash_table(&f->key, sizeof(f->key)), &f->key);
		free(f);
	}
}
