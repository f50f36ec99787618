#include "rootless-setup/launch/preflight.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/activation.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/local.h"
#include "lib/base/str.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/engine/instance.h"
#include "rootless-setup/launch/programs.h"

static int check_home(const char *home, struct err *err)
{
    struct stat st;
    if (stat(home, &st) < 0)
        return err_set(err, errno, "HOME is %s: %s (rootless-setup check data-dir says more)", home,
                       strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ENOTDIR, "HOME is %s, which is no directory", home);
    return 0;
}

/* The probe of `check`, which leaves nothing behind, so it need not run in a process of its own. */
static int check_runtime_dir(struct err *err)
{
    static struct check_context context;
    static struct check_result result;
    int r = subject_find(NULL, &context.subject, err);
    if (r < 0)
        return r;
    facts_read(&context.facts);
    probe_runtime_dir(&context, &result);
    if (result.status != CHECK_FAILED)
        return 0;
    return err_set(err, ENOENT, "%s: %s (rootless-setup check runtime-dir says what to type)",
                   result.evidence, result.cause);
}

int preflight_user(struct engine_dirs *ret, struct err *err)
{
    if (geteuid() == 0)
        return err_set(err, EPERM,
                       "a rootless engine runs as an ordinary user, and this is root: log in as "
                       "that user");
    int r = engine_dirs_read(ret, err);
    if (r >= 0)
        r = check_home(ret->path[ENGINE_HOME], err);
    return r < 0 ? r : check_runtime_dir(err);
}

int preflight_programs(const struct engine *engine, const char *daemon, struct err *err)
{
    static const char *const mappers[] = {"newuidmap", "newgidmap", NULL};
    char advice[256];
    int r = 0;
    for (int i = 0; mappers[i] && r >= 0; i++) {
        (void)str_format(advice, sizeof advice, "rootless-setup check %s says what to install",
                         mappers[i]);
        r = programs_check(mappers[i], mappers[i], advice, err);
    }
    if (r < 0)
        return r;
    (void)str_format(advice, sizeof advice, "install %s, or put its folder into PATH%s%s",
                     engine->title, engine->daemon_variable ? ", or name it in " : "",
                     engine->daemon_variable ? engine->daemon_variable : "");
    return programs_check(daemon, engine->title, advice, err);
}

static bool answers(const char *path)
{
    cleanup_close int sock = local_connect(path, 0, NULL);
    return sock >= 0;
}

/* Podman takes over the socket of a service that still answers there. One that we were passed
 * answers too. */
static int socket_is_free(const struct engine *engine, const struct engine_dirs *dirs,
                          struct err *err)
{
    char path[4200];
    if (activation_sockets() > 0 || engine_path(dirs, &engine->socket, path, sizeof path) < 0 ||
        !answers(path))
        return 0;
    return err_set(err, EBUSY, "%s already runs for you: it answers at %s; stop that one first",
                   engine->title, path);
}

int preflight_alone(const struct engine *engine, const struct engine_dirs *dirs,
                    const char *state_dir, struct err *err)
{
    struct instance instance;
    char how[64] = "";
    if (!state_dir)
        return socket_is_free(engine, dirs, err);
    int r = instance_await_end(state_dir, &instance, err);
    if (r < 0 || !instance.running)
        return r;
    if (instance.child > 0)
        (void)str_format(how, sizeof how, ", or kill %d", instance.child);
    return err_set(err, EBUSY,
                   "%s already runs for you, with the state directory %s; stop that one first: "
                   "systemctl --user stop %s%s",
                   engine->title, state_dir, engine->unit, how);
}
