/*
 * Small files, whole: read with a bound, written in one call.
 * Paths are relative to @p dirfd (AT_FDCWD for the current directory), so tests use a temp tree.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct err;

/**
 * Reads a whole file into new memory, NUL-terminated.
 * @param max      refuse (-EFBIG) more than this many bytes
 * @param ret      owned by the caller (cleanup_free)
 * @param ret_len  bytes without the NUL; may be NULL
 */
int file_read(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len,
              struct err *err);
/** The same into a caller's buffer: NUL-terminated, cut never. @return length or -errno */
int file_read_into(int dirfd, const char *path, char *buf, size_t size, struct err *err);
/** Writes @p data to an existing file (a sysctl, a cgroup file) with one write(2). */
int file_poke(int dirfd, const char *path, const char *data, struct err *err);
/** Creates @p path anew (O_EXCL after an unlink) with @p mode, whatever the umask. */
int file_create(int dirfd, const char *path, mode_t mode, const char *data, struct err *err);

/**
 * Puts a file of mode 0600 in place, whole or not at all: written and synced as @p part, which a
 * failure removes, then renamed. Only file_sync_names() makes the name last.
 * @return 0 or -errno
 */
int file_replace(int dirfd, const char *part, const char *name, const void *data, size_t len);
/** Syncs a folder's names; a file system that cannot is not ours to mend. @return 0 or -errno */
int file_sync_names(int dir_fd);
/** Everything up to the end of @p fd, as file_read(). @param what  as messages name it */
int file_read_all(int fd, const char *what, size_t max, char **ret, size_t *ret_len,
                  struct err *err);

/** read(2)/write(2) until done; EINTR restarted. @return bytes, or -errno; a short read is the end
 */
ssize_t file_read_full(int fd, void *buf, size_t len);
int file_write_full(int fd, const void *buf, size_t len);
