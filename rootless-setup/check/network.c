#include "rootless-setup/check/network.h"

#include <limits.h>
#include <sched.h>

#include "lib/base/err.h"
#include "lib/base/proc.h"
#include "rootless-setup/check/explain.h"

int network_enter(const struct check_context *context, struct check_result *result)
{
    struct err err = {0};
    enum scratch_step step;
    int r = scratch_userns(CLONE_NEWNET, &step, &err);
    if (r == 0)
        return 0;
    check_say_errno(result, CHECK_FAILED, -r, "a network namespace inside a user namespace");
    explain_userns(step, -r, &context->facts, result);
    return r;
}

enum check_status network_gateway_lost(struct check_result *result)
{
    char path[PATH_MAX];
    if (proc_find("slirp4netns", path, sizeof path) == 0) {
        check_remedy(result, REMEDY_NOTE,
                     "until then rootlesskit --net=slirp4netns works, more slowly than "
                     "--net=gateway");
        return CHECK_WARNING;
    }
    check_remedy(result, REMEDY_NOTE, "or install slirp4netns, which does without it");
    return CHECK_FAILED;
}
