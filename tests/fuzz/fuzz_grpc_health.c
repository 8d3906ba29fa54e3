/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a stranger calls a HealthCheckResponse: one of the statuses there are, or none. */
#include <stdint.h>
#include <stdlib.h>

#include "healthcheck/grpc_health.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum hc_grpc_serving untouched = HC_GRPC_SERVICE_UNKNOWN + 1, got = untouched;

	if (hc_grpc_response(data, size, &got) != (got != untouched) || got > untouched)
		abort();
	return 0;
}
