#include "rootless-setup/fix/host.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

#define BUILTIN_MAX (4 << 20)

/* A key may come from the record, so it is looked at before it becomes a path. */
static int sysctl_path(const char *key, char *ret, size_t size, struct err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_.";
    if (key[strspn(key, allowed)] != '\0' || strstr(key, "..") ||
        str_format(ret, size, "/proc/sys/%s", key) < 0)
        return err_set(err, EINVAL, "\"%s\" is no sysctl that fix changes", key);
    for (char *c = ret + strlen("/proc/sys/"); *c; c++)
        if (*c == '.')
            *c = '/';
    return 0;
}

static void one_blank(char *text)
{
    size_t n = 0;
    for (const char *c = text; *c; c++) {
        if (*c > ' ')
            text[n++] = *c;
        else if (n > 0 && text[n - 1] != ' ')
            text[n++] = ' ';
    }
    if (n > 0 && text[n - 1] == ' ')
        n--;
    text[n] = '\0';
}

int host_sysctl(const char *key, char *ret, size_t size, struct err *err)
{
    char path[256];
    ret[0] = '\0';
    int r = sysctl_path(key, path, sizeof path, err);
    if (r == 0)
        r = file_read_into(AT_FDCWD, path, ret, size, err);
    if (r >= 0)
        one_blank(ret);
    return r < 0 ? r : 0;
}

int host_set_sysctl(const char *key, const char *value, struct err *err)
{
    char path[256], now[RECORD_VALUE_MAX];
    int r = sysctl_path(key, path, sizeof path, err);
    if (r == 0)
        r = file_poke(AT_FDCWD, path, value, err);
    if (r == 0)
        r = host_sysctl(key, now, sizeof now, err);
    if (r == 0 && !str_equal(now, value))
        return err_set(err, EIO, "%s was set to %s but is %s", key, value, now);
    return r;
}

/* The kernel names modules with "_" where files have either. */
static bool loaded(const char *name)
{
    char path[256];
    if (str_format(path, sizeof path, "/sys/module/%s", name) < 0)
        return false;
    for (char *c = path; *c; c++)
        if (*c == '-')
            *c = '_';
    return access(path, F_OK) == 0;
}

static bool built_in(const char *name)
{
    struct utsname kernel;
    char path[256], file[128];
    cleanup_free char *list = NULL;
    if (uname(&kernel) < 0 ||
        str_format(path, sizeof path, "/lib/modules/%s/modules.builtin", kernel.release) < 0 ||
        str_format(file, sizeof file, "/%s.ko\n", name) < 0 ||
        file_read(AT_FDCWD, path, BUILTIN_MAX, &list, NULL, NULL) < 0)
        return false;
    return strstr(list, file) != NULL;
}

/* Not every kernel comes with a list of what is built in, but drivers show up by their own names.
 */
static bool registered(const char *name)
{
    static const char *const lists[] = {"/proc/filesystems", "/proc/misc"};
    char text[8192], tab[80], blank[80];
    if (str_format(tab, sizeof tab, "\t%s\n", name) < 0 ||
        str_format(blank, sizeof blank, " %s\n", name) < 0)
        return false;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (file_read_into(AT_FDCWD, lists[i], text, sizeof text, NULL) >= 0 &&
            (strstr(text, tab) || strstr(text, blank)))
            return true;
    return false;
}

bool host_has_module(const char *name)
{
    return loaded(name) || registered(name) || built_in(name);
}

/* Runs a tool to its end; what it said is in the message when it failed. */
static int run_tool(const char *const *argv, struct err *err)
{
    char said[512] = "", how[64];
    int status = proc_run(argv, said, sizeof said, err);
    if (status < 0)
        return status;
    if (status == 0)
        return 0;
    said[strcspn(said, "\n")] = '\0';
    return err_set(err, EIO, "%s%s%s: %s%s%s", argv[0], argv[1] ? " " : "", argv[1] ? argv[1] : "",
                   proc_describe(status, how, sizeof how), said[0] ? ": " : "", said);
}

int host_load_module(const char *name, struct err *err)
{
    const char *const argv[] = {"modprobe", name, NULL};
    return run_tool(argv, err);
}

int host_unload_module(const char *name, struct err *err)
{
    const char *const argv[] = {"modprobe", "-r", name, NULL};
    return loaded(name) ? run_tool(argv, err) : 0;
}

int host_mode(const char *path, char *ret, size_t size, struct err *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_sys(err, errno, "cannot look at %s", path);
    if (!S_ISCHR(st.st_mode))
        return err_set(err, ENOTTY, "%s is no device node", path);
    return str_format(ret, size, "%04o", st.st_mode & 07777) < 0 ? -ENAMETOOLONG : 0;
}

int host_set_mode(const char *path, const char *mode, struct err *err)
{
    struct cursor c = cursor_of(mode);
    uint64_t bits;
    if (!cursor_u64(&c, 8, 07777, &bits) || !cursor_done(&c))
        return err_set(err, EINVAL, "\"%s\" is no mode", mode);
    return chmod(path, (mode_t)bits) < 0 ? err_sys(err, errno, "cannot set the mode of %s", path)
                                         : 0;
}

int host_reload(enum change_reload reload, const char *path, bool gone, struct err *err)
{
    const char *user = strrchr(path, '/') + 1;
    const char *const systemd[] = {"systemctl", "daemon-reload", NULL};
    const char *const udev[] = {"udevadm", "control", "--reload", NULL};
    const char *const linger[] = {"loginctl", gone ? "disable-linger" : "enable-linger", user,
                                  NULL};
    const char *const apparmor[] = {"apparmor_parser", gone ? "-R" : "-r", path, NULL};
    switch (reload) {
    case RELOAD_SYSTEMD:
        return run_tool(systemd, err);
    case RELOAD_UDEV:
        return run_tool(udev, err);
    case RELOAD_LINGER:
        return run_tool(linger, err);
    case RELOAD_APPARMOR:
        return run_tool(apparmor, err);
    case RELOAD_NONE:
    case RELOADS:
    default:
        return 0;
    }
}
