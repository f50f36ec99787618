/* What the network probes share: the namespace they work in, and what losing the gateway means. */
#pragma once

#include "rootless-setup/check/probe.h"

/** Enters a scratch user and network namespace, or says in *result why not. @return 0 or -errno */
int network_enter(const struct check_context *context, struct check_result *result);
/**
 * How bad it is that the gateway network cannot run: a warning while slirp4netns can take its
 * place, and else a failure. Adds which to the remedies.
 */
enum check_status network_gateway_lost(struct check_result *result);
