#include "rootless-setup/launch/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"

bool prepare_selinux(void)
{
    struct statfs fs;
    return statfs("/sys/fs/selinux", &fs) == 0 && fs.f_type == SELINUX_MAGIC;
}

int prepare_selinux_variable(const struct engine *engine, char *buf, size_t size)
{
    static const char tail[] = "_ROOTLESSKIT";
    size_t len = strlen(engine->variables);
    if (len > strlen(tail) && str_equal(engine->variables + len - strlen(tail), tail))
        len -= strlen(tail);
    return str_format(buf, size, "_%.*s_SELINUX", (int)len, engine->variables);
}

static bool is_link(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

/* A link of the copy leads to an entry of the machine's, which is root's: without it the engine
 * makes its own. What is no link is the engine's already, or belongs to no copy. */
static int remove_links(const char *const *links, struct err *err)
{
    for (size_t i = 0; links[i]; i++)
        if (is_link(links[i]) && unlink(links[i]) < 0)
            return err_sys(err, errno, "cannot remove the link %s from the copy of its directory",
                           links[i]);
    return 0;
}

/* Certificates are read through links that leave /etc/ssl and come back (rootlesskit issue 225). */
static int bind_certificates(struct err *err)
{
    static const char ssl[] = "/etc/ssl";
    struct statfs fs;
    if (statfs("/etc", &fs) < 0 || fs.f_type != TMPFS_MAGIC || !is_link(ssl))
        return 0;
    cleanup_free char *real = realpath(ssl, NULL);
    if (!real)
        return 0; /* it leads nowhere on the host either */
    if (unlink(ssl) < 0 || mkdir(ssl, 0755) < 0 ||
        mount(real, ssl, NULL, MS_BIND | MS_REC, NULL) < 0)
        return err_sys(err, errno, "cannot put %s in the place of %s", real, ssl);
    return 0;
}

/* With what is missing above it. @return 0 or -errno */
static int make_dirs(const char *path, mode_t mode)
{
    char part[PATH_MAX];
    if (str_copy(part, sizeof part, path) < 0)
        return -ENAMETOOLONG;
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, mode) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(part, mode) < 0 && errno != EEXIST ? -errno : 0;
}

static int bind_one(const struct launch_bind *bind, const struct engine_dirs *dirs, struct err *err)
{
    char from[PATH_MAX];
    int r = engine_path(dirs, &bind->from, from, sizeof from);
    if (r < 0)
        return err_sys(err, -r, "there is no directory for %s", bind->to);
    r = make_dirs(from, 0700);
    if (r < 0)
        return err_sys(err, -r, "cannot make %s", from);
    r = make_dirs(bind->to, 0755);
    if (r >= 0 && mount(from, bind->to, NULL, MS_BIND, NULL) < 0)
        r = -errno;
    return r < 0 ? err_sys(err, -r, "cannot put %s in the place of %s", from, bind->to) : 0;
}

static int bind_all(const struct launch_profile *profile, const struct engine_dirs *dirs,
                    struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < LAUNCH_BINDS_MAX && profile->binds[i].to && r >= 0; i++)
        r = bind_one(&profile->binds[i], dirs, err);
    return r;
}

/* iptables of a confined domain may write its lock into a /run of this type only (moby issue
 * 41230).
 */
static void relabel_run(const struct engine *engine)
{
    static const char label[] = "system_u:object_r:iptables_var_run_t:s0";
    char name[128];
    if (prepare_selinux_variable(engine, name, sizeof name) < 0 || !getenv(name))
        return;
    if (lsetxattr("/run", "security.selinux", label, sizeof label, 0) < 0)
        cli_warning("cannot label /run as %s for iptables: %s", label, strerror(errno));
}

static int switch_on_forwarding(struct err *err)
{
    int r = file_poke(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", "1", err);
    /* Without IPv6 in the kernel there is nothing to forward. */
    (void)file_poke(AT_FDCWD, "/proc/sys/net/ipv6/conf/all/forwarding", "1", NULL);
    return r;
}

/* In the detached network, by a process that ends: there is no way back. */
static int forward_there(int netns_fd, struct err *err)
{
    pid_t pid = fork();
    if (pid == 0) {
        int r = setns(netns_fd, CLONE_NEWNET) < 0 ? -errno : switch_on_forwarding(NULL);
        _exit(r < 0 ? -r : 0);
    }
    int status = pid < 0 ? -errno : proc_wait(pid);
    if (status == 0)
        return 0;
    return err_sys(err, status > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EINTR,
                   "in the detached network");
}

static void forward(void)
{
    char path[PATH_MAX];
    const char *state = getenv("ROOTLESSKIT_STATE_DIR");
    struct err err = {0};
    if (str_format(path, sizeof path, "%s/netns", state ? state : "") < 0)
        return;
    cleanup_close int netns_fd = open(path, O_RDONLY | O_CLOEXEC);
    if ((netns_fd >= 0 ? forward_there(netns_fd, &err) : switch_on_forwarding(&err)) < 0)
        cli_warning("IP forwarding cannot be switched on, so containers reach no network: %s",
                    err.msg);
}

int prepare_engine(const struct engine *engine, const struct launch_profile *profile,
                   const struct engine_dirs *dirs, struct err *err)
{
    int r = remove_links(profile->links, err);
    if (r >= 0)
        r = bind_certificates(err);
    if (r >= 0)
        r = bind_all(profile, dirs, err);
    if (r < 0)
        return r;
    relabel_run(engine);
    if (profile->forwarding)
        forward();
    return 0;
}
