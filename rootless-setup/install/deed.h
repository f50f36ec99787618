/*
 * What install and uninstall do, one step at a time: each is told first, in a line that says
 * exactly what, and with --dry-run that is all.
 *
 * Everything here runs as the user whose files they are.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct err;
struct own_memory;
struct place;

struct deeds {
    const struct place *place; /**< this machine */
    bool dry;
    FILE *out;
    unsigned n; /**< steps told: 0 means that there was nothing to do */
};

/** A line that is no step: what was found, or what there is to know. */
void deed_note(const struct deeds *deeds, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/** Tells a step that the caller does himself. @return whether to do it */
bool deed_tell(struct deeds *deeds, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/**
 * Writes a file of ours, whole or not at all, with the directories it needs.
 * @param replaces  ours is there already: what was remembered stays
 */
int deed_write(struct deeds *deeds, const char *path, unsigned mode, const char *text,
               bool replaces, const struct own_memory *memory, struct err *err);
/** Removes a file and up to @p dirs directories above it that are empty then. */
int deed_remove(struct deeds *deeds, const char *path, unsigned dirs, struct err *err);
/** Renames a file in its directory; nothing is replaced. */
int deed_rename(struct deeds *deeds, const char *from, const char *to, struct err *err);
/** Makes a symbolic link, with the directories it needs. */
int deed_link(struct deeds *deeds, const char *path, const char *target, struct err *err);
/**
 * Runs a program to its end.
 * @return 0; -EIO when it ends with another status: its first line is in the message
 */
int deed_run(struct deeds *deeds, const char *const *argv, struct err *err);

/** The same untold, for questions; what it wrote is kept. @return 0 or -errno as deed_run() */
int deed_ask(const char *const *argv, char *ret, size_t size, struct err *err);
