#include "rootless-setup/launch/profile.h"

#include "lib/base/str.h"

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct launch_profile profiles[] = {
    {
        .engine = "docker",
        /* moby pull request 47103: an older dockerd makes its bridge where it is itself. */
        .detaching = {"dockerd", 29, 5, .if_absent = false},
        .links = WORDS("/run/docker", "/run/containerd", "/run/nri", "/run/xtables.lock"),
        /* dockerd does it too, but in its own network, which is not the containers' when that is
         * detached. */
        .forwarding = true,
    },
    {
        .engine = "containerd",
        /* It is nerdctl that makes the networks (pull request 2723). */
        .detaching = {"nerdctl", 2, 0, .if_absent = true},
        .links = WORDS("/run/containerd", "/run/nri", "/run/xtables.lock", "/var/lib/containerd",
                       "/var/lib/cni", "/etc/containerd"),
        .binds =
            {
                {{ENGINE_RUNTIME, "containerd"}, "/run/containerd"},
                {{ENGINE_DATA, "containerd"}, "/var/lib/containerd"},
                {{ENGINE_DATA, "cni"}, "/var/lib/cni"},
                {{ENGINE_CONFIG, "containerd"}, "/etc/containerd"},
            },
    },
    {
        .engine = "buildkit",
        .flags_variable = "BUILDKITD_FLAGS",
        .links = WORDS("/run/buildkit", "/run/xtables.lock"),
    },
    {
        .engine = "podman",
        /* The first podman of a login makes the namespaces and stays between its child and us, and
         * a signal ends it alone; one that finds them enters them itself. */
        .warm_up = WORDS("unshare", "true"),
    },
};

const struct launch_profile *launch_profile_find(const struct engine *engine)
{
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++)
        if (str_equal(profiles[i].engine, engine->name))
            return &profiles[i];
    return NULL;
}
