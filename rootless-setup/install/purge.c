#include "rootless-setup/install/purge.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "rootless-setup/install/answer.h"
#include "rootless-setup/install/data.h"
#include "rootless-setup/install/kit.h"

/* A link may lead anywhere; to what holds the user's own files it is a mistake. */
static bool above_home(const char *dir, const char *home)
{
    char real[PATH_MAX];
    const char *rest = str_after(realpath(home, real) ? real : home, dir);
    return str_equal(dir, "/") || (rest && (rest[0] == '\0' || rest[0] == '/'));
}

/* One that is not there is left out. */
static int add(const struct setup *setup, const char *path, struct purge *purge, struct err *err)
{
    char real[PATH_MAX];
    struct stat st;
    if (!realpath(path, real) || lstat(path, &st) < 0)
        return 0;
    if (above_home(real, setup->dirs.path[ENGINE_HOME]))
        return err_set(err, EINVAL,
                       "%s leads to %s, which holds your own files: remove the data by hand", path,
                       real);
    size_t i = 0;
    while (i < purge->n && !str_equal(purge->dirs[i], real))
        i++;
    if (str_copy(purge->dirs[i], sizeof purge->dirs[0], real) < 0)
        return err_set(err, ENAMETOOLONG, "%s is too long a path", real);
    if (S_ISLNK(st.st_mode))
        (void)str_copy(purge->links[i], sizeof purge->links[0], path);
    purge->n += i == purge->n;
    return 0;
}

int purge_find(const struct setup *setup, struct purge *ret, struct err *err)
{
    char path[4200];
    int r = 0;
    *ret = (struct purge){0};
    if (data_configured(setup, path, sizeof path))
        r = add(setup, path, ret, err);
    if (ret->n > 0)
        ret->configured = ret->dirs[0];
    for (size_t i = 0; r == 0 && i < ENGINE_DATA_DIRS_MAX; i++)
        if (engine_path(&setup->dirs, &setup->engine->data[i], path, sizeof path) >= 0)
            r = add(setup, path, ret, err);
    return r;
}

int purge_check(const struct setup *setup, const struct purge *purge, struct err *err)
{
    return purge->configured ? data_is_own(setup, purge->configured, err) : 0;
}

int purge_confirm(const struct purge *purge, struct err *err)
{
    char answer[16] = "";
    if (!isatty(STDIN_FILENO))
        return err_set(err, ENOTTY, "nobody to ask whether to remove images: add --yes");
    (void)printf("All images, containers and volumes in\n");
    for (size_t i = 0; i < purge->n; i++)
        (void)printf("  %s\n", purge->dirs[i]);
    (void)printf("will be gone. Type yes to go on: ");
    (void)fflush(stdout);
    if (!fgets(answer, sizeof answer, stdin))
        answer[0] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    return str_equal(answer, "yes") ? 0 : err_set(err, ECANCELED, "the images stay");
}

/* What removes its data itself may run: a service of Podman's goes on for seconds when its unit has
 * ended, and minds nobody. */
static int refuse_running(const struct setup *setup, struct err *err)
{
    pid_t pid = setup->state[0] ? kit_find(setup->state) : 0;
    cleanup_close int sock = setup->socket[0] ? answer_connect(setup->socket, NULL) : -ENOENT;
    if (setup->engine->reset || (sock < 0 && pid == 0))
        return 0;
    return err_set(err, EBUSY, "%s still runs (%s): end it first", setup->engine->title,
                   sock >= 0 ? setup->socket : setup->state);
}

/* Engines that keep containers running without a daemon are told first. */
static int reset(struct deeds *deeds, const struct engine *engine, struct err *err)
{
    const char *argv[8] = {engine->daemon};
    for (size_t i = 0; engine->reset[i] && i + 2 < sizeof argv / sizeof argv[0]; i++)
        argv[i + 1] = engine->reset[i];
    return deed_run(deeds, argv, err);
}

/* What root made for the user in a directory of his own cannot be removed itself. */
static bool is_removable(const char *dir)
{
    char above[4200];
    if (str_copy(above, sizeof above, dir) < 0)
        return false;
    char *slash = strrchr(above, '/');
    slash[slash == above] = '\0';
    return access(above, W_OK) == 0;
}

/* As root of a user namespace with all ids of the user's; where none can be made, as the user. */
static int remove_tree(struct deeds *deeds, const char *dir, struct err *err)
{
    const char *const whole[] = {"rootlesskit", "rm", "-rf", "--one-file-system", "--", dir, NULL};
    const char *const inside[] = {"rootlesskit", "find", dir,       "-xdev",
                                  "-mindepth",   "1",    "-delete", NULL};
    bool removable = is_removable(dir);
    const char *const *argv = removable ? whole : inside;
    int r = deed_run(deeds, argv, err);
    struct err plain = {0};
    if (r < 0)
        r = deed_run(deeds, argv + 1, &plain);
    if (r == 0 && !removable)
        deed_note(deeds, "%s itself stays, empty: what it lies in is not yours", dir);
    return r;
}

int purge_run(struct deeds *deeds, const struct setup *setup, const struct purge *purge,
              struct err *err)
{
    char daemon[4096];
    int r = deeds->dry ? 0 : refuse_running(setup, err);
    if (r == 0 && setup->engine->reset && purge->n > 0 &&
        proc_find(setup->engine->daemon, daemon, sizeof daemon) == 0)
        r = reset(deeds, setup->engine, err);
    for (size_t i = 0; r == 0 && i < purge->n; i++) {
        if (access(purge->dirs[i], F_OK) == 0)
            r = remove_tree(deeds, purge->dirs[i], err);
        if (r == 0 && purge->links[i][0])
            r = deed_remove(deeds, purge->links[i], 0, err);
    }
    return r;
}
