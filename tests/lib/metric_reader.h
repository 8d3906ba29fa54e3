/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A strict reader of Prometheus' text format 0.0.4, as the scraper of it is:
 * families whole and once each, HELP and TYPE before the samples, no series
 * twice, counters named _total, histograms cumulative and complete.
 */
#ifndef TESTS_LIB_METRIC_READER_H
#define TESTS_LIB_METRIC_READER_H

#include <stddef.h>

/* NULL: all is well; else what is wrong, with the line, in a static buffer. */
const char *metric_text_fault(const char *text);
/* The value of a series as it is written, "parasaus_pools{health=\"up\"}", into out; NULL: none. */
const char *metric_value_of(const char *text, const char *series, char out[static 64]);

#endif
