/* The flows of a running rootlesskit as a client sees them: GET /v1/flows, each as text for a line.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/** "[" IPv6 address "]:" port */
#define FLOWLIST_ADDRESS_MAX 56

/** Texts are "" where the API leaves something out. */
struct flowlist_flow {
    char proto[8], direction[16], state[16];
    char child[FLOWLIST_ADDRESS_MAX], remote[FLOWLIST_ADDRESS_MAX], dialled[FLOWLIST_ADDRESS_MAX];
    uint32_t port_id;
    uint64_t sent, received; /**< bytes */
    uint32_t age_s, idle_s;
};

struct flowlist {
    struct flowlist_flow *flows; /**< sorted by flowlist_compare() */
    size_t n;
};

/** @param ret_json  the answer itself, owned by the caller; NULL: not wanted */
int flowlist_get(const char *socket_path, struct flowlist *ret, json_t **ret_json, struct err *err);
void flowlist_free(struct flowlist *list);
/** By who talks to whom: for qsort(3) and bsearch(3). 0 for two moments of one flow. */
int flowlist_compare(const void *a, const void *b);
/** "12B", "3.4k", "120M": at most 5 characters, in powers of 1000. @return buf */
const char *flowlist_size(uint64_t bytes, char buf[8]);
/** "59s", "12m", "23h", "300d". @return buf */
const char *flowlist_time(uint32_t seconds, char buf[8]);
