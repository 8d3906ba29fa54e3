/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times as the API server writes and takes them. */
#ifndef WATCH_KUBE_TIME_H
#define WATCH_KUBE_TIME_H

#include <stdint.h>

/* MicroTime: always six decimals, or it is refused. */
#define KUBE_MICRO_TIME_MAX 40
const char *kube_micro_time(int64_t wall_ms, char out[static KUBE_MICRO_TIME_MAX]);

#endif
