/* The cleaner of temporary directories: sockets and locks of an engine that runs for weeks are old
 * files for it, where they lie below /tmp. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/str.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/tmpfiles.h"
#include "rootless-setup/engine/engine.h"

#define CONFIG_MAX (1 << 20)
#define FILES_MAX 1024

/* A file of an earlier one stands for those of its name in later ones. */
static const char *const places[] = {"/etc/tmpfiles.d", "/run/tmpfiles.d",
                                     "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d"};
#define N_PLACES (sizeof places / sizeof places[0])

struct file {
    char name[NAME_MAX + 1];
    size_t place;
};

struct list {
    struct file files[FILES_MAX];
    size_t n;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static bool listed(const struct list *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_equal(list->files[i].name, name))
            return true;
    return false;
}

static void add_place(struct list *list, size_t place)
{
    DIR *dir = opendir(places[place]);
    const struct dirent *entry;
    while (dir && list->n < FILES_MAX && (entry = readdir(dir))) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || !str_equal(dot, ".conf") || listed(list, entry->d_name))
            continue;
        struct file *file = &list->files[list->n++];
        (void)str_copy(file->name, sizeof file->name, entry->d_name);
        file->place = place;
    }
    if (dir)
        (void)closedir(dir);
}

/* @param ret  the file whose line counts */
static void ask(const struct check_context *context, struct tmpfiles *tmpfiles, char *ret,
                size_t size)
{
    static struct list list;
    list.n = 0;
    for (size_t i = 0; i < N_PLACES; i++)
        add_place(&list, i);
    qsort(list.files, list.n, sizeof list.files[0], by_name);
    for (size_t i = 0; i < list.n; i++) {
        char path[NAME_MAX + 64];
        cleanup_free char *text = NULL;
        (void)snprintf(path, sizeof path, "%s/%s", places[list.files[i].place], list.files[i].name);
        if (files_read(&context->files, path, CONFIG_MAX, &text) == 0 &&
            tmpfiles_read(tmpfiles, text))
            (void)str_copy(ret, size, path);
    }
}

/* It does not go into what is mounted below the directory that it cleans. */
static bool same_mount(const struct tmpfiles *tmpfiles)
{
    char above[PATH_MAX];
    struct stat its, own;
    return str_format(above, sizeof above, "%.*s", (int)tmpfiles->len, tmpfiles->dir) < 0 ||
           stat(above, &its) < 0 || stat(tmpfiles->dir, &own) < 0 || its.st_dev == own.st_dev;
}

static void remedy(const struct check_subject *subject, const char *dir,
                   struct check_result *result)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:";
    if (dir[strspn(dir, plain)] == '\0')
        check_remedy(result, REMEDY_ROOT,
                     "mkdir -p /etc/tmpfiles.d\n"
                     "echo 'x %s' > /etc/tmpfiles.d/rootless-%u.conf",
                     dir, subject->uid);
    check_remedy(result, REMEDY_NOTE,
                 "or have it elsewhere: /run/user/%u, which a login makes, is not cleaned",
                 subject->uid);
}

/* @return false when nothing happens to it, or it is not there */
static bool look_at(const struct check_context *context, const char *what, const char *dir,
                    struct check_result *result)
{
    char real[PATH_MAX], file[PATH_MAX] = "";
    if (!realpath(dir, real))
        return false;
    struct tmpfiles tmpfiles = {.dir = real};
    ask(context, &tmpfiles, file, sizeof file);
    if (!tmpfiles.cleaned || !same_mount(&tmpfiles))
        return false;
    check_say(result, CHECK_WARNING, "%s is %s, and files in %.*s are removed after %s", what, real,
              (int)tmpfiles.len, real, tmpfiles.age);
    check_cause(result,
                "systemd-tmpfiles cleans there (%s, line %u): sockets and locks of an engine that "
                "runs for longer go, and nothing reaches it any more",
                file, tmpfiles.line);
    remedy(&context->subject, real, result);
    return true;
}

void probe_cleaner(const struct check_context *context, struct check_result *result)
{
    if (!context->facts.systemd) {
        check_say(result, CHECK_OK, "no systemd runs here, which would clean");
        return;
    }
    if (look_at(context, "XDG_RUNTIME_DIR", context->subject.runtime_dir, result))
        return;
    /* Root's own environment tells nothing of the user's. */
    for (size_t i = 0; i < engines_count && !context->subject.switch_user; i++) {
        char variable[64];
        const char *state = NULL;
        if (engines[i].variables &&
            engine_variable(&engines[i], "STATE_DIR", variable, sizeof variable) > 0)
            state = getenv(variable);
        if (state && look_at(context, variable, state, result))
            return;
    }
    check_say(result, CHECK_OK, "nothing removes old files from where engines have their state");
}
