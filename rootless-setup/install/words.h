/*
 * Words in the three languages in which a service is written down: systemd's unit files, the POSIX
 * shell, and a line for people. Every byte of a path comes back as it was, whatever it is.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/** Where in a unit a word stands: the same signs mean other things. */
enum unit_place {
    UNIT_ENVIRONMENT, /**< NAME=VALUE of Environment= */
    UNIT_PROGRAM,     /**< the first word of ExecStart=: specifiers, but no variables */
    UNIT_ARGUMENT,    /**< the others: variables too */
};

/** systemd ignores assignments and programs that are not UTF-8. */
bool words_is_utf8(const char *text);
/** Writes @p word in double quotes, as systemd reads it back. */
void words_unit(FILE *out, enum unit_place place, const char *word);
/** Writes @p word as a shell reads it back; bare when nothing in it means anything there. */
void words_shell(FILE *out, const char *word);
