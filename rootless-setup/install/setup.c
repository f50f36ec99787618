#include "rootless-setup/install/setup.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootless-setup/check/search.h"

#define SETUP_PATH_MAX 32768

static void optional(const struct engine_dirs *dirs, const struct engine_path *path, char *ret,
                     size_t size)
{
    if (engine_path(dirs, path, ret, size) < 0)
        ret[0] = '\0';
}

static int find_paths(struct setup *setup, struct err *err)
{
    const struct engine *engine = setup->engine;
    if (str_format(setup->unit_path, sizeof setup->unit_path, "%s/systemd/user/%s",
                   setup->dirs.path[ENGINE_CONFIG], engine->unit) < 0 ||
        str_format(setup->script_path, sizeof setup->script_path, "%s/rootless-toolkit/start-%s",
                   setup->dirs.path[ENGINE_DATA], engine->name) < 0)
        return err_set(err, ENAMETOOLONG,
                       "HOME, XDG_CONFIG_HOME or XDG_DATA_HOME is too long a path");
    optional(&setup->dirs, &engine->socket, setup->socket, sizeof setup->socket);
    optional(&setup->dirs, &engine->state, setup->state, sizeof setup->state);
    /* Start scripts let it be elsewhere. */
    char variable[64];
    const char *state =
        engine->variables && engine_variable(engine, "STATE_DIR", variable, sizeof variable) > 0
            ? getenv(variable)
            : NULL;
    if (state && state[0] == '/' && str_copy(setup->state, sizeof setup->state, state) < 0)
        return err_set(err, ENAMETOOLONG, "%s is too long a path", variable);
    return 0;
}

void setup_search(const struct check_facts *facts)
{
    char path[SETUP_PATH_MAX];
    const char *set = getenv("PATH");
    if (facts->bin_dir[0] &&
        str_format(path, sizeof path, "%s%s%s", facts->bin_dir, set ? ":" : "", set ? set : "") > 0)
        (void)setenv("PATH", path, 1);
    search_sbin();
}

int setup_open(const struct engine *engine, const struct check_context *context, struct setup *ret,
               struct err *err)
{
    struct err silence = {0};
    *ret = (struct setup){.engine = engine, .context = context, .place = {.root_fd = -EBADF}};
    int r = engine_dirs_read(&ret->dirs, err);
    if (r == 0)
        r = find_paths(ret, err);
    if (r == 0)
        r = place_open(NULL, &ret->place, err);
    if (r == 0)
        r = own_read(&ret->place, ret->unit_path, &ret->unit, err);
    if (r == 0)
        r = own_read(&ret->place, ret->script_path, &ret->script, err);
    if (r < 0)
        return r;
    ret->manager = manager_find(context->facts.systemd, &silence);
    (void)str_format(ret->silence, sizeof ret->silence, "%.500s", silence.msg);
    return 0;
}

void setup_close(struct setup *setup)
{
    own_cleanup(&setup->unit);
    own_cleanup(&setup->script);
    place_close(&setup->place);
}

int setup_wants_path(const struct setup *setup, char *ret, size_t size)
{
    return str_format(ret, size, "%s/systemd/user/default.target.wants/%s",
                      setup->dirs.path[ENGINE_CONFIG], setup->engine->unit) < 0
               ? -ENAMETOOLONG
               : 0;
}

int setup_aside_path(const char *path, bool edited, char *ret, size_t size)
{
    return str_format(ret, size, "%s.%s", path, edited ? "edited" : "saved") < 0 ? -ENAMETOOLONG
                                                                                 : 0;
}

bool setup_lingers(const struct check_context *context)
{
    char path[512];
    return str_format(path, sizeof path, "/var/lib/systemd/linger/%s", context->subject.name) > 0 &&
           access(path, F_OK) == 0;
}
