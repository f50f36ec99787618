#include "pam/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "pam/folder.h"
#include "pam/notes.h"
#include "pam/subject.h"

#define ROOT "/sys/fs/cgroup"
#define SLICE "user.slice"
#define SESSION_PREFIX "session-"
#define NAME_SIZE 32
#define WORDS_MAX 1024
/* Nested deeper by the user than this, the rest of the tree stays; an engine needs five. */
#define DEPTH_MAX 32

/* What may be written by whom a subtree is delegated to (cgroups(7)). */
static const char *const delegated[] = {"cgroup.procs", "cgroup.threads", "cgroup.subtree_control"};
#define N_DELEGATED (sizeof delegated / sizeof delegated[0])

static void name_of(uid_t uid, char name[NAME_SIZE])
{
    (void)str_format(name, NAME_SIZE, "user-%u.slice", uid);
}

static int open_root(void)
{
    struct statfs fs;
    cleanup_close int fd = folder_open(ROOT);
    if (fd < 0)
        return fd;
    return fstatfs(fd, &fs) < 0                              ? -errno
           : (unsigned long)fs.f_type == CGROUP2_SUPER_MAGIC ? take_fd(&fd)
                                                             : -ENOTSUP;
}

static int open_tree(uid_t uid)
{
    char name[NAME_SIZE];
    name_of(uid, name);
    cleanup_close int root = open_root();
    if (root < 0)
        return root;
    cleanup_close int slice = folder_open_in(root, SLICE, 1);
    return slice < 0 ? slice : folder_open_in(slice, name, 1);
}

int cgroup_is_ours(void)
{
    cleanup_close int root = open_root();
    return root >= 0 && access("/run/systemd/system", F_OK) < 0;
}

/* ---- making the subtree ---- */

/* All controllers that @p dir has are handed to its children. Each by itself: one that cannot be
 * had (a container's root holds processes, real-time threads hold cpu) costs no other. */
static void enable_controllers(int dir, const char *path, struct notes *notes)
{
    char words[WORDS_MAX], change[WORDS_MAX], refused[WORDS_MAX] = "";
    size_t used = 0;
    if (file_read_into(dir, "cgroup.controllers", words, sizeof words, NULL) < 0)
        return;
    words[strcspn(words, "\n")] = '\0';
    for (struct cursor c = cursor_of(words); !cursor_done(&c); (void)cursor_char(&c, ' ')) {
        const char *word;
        size_t len;
        cursor_until(&c, ' ', &word, &len);
        if (len > 0 && str_format(change, sizeof change, "+%.*s", (int)len, word) > 0 &&
            file_poke(dir, "cgroup.subtree_control", change, NULL) < 0) {
            int n = str_format(refused + used, sizeof refused - used, " %s", change + 1);
            used += n > 0 ? (size_t)n : 0;
        }
    }
    if (used > 0)
        notes_add(notes, LOG_DEBUG, "%s does not hand on the controllers%s", path, refused);
}

static int give_away(int dir, const struct subject *subject, struct err *err)
{
    for (size_t i = 0; i < N_DELEGATED; i++)
        if (fchownat(dir, delegated[i], subject->uid, subject->gid, AT_SYMLINK_NOFOLLOW) < 0)
            return err_sys(err, errno, "cannot delegate %s", delegated[i]);
    if (fchown(dir, subject->uid, subject->gid) < 0)
        return err_sys(err, errno, "cannot delegate a cgroup");
    return 0;
}

static int make_group(int parent, const char *name, const char *path, struct err *err)
{
    if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
        return err_sys(err, errno, "cannot make the cgroup %s", path);
    int fd = folder_open_in(parent, name, 1);
    return fd < 0 ? err_sys(err, -fd, "cannot open the cgroup %s", path) : fd;
}

int cgroup_make(const struct subject *subject, struct notes *notes, struct err *err)
{
    char name[NAME_SIZE], path[sizeof ROOT "/" SLICE "/" + NAME_SIZE];
    name_of(subject->uid, name);
    (void)str_format(path, sizeof path, ROOT "/" SLICE "/%s", name);
    cleanup_close int root = open_root();
    if (root < 0)
        return err_sys(err, -root, "cannot open " ROOT);
    cleanup_close int slice = make_group(root, SLICE, ROOT "/" SLICE, err);
    if (slice < 0)
        return slice;
    enable_controllers(root, ROOT, notes);
    enable_controllers(slice, ROOT "/" SLICE, notes);
    cleanup_close int tree = make_group(slice, name, path, err);
    if (tree < 0)
        return tree;
    enable_controllers(tree, path, notes);
    return give_away(tree, subject, err);
}

/* ---- processes ---- */

