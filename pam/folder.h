/*
 * Folders below /run and /sys that nobody but root should have made: opened without following a
 * link, and looked at before they are used.
 */
#pragma once

#include <sys/types.h>

struct err;

/** Opens a folder, over no symbolic link anywhere in @p path (openat2(2), Linux 5.6).
 *  @return fd or -errno: ENOENT, ELOOP (a link), ENOTDIR, ... */
int folder_open(const char *path);
/** The same of one name within @p dir_fd, over no mount either if @p same_mount. */
int folder_open_in(int dir_fd, const char *name, int same_mount);
/** Whether a folder is root's and nobody else may write to it. @param path  names it in messages
 *  @return 0, or -EPERM */
int folder_check_root(int fd, const char *path, struct err *err);
/** Makes @p name in @p dir_fd if it is not there, opens it, and checks it as above.
 *  @return fd or -errno */
int folder_make_root(int dir_fd, const char *name, mode_t mode, const char *path, struct err *err);
