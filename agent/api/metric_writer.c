/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/metric_writer.h"

#include <inttypes.h>
#include <stdio.h>

struct metric metric_begin(struct buf *out, const char *name, enum metric_type type,
			   const char *help)
{
	static const char *const types[] = { "gauge", "counter", "histogram" };

	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
	return (struct metric){ out, name };
}

/* Readers want UTF-8 and refuse the whole text where there is none: ASCII is on the safe side. */
static void put_label_value(struct buf *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '\\' || c == '"')
			buf_put(out, "\\", 1);
		if (c == '\n')
			buf_str(out, "\\n");
		else if (c < 0x20 || c >= 0x7f)
			buf_str(out, "?");
		else
			buf_put(out, s, 1);
	}
}

static void put_name(const struct metric *m, const char *suffix, const char *const *labels)
{
	const char *before = "{";

	buf_str(m->out, m->name);
	buf_str(m->out, suffix);
	for (; labels[0]; labels += 2, before = ",") {
		buf_printf(m->out, "%s%s=\"", before, labels[0]);
		put_label_value(m->out, labels[1]);
		buf_str(m->out, "\"");
	}
	buf_str(m->out, *before == ',' ? "} " : " ");
}

void metric_uint(const struct metric *m, const char *const *labels, uint64_t v)
{
	put_name(m, "", labels);
	buf_printf(m->out, "%" PRIu64 "\n", v);
}

void metric_seconds_us(const struct metric *m, const char *const *labels, uint64_t us)
{
	put_name(m, "", labels);
	buf_printf(m->out, "%" PRIu64 ".%06" PRIu64 "\n", us / 1000000, us % 1000000);
}

void metric_seconds_ms(const struct metric *m, const char *const *labels, uint64_t ms)
{
	put_name(m, "", labels);
	buf_printf(m->out, "%" PRIu64 ".%03" PRIu64 "\n", ms / 1000, ms % 1000);
}

/* `labels` is a pair and room for another one, both NULL where there is none. */
static void put_histogram(const struct metric *m, const char *labels[static 5],
			  const struct histogram *h)
{
	const char **le = labels[0] ? labels + 2 : labels;
	uint64_t count = 0;
	char bound[32];

	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++) {
		count += h->counts[i];
		snprintf(bound, sizeof(bound), "%g",
			 i < HISTOGRAM_BOUNDS ? histogram_bounds_s[i] : 0);
		le[0] = "le";
		le[1] = i < HISTOGRAM_BOUNDS ? bound : "+Inf";
		put_name(m, "_bucket", labels);
		buf_printf(m->out, "%" PRIu64 "\n", count);
	}
	le[0] = NULL;
	put_name(m, "_sum", labels);
	buf_printf(m->out, "%" PRIu64 ".%06" PRIu64 "\n", h->sum_us / 1000000, h->sum_us % 1000000);
	put_name(m, "_count", labels);
	buf_printf(m->out, "%" PRIu64 "\n", count);
}

void metric_histogram(const struct metric *m, const struct histogram *h)
{
	put_histogram(m, (const char *[5]){ NULL }, h);
}

void metric_histogram_of(const struct metric *m, const char *label, const char *value,
			 const struct histogram *h)
{
	put_histogram(m, (const char *[5]){ label, value }, h);
}
