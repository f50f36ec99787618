/* Buckets of the tables that strangers fill: seeded, so that nobody can choose his. */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

uint32_t hash_seed(void);
/** Adds a word to the hash @p h, which begins as the seed. */
uint32_t hash_mix(uint32_t h, uint32_t word);
uint32_t hash_address(uint32_t h, const struct in6_addr *address, uint16_t port);
