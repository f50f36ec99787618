/*
 * Whether systemd-tmpfiles removes what is old in a directory: tmpfiles.d(5) as its cleaning reads
 * it. Pure, for tests; who calls gives the files' texts in their order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/** Begin with the directory and zeroes. */
struct tmpfiles {
    const char *dir; /**< whose fate is asked for: absolute, without links */
    bool cleaned;    /**< by the line that counts for it so far */
    size_t len;      /**< bytes of @p dir that this line names: the longest counts; 0: no line */
    unsigned line;   /**< from 1 */
    char age[32];    /**< as it is written */
};

/** Reads a file. Of lines that name the same, that of an earlier file counts.
 *  @return true when it has the line that counts now */
bool tmpfiles_read(struct tmpfiles *tmpfiles, const char *text);
