/*
 * The subordinate-id databases /etc/subuid and /etc/subgid: who owns which range (subuid(5)).
 *
 * This header is the reading half, usable in a privileged process: no heap, no NSS, the file is
 * opened once and scanned once. Owners in both files are users: a login
 * name or a numeric uid. What counts as a line is in line.h; everything else in the file is
 * skipped, and a last line without newline is a line like any other. A symbolic link in a file's
 * place is refused.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

enum subid_kind { SUBID_UID, SUBID_GID };

/** Ids [start, start + count); count >= 1 and start + count <= 2^32 - 1 always hold. */
struct subid_range {
    uint32_t start;
    uint32_t count;
};

/** More ranges than an id map can have extents (340, user_namespaces(7)) are of no use to anyone.
 */
#define SUBID_RANGES_MAX 340

/**
 * The ranges of one user, in file order.
 * @param etc_fd   directory fd that holds "subuid" and "subgid" (AT_FDCWD-like use: open("/etc"))
 * @param owner    login name; matches lines whose owner is exactly this (NULL: none)
 * @param uid      matches lines whose owner is this number
 * @param ret      room for @p max ranges; those beyond are left out
 * @return number of ranges (0: none), -ENOENT when the file does not exist, -ELOOP when it is a
 *         symbolic link, -errno else
 */
int subid_ranges(int etc_fd, enum subid_kind kind, const char *owner, uid_t uid,
                 struct subid_range *ret, size_t max, struct err *err);
/** "/etc/subuid" or "/etc/subgid", for messages. */
const char *subid_path(enum subid_kind kind);
/** Opens one of the files for reading, without following a link. @return fd, or -errno as above */
int subid_open(int etc_fd, enum subid_kind kind, struct err *err);
