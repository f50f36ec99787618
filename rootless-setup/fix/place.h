/*
 * Where fix changes files: this machine, or the tree of an image whose links must not lead out of
 * it. Paths are absolute, as they are inside.
 *
 * A file is replaced whole or not at all: written beside it under a name that no reader of drop-ins
 * takes, synced, renamed. Nothing here decides whether to.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

/** A drop-in is some lines; what is larger was not made for its place. */
#define PLACE_FILE_MAX (64 << 10)

/** A set-id bit is never written, least of all at the word of a record in somebody's image. */
#define PLACE_MODE_MAX 0777

struct place {
    int root_fd;
    bool running; /**< this machine: running values are changed too */
};

/** A file's content, or its absence. */
struct place_file {
    char *data; /**< NULL: there is none. The owner's to free: place_file_cleanup() */
    size_t len;
    mode_t mode; /**< one with more than PLACE_MODE_MAX is nobody's drop-in */
    uid_t uid;
    gid_t gid;
};

void place_file_cleanup(struct place_file *file);
#define cleanup_place_file __attribute__((cleanup(place_file_cleanup)))
bool place_file_same(const struct place_file *file, const char *data, size_t len);

/** Whether a path is absolute and has no empty component, "." or "..". */
bool place_is_path(const char *path);
/** @param root  directory of an image; NULL: this machine */
int place_open(const char *root, struct place *ret, struct err *err);
void place_close(struct place *place);

/** True when something is at @p path, which is followed. */
bool place_has(const struct place *place, const char *path);
/** The directories of @p path that are not there yet. @return how many, or -errno */
int place_missing_dirs(const struct place *place, const char *path);
/** @return 0 also for an absent file; -ELOOP: a link, -EISDIR and so on: no regular file */
int place_read(const struct place *place, const char *path, struct place_file *ret,
               struct err *err);
/** Puts the file in place, absent or not, with the directories it needs (0755, umask applied). */
int place_write(const struct place *place, const char *path, const struct place_file *file,
                struct err *err);
/** Removes what a crash left of a file's writing. */
void place_sweep(const struct place *place, const char *path);
/** Removes the file and up to @p dirs directories above it that are empty then. */
int place_remove(const struct place *place, const char *path, unsigned dirs, struct err *err);
/** Opens a directory, made if it is missing. @return fd or -errno */
int place_open_dir(const struct place *place, const char *path, bool make, struct err *err);
