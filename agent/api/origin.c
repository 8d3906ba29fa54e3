/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/origin.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "agent/base/attr.h"

/* "", or ":9090". */
static bool is_port(const char *s)
{
	return !*s || (*s == ':' && strspn(s + 1, "0123456789") == strlen(s + 1));
}

static bool is_name(const char *host, const char *name)
{
	size_t n = strlen(name);

	return n && strncasecmp(host, name, n) == 0 && is_port(host + n);
}

/* The address that the first `n` bytes are, and behind which no more than a port comes. */
static bool is_address(const char *host, size_t n, int family, void *out)
{
	char text[INET6_ADDRSTRLEN];

	if (n >= sizeof(text))
		return false;
	memcpy(text, host, n);
	text[n] = '\0';
	return inet_pton(family, text, out) == 1;
}

static bool is_v4(const char *host, struct in_addr *out)
{
	size_t n = strcspn(host, ":");

	return is_port(host + n) && is_address(host, n, AF_INET, out);
}

static bool is_v6(const char *host)
{
	size_t n = strcspn(host, "]");
	struct in6_addr a;

	return *host == '[' && host[n] && is_port(host + n + 1) &&
	       is_address(host + 1, n - 1, AF_INET6, &a);
}

static bool is_127(const char *host)
{
	struct in_addr a;

	return is_v4(host, &a) && ntohl(a.s_addr) >> 24 == 127;
}

static bool is_one_of(const char *host, const struct origin_names *names)
{
	struct in_addr a;

	if (names->node && is_name(host, names->node))
		return true;
	for (const char *const *n = names->others; n && *n; n++)
		if (is_name(host, *n))
			return true;
	return names->addresses && (is_v4(host, &a) || is_v6(host));
}

bool origin_host_is_ours(const char *host, const struct origin_names *names)
{
	return host && (is_name(host, "localhost") || is_name(host, "[::1]") || is_127(host) ||
			is_one_of(host, names));
}

bool origin_is_safe(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

bool origin_may(const char *method, const char *fetch_site, const char *origin,
		const struct origin_names *names)
{
	static const char *const schemes[] = { "http://", "https://" };

	if (origin_is_safe(method))
		return true;
	if (fetch_site)
		return strcmp(fetch_site, "same-origin") == 0 || strcmp(fetch_site, "none") == 0;
	for (size_t i = 0; origin && i < ARRAY_LEN(schemes); i++)
		if (strncasecmp(origin, schemes[i], strlen(schemes[i])) == 0)
			return origin_host_is_ours(origin + strlen(schemes[i]), names);
	return !origin;
}
