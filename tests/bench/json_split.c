/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * json_split [SERVICES]: how fast a list of so many Services goes through
 * watch/json_split.c, as it comes off a connection (16 KiB pieces) and whole.
 * The objects are as an API server writes them, with what kubectl and field
 * management leave in them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "watch/json_split.h"

#define PIECE (16u << 10)

static const char last_applied[] = "{\\\"apiVersion\\\":\\\"v1\\\",\\\"kind\\\":\\\"Service\\\","
				   "\\\"metadata\\\":{\\\"name\\\":"
				   "\\\"web\\\"},\\\"spec\\\":{\\\"ports\\\":[{\\\"port\\\":80}],"
				   "\\\"type\\\":\\\"NodePort\\\"}}\\n";
static const char managed[] =
	"{\"manager\":\"kubectl-client-side-apply\",\"operation\":\"Update\",\"apiVersion\":\"v1\","
	"\"time\":\"2026-01-02T03:04:05Z\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:"
	"metadata\":{"
	"\"f:annotations\":{\".\":{},\"f:kubectl.kubernetes.io/last-applied-configuration\":{}}},"
	"\"f:spec\":{\"f:internalTrafficPolicy\":{},\"f:ports\":{\".\":{},"
	"\"k:{\\\"port\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{},\"f:port\":{}}},"
	"\"f:sessionAffinity\":{},\"f:type\":{}}}}";

static void put_service(struct buf *b, unsigned i)
{
	buf_printf(b,
		   "%s{\"metadata\":{\"name\":\"web-%u\",\"namespace\":\"shop\",\"uid\":"
		   "\"6a2f41a3-c54c-fce8-32d2-%012u\",\"resourceVersion\":\"%u\",\"annotations\":{"
		   "\"kubectl.kubernetes.io/last-applied-configuration\":\"%s\"},"
		   "\"managedFields\":[%s]},\"spec\":{\"ports\":[{\"protocol\":\"TCP\",\"port\":80,"
		   "\"targetPort\":8080,\"nodePort\":%u}],\"clusterIP\":\"10.96.%u.%u\","
		   "\"type\":\"NodePort\",\"sessionAffinity\":\"None\"},\"status\":{"
		   "\"loadBalancer\":{}}}",
		   i ? "," : "", i, i, i + 100, last_applied, managed, 30000 + i % 35000,
		   i / 256 % 256, i % 256);
}

static bool count_item(void *arg, const char *text, size_t len)
{
	(void)text;
	(void)len;
	++*(size_t *)arg;
	return true;
}

static bool no_oversized(void *arg, const struct json_split_oversized *o)
{
	(void)arg;
	(void)o;
	return true;
}

static void measure(const struct buf *list, size_t piece, const char *name)
{
	size_t items = 0;
	const struct json_split_sink sink = { count_item, no_oversized, &items };
	struct json_split *s = json_split_new(JSON_SPLIT_LIST, &sink);
	mono_t start = clock_mono(&clock_system);
	struct err err = { 0 };
	double seconds;
	int r = 0;

	for (size_t at = 0; at < list->len && r == 0; at += piece) {
		size_t n = list->len - at < piece ? list->len - at : piece;

		r = json_split_feed(s, list->data + at, n, &err);
	}
	if (r == 0)
		r = json_split_end(s, &err);
	seconds = (double)(clock_mono(&clock_system).ns - start.ns) / 1e9;
	json_split_free(s);
	printf("%-14s %zu items, %.1f MB in %.3f s: %.0f MB/s%s%s\n", name, items,
	       (double)list->len / 1e6, seconds, (double)list->len / 1e6 / seconds,
	       r < 0 ? ": " : "", err.text);
}

int main(int argc, char **argv)
{
	unsigned services = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 35000;
	struct buf list = { 0 };

	buf_str(&list, "{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":{"
		       "\"resourceVersion\":\"253\"},\"items\":[");
	for (unsigned i = 0; i < services; i++)
		put_service(&list, i);
	buf_str(&list, "]}\n");
	for (int i = 0; i < 3; i++) {
		measure(&list, PIECE, "16 KiB pieces:");
		measure(&list, list.len, "whole:");
	}
	buf_done(&list);
	return 0;
}
