/*
 * Where the programs are that launch starts, and what they can.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rootless-setup/launch/line.h"
#include "rootless-setup/launch/profile.h"

struct err;

/** The path of this program. @return 0 or -errno */
int programs_self(char *ret, size_t size, struct err *err);
/**
 * Makes our own folder, for newuidmap and rootlesskit's helpers, and the system's sbin, for
 * iptables, part of $PATH where they are not: the one in front, the others at the end.
 * @return 1 when $PATH was changed, 0 when not, -errno
 */
int programs_extend_path(const char *self, struct err *err);
/** Is the first of @p words a program? @p what names it in the message */
int programs_check(const char *words, const char *what, const char *advice, struct err *err);
/**
 * Begins a line with the rootlesskit to run: $ROOTLESSKIT, which may have options behind it; the
 * one beside this program; in ../libexec; where libexec was installed; on $PATH, which must be one
 * of ours for a network that only ours has.
 * @return 0, or -ENOENT, -ENAMETOOLONG, -EOPNOTSUPP
 */
int programs_rootlesskit(const char *self, const char *net, struct line *line, struct err *err);
/** Can the engine do with a detached network? @param daemon  words: what is asked when the program
 *  in question is the daemon */
bool programs_detaching(const struct launch_detaching *detaching, const struct engine *engine,
                        const char *daemon);
/** Runs the first of @p words with @p args, to its end. @return 0, or -errno: it failed too */
int programs_warm_up(const char *words, const char *const *args, struct err *err);
/** From "NAME version 1.2.3...": is that @p major.minor or later? False for any other text. */
bool programs_version_reaches(const char *text, unsigned major, unsigned minor);
