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

static bool is_127(const char *host)
{
	char text[INET_ADDRSTRLEN];
	size_t n = strcspn(host, ":");
	struct in_addr a;

	if (n >= sizeof(text) || !is_port(host + n))
		return false;
	memcpy(text, host, n);
	text[n] = '\0';
	return inet_pton(AF_INET, text, &a) == 1 && ntohl(a.s_addr) >> 24 == 127;
}

bool origin_host_is_ours(const char *host, const char *node)
{
	return host && (is_name(host, "localhost") || is_name(host, "[::1]") || is_127(host) ||
			(node && is_name(host, node)));
}

bool origin_is_safe(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

bool origin_may(const char *method, const char *fetch_site, const char *origin, const char *node)
{
	static const char *const schemes[] = { "http://", "https://" };

	if (origin_is_safe(method))
		return true;
	if (fetch_site)
		return strcmp(fetch_site, "same-origin") == 0 || strcmp(fetch_site, "none") == 0;
	for (size_t i = 0; origin && i < ARRAY_LEN(schemes); i++)
		if (strncasecmp(origin, schemes[i], strlen(schemes[i])) == 0)
			return origin_host_is_ours(origin + strlen(schemes[i]), node);
	return !origin;
}
