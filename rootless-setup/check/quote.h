/* Words for a POSIX shell: remedies are meant to be pasted. */
#pragma once

#include <stddef.h>

#include "rootless-setup/check/facts.h"

/** @p word as the shell reads it back, in single quotes where needed, into @p buf; "''" when it
 *  does not fit. @return buf */
const char *quote_word(const char *word, char *buf, size_t size);
/** How root's shell calls this program: its name, or its path when that is no usual place. */
const char *quote_self(const struct check_facts *facts, char *buf, size_t size);
