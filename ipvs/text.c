/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text form of a table, `ipvsadm -Sn`, both ways. Printing adds what
 * ipvsadm 1.31 leaves out: thresholds (-x, -y). Reading takes every option
 * ipvsadm prints; services by firewall mark have no place in a table and are
 * an error, as is what `-A` and `-a` do not know.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"
#include "ipvs/table.h"

#define WORDS_MAX 32 /* in a line; the longest that ipvsadm prints has 18 */
#define LINE_SIZE 512

/* The names `-b` has for IPVS_SCHED1 to 3; the first two depend on the scheduler. */
static const char *sched_flag_name(const char *scheduler, unsigned i)
{
	static const char *const plain[] = { "flag-1", "flag-2", "flag-3" };
	static const char *const sh[] = { "sh-fallback", "sh-port" };
	static const char *const mh[] = { "mh-fallback", "mh-port" };

	if (i < ARRAY_LEN(sh) && strcmp(scheduler, "sh") == 0)
		return sh[i];
	if (i < ARRAY_LEN(mh) && strcmp(scheduler, "mh") == 0)
		return mh[i];
	return plain[i];
}

#define SCTP_OPTION  "--sctp-service"
#define KEY_TEXT_MAX (sizeof(SCTP_OPTION " ") + ENDPOINT_TEXT_MAX)

static const char *key_text(const struct endpoint *key, char out[static KEY_TEXT_MAX])
{
	const char *option = key->protocol == IPPROTO_SCTP  ? SCTP_OPTION
			     : key->protocol == IPPROTO_UDP ? "-u"
							    : "-t";
	char at[ENDPOINT_TEXT_MAX];

	snprintf(out, KEY_TEXT_MAX, "%s %s", option, endpoint_text(key, at));
	return out;
}

static void print_netmask(const struct ipvs_service *s, struct buf *out)
{
	struct addr mask = { .family = AF_INET };
	char text[ADDR_TEXT_MAX];

	if (s->key.addr.family == AF_INET6) {
		if (s->netmask != 128)
			buf_printf(out, " -M %u", s->netmask);
	} else if (s->netmask != UINT32_MAX) {
		memcpy(mask.bytes, &s->netmask, sizeof(s->netmask));
		buf_printf(out, " -M %s", addr_text(&mask, text));
	}
}

static void print_sched_flags(const struct ipvs_service *s, struct buf *out)
{
	const char *before = " -b ";

	for (unsigned i = 0; i < 3; i++) {
		if (s->flags & ((uint32_t)IPVS_SCHED1 << i)) {
			buf_printf(out, "%s%s", before, sched_flag_name(s->scheduler, i));
			before = ",";
		}
	}
}

static void print_dest(const struct ipvs_service *s, const struct ipvs_dest *d, struct buf *out)
{
	static const char forward[] = { 'm', 'l', 'i', 'g' };
	static const char *const tunnel[] = { "ipip", "gue", "gre" };
	const struct endpoint e = { .addr = d->addr, .port = d->port };
	char key[KEY_TEXT_MAX], dest[ENDPOINT_TEXT_MAX];

	buf_printf(out, "-a %s -r %s -%c -w %u", key_text(&s->key, key), endpoint_text(&e, dest),
		   forward[d->forward & 3], d->weight);
	if (d->upper)
		buf_printf(out, " -x %u", d->upper);
	if (d->lower)
		buf_printf(out, " -y %u", d->lower);
	if (d->forward == IPVS_TUNNEL) {
		buf_printf(out, " --tun-type %s", d->tunnel < 3 ? tunnel[d->tunnel] : "?");
		if (d->tunnel == 1)
			buf_printf(out, " --tun-port %u", d->tunnel_port);
		if (d->tunnel)
			buf_str(out, " --tun-nocsum");
	}
	buf_str(out, "\n");
}

static void print_service(const struct ipvs_service *s, struct buf *out)
{
	char key[KEY_TEXT_MAX];

	buf_printf(out, "-A %s -s %s", key_text(&s->key, key), s->scheduler);
	if (s->flags & IPVS_PERSISTENT)
		buf_printf(out, " -p %u", s->timeout);
	print_netmask(s, out);
	if (s->flags & IPVS_ONE_PACKET)
		buf_str(out, " -o");
	print_sched_flags(s, out);
	buf_str(out, "\n");
}

