/*
 * A bound TCP port that listens, or does not. Shut, it refuses every client and stays bound: with
 * SO_REUSEADDR off nobody else can have it, not even one who sets that himself. It must have been
 * bound to a port by number: one that the kernel chose is given back by shutdown(2).
 *
 * Connections that were accepted go on; those that still wait to be are reset.
 */
#pragma once

/** Listens. @return 0 or -errno: it stays shut */
int gate_open(int fd);
/** Refuses. @return 0 or -errno */
int gate_shut(int fd);