/* The path of a process's group, with the slash in front. */
static int read_path(pid_t pid, char *ret, size_t size, struct err *err)
{
    char file[64], text[2 * PATH_MAX];
    (void)str_format(file, sizeof file, "/proc/%d/cgroup", pid);
    int r = file_read_into(AT_FDCWD, file, text, sizeof text, err);
    if (r < 0)
        return r;
    for (struct cursor c = cursor_of(text), line; cursor_line(&c, &line);) {
        static const char prefix[] = "0::";
        size_t len = (size_t)(line.end - line.p), skip = sizeof prefix - 1;
        if (len >= skip && memcmp(line.p, prefix, skip) == 0)
            return str_format(ret, size, "%.*s", (int)(len - skip), line.p + skip) < 0
                       ? err_set(err, ENAMETOOLONG, "the path of a cgroup is too long")
                       : 0;
    }
    return err_set(err, ENOENT, "process %d is in no cgroup of version 2", pid);
}

static bool is_in_tree(uid_t uid, const char *path)
{
    char tree[sizeof "/" SLICE "/" + NAME_SIZE];
    (void)str_format(tree, sizeof tree, "/" SLICE "/user-%u.slice", uid);
    const char *rest = str_after(path, tree);
    return rest && (*rest == '/' || *rest == '\0');
}

static int move(int dir, pid_t pid, struct err *err)
{
    char text[16];
    (void)str_format(text, sizeof text, "%d", pid);
    return file_poke(dir, "cgroup.procs", text, err);
}

/* A group that root has just made. The user may remove it and make one of that name himself, which
 * would be his. */
static int make_fresh(int tree, const char *name, struct err *err)
{
    struct stat st;
    (void)unlinkat(tree, name, AT_REMOVEDIR);
    if (mkdirat(tree, name, 0755) < 0)
        return err_sys(err, errno, "cannot make the cgroup %s", name);
    cleanup_close int fd = folder_open_in(tree, name, 1);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, fd < 0 ? -fd : errno, "cannot open the cgroup %s", name);
    if (st.st_uid != 0)
        return err_set(err, EPERM, "the cgroup %s was replaced by its user: not entered", name);
    return take_fd(&fd);
}

int cgroup_enter(const struct subject *subject, const char *name, pid_t pid, struct err *err)
{
    cleanup_close int tree = open_tree(subject->uid);
    if (tree < 0)
        return err_sys(err, -tree, "cannot open the cgroup of %s", subject->name);
    cleanup_close int group = make_fresh(tree, name, err);
    if (group < 0)
        return group;
    int r = move(group, pid, err);
    return r < 0 ? r : give_away(group, subject, err);
}

int cgroup_outside(uid_t uid, pid_t pid, char ret[PATH_MAX])
{
    int r = read_path(pid, ret, PATH_MAX, NULL);
    return r < 0 ? r : !is_in_tree(uid, ret);
}

void cgroup_leave(uid_t uid, pid_t pid, const char *origin)
{
    char now[PATH_MAX];
    if (read_path(pid, now, sizeof now, NULL) < 0 || !is_in_tree(uid, now))
        return;
    cleanup_close int root = open_root();
    cleanup_close int group =
        root < 0 || !origin[0] || !origin[1] ? -EBADF : folder_open_in(root, origin + 1, 1);
    /* the group may be gone by now */
    if (root >= 0 && (group < 0 || move(group, pid, NULL) < 0))
        (void)move(root, pid, NULL);
}

/* ---- removing ---- */

static DIR *list(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (!entries)
        (void)fd_close(fd);
    return entries;
}

void cgroup_sweep(uid_t uid)
{
    cleanup_close int tree = open_tree(uid);
    DIR *entries = tree < 0 ? NULL : list(tree);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (str_after(entry->d_name, SESSION_PREFIX))
            (void)unlinkat(tree, entry->d_name, AT_REMOVEDIR);
    if (entries)
        (void)closedir(entries);
}

/* Everything below @p dir that holds no process. Files of a cgroup go with it. */
static void remove_below(int dir, unsigned depth, int64_t deadline) /* NOLINT(misc-no-recursion) */
{
    DIR *entries = depth < DEPTH_MAX ? list(dir) : NULL;
    for (struct dirent *entry; entries && (entry = readdir(entries)) && clock_ms() < deadline;) {
        if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
            strcmp(entry->d_name, "..") == 0 || unlinkat(dir, entry->d_name, AT_REMOVEDIR) == 0)
            continue;
        cleanup_close int child = folder_open_in(dir, entry->d_name, 1);
        if (child < 0)
            continue;
        remove_below(child, depth + 1, deadline);
        (void)unlinkat(dir, entry->d_name, AT_REMOVEDIR);
    }
    if (entries)
        (void)closedir(entries);
}

int cgroup_remove(uid_t uid, int64_t deadline)
{
    char name[NAME_SIZE];
    name_of(uid, name);
    cleanup_close int tree = open_tree(uid);
    if (tree == -ENOENT)
        return 0;
    if (tree < 0)
        return tree;
    remove_below(tree, 0, deadline);
    cleanup_close int slice = folder_open(ROOT "/" SLICE);
    if (slice < 0 || unlinkat(slice, name, AT_REMOVEDIR) < 0)
        return slice < 0 ? slice : -errno;
    return 0;
}
