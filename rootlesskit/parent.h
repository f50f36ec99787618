/*
 * The parent: stays in the host's namespaces and supervises. It starts the child, has its ids
 * mapped, starts network, ports and API, lets the command go, and takes all down again when any of
 * them ends.
 */
#pragma once

struct rk_config;

/** Runs the whole life of one instance. @return rootlesskit's exit status
 *  @param config  with --net=auto its driver is chosen on the way */
int parent_run(struct rk_config *config);
