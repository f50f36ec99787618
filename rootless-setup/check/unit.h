/*
 * What can be wrong with a systemd unit of an engine, or with a drop-in of one, as it stands in the
 * file. Pure: nothing is looked up, so that tests and a fuzzer need no system.
 */
#pragma once

#include <stddef.h>

enum unit_finding {
    UNIT_CUT,       /**< Environment= ends at a blank: the word, what is cut off */
    UNIT_SPECIFIER, /**< a % in PATH that systemd takes for a specifier: the word */
    UNIT_PROGRAM, /**< a program that the unit starts: its absolute path, for the caller to look */
    UNIT_NETWORK, /**< the network driver it asks rootlesskit for */
    UNIT_PRIVILEGES, /**< NoNewPrivileges=yes, which newuidmap cannot live with */
};

/** @param word  @p len bytes of the text, not NUL-terminated. @param line  of the file, from 1 */
typedef void unit_found(enum unit_finding finding, unsigned line, const char *word, size_t len,
                        void *arg);

/** Reads a unit file as systemd does, and reports what there is of the above. */
void unit_lint(const char *text, unit_found *found, void *arg);
