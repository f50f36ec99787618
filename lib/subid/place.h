/*
 * Where the databases are: the machine's own /etc, or that of an image below --root.
 *
 * Below a root every path is resolved inside it, whatever links the image holds, and nobody there
 * is known but by its own passwd and group files.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "lib/subid/subid.h"

struct err;

struct subid_place {
    int etc_fd;
    bool live;           /**< the machine's own */
    char root[PATH_MAX]; /**< "" when live; what messages put in front of "/etc/..." */
};

/** @param root  NULL or "/": the machine's own. @return 0 or -errno; close with the next */
int subid_place_open(struct subid_place *place, const char *root, struct err *err);
void subid_place_close(struct subid_place *place);
/** "subuid" or "subgid": the file's name within etc_fd. */
const char *subid_name(enum subid_kind kind);
/** -code, with the message for a write to @p name in this place that the system refused. */
int subid_place_refused(const struct subid_place *place, const char *name, int code,
                        struct err *err);
