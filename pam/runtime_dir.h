/*
 * XDG_RUNTIME_DIR, /run/user/UID: found, made, removed.
 *
 * /run/user must be root's alone. What stands there under a user's number is used only if it is a
 * directory of his that nobody else can write to; anything else is refused and left as it is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct subject;

/** The one that a user has. @param tighten  takes what rights others have on it
 *  @return fd; -ENOENT without a message when there is none; -errno */
int runtime_dir_find(const struct subject *subject, bool tighten, struct err *err);
/**
 * Makes one under another name; it is nobody's before runtime_dir_publish(), so that its identity
 * can be written down first.
 * @return 0 or -errno
 */
int runtime_dir_prepare(const struct subject *subject, uint64_t *ret_dev, uint64_t *ret_ino,
                        struct err *err);
/** Gives it its name. @return fd or -errno */
int runtime_dir_publish(const struct subject *subject, struct err *err);
/** Removes it instead. */
void runtime_dir_discard(const struct subject *subject);
/** Removes the one with this identity; another in its place is left alone, as is one that is not
 *  there. @return 0, or -errno when something is left of it */
int runtime_dir_remove(uid_t uid, uint64_t dev, uint64_t ino, int64_t deadline, struct err *err);
