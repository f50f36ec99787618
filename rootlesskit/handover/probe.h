/* Which ports lead to a socket, whatever the rules of the network in between: by going there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define PROBES_MAX 16
#define PROBE_WORD 16

enum probe_state {
    PROBE_OVER, /**< it led nowhere, or to somebody else */
    PROBE_OPEN, /**< nobody knows where it led */
    PROBE_MET,  /**< it came out at the listener */
};

struct probe {
    int fd; /**< a non-blocking TCP socket that connects, or has; borrowed; < 0: none */
    char word[PROBE_WORD];
    enum probe_state state; /**< set by the call */
};

/**
 * Waits 0.3 s at most, and a little after the first that has met.
 * @param listener  a TCP socket that listens and that nobody else accepts from; who comes to it
 *                  meanwhile and is none of us loses the connection
 * @param n         up to PROBES_MAX
 */
void probe_all(int listener, struct probe *probes, size_t n);
