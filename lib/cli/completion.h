/*
 * The completion script of a program, for bash: the names of its options, behind one with choices
 * its values, and its commands with theirs.
 */
#pragma once

#include "lib/cli/options.h"

/** @param common  options that every program has, beside its own */
void completion_print(const struct cli_program *program, const struct cli_option *common,
                      size_t n_common, FILE *out);
