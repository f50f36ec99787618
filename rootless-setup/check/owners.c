/* Whose the files are that engines keep for the user: his, or of one of his subordinate ids. Others
 * were left by root's engine, or by ranges that he had before. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "rootless-setup/check/maps.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/quote.h"

/* A sample is enough: what was left is left in every layer. */
#define FILES_MAX 3000
#define DEPTH 5

struct walk {
    const struct check_subject *subject;
    struct subid_range uids[SUBID_RANGES_MAX];
    int n_uids;
    unsigned seen;
    bool found;
    char path[4096]; /* of the first that is not his */
    uid_t uid;
};

static bool in_ranges(const struct subid_range *ranges, int n, uint32_t id)
{
    for (int i = 0; i < n; i++)
        if (id >= ranges[i].start && id - ranges[i].start < ranges[i].count)
            return true;
    return false;
}

/* Groups are not looked at: any that the user is in may be that of his files. */
static bool is_his(const struct walk *walk, const struct stat *st)
{
    return st->st_uid == walk->subject->uid || in_ranges(walk->uids, walk->n_uids, st->st_uid);
}

static void look_at(struct walk *walk, const char *path, int dir_fd, const char *name, int depth)
{
    struct stat st;
    if (walk->found || walk->seen >= FILES_MAX ||
        fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    walk->seen++;
    if (!is_his(walk, &st)) {
        walk->found = str_copy(walk->path, sizeof walk->path, path) == 0;
        walk->uid = st.st_uid;
        return;
    }
    if (!S_ISDIR(st.st_mode) || depth == 0)
        return;
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        fd_close(fd);
        return; /* of a subordinate id, and closed to us */
    }
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        char inner[4096];
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            str_format(inner, sizeof inner, "%s/%s", path, entry->d_name) > 0)
            look_at(walk, inner, fd, entry->d_name, depth - 1);
    }
    (void)closedir(dir);
}

static void say_found(const struct check_context *context, const struct walk *walk, const char *dir,
                      struct check_result *result)
{
    char word[4200];
    check_say(result, CHECK_WARNING, "%s belongs to uid %u", walk->path, walk->uid);
    if (walk->uid == 0) {
        check_cause(result, "an engine of root's wrote into the user's storage (sudo with the "
                            "user's HOME); the user's own cannot change or remove that");
        check_remedy(result, REMEDY_ROOT, "chown -R %u:%u %s", context->subject.uid,
                     context->subject.gid, quote_word(walk->path, word, sizeof word));
    } else {
        check_cause(result,
                    "that is none of the user's subordinate ids: the images are from before "
                    "the ranges were changed, or from another user");
        check_remedy(result, REMEDY_NOTE,
                     "give the old range back (rootless-setup subid), or stop the engine and have "
                     "root remove %s; images are pulled again",
                     dir);
    }
}

void probe_storage(const struct check_context *context, struct check_result *result)
{
    static struct walk walk;
    unsigned places = 0;
    walk = (struct walk){.subject = &context->subject};
    walk.n_uids = maps_ranges(&context->subject, SUBID_UID, walk.uids);
    for (enum check_engine e = ENGINE_DOCKER; e < ENGINE_COUNT; e++) {
        char dir[4096];
        if (context->engine != ENGINE_ANY && e != context->engine)
            continue;
        (void)check_engine_data_dir(e, &context->subject, &context->files, dir, sizeof dir);
        if (access(dir, F_OK) < 0)
            continue;
        places++;
        walk.seen = 0;
        look_at(&walk, dir, AT_FDCWD, dir, DEPTH);
        if (walk.found) {
            say_found(context, &walk, dir, result);
            return;
        }
    }
    if (places == 0)
        check_say(result, CHECK_OK, "no engine keeps anything for %s yet", context->subject.name);
    else
        check_say(result, CHECK_OK, "what engines keep is %s's or of subordinate ids",
                  context->subject.name);
}
