#include "lib/subid/busy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"

/* Some 60 short lines; the longest is that of up to 65536 groups, of which the first thousands are
 * looked at. */
#define STATUS_MAX 65536

static bool take_id(const struct subid_space *ids, uint64_t id, enum subid_kind kind,
                    struct subid_busy *ret)
{
    ret->interval = subid_space_hit(ids, id, id + 1);
    ret->kind = kind;
    ret->id = (uint32_t)id;
    return ret->interval != NULL;
}

/* "Uid:\t1000\t1000\t1000\t1000": any of the numbers behind the word */
static bool find_in_line(struct cursor line, const struct subid_space ids[2],
                         struct subid_busy *ret)
{
    static const struct {
        const char *word;
        enum subid_kind kind;
    } words[] = {{"Uid", SUBID_UID}, {"Gid", SUBID_GID}, {"Groups", SUBID_GID}};
    const char *word = NULL;
    size_t len = 0, i = 0;
    cursor_until(&line, ':', &word, &len);
    while (i < 3 && (len != strlen(words[i].word) || memcmp(word, words[i].word, len) != 0))
        i++;
    if (i == 3 || !cursor_char(&line, ':'))
        return false;
    while (!cursor_done(&line)) {
        uint64_t id = 0;
        if (cursor_u64(&line, 10, UINT32_MAX, &id)) {
            if (take_id(&ids[words[i].kind], id, words[i].kind, ret))
                return true;
        } else {
            line.p++;
        }
    }
    return false;
}

static bool find_in_status(const char *text, const struct subid_space ids[2],
                           struct subid_busy *ret)
{
    struct cursor c = cursor_of(text), line;
    while (cursor_line(&c, &line))
        if (find_in_line(line, ids, ret))
            return true;
    return false;
}

/* Fills @p buf with what fits of a file. @return false when it is gone */
static bool read_some(int dirfd, const char *path, char *buf, size_t size)
{
    cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : file_read_full(fd, buf, size - 1);
    if (n < 0)
        return false;
    buf[n] = '\0';
    return true;
}

static DIR *open_dir(int dirfd, const char *path)
{
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        fd_close(fd);
    return dir;
}

static bool is_number(const char *name, uint64_t *ret)
{
    struct cursor c = cursor_of(name);
    return cursor_u64(&c, 10, INT32_MAX, ret) && cursor_done(&c);
}

/* All threads of the process in the directory @p fd. */
static bool find_in_process(int fd, const struct subid_space ids[2], struct subid_busy *ret)
{
    static char text[STATUS_MAX];
    DIR *tasks = open_dir(fd, "task");
    bool found = false;
    uint64_t tid = 0;
    for (struct dirent *entry; tasks && !found && (entry = readdir(tasks));) {
        char path[sizeof entry->d_name + sizeof "task//status"];
        if (is_number(entry->d_name, &tid) &&
            str_format(path, sizeof path, "task/%s/status", entry->d_name) > 0 &&
            read_some(fd, path, text, sizeof text))
            found = find_in_status(text, ids, ret);
    }
    if (tasks)
        (void)closedir(tasks);
    if (found && read_some(fd, "comm", ret->command, sizeof ret->command))
        ret->command[strcspn(ret->command, "\n")] = '\0';
    return found;
}

int subid_busy_find(int proc_fd, const struct subid_space ids[2], struct subid_busy *ret,
                    struct err *err)
{
    DIR *proc = open_dir(proc_fd, ".");
    if (!proc)
        return err_sys(err, errno, "cannot read /proc to see who uses the ids");
    struct subid_busy busy = {0};
    int found = 0;
    uint64_t pid = 0;
    for (struct dirent *entry; found == 0 && (entry = readdir(proc));) {
        if (!is_number(entry->d_name, &pid))
            continue;
        cleanup_close int fd = openat(proc_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        busy.pid = (pid_t)pid;
        found = fd >= 0 && find_in_process(fd, ids, &busy);
    }
    (void)closedir(proc);
    if (found)
        *ret = busy;
    return found;
}
