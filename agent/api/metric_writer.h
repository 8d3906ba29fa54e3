/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text format of Prometheus (0.0.4), appended to a buffer. Families come
 * one after the other, each with all of its samples; a name is whole and ours.
 * Pure.
 */
#ifndef AGENT_API_METRIC_WRITER_H
#define AGENT_API_METRIC_WRITER_H

#include <stdint.h>

#include "agent/base/buf.h"
#include "agent/base/histogram.h"

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM };

/* Begins a family: what follows are its samples. */
struct metric {
	struct buf *out;
	const char *name;
};
struct metric metric_begin(struct buf *out, const char *name, enum metric_type type,
			   const char *help);

/* Labels are pairs of name and value, ended by NULL; values may hold any bytes. */
void metric_uint(const struct metric *m, const char *const *labels, uint64_t v);
/* Microseconds or milliseconds as seconds, without the loss of a float. */
void metric_seconds_us(const struct metric *m, const char *const *labels, uint64_t us);
void metric_seconds_ms(const struct metric *m, const char *const *labels, uint64_t ms);
void metric_histogram(const struct metric *m, const struct histogram *h);
/* One of several, told apart by a label. */
void metric_histogram_of(const struct metric *m, const char *label, const char *value,
			 const struct histogram *h);

#define METRIC_LABELS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define METRIC_NO_LABELS   ((const char *const[]){ NULL })

#endif
