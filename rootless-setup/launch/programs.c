#include "rootless-setup/launch/programs.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

int programs_self(char *ret, size_t size, struct err *err)
{
    ssize_t n = readlink("/proc/self/exe", ret, size - 1);
    if (n < 0)
        return err_sys(err, errno, "cannot find out where this program is (is /proc mounted?)");
    ret[n] = '\0';
    return 0;
}

/* The folder of a path, without a slash at its end. */
static int folder_of(const char *path, char *ret, size_t size)
{
    const char *slash = strrchr(path, '/');
    return str_format(ret, size, "%.*s", slash ? (int)(slash - path) : 0, path);
}

static bool path_has(const char *path, const char *dir)
{
    struct cursor c = cursor_of(path);
    do {
        const char *part;
        size_t len;
        cursor_until(&c, ':', &part, &len);
        if (len == strlen(dir) && strncmp(part, dir, len) == 0)
            return true;
    } while (cursor_char(&c, ':'));
    return false;
}

/* @return 1 when @p path is longer now, 0 when it had the folder, -ENOMEM */
static int extend(char **path, const char *dir, bool in_front)
{
    char *longer = NULL;
    if (path_has(*path, dir))
        return 0;
    if (asprintf(&longer, "%s:%s", in_front ? dir : *path, in_front ? *path : dir) < 0)
        return -ENOMEM;
    free(*path);
    *path = longer;
    return 1;
}

int programs_extend_path(const char *self, struct err *err)
{
    char dir[PATH_MAX];
    const char *set = getenv("PATH");
    cleanup_free char *path = strdup(set && set[0] ? set : "/usr/local/bin:/usr/bin:/bin");
    const struct {
        const char *dir;
        bool in_front;
    } wanted[] = {{dir, true}, {"/usr/sbin", false}, {"/sbin", false}};
    int r = path ? folder_of(self, dir, sizeof dir) : -ENOMEM;
    bool changed = !set || !set[0];
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0] && r >= 0; i++) {
        r = extend(&path, wanted[i].dir, wanted[i].in_front);
        changed |= r > 0;
    }
    if (r < 0 || setenv("PATH", path, 1) < 0)
        return err_sys(err, r < 0 ? -r : errno, "cannot set PATH");
    return changed;
}

/* @return 0 or -ENAMETOOLONG */
static int first_word(const char *words, char *ret, size_t size)
{
    static const char blanks[] = " \t\n";
    words += strspn(words, blanks);
    return str_format(ret, size, "%.*s", (int)strcspn(words, blanks), words) < 0 ? -ENAMETOOLONG
                                                                                 : 0;
}

int programs_check(const char *words, const char *what, const char *advice, struct err *err)
{
    char name[PATH_MAX], path[PATH_MAX];
    if (first_word(words, name, sizeof name) < 0)
        return err_set(err, ENAMETOOLONG, "%s: the path is too long", what);
    int r = proc_find(name, path, sizeof path);
    if (r == 0)
        return 0;
    if (strchr(name, '/'))
        return err_sys(err, -r, "%s cannot be run: %s", what, name);
    return err_set(err, -r, "%s is missing: there is no %s in $PATH; %s", what, name, advice);
}

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Two programs of this name exist; the other one would say "unknown network mode". */
static int check_ours(const char *path, const char *net, struct err *err)
{
    static char text[32768]; /* --help */
    const char *const argv[] = {path, "--help", NULL};
    if (!str_equal(net, "auto") && !str_equal(net, "gateway"))
        return 0;
    if (proc_run(argv, text, sizeof text, err) < 0)
        return -EOPNOTSUPP;
    if (strstr(text, "--egress-allow"))
        return 0;
    return err_set(err, EOPNOTSUPP,
                   "%s is a rootlesskit without --net=%s: put the one of this suite beside "
                   "rootless-setup, or take --net=slirp4netns",
                   path, net);
}

/* Where ours was installed to. @return 0 or -ENOENT */
static int find_beside(const char *self, char *ret, size_t size)
{
    static const char *const places[] = {"rootlesskit", "../libexec/rootlesskit", NULL};
    char dir[PATH_MAX];
    for (int i = 0; folder_of(self, dir, sizeof dir) >= 0 && places[i]; i++)
        if (str_format(ret, size, "%s/%s", dir, places[i]) > 0 && is_program(ret))
            return 0;
    return str_copy(ret, size, ROOTLESS_LIBEXECDIR "/rootlesskit") == 0 && is_program(ret)
               ? 0
               : -ENOENT;
}

int programs_rootlesskit(const char *self, const char *net, struct line *line, struct err *err)
{
    const char *set = getenv("ROOTLESSKIT");
    char path[PATH_MAX];
    if (set && set[0]) {
        line_split(line, set);
        return programs_check(set, "rootlesskit, which ROOTLESSKIT names,", "mend it or unset it",
                              err);
    }
    if (find_beside(self, path, sizeof path) < 0) {
        if (proc_find("rootlesskit", path, sizeof path) < 0)
            return err_set(err, ENOENT,
                           "rootlesskit is neither beside this program, nor in "
                           "../libexec, " ROOTLESS_LIBEXECDIR
                           " or $PATH: install it, or name it in ROOTLESSKIT");
        int r = check_ours(path, net, err);
        if (r < 0)
            return r;
    }
    line_add(line, path);
    return 0;
}

#define WARM_UP_ARGS_MAX 8

int programs_warm_up(const char *words, const char *const *args, struct err *err)
{
    char name[PATH_MAX], how[64];
    const char *argv[WARM_UP_ARGS_MAX + 2] = {name};
    for (size_t i = 0; i < WARM_UP_ARGS_MAX && args[i]; i++)
        argv[i + 1] = args[i];
    if (first_word(words, name, sizeof name) < 0)
        return err_set(err, ENAMETOOLONG, "%s is too long a path", words);
    /* What it leaves running must not hold a pipe of ours, so its errors go where ours do. */
    const struct proc_spec spec = {.argv = argv};
    pid_t pid = proc_start(&spec, err);
    if (pid < 0)
        return pid;
    int status = proc_wait(pid);
    if (status == 0)
        return 0;
    return err_set(err, EIO, "`%s %s` failed: %s (rootless-setup check tries what it needs)", name,
                   args[0], proc_describe(status, how, sizeof how));
}

bool programs_version_reaches(const char *text, unsigned major, unsigned minor)
{
    static const char before[] = "version ";
    const char *found = strstr(text, before);
    uint64_t theirs[2];
    if (!found)
        return false;
    struct cursor c = cursor_of(found + strlen(before));
    (void)cursor_char(&c, 'v');
    if (!cursor_u64(&c, 10, UINT32_MAX, &theirs[0]) || !cursor_char(&c, '.') ||
        !cursor_u64(&c, 10, UINT32_MAX, &theirs[1]))
        return false;
    return theirs[0] > major || (theirs[0] == major && theirs[1] >= minor);
}

bool programs_detaching(const struct launch_detaching *detaching, const struct engine *engine,
                        const char *daemon)
{
    char name[PATH_MAX], path[PATH_MAX], text[512];
    if (!detaching->program)
        return false;
    bool is_daemon = str_equal(detaching->program, engine->daemon);
    if (first_word(is_daemon ? daemon : detaching->program, name, sizeof name) < 0 ||
        proc_find(name, path, sizeof path) < 0)
        return detaching->if_absent;
    const char *const argv[] = {path, "--version", NULL};
    return proc_run(argv, text, sizeof text, NULL) == 0 &&
           programs_version_reaches(text, detaching->major, detaching->minor);
}
