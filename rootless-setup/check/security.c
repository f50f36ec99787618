/* Security modules: which are on, as what this process runs, and the two things that an engine
 * wants of them: on SELinux a label for /run, on AppArmor a profile for containers. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"

#define TEXT_MAX 512

/* One line of a file, without its end. @return false when it cannot be read or is empty */
static bool read_line(const char *path, char ret[TEXT_MAX])
{
    if (file_read_into(AT_FDCWD, path, ret, TEXT_MAX, NULL) < 0)
        return false;
    ret[strcspn(ret, "\n")] = '\0';
    return ret[0] != '\0';
}

/* The start scripts of Docker and containerd do this, and iptables cannot lock its file without. */
static void try_selinux(const struct check_context *context, struct check_result *result)
{
    static const char label[] = "system_u:object_r:iptables_var_run_t:s0";
    struct err err = {0};
    enum scratch_step step;
    if (context->facts.selinux != 1 || !(FOR_DAEMONS & (1 << context->engine)))
        return;
    int r = scratch_userns(CLONE_NEWNS, &step, &err);
    if (r == 0 && mount("tmpfs", "/run", "tmpfs", 0, "size=64k") < 0)
        r = -errno;
    if (r == 0 && setxattr("/run", "security.selinux", label, sizeof label, 0) < 0)
        r = -errno;
    if (r == 0)
        return;
    check_say_errno(result, CHECK_WARNING, -r, "labelling a /run of one's own as %s", label);
    check_cause(result, "SELinux refuses the label that iptables' lock file needs: the engine "
                        "ends with \"/run/xtables.lock: Permission denied\"");
    check_remedy(result, REMEDY_NOTE,
                 "see the denial with: ausearch -m AVC -ts recent; the package container-selinux "
                 "has the rules");
}

/* Asked of the kernel: it knows a profile that a process may want to become at its next exec. */
static void try_apparmor(const struct check_context *context, struct check_result *result)
{
    if (!context->facts.apparmor || context->engine != ENGINE_CONTAINERD)
        return;
    int r = file_poke(AT_FDCWD, "/proc/self/attr/apparmor/exec", "exec nerdctl-default", NULL);
    if (r != -ENOENT)
        return; /* it is there, or the kernel does not say */
    check_say_errno(result, CHECK_HINT, ENOENT, "asking for AppArmor's profile nerdctl-default");
    check_cause(result, "containers of nerdctl run without AppArmor");
    check_remedy(result, REMEDY_ROOT, "nerdctl apparmor load");
}

static void check_confined(const char *label, struct check_result *result)
{
    if (!strstr(label, "(enforce)"))
        return;
    check_say(result, CHECK_HINT, "this process is confined by AppArmor: %s", label);
    check_cause(result, "what engines do is held against that profile, and may be refused in ways "
                        "that look like missing rights");
    check_remedy(result, REMEDY_NOTE, "start the shell, service or container unconfined");
}

static void check_lockdown(const char *lockdown, struct check_result *result)
{
    if (!strstr(lockdown, "[confidentiality]") || result->status != CHECK_OK)
        return;
    check_say(result, CHECK_HINT, "the kernel is locked down: confidentiality");
    check_cause(result, "BPF programs are refused (\"bpf create: Operation not permitted\"), also "
                        "those of tracing and device rules inside containers");
    check_remedy(result, REMEDY_NOTE, "nothing rootless needs them; see kernel_lockdown(7)");
}

void probe_security(const struct check_context *context, struct check_result *result)
{
    char modules[TEXT_MAX] = "", label[TEXT_MAX] = "", lockdown[TEXT_MAX] = "";
    bool known = read_line("/sys/kernel/security/lsm", modules);
    bool labelled = read_line("/proc/self/attr/current", label);
    (void)read_line("/sys/kernel/security/lockdown", lockdown);
    check_say(result, CHECK_OK, "%s%s%s%s%s",
              known                         ? modules
              : context->facts.apparmor     ? "AppArmor"
              : context->facts.selinux >= 0 ? "SELinux"
                                            : "none that this kernel tells of",
              context->facts.selinux == 1   ? ", SELinux enforcing"
              : context->facts.selinux == 0 ? ", SELinux permissive"
                                            : "",
              labelled ? ", this process is " : "", labelled ? label : "",
              lockdown[0] && !strstr(lockdown, "[none]") ? ", locked down" : "");
    check_lockdown(lockdown, result);
    check_confined(label, result);
    try_apparmor(context, result);
    try_selinux(context, result);
}
