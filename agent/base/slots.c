/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/slots.h"

bool slots_next(const uint64_t *bits, uint32_t count, uint32_t from, uint32_t *out)
{
	uint32_t words = count / 64;

	for (uint32_t n = 0; n <= words; n++) {
		uint32_t i = (from / 64 + n) % words;
		uint64_t word = bits[i];

		if (n == 0)
			word &= ~0ull << (from % 64);
		else if (n == words)
			word &= ~(~0ull << (from % 64));
		if (word) {
			*out = i * 64 + (uint32_t)__builtin_ctzll(word);
			return true;
		}
	}
	return false;
}
