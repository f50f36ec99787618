#include "pam/empty.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "pam/folder.h"

struct emptying {
    int top;
    int64_t deadline;
    unsigned moved; /* for new names */
    bool progress;  /* something went or was moved in this pass */
    int failure;    /* -errno of what could not be removed in this pass */
};

/* Moves a full folder up, under a name that is free there. */
static int move_up(struct emptying *emptying, int dir, const char *name)
{
    char fresh[32];
    int r = -EEXIST;
    while (r == -EEXIST && clock_ms() < emptying->deadline) {
        (void)str_format(fresh, sizeof fresh, ".moved-%u", emptying->moved++);
        r = renameat2(dir, name, emptying->top, fresh, RENAME_NOREPLACE) < 0 ? -errno : 0;
    }
    return r;
}

static int remove_once(int dir, const char *name)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    return unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

/* What is in @p dir goes, or up. @p dir is not the top. */
static void clear_lower(struct emptying *emptying, int take_dir)
{
    DIR *entries = fdopendir(take_dir);
    if (!entries) {
        (void)fd_close(take_dir);
        return;
    }
    for (struct dirent *entry; (entry = readdir(entries)) && clock_ms() < emptying->deadline;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int r = remove_once(dirfd(entries), entry->d_name);
        if (r == -ENOTEMPTY || r == -EEXIST)
            r = move_up(emptying, dirfd(entries), entry->d_name);
        if (r < 0)
            emptying->failure = r;
        else
            emptying->progress = true;
    }
    (void)closedir(entries);
}

static void clear_top(struct emptying *emptying, DIR *entries)
{
    for (struct dirent *entry; (entry = readdir(entries)) && clock_ms() < emptying->deadline;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int r = remove_once(emptying->top, entry->d_name);
        if (r == -ENOTEMPTY || r == -EEXIST) {
            int dir = folder_open_in(emptying->top, entry->d_name, 1);
            if (dir >= 0)
                clear_lower(emptying, dir);
            r = dir < 0 ? dir : remove_once(emptying->top, entry->d_name);
        }
        if (r < 0)
            emptying->failure = r == -EXDEV ? -EBUSY : r;
        else
            emptying->progress = true;
    }
}

int empty_folder(int fd, int64_t deadline)
{
    struct emptying emptying = {.top = fd, .deadline = deadline};
    do {
        emptying.progress = false;
        emptying.failure = 0;
        int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *entries = again < 0 ? NULL : fdopendir(again);
        if (!entries) {
            (void)fd_close(again);
            return -errno;
        }
        clear_top(&emptying, entries);
        (void)closedir(entries);
        if (clock_ms() >= deadline)
            return -ETIMEDOUT;
    } while (emptying.progress);
    return emptying.failure;
}
