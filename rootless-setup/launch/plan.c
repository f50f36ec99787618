#include "rootless-setup/launch/plan.h"

#include <stdbool.h>

#include "lib/base/str.h"

/* rootlesskit takes the last of several values. The variable FLAGS stands behind the values of the
 * others, as in the peers' scripts, and what our command line says stands behind it. */
enum place { BEFORE_FLAGS, BEHIND_FLAGS };

/* @param given  our command line has this one */
static bool due(bool given, enum place place)
{
    return given == (place == BEHIND_FLAGS);
}

static void add_drivers(const struct launch_plan *plan, enum place place, struct line *line)
{
    const struct launch_settings *settings = plan->settings, *given = plan->given;
    bool slirp = str_equal(settings->net, "slirp4netns") || str_equal(settings->net, "auto");
    if (due(given->state_dir != NULL, place))
        line_format(line, "--state-dir=%s", settings->state_dir);
    if (due(given->net != NULL, place))
        line_format(line, "--net=%s", settings->net);
    if (settings->mtu > 0 && due(given->mtu > 0, place))
        line_format(line, "--mtu=%u", settings->mtu);
    if (slirp && place == BEFORE_FLAGS) {
        line_format(line, "--slirp4netns-sandbox=%s", settings->slirp4netns_sandbox);
        line_format(line, "--slirp4netns-seccomp=%s", settings->slirp4netns_seccomp);
    }
    if (due(given->port_driver != NULL, place))
        line_format(line, "--port-driver=%s", settings->port_driver);
}

static void add_switch(const char *name, enum cli_switch value, enum cli_switch given,
                       enum place place, struct line *line)
{
    if (value != CLI_UNSET && due(given != CLI_UNSET, place))
        line_format(line, "--%s%s", name, value == CLI_ON ? "" : "=false");
}

static void add_switches(const struct launch_plan *plan, enum place place, struct line *line)
{
    const struct launch_settings *settings = plan->settings, *given = plan->given;
    if (str_equal(settings->net, "host") && place == BEFORE_FLAGS)
        return; /* defaults of a network that is not made */
    add_switch("disable-host-loopback", settings->disable_host_loopback,
               given->disable_host_loopback, place, line);
    add_switch("detach-netns", settings->detach_netns, given->detach_netns, place, line);
    add_switch("ipv6", settings->ipv6, given->ipv6, place, line);
}

static void add_rootlesskit(const struct launch_plan *plan, struct line *line)
{
    add_drivers(plan, BEFORE_FLAGS, line);
    add_switches(plan, BEFORE_FLAGS, line);
    for (size_t i = 0; plan->engine->copy_up[i]; i++)
        line_format(line, "--copy-up=%s", plan->engine->copy_up[i]);
    line_add(line, "--propagation=rslave"); /* volumes that the host mounts later are seen */
    line_split(line, plan->settings->flags);
    add_drivers(plan, BEHIND_FLAGS, line);
    add_switches(plan, BEHIND_FLAGS, line);
    for (size_t i = 0; i < plan->options->n; i++)
        line_add(line, plan->options->items[i]);
    line_add(line, plan->self);
    line_add(line, LAUNCH_INSIDE);
    line_add(line, plan->engine->name);
}

void launch_plan_line(const struct launch_plan *plan, struct line *line)
{
    if (plan->engine->in_rootlesskit)
        add_rootlesskit(plan, line);
    line_split(line, plan->daemon);
    line_add_all(line, plan->engine->daemon_args);
    line_split(line, plan->daemon_flags);
    for (size_t i = 0; plan->args[i]; i++)
        line_add(line, plan->args[i]);
}
