/*
 * Which source /etc/nsswitch.conf names for subordinate ids: the files, or a plug-in.
 *
 * shadow's reading (lib/nss.c): the first line that begins with "subid:" in column 0 and has a
 * value decides, and of its value only the first word counts. Part of the reading half: no heap.
 * Nothing is loaded here (plugin.h does that, and no privileged program has it).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/cursor.h"

struct err;

/** Room for a source's name; shadow takes at most 50 characters. */
#define SUBID_SOURCE_MAX 51

/**
 * @param etc_fd  directory fd that holds "nsswitch.conf"
 * @param ret     "" for the files, else the NAME of libsubid_NAME.so
 * @return 0 (also when there is no nsswitch.conf); -EINVAL on a name that cannot be a plug-in's;
 *         -errno when the file cannot be read
 */
int subid_source_read(int etc_fd, char ret[SUBID_SOURCE_MAX], struct err *err);
/** The same out of text. @return false on a name that cannot be a plug-in's (it is left in @p ret
 *  as far as it fits) */
bool subid_source_parse(struct cursor text, char ret[SUBID_SOURCE_MAX]);
