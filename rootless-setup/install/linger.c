#include "rootless-setup/install/linger.h"

#include <errno.h>

#include "lib/base/err.h"
#include "rootless-setup/install/become.h"
#include "rootless-setup/install/deed.h"
#include "rootless-setup/install/manager.h"
#include "rootless-setup/install/setup.h"

/* logind, the manager and its bus come up one after the other. */
#define MANAGER_SECONDS 30

static int wait_as_user(void *arg)
{
    (void)arg;
    return manager_wait(MANAGER_SECONDS) ? 0 : 1;
}

int linger_enable(const struct check_context *context, bool dry, FILE *out, struct err *err)
{
    const char *name = context->subject.name;
    const char *const argv[] = {"loginctl", "enable-linger", name, NULL};
    struct deeds deeds = {.dry = dry, .out = out};
    if (!context->facts.systemd || setup_lingers(context))
        return 0;
    struct err reason = {0};
    if (deed_run(&deeds, argv, &reason) < 0)
        return err_set(err, EIO,
                       "%s; root can do without logind: sudo rootless-setup fix --user %s linger",
                       reason.msg, name);
    if (!dry && become_run(&context->subject, wait_as_user, NULL, NULL) != 0)
        return err_set(err, ETIMEDOUT,
                       "the service manager of %s does not start within %d seconds: "
                       "systemctl status user@%u.service says why",
                       name, MANAGER_SECONDS, context->subject.uid);
    return 0;
}
