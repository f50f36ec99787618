/*
 * Whether a process of this machine runs with one of a set of ids: real, effective, saved or file
 * system uid or gid, or supplementary group, of any thread. Processes of pid namespaces that are
 * not below ours are not seen, nor are namespaces whose processes do not use the ids at the moment.
 */
#pragma once

#include <sys/types.h>

#include "lib/subid/space.h"
#include "lib/subid/subid.h"

struct err;

struct subid_busy {
    pid_t pid;
    char command[64];
    enum subid_kind kind;
    uint32_t id;
    const struct subid_interval *interval; /**< of the set */
};

/**
 * @param proc_fd  an open directory fd of /proc
 * @param ids      by enum subid_kind, sorted
 * @return 1 with the first found; 0 none; -errno when /proc cannot be read. A process that ends
 *         meanwhile, or that is hidden from the caller, is skipped.
 */
int subid_busy_find(int proc_fd, const struct subid_space ids[2], struct subid_busy *ret,
                    struct err *err);
