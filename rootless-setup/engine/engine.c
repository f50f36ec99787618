#include "rootless-setup/engine/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_WORDS ((const char *const[]){NULL})

const struct engine engines[] = {
    {
        .name = "docker",
        .title = "Docker",
        .daemon = "dockerd",
        .daemon_variable = "DOCKERD",
        .daemon_args = NO_WORDS,
        .data_option = "--data-root",
        .client = "docker",
        .package = "docker.io, docker-ce or moby-engine",
        .unit = "docker.service",
        .notifies = true,
        .reloads = true,
        .in_rootlesskit = true,
        .variables = "DOCKERD_ROOTLESS_ROOTLESSKIT",
        .copy_up = WORDS("/etc", "/run"),
        .state = {ENGINE_RUNTIME, "dockerd-rootless"},
        .socket = {ENGINE_RUNTIME, "docker.sock"},
        .data = {{ENGINE_DATA, "docker"}},
        .socket_variable = "DOCKER_HOST",
        .context = true,
        .http = true,
    },
    {
        .name = "containerd",
        .alias = "nerdctl",
        .title = "containerd",
        .daemon = "containerd",
        .daemon_args = NO_WORDS,
        .data_option = "--root",
        .client = "nerdctl",
        .package = "containerd or containerd.io",
        .unit = "containerd.service",
        .notifies = true,
        .in_rootlesskit = true,
        .net_host = true,
        .variables = "CONTAINERD_ROOTLESS_ROOTLESSKIT",
        .copy_up = WORDS("/etc", "/run", "/var/lib"),
        /* nerdctl finds this directory by its name; it needs no variable. */
        .state = {ENGINE_RUNTIME, "containerd-rootless"},
        .socket = {ENGINE_RUNTIME, "containerd/containerd.sock"},
        .data = {{ENGINE_DATA, "containerd"}, {ENGINE_DATA, "nerdctl"}, {ENGINE_DATA, "cni"}},
    },
    {
        .name = "buildkit",
        .title = "BuildKit",
        .daemon = "buildkitd",
        .daemon_variable = "BUILDKITD",
        .daemon_args = WORDS("--oci-worker=true", "--containerd-worker=false"),
        .data_option = "--root",
        .client = "buildctl",
        .package = "buildkit; or github.com/moby/buildkit",
        .unit = "buildkit.service",
        .notifies = true,
        .in_rootlesskit = true,
        .net_host = true,
        .variables = "BUILDKITD_ROOTLESS_ROOTLESSKIT",
        .copy_up = WORDS("/etc", "/run"),
        .state = {ENGINE_RUNTIME, "buildkitd-rootless"},
        .socket = {ENGINE_RUNTIME, "buildkit/buildkitd.sock"},
        .data = {{ENGINE_DATA, "buildkit"}},
        .socket_variable = "BUILDKIT_HOST",
    },
    {
        .name = "podman",
        .title = "Podman",
        .daemon = "podman",
        .daemon_args = WORDS("system", "service", "--time=0"),
        .client = "podman",
        .package = "podman",
        .reset = WORDS("system", "reset", "--force"),
        .unit = "podman.service",
        .vendor_unit = "podman.socket",
        .outlived = true,
        .copy_up = NO_WORDS,
        .socket = {ENGINE_RUNTIME, "podman/podman.sock"},
        .data = {{ENGINE_DATA, "containers"}},
        /* podman itself needs no variable; what is written for Docker does. */
        .socket_variable = "DOCKER_HOST",
        .http = true,
    },
    {
        .name = "k3s",
        .title = "k3s",
        .daemon = "k3s",
        .daemon_args = WORDS("server", "--rootless"),
        .data_option = "--data-dir",
        .client = "k3s",
        .package = "see k3s.io",
        .unit = "k3s-rootless.service",
        .copy_up = NO_WORDS,
        .data = {{ENGINE_HOME, ".rancher/k3s"}},
    },
};
const size_t engines_count = sizeof engines / sizeof engines[0];

const struct engine *engine_find(const char *name)
{
    for (size_t i = 0; i < engines_count; i++)
        if (str_equal(name, engines[i].name) || str_equal(name, engines[i].alias))
            return &engines[i];
    return NULL;
}

const struct engine *engine_typed(const char *name, struct err *err)
{
    char names[128];
    const struct engine *engine = engine_find(name);
    if (!engine)
        (void)err_set(err, EINVAL, "unknown engine \"%s\", it must be one of: %s", name,
                      engine_names(names, sizeof names));
    return engine;
}

const char *engine_names(char *buf, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < engines_count && used < size; i++)
        used +=
            (size_t)snprintf(buf + used, size - used, "%s%s", i > 0 ? ", " : "", engines[i].name);
    return buf;
}

/* @return whether the variable has a usable value; then it is in @p buf */
static int from_variable(const char *name, char *buf, size_t size)
{
    const char *value = getenv(name);
    if (!value || value[0] != '/')
        return 0;
    return str_copy(buf, size, value) < 0 ? -ENAMETOOLONG : 1;
}

int engine_dirs_read(struct engine_dirs *ret, struct err *err)
{
    static const struct {
        const char *variable, *below_home;
    } bases[ENGINE_BASES] = {
        [ENGINE_RUNTIME] = {"XDG_RUNTIME_DIR", NULL},
        [ENGINE_DATA] = {"XDG_DATA_HOME", "/.local/share"},
        [ENGINE_CONFIG] = {"XDG_CONFIG_HOME", "/.config"},
        [ENGINE_HOME] = {"HOME", NULL},
    };
    struct engine_dirs dirs = {0};
    const char *home = getenv("HOME");
    if (!home || home[0] != '/')
        return err_set(err, ENOENT,
                       "HOME is %s: set it to the absolute path of your home directory",
                       home ? "not an absolute path" : "not set");
    for (size_t i = 0; i < ENGINE_BASES; i++) {
        char *path = dirs.path[i];
        int r = from_variable(bases[i].variable, path, sizeof dirs.path[i]);
        if (r == 0 && bases[i].below_home)
            r = str_format(path, sizeof dirs.path[i], "%s%s", home, bases[i].below_home);
        if (r < 0)
            return err_set(err, ENAMETOOLONG, "%s is too long a path", bases[i].variable);
    }
    *ret = dirs;
    return 0;
}

int engine_path(const struct engine_dirs *dirs, const struct engine_path *path, char *buf,
                size_t size)
{
    if (!path->name || dirs->path[path->base][0] == '\0')
        return -ENOENT;
    return str_format(buf, size, "%s/%s", dirs->path[path->base], path->name);
}

int engine_variable(const struct engine *engine, const char *what, char *buf, size_t size)
{
    return str_format(buf, size, "%s_%s", engine->variables, what);
}
