#include "rootless-setup/subid/audit/homes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

#define LIMIT_MS 3000

/* ---- the child ---- */

/* A last record says that there are no more. */
static const struct audit_home the_end;

/* Attributes that the kernel has already are good enough: a file server is not asked. */
static int look_live(const char *path, struct statx *ret)
{
    return statx(AT_FDCWD, path, AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC,
                 STATX_UID | STATX_GID | STATX_TYPE, ret);
}

static int look_below(int root_fd, const char *path, struct statx *ret)
{
    struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    cleanup_close int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof how);
    return fd < 0 ? -1 : statx(fd, "", AT_EMPTY_PATH, STATX_UID | STATX_GID | STATX_TYPE, ret);
}

/* Root's own folders, like /bin of system users, are nobody's home. */
static bool look_at_home(int root_fd, const struct passwd *pw, struct audit_home *ret)
{
    struct statx st;
    int r = root_fd < 0 ? look_live(pw->pw_dir, &st) : look_below(root_fd, pw->pw_dir, &st);
    if (r < 0 || !S_ISDIR(st.stx_mode) || (st.stx_uid == pw->pw_uid && st.stx_gid == pw->pw_gid))
        return false;
    *ret = (struct audit_home){
        .user_uid = pw->pw_uid, .uid = st.stx_uid, .user_gid = pw->pw_gid, .gid = st.stx_gid};
    (void)snprintf(ret->user, sizeof ret->user, "%s", pw->pw_name);
    (void)snprintf(ret->path, sizeof ret->path, "%s", pw->pw_dir);
    return true;
}

/* Writes what it finds to @p out; everything here may hang. */
static void look_at_all(const struct subid_place *place, int out)
{
    FILE *passwd = NULL;
    int root_fd = -EBADF;
    if (!place->live) {
        int fd = openat(place->etc_fd, "passwd", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        passwd = fd < 0 ? NULL : fdopen(fd, "r");
        root_fd = open(place->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (!passwd || root_fd < 0)
            return;
    }
    struct audit_home home;
    for (const struct passwd *pw = passwd ? fgetpwent(passwd) : getpwent(); pw;
         pw = passwd ? fgetpwent(passwd) : getpwent())
        if (look_at_home(root_fd, pw, &home))
            (void)file_write_full(out, &home, sizeof home);
    (void)file_write_full(out, &the_end, sizeof the_end);
}

/* ---- the parent ---- */

static bool keep(struct audit_homes *homes, const struct audit_home *home)
{
    if (homes->n == homes->room) {
        size_t room = homes->room ? homes->room * 2 : 16;
        struct audit_home *grown = reallocarray(homes->items, room, sizeof *grown);
        if (!grown)
            return false;
        homes->items = grown;
        homes->room = room;
    }
    homes->items[homes->n] = *home;
    homes->items[homes->n].user[sizeof home->user - 1] = '\0';
    homes->items[homes->n++].path[sizeof home->path - 1] = '\0';
    return true;
}

/* A record is shorter than PIPE_BUF, so that it comes whole. */
static bool receive(struct audit_homes *homes, int in)
{
    int64_t deadline = clock_ms() + LIMIT_MS;
    for (;;) {
        struct audit_home home;
        struct pollfd wait = {.fd = in, .events = POLLIN};
        int64_t left = deadline - clock_ms();
        if (left <= 0 || poll(&wait, 1, (int)left) <= 0)
            return false;
        if (file_read_full(in, &home, sizeof home) != (ssize_t)sizeof home)
            return false;
        if (memcmp(&home, &the_end, sizeof home) == 0)
            return true;
        if (!keep(homes, &home))
            return false;
    }
}

void audit_homes_read(struct audit_homes *homes, const struct subid_place *place)
{
    int ends[2];
    *homes = (struct audit_homes){0};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        look_at_all(place, ends[1]);
        _exit(0);
    }
    (void)fd_close(ends[1]);
    homes->complete = pid > 0 && receive(homes, ends[0]);
    (void)fd_close(ends[0]);
    if (pid > 0) {
        (void)kill(pid, SIGKILL);
        /* one that hangs in the kernel for good is not waited for */
        (void)waitpid(pid, NULL, homes->complete ? 0 : WNOHANG);
    }
}

void audit_homes_free(struct audit_homes *homes)
{
    free(homes->items);
    *homes = (struct audit_homes){0};
}

/* ---- the findings ---- */

/* The last range of @p kind that begins at or below @p id; those before it may reach further only
 * where ranges overlap, which is a finding of its own. */
static const struct audit_range *range_of(const struct audit_view *view, enum subid_kind kind,
                                          uint64_t id)
{
    size_t low = 0, high = view->n_ranges;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct audit_range *range = &view->by_start[middle];
        if (range->kind < kind || (range->kind == kind && range->start <= id))
            low = middle + 1;
        else
            high = middle;
    }
    const struct audit_range *range = low > 0 ? &view->by_start[low - 1] : NULL;
    return range && range->kind == kind && id < range->end ? range : NULL;
}

static void look_at(const struct audit_view *view, const struct audit_home *home,
                    enum subid_kind kind, struct audit_findings *findings)
{
    uint64_t id = kind == SUBID_UID ? home->uid : home->gid;
    uint64_t own = kind == SUBID_UID ? home->user_uid : home->user_gid;
    const struct audit_range *range = id == own ? NULL : range_of(view, kind, id);
    if (range && view->owners[range->owner].uid != home->user_uid)
        audit_find(findings, audit_at_range(view, AUDIT_HOME, range),
                   "%s, the home of %s, belongs to %s %llu", home->path, home->user,
                   kind == SUBID_UID ? "uid" : "gid", (unsigned long long)id);
}

void audit_find_homes(const struct audit_view *view, const struct audit_homes *homes,
                      struct audit_findings *findings)
{
    struct audit_finding unread = {.rule = AUDIT_HOMES_UNREAD, .no_file = true};
    for (size_t i = 0; i < homes->n; i++) {
        look_at(view, &homes->items[i], SUBID_UID, findings);
        look_at(view, &homes->items[i], SUBID_GID, findings);
    }
    if (!homes->complete)
        audit_find(findings, unread, "looking at them took more than %d seconds, or failed",
                   LIMIT_MS / 1000);
}
