/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cluster at size: COUNT Services and as many Endpoints of MEMBERS addresses
 * (35000 x 10 unless given as arguments), with what kubectl and the API server
 * add to each, listed and then changed one by one, through everything between
 * the bytes of an answer and the sink. Prints seconds of CPU, microseconds for
 * each, and resident bytes beyond those before it began, one figure a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "tests/lib/fake_http.h"
#include "watch/kubernetes.h"

#define CHANGES 5000
#define CHUNK	(256u << 10)

static unsigned count = 35000, members = 10;
static size_t told;
static bool is_complete;
static double resident_most;

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double resident_mb(void)
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		log_fatal("bench", "cannot read /proc/self/statm");
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

/* --- the server ------------------------------------------------------------------ */

#define APPLIED "\"kubectl.kubernetes.io/last-applied-configuration\":\""
#define MANAGED                                                                                    \
	"\"managedFields\":[{\"manager\":\"kubectl-client-side-apply\",\"operation\":\"Update\","  \
	"\"apiVersion\":\"v1\",\"time\":\"2026-01-01T00:00:00Z\",\"fieldsType\":\"FieldsV1\","     \
	"\"fieldsV1\":{\"f:metadata\":{\"f:annotations\":{\".\":{},\"f:a\":{}}},\"f:spec\":{"      \
	"\"f:ports\":{\".\":{},\"k:{\\\"port\\\":80}\":{\".\":{},\"f:name\":{},\"f:nodePort\":{}," \
	"\"f:port\":{},\"f:protocol\":{},\"f:targetPort\":{}}},\"f:type\":{}}}}]"

static void put_metadata(struct buf *b, unsigned i, unsigned revision)
{
	buf_printf(b,
		   "\"metadata\":{\"name\":\"pool-%05u\",\"namespace\":\"bench\",\"uid\":"
		   "\"0b7c3a4e-1111-2222-3333-%012u\",\"resourceVersion\":\"%u\","
		   "\"creationTimestamp\":"
		   "\"2026-01-01T00:00:00Z\",\"annotations\":{\"healthCheckType\":\"tcp\"," APPLIED
		   "{\\\"apiVersion\\\":\\\"v1\\\",\\\"kind\\\":\\\"Service\\\",\\\"metadata\\\":{"
		   "\\\"name\\\":\\\"pool-%05u\\\",\\\"namespace\\\":\\\"bench\\\"}}\\n\"}," MANAGED
		   "}",
		   i, i, revision, i);
}

static void put_service(struct buf *b, unsigned i)
{
	buf_str(b, "{");
	put_metadata(b, i, 1000 + i);
	buf_printf(
		b,
		",\"spec\":{\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":80,"
		"\"targetPort\":80,\"nodePort\":%u}],\"clusterIP\":\"10.96.0.1\",\"clusterIPs\":["
		"\"10.96.0.1\"],\"type\":\"NodePort\",\"sessionAffinity\":\"None\","
		"\"externalTrafficPolicy\":\"Cluster\",\"ipFamilies\":[\"IPv4\"],"
		"\"ipFamilyPolicy\":\"SingleStack\",\"internalTrafficPolicy\":\"Cluster\"},"
		"\"status\":{\"loadBalancer\":{}}}",
		1 + i % 65535);
}

static void put_endpoints(struct buf *b, unsigned i, unsigned revision, bool with_kind)
{
	buf_str(b, with_kind ? "{\"kind\":\"Endpoints\",\"apiVersion\":\"v1\"," : "{");
	put_metadata(b, i, revision);
	buf_str(b, ",\"subsets\":[{\"addresses\":[");
	for (unsigned m = 0; m < members; m++) {
		unsigned n = (i * members + m + revision) & 0xffffff;

		buf_printf(b, "%s{\"ip\":\"10.%u.%u.%u\"}", m ? "," : "", n >> 16, n >> 8 & 255,
			   n & 255);
	}
	buf_str(b, "],\"ports\":[{\"name\":\"http\",\"port\":8080,\"protocol\":\"TCP\"}]}]}");
}

static void run(struct loop *l)
{
	double now;

	if (loop_turn(l, 0) < 0)
		log_fatal("bench", "the loop ended");
	now = resident_mb();
	resident_most = resident_most < now ? now : resident_most;
}

/* As much as is taken: never more than a chunk lies about. */
static void send(struct loop *l, struct fake_request *r, struct buf *b, size_t at_least)
{
	if (b->len < at_least)
		return;
	while (r->paused)
		run(l);
	fake_http_data(r, b->data, b->len);
	buf_reset(b);
}

