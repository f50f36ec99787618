#include "rootlesskit/handover/holders.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"

struct wanted {
    const uint32_t *inodes;
    size_t n;
};

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static bool is_wanted(const struct wanted *wanted, uint64_t inode)
{
    uint32_t key = (uint32_t)inode;
    return inode <= UINT32_MAX &&
           bsearch(&key, wanted->inodes, wanted->n, sizeof key, compare) != NULL;
}

/* The link of a socket says "socket:[INODE]" (proc_pid_fd(5)). */
static bool is_candidate(const struct wanted *wanted, int fds, const char *name)
{
    char link[64];
    ssize_t n = readlinkat(fds, name, link, sizeof link - 1);
    uint64_t inode = 0;
    link[n < 0 ? 0 : n] = '\0';
    struct cursor c = cursor_of(link);
    return cursor_word(&c, "socket:[") && cursor_u64(&c, 10, UINT32_MAX, &inode) &&
           is_wanted(wanted, inode);
}

/* Between the link and the fd the process may have changed it: what we got decides. A connection
 * that is disconnected is reset, and a socket that listens does so no more (connect(2)); it stays
 * bound, which must not be in the way of the port's next one. */
static void end(const struct wanted *wanted, int process, int number)
{
    const struct sockaddr nothing = {.sa_family = AF_UNSPEC};
    const int on = 1;
    cleanup_close int fd = (int)syscall(SYS_pidfd_getfd, process, number, 0);
    struct stat st;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && is_wanted(wanted, st.st_ino)) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        (void)connect(fd, &nothing, sizeof nothing);
    }
}

static bool number_of(const char *name, int *ret)
{
    struct cursor c = cursor_of(name);
    uint64_t number = 0;
    if (!cursor_u64(&c, 10, INT32_MAX, &number) || !cursor_done(&c))
        return false;
    *ret = (int)number;
    return true;
}

static void close_dir(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

static void search(const struct wanted *wanted, pid_t pid)
{
    char path[32];
    (void)str_format(path, sizeof path, "/proc/%d/fd", (int)pid);
    __attribute__((cleanup(close_dir))) DIR *fds = opendir(path);
    cleanup_close int process = fds ? (int)syscall(SYS_pidfd_open, pid, 0) : -EBADF;
    const struct dirent *entry;
    int number;
    while (process >= 0 && (entry = readdir(fds)))
        if (number_of(entry->d_name, &number) && is_candidate(wanted, dirfd(fds), entry->d_name))
            end(wanted, process, number);
}

void holders_end(uint32_t *inodes, size_t n)
{
    __attribute__((cleanup(close_dir))) DIR *processes = n > 0 ? opendir("/proc") : NULL;
    const struct dirent *entry;
    int pid;
    qsort(inodes, n, sizeof *inodes, compare);
    const struct wanted wanted = {.inodes = inodes, .n = n};
    while (processes && (entry = readdir(processes)))
        if (number_of(entry->d_name, &pid))
            search(&wanted, pid);
}
