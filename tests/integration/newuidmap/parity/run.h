/*
 * A trial for real: the files in /etc, a target process, one program run on it, what came of it.
 * To be used within a private /etc and pid namespace only (tests/integration/lib.sh).
 */
#pragma once

#include "tests/integration/newuidmap/parity/model.h"

#define RUN_SAID_MAX 2048

/** Puts the trial's users into /etc/passwd and its files into /etc. */
void run_users(void);
void run_files(const struct trial *trial);
/** @param said  what the program wrote, NUL-terminated
 *  @param ret   as found afterwards; a signal is status 128 + its number */
void run_program(const struct trial *trial, const char *program, struct model_outcome *ret,
                 char said[RUN_SAID_MAX]);
