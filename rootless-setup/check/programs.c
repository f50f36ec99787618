/* The programs that an engine consists of, and the one file without which it does not start. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "rootless-setup/check/probe.h"

#define ALTERNATIVES_MAX 4

/* Any of the names will do; one with a slash is a path. */
struct part {
    enum check_engine engine;
    const char *names[ALTERNATIVES_MAX];
    bool optional; /* what works without it is less, but something */
};

/* The first of each engine is the engine itself. */
static const struct part parts[] = {
    {ENGINE_DOCKER, {"dockerd"}, false},
    {ENGINE_DOCKER, {"containerd"}, false},
    {ENGINE_DOCKER, {"runc", "crun"}, false},
    {ENGINE_DOCKER, {"rootlesskit", "docker-rootlesskit"}, false},
    {ENGINE_DOCKER, {"docker"}, true},
    {ENGINE_CONTAINERD, {"containerd"}, false},
    {ENGINE_CONTAINERD, {"containerd-shim-runc-v2"}, false},
    {ENGINE_CONTAINERD, {"runc", "crun"}, false},
    {ENGINE_CONTAINERD, {"rootlesskit"}, false},
    {ENGINE_CONTAINERD, {"nerdctl", "ctr"}, true},
    {ENGINE_CONTAINERD,
     {"/opt/cni/bin/bridge", "/usr/lib/cni/bridge", "/usr/libexec/cni/bridge"},
     true},
    {ENGINE_BUILDKIT, {"buildkitd"}, false},
    {ENGINE_BUILDKIT, {"buildkit-runc", "runc", "crun"}, false},
    {ENGINE_BUILDKIT, {"rootlesskit"}, false},
    {ENGINE_BUILDKIT, {"buildctl"}, true},
    {ENGINE_PODMAN, {"podman"}, false},
    {ENGINE_PODMAN, {"conmon", "/usr/libexec/podman/conmon"}, false},
    {ENGINE_PODMAN, {"crun", "runc"}, false},
    {ENGINE_PODMAN,
     {"/usr/libexec/podman/netavark", "/usr/lib/podman/netavark", "netavark",
      "/usr/lib/cni/bridge"},
     false},
    {ENGINE_K3S, {"k3s"}, false},
};
#define N_PARTS (sizeof parts / sizeof parts[0])

/* What is missing of one engine. */
struct tally {
    bool installed; /* its own program is there */
    char path[512]; /* where */
    char missing[256], optional[256];
};

static void add(char *list, size_t size, const char *name)
{
    size_t used = strlen(list);
    (void)str_format(list + used, size - used, "%s%s", used ? ", " : "", name);
}

static bool has_part(const struct check_context *context, const struct part *part, char *ret,
                     size_t size)
{
    for (size_t i = 0; i < ALTERNATIVES_MAX && part->names[i]; i++) {
        const char *name = part->names[i];
        if (name[0] == '/' ? files_has(&context->files, name) && str_copy(ret, size, name) == 0
                           : files_program(&context->files, name, ret, size) == 0)
            return true;
    }
    /* rootlesskit of this suite, wherever it was put. */
    return str_equal(part->names[0], "rootlesskit") && context->facts.bin_dir[0] &&
           str_format(ret, size, "%s/rootlesskit", context->facts.bin_dir) > 0 &&
           files_has(&context->files, ret);
}

static void count(const struct check_context *context, enum check_engine engine,
                  struct tally *tally)
{
    char path[4096];
    bool first = true;
    *tally = (struct tally){.installed = false};
    for (size_t i = 0; i < N_PARTS; i++) {
        if (parts[i].engine != engine)
            continue;
        bool there = has_part(context, &parts[i], path, sizeof path);
        if (first)
            tally->installed = there && str_copy(tally->path, sizeof tally->path, path) == 0;
        first = false;
        if (!there)
            add(parts[i].optional ? tally->optional : tally->missing,
                parts[i].optional ? sizeof tally->optional : sizeof tally->missing,
                parts[i].names[0]);
    }
}

/* Each of these makes an engine refuse to start. @return false when there is nothing to say */
static bool check_config(const struct check_context *context, enum check_engine engine,
                         struct check_result *result)
{
    struct check_engine_docker docker;
    char path[4200];
    if (engine == ENGINE_DOCKER &&
        check_engine_docker_read(&context->subject, &context->files, &docker) && docker.fault[0]) {
        check_cause(result, "~/.config/docker/daemon.json: %s; dockerd does not start with it",
                    docker.fault);
        return true;
    }
    if (engine == ENGINE_PODMAN &&
        (subject_config_path(&context->subject, "containers/policy.json", path, sizeof path) < 0 ||
         !files_has(&context->files, path)) &&
        !files_has(&context->files, "/etc/containers/policy.json") &&
        !files_has(&context->files, "/usr/share/containers/policy.json")) {
        check_cause(result, "there is no policy.json in /etc/containers: podman pulls no image");
        check_remedy(result, REMEDY_ROOT,
                     "mkdir -p /etc/containers\n"
                     "echo '{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}' > "
                     "/etc/containers/policy.json");
        return true;
    }
    return false;
}

/* The engine that is asked for must be whole; of others it is only told what they lack. */
static void judge(const struct check_context *context, enum check_engine engine,
                  const struct tally *tally, struct check_result *result)
{
    const char *name = check_engine_name(engine);
    enum check_status bad = context->engine == engine ? CHECK_FAILED : CHECK_WARNING;
    if (tally->missing[0]) {
        check_cause(result, "%s needs what is not in $PATH: %s", name, tally->missing);
        check_remedy(result, REMEDY_NOTE, "install for %s: %s", name, tally->missing);
        result->status = check_worse(result->status, bad);
    }
    if (check_config(context, engine, result))
        result->status = check_worse(result->status, bad);
    if (tally->optional[0] && context->engine == engine) {
        check_cause(result, "%s is of more use with: %s", name, tally->optional);
        result->status = check_worse(result->status, CHECK_HINT);
    }
}

void probe_engine(const struct check_context *context, struct check_result *result)
{
    char found[256] = "";
    result->status = CHECK_OK;
    for (enum check_engine e = ENGINE_DOCKER; e < ENGINE_COUNT; e++) {
        struct tally tally;
        if (context->engine != ENGINE_ANY && e != context->engine)
            continue;
        count(context, e, &tally);
        if (tally.installed)
            add(found, sizeof found, context->engine == e ? tally.path : check_engine_name(e));
        if (tally.installed || context->engine == e)
            judge(context, e, &tally, result);
    }
    if (found[0])
        check_say(result, result->status, "found %s", found);
    else if (context->engine != ENGINE_ANY)
        check_say(result, result->status, "%s is not installed",
                  check_engine_name(context->engine));
    else
        check_say(result, result->status, "no engine is installed yet");
}
