/*
 * Where an engine has its data when it was told to have it elsewhere than usual, and whether what
 * lies there is the user's alone. Files are read; nothing is changed. Runs as the user.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rootless-setup/install/setup.h"

struct err;

/**
 * By an argument in our unit, its drop-ins or our script, else by the engine's own configuration.
 * @return false when it is the usual place
 */
bool data_configured(const struct setup *setup, char *ret, size_t size);
/** The value of the last "OPTION=VALUE" or "OPTION VALUE" of the command that a unit (a script, if
 *  @p shell) starts; a unit's later command replaces an earlier one. Kept in @p ret if there is no
 *  command in the text. */
void data_from_command(const char *text, bool shell, const char *option, char *ret, size_t size);
/**
 * Whether all of it can be meant: it lies below the user's home, or every file of it is the user's
 * or of one of his subordinate ids. What is closed to him counts as its directory does.
 * @param dir  without links. @return 0, or -EPERM with a message that names the first other
 */
int data_is_own(const struct setup *setup, const char *dir, struct err *err);
