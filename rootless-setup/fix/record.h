/*
 * What fix changed and what was there before: /var/lib/rootless-toolkit/fix/record, JSON, one entry
 * a file, a running value, a module or a device's mode.
 *
 * An entry is on disk before the change is made. After a crash the target is as before or as
 * wanted, both of which undo recognises; anything else was edited since and is left alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rootless-setup/fix/place.h"

#define RECORD_CHANGES_MAX 64
#define RECORD_VALUE_MAX 128

enum change_kind {
    CHANGE_FILE,
    CHANGE_SYSCTL, /**< the running value */
    CHANGE_MODULE, /**< was not loaded */
    CHANGE_MODE,   /**< of a device node */
    CHANGE_KINDS,
};

/** What must hear of a changed file on this machine. */
enum change_reload {
    RELOAD_NONE,
    RELOAD_SYSTEMD,
    RELOAD_UDEV,
    RELOAD_LINGER, /**< the user is the file's name */
    RELOAD_APPARMOR,
    RELOADS,
};

struct change {
    enum change_kind kind;
    char check[32];
    char target[512];           /**< path, sysctl key, module */
    struct place_file before;   /**< CHANGE_FILE */
    struct place_file after;    /**< CHANGE_FILE; never absent */
    unsigned dirs;              /**< CHANGE_FILE: directories made for it */
    enum change_reload reload;  /**< CHANGE_FILE */
    char old[RECORD_VALUE_MAX]; /**< the others: value or mode */
    char wanted[RECORD_VALUE_MAX];
};

struct record {
    int dir_fd;      /**< holds the lock; -EBADF: nothing is recorded, and nothing may be written */
    bool unfinished; /**< a run ended before all had heard of its files */
    size_t n;
    struct change changes[RECORD_CHANGES_MAX];
};

/** "file", "sysctl", "module", "mode" */
const char *change_kind_name(enum change_kind kind);
/** Frees the contents. */
void change_clear(struct change *change);

/**
 * Locks and reads the record.
 * @param make  makes the directory; else an absent one is an empty record
 * @return 0; -EBADMSG for a damaged record, which nothing overwrites
 */
int record_open(const struct place *place, bool make, struct record *ret, struct err *err);
void record_close(struct record *record);
/** The entry for a target, or NULL. */
struct change *record_find(struct record *record, enum change_kind kind, const char *target);
/** Takes a change over, contents and all, and writes the record. @return 0 or -errno */
int record_add(struct record *record, struct change *take, struct err *err);
/** Forgets an entry, in memory only; directories made for it go to another file there. */
void record_drop(struct record *record, size_t index);
/** Writes it; an empty one is removed. @return 0 or -errno */
int record_save(const struct record *record, struct err *err);

/** The record's text: for record_open() and its tests. @return 0, -EBADMSG or -ENOMEM */
int record_parse(const char *text, size_t len, struct record *ret, struct err *err);
