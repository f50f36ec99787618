/* What this system runs in: WSL, a container of whatever kind, an init that is not systemd. It
 * decides which of the other checks' remedies are at hand. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootless-setup/check/probe.h"

static void say_wsl(const struct check_context *context, struct check_result *result)
{
    if (facts_kernel_before(&context->facts, 4, 19)) {
        check_say(result, CHECK_FAILED, "WSL 1, which has no Linux kernel (%s)",
                  context->facts.kernel_release);
        check_cause(result, "it knows neither namespaces nor overlay");
        check_remedy(result, REMEDY_NOTE, "in Windows: wsl --set-version %s 2", context->distro.id);
    } else if (!context->facts.systemd) {
        check_say(result, CHECK_HINT, "WSL 2 without systemd (%s)", context->facts.kernel_release);
        check_cause(result, "there is no session of the user, no XDG_RUNTIME_DIR and no cgroup of "
                            "his");
        check_remedy(result, REMEDY_ROOT,
                     "grep -qs '^systemd *= *true' /etc/wsl.conf || "
                     "printf '[boot]\\nsystemd=true\\n' >> /etc/wsl.conf");
        check_remedy(result, REMEDY_NOTE, "then, in Windows: wsl --shutdown");
    } else {
        check_say(result, CHECK_OK, "WSL 2 with systemd (%s)", context->facts.kernel_release);
    }
}

static void say_container(const struct check_context *context, struct check_result *result)
{
    const char *kind = context->facts.container;
    bool lxc = strncmp(kind, "lxc", 3) == 0;
    check_say(result, CHECK_HINT, "in a container (%s)%s", kind,
              context->facts.nested ? ", which is rootless itself" : "");
    check_cause(result, "the outer engine decides what works here: user namespaces, a fresh /proc, "
                        "devices, cgroups and subordinate ids come from it");
    check_remedy(result, REMEDY_NOTE, "%s",
                 lxc ? "give the container security.nesting=true (Incus, LXD) or features: "
                       "nesting=1,keyctl=1 (Proxmox), and, when it is unprivileged, enough ids in "
                       "the host's /etc/subuid and /etc/subgid"
                     : "to the outer engine: start this container with --security-opt "
                       "seccomp=unconfined --security-opt "
                       "apparmor=unconfined --security-opt systempaths=unconfined --device "
                       "/dev/net/tun --device /dev/fuse");
}

void probe_where(const struct check_context *context, struct check_result *result)
{
    if (context->facts.wsl)
        say_wsl(context, result);
    else if (context->facts.container[0])
        say_container(context, result);
    else if (context->facts.nested)
        check_say(result, CHECK_HINT, "in a user namespace that does not have all ids");
    else
        check_say(result, CHECK_OK, "on a system of its own, %s systemd",
                  context->facts.systemd ? "with" : "without");
}
