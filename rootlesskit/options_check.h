/* What the options mean together: contradictions are refused, defaults of a driver filled in. */
#pragma once

struct err;
struct rk_config;

#define OPTIONS_CIDR_DEFAULT "10.0.2.0/24"

/**
 * @param config  parsed, with net_kind and port_kind set; gets the fields that are worked out
 * @return 0; -EINVAL with the one line to print. Warns about what has no effect.
 */
int options_check(struct rk_config *config, struct err *err);
