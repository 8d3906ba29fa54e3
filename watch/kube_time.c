/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/kube_time.h"

#include <stdio.h>
#include <time.h>

const char *kube_micro_time(int64_t wall_ms, char out[static KUBE_MICRO_TIME_MAX])
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm = { 0 };
	char date[24] = "";

	gmtime_r(&s, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, KUBE_MICRO_TIME_MAX, "%s.%03u000Z", date, (unsigned)(wall_ms % 1000));
	return out;
}
