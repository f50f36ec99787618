/*
 * What rootless-uidmap-client and uidmapd say to each other over /run/uidmapd/sock: one request
 * with one fd beside it, one answer, end.
 *
 * Both messages have one size (lib/base/msg.h), so that nothing has to be parsed to find their
 * end. The fd is a directory of /proc, the target. Who asks is not part of it: the kernel says so.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/idmap/handover.h"
#include "lib/idmap/idmap.h"

#define UIDMAPD_SOCKET IDMAP_BROKER_SOCKET
#define UIDMAPD_VERSION 1

struct uidmapd_request {
    uint32_t version; /**< UIDMAPD_VERSION */
    uint32_t kind;    /**< enum subid_kind */
    uint32_t n;       /**< extents that count; the rest of the table is ignored */
    struct idmap_extent extents[IDMAP_EXTENTS_MAX];
};

struct uidmapd_answer {
    int32_t code;           /**< 0: the map is written; else an errno value */
    char text[ERR_MSG_MAX]; /**< of a refusal: one line, NUL-terminated */
};

void uidmapd_request_make(const struct idmap_request *from, struct uidmapd_request *ret);
/**
 * Takes over what a peer sent, under every rule that the command line is read by.
 * @param target_fd  the fd that came with it (borrowed)
 * @return 0 or -errno
 */
int uidmapd_request_read(const struct uidmapd_request *from, int target_fd,
                         struct idmap_request *ret, struct err *err);
/** @param err  its code 0 makes it the good answer */
void uidmapd_answer_make(const struct err *err, struct uidmapd_answer *ret);
