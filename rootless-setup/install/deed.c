#include "rootless-setup/install/deed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "rootless-setup/fix/place.h"
#include "rootless-setup/install/own.h"
#include "rootless-setup/install/words.h"

void deed_note(const struct deeds *deeds, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vfprintf(deeds->out, fmt, ap);
    va_end(ap);
    (void)fputc('\n', deeds->out);
}

/* The steps of programs that we run come between our lines. */
static void tell_end(struct deeds *deeds)
{
    (void)fputc('\n', deeds->out);
    (void)fflush(deeds->out);
    deeds->n++;
}

bool deed_tell(struct deeds *deeds, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vfprintf(deeds->out, fmt, ap);
    va_end(ap);
    tell_end(deeds);
    return !deeds->dry;
}

static void tell_file(struct deeds *deeds, const char *verb, const char *path, unsigned mode,
                      const char *text)
{
    (void)fprintf(deeds->out, "%s %s (mode %04o):", verb, path, mode);
    while (*text) {
        size_t len = strcspn(text, "\n");
        (void)fprintf(deeds->out, "\n  | %.*s", (int)len, text);
        text += len + (text[len] == '\n');
    }
    tell_end(deeds);
}

int deed_write(struct deeds *deeds, const char *path, unsigned mode, const char *text,
               bool replaces, const struct own_memory *memory, struct err *err)
{
    struct own_memory kept = *memory;
    int dirs = place_missing_dirs(deeds->place, path);
    if (dirs < 0)
        return err_sys(err, -dirs, "cannot look at the directory of %s", path);
    if (!replaces)
        kept.dirs = (unsigned)dirs;
    cleanup_free char *whole = own_sign(text, &kept);
    if (!whole)
        return err_sys(err, ENOMEM, "cannot write %s", path);
    tell_file(deeds, replaces ? "replace" : "write", path, mode, whole);
    struct place_file file = {
        .data = whole,
        .len = strlen(whole),
        .mode = mode,
        .uid = geteuid(),
        .gid = getegid(),
    };
    return deeds->dry ? 0 : place_write(deeds->place, path, &file, err);
}

int deed_remove(struct deeds *deeds, const char *path, unsigned dirs, struct err *err)
{
    return deed_tell(deeds, "remove %s", path) ? place_remove(deeds->place, path, dirs, err) : 0;
}

int deed_rename(struct deeds *deeds, const char *from, const char *to, struct err *err)
{
    if (deed_tell(deeds, "rename %s to %s", from, to) &&
        renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
        return err_sys(err, errno, "cannot rename %s to %s", from, to);
    return 0;
}

int deed_link(struct deeds *deeds, const char *path, const char *target, struct err *err)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (!deed_tell(deeds, "link %s to %s", path, target))
        return 0;
    if (str_format(dir, sizeof dir, "%.*s", (int)(slash - path), path) < 0)
        return err_sys(err, ENAMETOOLONG, "cannot make %s", path);
    cleanup_close int fd = place_open_dir(deeds->place, dir, true, err);
    if (fd < 0)
        return fd;
    if (symlinkat(target, fd, slash + 1) < 0 && errno != EEXIST)
        return err_sys(err, errno, "cannot make the link %s", path);
    return 0;
}

static void first_line(char *text)
{
    text[strcspn(text, "\n")] = '\0';
}

int deed_ask(const char *const *argv, char *ret, size_t size, struct err *err)
{
    char how[64];
    int status = proc_run(argv, ret, size, err);
    if (status < 0)
        return status;
    if (status == 0)
        return 0;
    first_line(ret);
    return err_set(err, EIO, "%s%s%s: %s%s%s", argv[0], argv[1] ? " " : "", argv[1] ? argv[1] : "",
                   proc_describe(status, how, sizeof how), ret[0] ? ": " : "", ret);
}

int deed_run(struct deeds *deeds, const char *const *argv, struct err *err)
{
    char said[1024] = "";
    (void)fprintf(deeds->out, "run:");
    for (size_t i = 0; argv[i]; i++) {
        (void)fputc(' ', deeds->out);
        words_shell(deeds->out, argv[i]);
    }
    tell_end(deeds);
    return deeds->dry ? 0 : deed_ask(argv, said, sizeof said, err);
}