static void list(struct loop *l, struct http *h, const char *path, const char *kind)
{
	struct fake_request *r = fake_http_find(h, path, "");
	struct buf b = { 0 };

	if (!r)
		log_fatal("bench", "%s was not asked for", path);
	fake_http_status(r, 200, -1, NULL);
	buf_printf(&b,
		   "{\"kind\":\"%sList\",\"metadata\":{\"resourceVersion\":\"900000\"},"
		   "\"items\":[",
		   kind);
	for (unsigned i = 0; i < count && strcmp(kind, "EndpointSlice") != 0; i++) {
		buf_str(&b, i ? "," : "");
		if (strcmp(kind, "Service") == 0)
			put_service(&b, i);
		else
			put_endpoints(&b, i, 1000 + i, false);
		send(l, r, &b, CHUNK);
	}
	buf_str(&b, "]}");
	send(l, r, &b, 0);
	fake_http_end(r, HTTP_DONE, NULL);
	buf_done(&b);
}

static void open_watch(struct http *h, const char *path)
{
	struct fake_request *r = fake_http_find(h, path, "");

	if (!r || !strstr(r->path, "watch=1"))
		log_fatal("bench", "%s is not watched", path);
	fake_http_status(r, 200, -1, NULL);
}

/* --- the sink -------------------------------------------------------------------- */

static void on_put(void *arg, struct object *o)
{
	(void)arg;
	told++;
	object_free(o);
}

static void on_remove(void *arg, const struct object *o)
{
	(void)arg;
	(void)o;
}

static void on_complete(void *arg, bool is, const char *why)
{
	(void)arg;
	(void)why;
	is_complete = is;
}

static void on_problem(void *arg, const char *where, unsigned line, const char *text)
{
	(void)arg;
	(void)line;
	log_fatal("bench", "%s: %s", where, text);
}

static void on_cursor(void *arg, const char *cursor)
{
	(void)arg;
	(void)cursor;
}

static uint32_t no_jitter(void *arg)
{
	(void)arg;
	return 0;
}

/* --- figures ---------------------------------------------------------------------- */

static void change(struct loop *l, struct http *h)
{
	struct fake_request *r = fake_http_find(h, "/api/v1/endpoints", "");
	struct buf b = { 0 };
	double used = 0, began;

	for (unsigned i = 0; i < CHANGES; i++) {
		buf_str(&b, "{\"type\":\"MODIFIED\",\"object\":");
		put_endpoints(&b, i % count, 900001 + i, true);
		buf_str(&b, "}\n");
		began = cpu_s();
		send(l, r, &b, 0);
		for (size_t before = told; told == before;)
			if (loop_turn(l, 0) < 0)
				log_fatal("bench", "the loop ended");
		used += cpu_s() - began;
	}
	printf("change-us %.1f\n", used / CHANGES * 1e6);
	buf_done(&b);
}

static void measure(struct loop *l, struct http *h)
{
	double before, began, used;

	for (int i = 0; i < 5; i++)
		run(l);
	before = resident_most = resident_mb();
	began = cpu_s();
	list(l, h, "/api/v1/services", "Service");
	list(l, h, "/api/v1/endpoints", "Endpoints");
	list(l, h, "/apis/discovery.k8s.io/v1/endpointslices", "EndpointSlice");
	while (told < (size_t)count * 2)
		run(l);
	for (int i = 0; i < 20; i++)
		run(l);
	open_watch(h, "/api/v1/services");
	open_watch(h, "/api/v1/endpoints");
	open_watch(h, "/apis/discovery.k8s.io/v1/endpointslices");
	if (!is_complete)
		log_fatal("bench", "it is not complete");
	used = cpu_s() - began;
	printf("list-cpu-s %.2f\nobject-us %.1f\n", used, used / count / 2 * 1e6);
	printf("most-mb %.1f\nkept-mb %.1f\n", resident_most - before, resident_mb() - before);
	change(l, h);
}

int main(int argc, char **argv)
{
	const struct watch_sink sink = {
		on_put, on_remove, on_complete, on_problem, on_cursor, NULL
	};
	struct kube_access access = { .servers = xcalloc(1, sizeof(char *)), .server_count = 1 };
	struct watch_kubernetes c = { .access = &access, .node = "bench", .random = no_jitter };
	struct watch_source *source;
	struct loop *l;

	if (argc > 1)
		count = (unsigned)atoi(argv[1]);
	if (argc > 2)
		members = (unsigned)atoi(argv[2]);
	if (loop_new(&clock_system, &l) < 0)
		return 1;
	access.servers[0] = xstrdup("https://bench");
	access.origin = xstrdup("bench");
	c.http = fake_http_new(l, NULL, NULL);
	source = watch_kubernetes_new(l, &c, 0, &sink);
	watch_source_start(source);
	measure(l, c.http);
	watch_source_free(source);
	loop_free(l);
	return 0;
}
