#include "rootless-setup/launch/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

const char *const launch_nets[] = {"auto",         "gateway", "pasta", "slirp4netns",
                                   "lxc-user-nic", "none",    "host",  NULL};
const char *const launch_nets_gone[] = {
    "vpnkit", "VPNKit is no longer maintained; auto, the default, finds what works here",
    "gvisor-tap-vsock", "this rootlesskit has no gVisor in it; gateway is faster", NULL};
const char *const launch_port_drivers[] = {"builtin", "implicit", "slirp4netns",
                                           "pesto",   "none",     NULL};
static const char *const port_drivers_gone[] = {
    "gvisor-tap-vsock", "this rootlesskit has no gVisor in it; builtin goes with every network",
    NULL};
static const char *const auto_bool[] = {"auto", "true", "false", NULL};
static const char *const only_bool[] = {"true", "false", NULL};
static const char *const any_bool[] = {"auto", "true", "false", "1", "0", NULL};

enum kind { TEXT, CHOICE, SWITCH, NUMBER };

#define FIELD(member) offsetof(struct launch_settings, member)

/* Which words a script takes for true differs between its variables. "0" for DISABLE_HOST_LOOPBACK
 * would mean true to Docker's and false to everybody else, so it is none. */
static const struct variable {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *const *choices, *const *gone;
} variables[] = {
    {"STATE_DIR", TEXT, FIELD(state_dir), NULL, NULL},
    {"NET", CHOICE, FIELD(net), launch_nets, launch_nets_gone},
    {"MTU", NUMBER, FIELD(mtu), NULL, NULL},
    {"PORT_DRIVER", CHOICE, FIELD(port_driver), launch_port_drivers, port_drivers_gone},
    {"SLIRP4NETNS_SANDBOX", CHOICE, FIELD(slirp4netns_sandbox), auto_bool, NULL},
    {"SLIRP4NETNS_SECCOMP", CHOICE, FIELD(slirp4netns_seccomp), auto_bool, NULL},
    {"DISABLE_HOST_LOOPBACK", SWITCH, FIELD(disable_host_loopback), only_bool, NULL},
    {"DETACH_NETNS", SWITCH, FIELD(detach_netns), any_bool, NULL},
    {"IPV6", SWITCH, FIELD(ipv6), only_bool, NULL},
    {"FLAGS", TEXT, FIELD(flags), NULL, NULL},
};
#define N_VARIABLES (sizeof variables / sizeof variables[0])

static int check_choice(const struct variable *variable, const char *name, const char *value,
                        struct err *err)
{
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; variable->gone && variable->gone[i]; i += 2)
        if (str_equal(variable->gone[i], value))
            return err_set(err, EINVAL, "%s=%s: %s", name, value, variable->gone[i + 1]);
    if (str_index(variable->choices, value) >= 0)
        return 0;
    for (size_t i = 0; variable->choices[i] && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 variable->choices[i]);
    return err_set(err, EINVAL, "%s: unknown value \"%s\", it must be one of: %s", name, value,
                   known);
}

static enum cli_switch switch_of(const char *value)
{
    if (str_equal(value, "auto"))
        return CLI_UNSET;
    return str_equal(value, "true") || str_equal(value, "1") ? CLI_ON : CLI_OFF;
}

static int store(const struct variable *variable, const char *name, const char *value,
                 struct launch_settings *settings, struct err *err)
{
    void *field = (char *)settings + variable->offset;
    int r = variable->choices ? check_choice(variable, name, value, err) : 0;
    if (r < 0)
        return r;
    switch (variable->kind) {
    case TEXT:
    case CHOICE:
        *(const char **)field = value;
        return 0;
    case SWITCH:
        *(enum cli_switch *)field = switch_of(value);
        return 0;
    case NUMBER:
        return parse_u32(name, value, 0, LAUNCH_MTU_MAX, field, err);
    }
    return -EINVAL;
}

static bool is_set(const struct variable *variable, const struct launch_settings *settings)
{
    const void *field = (const char *)settings + variable->offset;
    switch (variable->kind) {
    case TEXT:
    case CHOICE:
        return *(const char *const *)field != NULL;
    case SWITCH:
        return *(const enum cli_switch *)field != CLI_UNSET;
    case NUMBER:
        return *(const uint32_t *)field != 0;
    }
    return false;
}

int settings_read(const struct engine *engine, const struct launch_settings *given,
                  struct launch_settings *ret, struct err *err)
{
    struct launch_settings settings = {0};
    char name[128];
    for (size_t i = 0; i < N_VARIABLES; i++) {
        if (is_set(&variables[i], given))
            continue;
        if (engine_variable(engine, variables[i].name, name, sizeof name) < 0)
            return err_set(err, ENAMETOOLONG, "the variables of %s are too long", engine->title);
        const char *value = getenv(name);
        int r = value && value[0] ? store(&variables[i], name, value, &settings, err) : 0;
        if (r < 0)
            return r;
    }
    *ret = settings;
    return 0;
}

static bool is_variable(const char *name, size_t len)
{
    for (size_t i = 0; i < N_VARIABLES; i++)
        if (strlen(variables[i].name) == len && strncmp(variables[i].name, name, len) == 0)
            return true;
    return false;
}

const char *settings_stray(const struct engine *engine, size_t *at)
{
    char prefix[128];
    if (engine_variable(engine, "", prefix, sizeof prefix) < 0)
        return NULL;
    while (environ && environ[*at]) {
        const char *text = environ[(*at)++];
        const char *name = str_after(text, prefix);
        if (name && !is_variable(name, strcspn(name, "=")))
            return text;
    }
    return NULL;
}

/* The layout's own copy: one set field over another. */
static void overlay(struct launch_settings *settings, const struct launch_settings *over)
{
    for (size_t i = 0; i < N_VARIABLES; i++) {
        static const size_t sizes[] = {
            [TEXT] = sizeof(const char *),
            [CHOICE] = sizeof(const char *),
            [SWITCH] = sizeof(enum cli_switch),
            [NUMBER] = sizeof(uint32_t),
        };
        if (is_set(&variables[i], over))
            (void)memcpy((char *)settings + variables[i].offset,
                         (const char *)over + variables[i].offset, sizes[variables[i].kind]);
    }
}

int settings_merge(const struct engine *engine, const struct launch_settings *given,
                   const struct launch_settings *read, struct launch_settings *ret, struct err *err)
{
    struct launch_settings settings = {
        .net = "auto",
        .slirp4netns_sandbox = "auto",
        .slirp4netns_seccomp = "auto",
        .disable_host_loopback = CLI_ON,
    };
    overlay(&settings, read);
    overlay(&settings, given);
    bool host = str_equal(settings.net, "host");
    if (host && !engine->net_host) {
        char name[128];
        (void)engine_variable(engine, "NET", name, sizeof name);
        return err_set(err, EINVAL,
                       "%s=host: %s makes networks of its own and may not in the host's; auto, the "
                       "default, finds a network that works here",
                       given->net ? "--net" : name, engine->title);
    }
    if (!settings.port_driver)
        settings.port_driver = host ? "none" : "builtin";
    *ret = settings;
    return 0;
}