void ipvs_table_print(const struct ipvs_table *t, struct buf *out)
{
	size_t count;
	struct ipvs_service **all = ipvs_table_sorted(t, &count);

	for (size_t i = 0; i < count; i++) {
		struct ipvs_service s = ipvs_service_copy(all[i]);

		/* What a kernel holds stands in the order of its list. */
		ipvs_service_sort(&s);
		print_service(&s, out);
		for (uint32_t k = 0; k < s.dest_count; k++)
			print_dest(&s, &s.dests[k], out);
		ipvs_service_done(&s);
	}
	free(all);
}

/* --- reading --- */

/* One line while it is read. */
struct line {
	char *words[WORDS_MAX];
	unsigned count, at;
	char verb; /* 'A' or 'a' */
	struct ipvs_service service;
	struct ipvs_dest dest;
	bool has_key, has_dest;
};

static const char *next_word(struct line *l)
{
	return l->at < l->count ? l->words[l->at++] : "";
}

static bool read_number(const char *word, uint32_t max, uint32_t *out)
{
	char *end;
	unsigned long v;

	if (word[0] < '0' || word[0] > '9' || strlen(word) > 10)
		return false;
	v = strtoul(word, &end, 10);
	if (*end || v > max)
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool read_key(struct line *l, uint8_t protocol)
{
	struct endpoint key = { 0 };

	if (l->has_key || endpoint_parse(next_word(l), protocol, &key) < 0)
		return false;
	l->service = ipvs_service_of(&key);
	l->has_key = true;
	return true;
}

static bool read_dest_address(struct line *l)
{
	struct endpoint e;

	if (l->has_dest || endpoint_parse(next_word(l), IPPROTO_TCP, &e) < 0)
		return false;
	l->dest.addr = e.addr;
	l->dest.port = e.port;
	l->has_dest = true;
	return true;
}

static bool read_netmask(struct line *l)
{
	const char *word = next_word(l);
	struct addr mask;

	if (l->service.key.addr.family == AF_INET6)
		return read_number(word, 128, &l->service.netmask) && l->service.netmask > 0;
	if (addr_parse(word, &mask) < 0 || mask.family != AF_INET)
		return false;
	memcpy(&l->service.netmask, mask.bytes, sizeof(l->service.netmask));
	return true;
}

static bool read_scheduler(struct line *l)
{
	const char *word = next_word(l);
	size_t len = strlen(word);

	if (len == 0 || len >= IPVS_SCHEDULER_MAX)
		return false;
	memset(l->service.scheduler, 0, sizeof(l->service.scheduler));
	memcpy(l->service.scheduler, word, len);
	return true;
}

static bool read_sched_flags(struct line *l)
{
	char word[64], *rest = word, *name;

	if (strlen(l->at < l->count ? l->words[l->at] : "") >= sizeof(word))
		return false;
	strcpy(word, next_word(l));
	while ((name = strsep(&rest, ","))) {
		unsigned i = 0;

		while (i < 3 && strcmp(name, sched_flag_name(l->service.scheduler, i)) != 0)
			i++;
		if (i == 3)
			return false;
		l->service.flags |= (uint32_t)IPVS_SCHED1 << i;
	}
	return true;
}

static bool read_tunnel(struct line *l, const char *option)
{
	static const char *const types[] = { "ipip", "gue", "gre" };
	uint32_t port;

	if (strcmp(option, "--tun-nocsum") == 0)
		return true;
	if (strcmp(option, "--tun-port") == 0) {
		if (!read_number(next_word(l), 65535, &port))
			return false;
		l->dest.tunnel_port = (uint16_t)port;
		return true;
	}
	if (strcmp(option, "--tun-type") == 0) {
		const char *word = next_word(l);

		for (size_t i = 0; i < ARRAY_LEN(types); i++) {
			if (strcmp(word, types[i]) == 0) {
				l->dest.tunnel = (uint8_t)i;
				return true;
			}
		}
	}
	return false;
}

static bool read_service_option(struct line *l, char option)
{
	switch (option) {
	case 's':
		return read_scheduler(l);
	case 'p':
		l->service.flags |= IPVS_PERSISTENT;
		return read_number(next_word(l), UINT32_MAX, &l->service.timeout);
	case 'M':
		return read_netmask(l);
	case 'o':
		l->service.flags |= IPVS_ONE_PACKET;
		return true;
	case 'b':
		return read_sched_flags(l);
	default:
		return false;
	}
}

static bool read_dest_option(struct line *l, char option)
{
	switch (option) {
	case 'r':
		return read_dest_address(l);
	case 'm':
		l->dest.forward = IPVS_NAT;
		return true;
	case 'l':
		l->dest.forward = IPVS_LOCAL;
		return true;
	case 'i':
		l->dest.forward = IPVS_TUNNEL;
		return true;
	case 'g':
		l->dest.forward = IPVS_DIRECT;
		return true;
	case 'w':
		return read_number(next_word(l), INT32_MAX, &l->dest.weight);
	case 'x':
		return read_number(next_word(l), UINT32_MAX, &l->dest.upper);
	case 'y':
		return read_number(next_word(l), UINT32_MAX, &l->dest.lower);
	default:
		return false;
	}
}

static bool read_option(struct line *l)
{
	const char *option = next_word(l);

	if (strcmp(option, SCTP_OPTION) == 0)
		return read_key(l, IPPROTO_SCTP);
	if (strncmp(option, "--tun-", 6) == 0)
		return l->verb == 'a' && read_tunnel(l, option);
	if (option[0] != '-' || !option[1] || option[2])
		return false;
	if (option[1] == 't')
		return read_key(l, IPPROTO_TCP);
	if (option[1] == 'u')
		return read_key(l, IPPROTO_UDP);
	if (!l->has_key)
		return false;
	if (l->verb == 'A')
		return read_service_option(l, option[1]);
	return read_dest_option(l, option[1]);
}

static int add_dest(struct ipvs_table *t, struct line *l, struct err *err)
{
	struct ipvs_service *s = ipvs_table_get(t, &l->service.key);

	if (!s)
		return err_set(err, -EINVAL, "no such service before");
	if (s->dest_count >= IPVS_DESTS_MAX)
		return err_set(err, -E2BIG, "more than %d destinations", IPVS_DESTS_MAX);
	for (uint32_t i = 0; i < s->dest_count; i++) {
		if (ipvs_dest_cmp(&s->dests[i], &l->dest) == 0)
			return err_set(err, -EEXIST, "destination given twice");
	}
	if (l->dest.forward != IPVS_TUNNEL && (l->dest.tunnel || l->dest.tunnel_port))
		return err_set(err, -EINVAL, "--tun-... without -i");
	l->dest.nominal = l->dest.weight;
	*ipvs_service_add(s) = l->dest;
	return 0;
}

static int read_line(char *text, struct ipvs_table *t, struct err *err)
{
	struct line l = { .dest = { .weight = 1 } };
	char *word;

	while ((word = strsep(&text, " \t"))) {
		if (!*word)
			continue;
		if (l.count == WORDS_MAX)
			return err_set(err, -EINVAL, "too many words");
		l.words[l.count++] = word;
	}
	if (l.count == 0)
		return 0;
	word = l.words[l.at++];
	if (strcmp(word, "-A") != 0 && strcmp(word, "-a") != 0)
		return err_set(err, -EINVAL, "neither -A nor -a");
	l.verb = word[1];
	while (l.at < l.count) {
		word = l.words[l.at];
		if (!read_option(&l))
			return err_set(err, -EINVAL, "bad or misplaced %.40s", word);
	}
	if (!l.has_key || (l.verb == 'a' && !l.has_dest))
		return err_set(err, -EINVAL, "incomplete");
	if (l.verb == 'a')
		return add_dest(t, &l, err);
	if (ipvs_table_get(t, &l.service.key))
		return err_set(err, -EEXIST, "service given twice");
	ipvs_table_put(t, &l.service);
	return 0;
}

int ipvs_table_parse(const char *text, struct ipvs_table *t, struct err *err)
{
	char line[LINE_SIZE];
	unsigned number = 0;
	int r;

	while (*text) {
		size_t len = strcspn(text, "\n");

		number++;
		if (len >= sizeof(line))
			return err_set(err, -EINVAL, "line %u: too long", number);
		memcpy(line, text, len);
		line[len] = '\0';
		r = read_line(line, t, err);
		if (r < 0)
			return err_wrap(err, r, "line %u", number);
		text += len + (text[len] == '\n');
	}
	return 0;
}
