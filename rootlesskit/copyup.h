/*
 * Copy-up, mode tmpfs+symlink: a directory becomes a tmpfs whose entries link to the original's.
 *
 * The original tree is cloned (open_tree(2), Linux 5.2), a tmpfs mounted over the directory, and
 * the clone attached below it as .roNNNNNN; so no other directory is touched, and /tmp works too.
 */
#pragma once

struct err;

/** @param dir  absolute path in the caller's own mount namespace. @return 0 or -errno */
int copyup_dir(const char *dir, struct err *err);
