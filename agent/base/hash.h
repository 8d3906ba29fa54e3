/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF").
 *
 * hash_id() has a fixed key: its values are ids, equal on every node and in
 * every version. hash_table() has a key of this process: its values index
 * tables that strangers' names are put into.
 */
#ifndef AGENT_BASE_HASH_H
#define AGENT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash24(const uint8_t key[static 16], const void *data, size_t len);
uint64_t hash_id(const void *data, size_t len);
uint64_t hash_table(const void *data, size_t len);
uint64_t hash_table_str(const char *s);
/* For ids too: they are hashes, but of a key that everybody knows. */
uint64_t hash_table_u64(uint64_t v);

/* CRC-32C (Castagnoli), for files; start with crc = 0. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
