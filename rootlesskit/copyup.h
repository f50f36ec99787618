/*
 * Copy-up, mode tmpfs+symlink: a directory becomes a tmpfs whose entries link to the original's.
 *
 * The original tree is cloned (open_tree(2), Linux 5.2), a tmpfs mounted over the directory, and
 * the clone attached below it; so no other directory is touched, and /tmp works too. For /var/lib:
 *
 *   /var/lib/.roNNNNNN/          looks like /: links to its entries, but var is a directory
 *   /var/lib/.roNNNNNN/var/      looks like /var, but lib is a directory
 *   /var/lib/.roNNNNNN/var/lib/  the original
 *   /var/lib/dpkg                -> .roNNNNNN/var/lib/dpkg
 *
 * Relative links inside the original so lead where they led before ("../../etc/x" in /var/lib/a):
 * what lies above them looks like what lay there.
 */
#pragma once

struct err;

/** @param dir  absolute path in the caller's own mount namespace. @return 0 or -errno */
int copyup_dir(const char *dir, struct err *err);
