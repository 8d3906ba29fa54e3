/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two messages of grpc.health.v1.Health/Check (grpc-proto, health.proto),
 * each behind the five bytes that gRPC puts before a message. Pure.
 */
#ifndef HEALTHCHECK_GRPC_HEALTH_H
#define HEALTHCHECK_GRPC_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/check.h"

/* HealthCheckResponse.ServingStatus; the numbers are the protocol's. */
enum hc_grpc_serving {
	HC_GRPC_SERVING_UNKNOWN = 0,
	HC_GRPC_SERVING = 1,
	HC_GRPC_NOT_SERVING = 2,
	HC_GRPC_SERVICE_UNKNOWN = 3,
};

/* The prefix, a tag, a length of two bytes and the name. */
#define HC_GRPC_REQUEST_MAX (5 + 1 + 2 + CHECK_SERVICE_MAX)

/* HealthCheckRequest; service NULL: of the server as a whole. Returns its length. */
size_t hc_grpc_request(const char *service, uint8_t out[static HC_GRPC_REQUEST_MAX]);

/*
 * All that came as the answer: one HealthCheckResponse, not compressed. Of fields that are not known
 * none matters, and of `status` the last counts. False: it is none. A status beyond those we know is
 * HC_GRPC_SERVING_UNKNOWN.
 */
MUST_CHECK bool hc_grpc_response(const uint8_t *data, size_t len, enum hc_grpc_serving *out);

#endif
