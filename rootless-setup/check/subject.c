#include "rootless-setup/check/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/keyring.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "rootless-setup/check/files.h"

static const struct passwd *look_up(const char *name)
{
    if (!name)
        return getpwuid(geteuid());
    const struct passwd *entry = getpwnam(name);
    uint32_t uid;
    if (!entry && parse_u32("uid", name, 0, UINT32_MAX - 1, &uid, NULL) == 0)
        entry = getpwuid(uid);
    return entry;
}

/* root asking for somebody has not that user's environment; his own value counts when the
 * directory is that user's, as in `su`. */
static void find_runtime_dir(struct check_subject *subject)
{
    const char *set = getenv("XDG_RUNTIME_DIR");
    struct stat st;
    if (!subject->switch_user ||
        (set && stat(set, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == subject->uid)) {
        (void)str_copy(subject->runtime_dir, sizeof subject->runtime_dir, set ? set : "");
        return;
    }
    (void)str_format(subject->runtime_dir, sizeof subject->runtime_dir, "/run/user/%u",
                     subject->uid);
    subject->runtime_guessed = true;
}

const char *subject_default(const char *name)
{
    const char *sudo = !name && geteuid() == 0 ? getenv("SUDO_USER") : NULL;
    return sudo && !str_equal(sudo, "root") ? sudo : name;
}

/* An absolute path in the environment, which root's clean_environment() took away, counts. */
static int below(const struct check_subject *subject, const char *variable, const char *usual,
                 const char *rest, char *ret, size_t size)
{
    const char *set = subject->in_image ? NULL : getenv(variable);
    const char *slash = rest[0] ? "/" : "";
    if (set && set[0] == '/')
        return str_format(ret, size, "%s%s%s", set, slash, rest);
    return str_format(ret, size, "%s/%s%s%s", subject->home, usual, slash, rest);
}

int subject_config_path(const struct check_subject *subject, const char *rest, char *ret,
                        size_t size)
{
    return below(subject, "XDG_CONFIG_HOME", ".config", rest, ret, size);
}

int subject_data_path(const struct check_subject *subject, const char *rest, char *ret, size_t size)
{
    return below(subject, "XDG_DATA_HOME", ".local/share", rest, ret, size);
}

static int copy_account(const struct passwd *entry, const char *home, struct check_subject *ret,
                        struct err *err)
{
    if (str_copy(ret->name, sizeof ret->name, entry->pw_name) < 0 ||
        str_copy(ret->home, sizeof ret->home, home ? home : entry->pw_dir) < 0 ||
        str_copy(ret->shell, sizeof ret->shell, entry->pw_shell) < 0)
        return err_set(err, ENAMETOOLONG, "the account of user %s has a field that is too long",
                       entry->pw_name);
    return 0;
}

/* Not by NSS, which would load code of that system. */
int subject_find_in(const struct check_files *files, const char *name, struct check_subject *ret,
                    struct err *err)
{
    if (!name)
        return err_set(err, EINVAL, "--root needs a user of that system: --user USER");
    int fd = files_open(files, "/etc/passwd", O_RDONLY | O_NONBLOCK);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (!file) {
        fd_close(fd);
        return err_sys(err, fd < 0 ? -fd : errno, "cannot open %s/etc/passwd", files->root);
    }
    uint32_t uid = 0;
    bool is_uid = parse_u32("uid", name, 0, UINT32_MAX - 1, &uid, NULL) == 0;
    const struct passwd *entry;
    while ((entry = fgetpwent(file)))
        if (str_equal(entry->pw_name, name) || (is_uid && entry->pw_uid == uid))
            break;
    int r;
    if (!entry) {
        r = err_set(err, ENOENT, "no user \"%s\" in %s/etc/passwd", name, files->root);
    } else if (entry->pw_uid == 0) {
        r = err_set(err, EINVAL, "user %s is root: rootless engines need an ordinary user", name);
    } else {
        *ret = (struct check_subject){
            .uid = entry->pw_uid, .gid = entry->pw_gid, .runtime_guessed = true, .in_image = true};
        r = copy_account(entry, NULL, ret, err);
    }
    (void)fclose(file);
    return r;
}

int subject_find(const char *name, struct check_subject *ret, struct err *err)
{
    if (!name && geteuid() == 0)
        return err_set(err, ENXIO,
                       "rootless engines run as an ordinary user: name one with --user USER");
    const struct passwd *entry = look_up(name);
    if (!entry && name)
        return err_set(err, ENOENT, "no user \"%s\" on this system", name);
    if (!entry)
        return err_set(err, ENOENT, "uid %u has no entry in the user database", geteuid());
    if (entry->pw_uid == 0)
        return err_set(err, EINVAL, "user %s is root: rootless engines need an ordinary user",
                       entry->pw_name);
    if (geteuid() != 0 && entry->pw_uid != geteuid())
        return err_set(err, EPERM,
                       "only root may name another user: put sudo before it (--user %s)",
                       entry->pw_name);
    *ret = (struct check_subject){
        .uid = entry->pw_uid,
        .gid = geteuid() == 0 ? entry->pw_gid : getegid(),
        .switch_user = geteuid() == 0,
    };
    const char *home = ret->switch_user ? NULL : getenv("HOME");
    int r = copy_account(entry, home, ret, err);
    if (r < 0)
        return r;
    /* Once, not in every probe's process: it may ask a directory service. */
    ret->n_groups = SUBJECT_GROUPS_MAX;
    if (ret->switch_user && getgrouplist(ret->name, ret->gid, ret->groups, &ret->n_groups) < 0)
        ret->n_groups = SUBJECT_GROUPS_MAX;
    find_runtime_dir(ret);
    return 0;
}

extern char **environ;

/* clearenv(3) only forgets where it is; the user may read the memory of a process of his, for one
 * in /proc/PID/environ. */
static void wipe_environment(void)
{
    for (char **entry = environ; entry && *entry; entry++)
        explicit_bzero(*entry, strlen(*entry));
    (void)clearenv();
}

/* On a terminal that controls them, the user's programs could type what root's shell then reads
 * (TIOCSTI, ioctl_tty(2)). It stays open, and Ctrl-C still ends us: the process group is the same.
 */
static void leave_terminal(void)
{
    cleanup_close int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        (void)ioctl(fd, TIOCNOTTY);
}

static void clean_environment(const struct check_subject *subject)
{
    char path[4096];
    const char *caller_path = getenv("PATH");
    if (!caller_path || str_copy(path, sizeof path, caller_path) < 0)
        (void)str_copy(path, sizeof path, "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    wipe_environment();
    (void)setenv("PATH", path, 1);
    (void)setenv("HOME", subject->home, 1);
    (void)setenv("USER", subject->name, 1);
    (void)setenv("LOGNAME", subject->name, 1);
    (void)setenv("SHELL", subject->shell, 1);
    (void)setenv("XDG_RUNTIME_DIR", subject->runtime_dir, 1);
}

int subject_become(const struct check_subject *subject, struct err *err)
{
    if (!subject->switch_user)
        return 0; /* also for one of an image, whose uid is somebody else's here */
    leave_terminal();
    keyring_leave();
    if (setgroups((size_t)subject->n_groups, subject->groups) < 0 ||
        setresgid(subject->gid, subject->gid, subject->gid) < 0 ||
        setresuid(subject->uid, subject->uid, subject->uid) < 0)
        return err_sys(err, errno, "cannot become user %s", subject->name);
    keyring_link_user();
    /* A process that changed its uid owns its /proc files no longer, and could map no namespace. */
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return err_sys(err, errno, "cannot make the process dumpable");
    clean_environment(subject);
    return 0;
}
