/*
 * A file that install wrote: recognised again by a line in it, which also tells whether somebody
 * edited it since, and what has to be restored with its end.
 *
 * The line is a comment of the file's own language and stands at its end:
 *
 *     # rootless-setup: dirs=2 context=remote sum=0123456789abcdef
 */
#pragma once

#include <stddef.h>

struct err;
struct place;

enum own_state {
    OWN_ABSENT,
    OWN_INTACT,  /**< as it was written */
    OWN_EDITED,  /**< ours, but changed since */
    OWN_FOREIGN, /**< not ours; also a link, or no ordinary file */
};

/** What is remembered in the file. */
struct own_memory {
    unsigned dirs;     /**< directories that were made for it */
    char context[256]; /**< of docker's, that was in use before; "" when none is to be restored */
};

struct own_file {
    enum own_state state;
    char *text; /**< without the line; NULL unless ours. The owner's to free: own_cleanup() */
    struct own_memory memory;
};

void own_cleanup(struct own_file *file);
#define cleanup_own __attribute__((cleanup(own_cleanup)))

/** Takes a file's whole text apart. @return OWN_INTACT, OWN_EDITED or OWN_FOREIGN; -ENOMEM */
int own_parse(const char *text, struct own_file *ret);
/** Reads a file that may be absent. @return 0 or -errno */
int own_read(const struct place *place, const char *path, struct own_file *ret, struct err *err);
/** @p text with the line put behind; the caller's to free. NULL without memory */
char *own_sign(const char *text, const struct own_memory *memory);
