/*
 * The way out for a helper that has no capability (no set-user-ID bit, no file capability, or
 * no_new_privs): the broker, where one is there, does the same by the same policy.
 */
#pragma once

#include "lib/subid/subid.h"

#define IDMAP_BROKER_SOCKET "/run/uidmapd/sock"
#define IDMAP_BROKER_CLIENT ROOTLESS_LIBEXECDIR "/rootless-uidmap-client"

/**
 * Becomes the broker's client with the same words, if the broker's socket is there. To be called
 * without privilege and with no fds but 0-2 and the target's.
 * @param argv  of main; argv[0] is replaced
 */
void idmap_hand_over(enum subid_kind kind, char **argv);
