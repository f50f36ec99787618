/*
 * Files of the system that is checked: this one, or one that lies below a directory (--root).
 *
 * Below a directory every path is resolved inside it, whatever links it holds, and nothing of it is
 * ever run. Paths are absolute, as they are in that system.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

struct check_files {
    const char *root; /**< NULL: this system */
    int root_fd;      /**< of @p root */
};

/** @param root  NULL or "/": this system. @return 0 or -errno; it stays open with the program */
int files_find(const char *root, struct check_files *ret, struct err *err);
/** @return fd (O_CLOEXEC) or -errno */
int files_open(const struct check_files *files, const char *path, int flags);
/** As file_read(), of a regular file. */
int files_read(const struct check_files *files, const char *path, size_t max, char **ret);
bool files_has(const struct check_files *files, const char *path);
/** Looks for a program in $PATH (below --root in the usual directories), and in those of the
 * system's tools. @return 0 or -ENOENT */
int files_program(const struct check_files *files, const char *name, char *ret, size_t size);
