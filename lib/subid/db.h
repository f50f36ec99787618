/*
 * One database file in memory, to be changed: every line is kept verbatim, in its order, but those
 * that a change asks to go.
 *
 * Owners are found through an index, so that ten thousand users cost n log n. Nothing is written
 * here: subid_db_render() gives the new contents, transact.h puts them in place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/subid/line.h"
#include "lib/subid/place.h"

struct err;

/** A line of the file, without its newline. */
struct subid_entry {
    const char *text;
    size_t len;
    bool is_range; /**< line.h takes it; else only text counts */
    struct subid_line line;
    bool removed;
    struct subid_range rest[2]; /**< of a removed line: what stays of its range */
    size_t n_rest;
};

/** A line to be put behind the last one. */
struct subid_addition {
    char *owner;
    struct subid_range range;
};

struct subid_db_key;

struct subid_db {
    enum subid_kind kind;
    bool exists;
    bool bare_end; /**< the last line has no newline */
    bool changed;
    char *text;
    struct subid_entry *entries;
    size_t n_entries;
    struct subid_addition *additions;
    size_t n_additions, room_additions;
    struct subid_db_key *keys; /**< the index: sorted by owner, then by place in the file */
    size_t n_keys;
};

/** No file of this kind is larger; a million lines fit. */
#define SUBID_DB_MAX (64u << 20)

/**
 * A file's whole text, as it was when it was opened.
 * @param ret       owned by the caller (cleanup_free)
 * @param ret_grew  whether more was there in the end: whoever will write it back has lost that
 * @return 0; -ENOENT when there is no file; -EFBIG above SUBID_DB_MAX; -errno
 */
int subid_text_read(const struct subid_place *place, enum subid_kind kind, char **ret,
                    size_t *ret_len, bool *ret_grew, struct err *err);
/** Reads the file of @p kind; one that does not exist is an empty one. Free with subid_db_free().
 */
int subid_db_read(struct subid_db *db, const struct subid_place *place, enum subid_kind kind,
                  struct err *err);
/** The same from memory (copied). */
int subid_db_parse(struct subid_db *db, enum subid_kind kind, const char *text, size_t len,
                   struct err *err);
void subid_db_free(struct subid_db *db);

/** Called once a line that is @p name's or @p uid's; not with removed ones. */
typedef void subid_db_fn(struct subid_entry *entry, void *arg);
/** Visits a user's lines, those by name first. @param name may be NULL, @param uid (uid_t)-1.
 *  @return how many */
size_t subid_db_visit(const struct subid_db *db, const char *name, uid_t uid, subid_db_fn *fn,
                      void *arg);

/** 0, or -EINVAL and why @p owner cannot stand in these files for a login name. */
int subid_owner_check(const char *owner, struct err *err);
/** Appends a line. @param owner  a login name, or a number of digits alone (copied) */
int subid_db_add(struct subid_db *db, const char *owner, struct subid_range range, struct err *err);
/** Takes [first, last] from a user's lines, shortening or splitting those that reach beyond it.
 *  @return ids taken away */
uint64_t subid_db_remove(struct subid_db *db, const char *name, uid_t uid, uint32_t first,
                         uint32_t last);

/** Puts "owner:start:count" in the place of a line, whatever it was.
 *  @param line  its owner lies within the database's text */
void subid_db_rewrite(struct subid_db *db, struct subid_entry *entry, struct subid_line line);
/** Takes a line out. */
void subid_db_drop(struct subid_db *db, struct subid_entry *entry);

/** The new contents. @param ret  owned by the caller */
int subid_db_render(const struct subid_db *db, char **ret, size_t *ret_len, struct err *err);
/** Writes what changes as a unified diff without context to @p out; nothing when nothing does. */
void subid_db_diff(const struct subid_db *db, const struct subid_place *place, FILE *out);
