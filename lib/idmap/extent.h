/*
 * The extents of a request: "inside outside count" triplets, read strictly, checked against every
 * rule the kernel has for an id map, and put into the one text the kernel takes.
 *
 * Nothing here asks who may map what (policy.h) or touches a process. No heap: the table has the
 * kernel's own limit.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/subid/subid.h"

struct err;

/** Extents the kernel takes in one map (UID_GID_MAP_MAX_EXTENTS, since Linux 4.15). */
#define IDMAP_EXTENTS_MAX 340
/** Longest line: three numbers of ten digits, two blanks, a newline. */
#define IDMAP_LINE_MAX 33
#define IDMAP_TEXT_MAX (IDMAP_EXTENTS_MAX * IDMAP_LINE_MAX + 1)
/** Room for idmap_extent_text(). */
#define IDMAP_EXTENT_TEXT_MAX 64

/** Ids [inside, inside + count) of the namespace are [outside, outside + count) of its parent. */
struct idmap_extent {
    uint32_t inside;
    uint32_t outside;
    uint32_t count;
};

struct idmap_extents {
    struct idmap_extent list[IDMAP_EXTENTS_MAX];
    size_t n;
};

/** "uid" or "gid". */
const char *idmap_kind_name(enum subid_kind kind);
/** "[0-65536) -> [100000-165536)", as messages name an extent. @return buf */
const char *idmap_extent_text(const struct idmap_extent *extent, char buf[IDMAP_EXTENT_TEXT_MAX]);

/**
 * Reads @p n_words triplets' words. Numbers are written as in the files (decimal, 0octal, 0xhex:
 * line.h); every id stays below 2^32 - 1, so no later sum can wrap.
 * @return 0; -EINVAL or -E2BIG with the offending word or count named
 */
int idmap_extents_parse(enum subid_kind kind, size_t n_words, char *const *words,
                        struct idmap_extents *ret, struct err *err);
/** Refuses extents that share an id on either side. @return 0 or -EINVAL naming both extents */
int idmap_extents_check(enum subid_kind kind, const struct idmap_extents *extents, struct err *err);
/**
 * The map as the kernel takes it, which must stay below @p page bytes (the kernel reads no more).
 * @return length without NUL, or -E2BIG
 */
int idmap_extents_format(const struct idmap_extents *extents, size_t page, char buf[IDMAP_TEXT_MAX],
                         struct err *err);
