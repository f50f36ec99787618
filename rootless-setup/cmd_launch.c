/* rootless-setup launch: starts an engine in the foreground, as its peers' start scripts do. */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "rootless-setup/commands.h"
#include "rootless-setup/engine/engine.h"
#include "rootless-setup/launch/plan.h"
#include "rootless-setup/launch/preflight.h"
#include "rootless-setup/launch/prepare.h"
#include "rootless-setup/launch/profile.h"
#include "rootless-setup/launch/programs.h"
#include "rootless-setup/words.h"

struct config {
    struct launch_settings settings;
    struct cli_list options;
    bool dry_run;
};

#define FIELD(member) .offset = offsetof(struct config, member)

static const struct cli_option options[] = {
    {"net", 0, CLI_STRING, FIELD(settings.net), "DRIVER",
     "network driver: auto, gateway, pasta, slirp4netns, lxc-user-nic, none, host (default: auto)",
     launch_nets, launch_nets_gone},
    {"port-driver", 0, CLI_STRING, FIELD(settings.port_driver), "DRIVER",
     "port driver: builtin, implicit, slirp4netns, pesto, none (default: builtin)",
     launch_port_drivers},
    {"mtu", 0, CLI_U32, FIELD(settings.mtu), "BYTES", "MTU of the network (default: the driver's)",
     .min = 0, .max = LAUNCH_MTU_MAX},
    {"ipv6", 0, CLI_SWITCH, FIELD(settings.ipv6),
     .help = "IPv6 in the network (default: the driver's)"},
    {"disable-host-loopback", 0, CLI_SWITCH, FIELD(settings.disable_host_loopback),
     .help = "containers do not reach the host's 127.0.0.1 as 10.0.2.2 (default: true)"},
    {"detach-netns", 0, CLI_SWITCH, FIELD(settings.detach_netns),
     .help = "the engine stays in the host's network (default: if its version can)"},
    {"state-dir", 0, CLI_STRING, FIELD(settings.state_dir), "DIR",
     "rootlesskit's state directory (default: in $XDG_RUNTIME_DIR)"},
    {"option", 'o', CLI_LIST, FIELD(options), "OPTION",
     "one more option of rootlesskit, its value behind a '='; may repeat", .whole = true},
    {"dry-run", 0, CLI_FLAG, FIELD(dry_run),
     .help = "print the command line that would be executed, and end"},
};

static int parse(int argc, char **argv, struct config *config, size_t *ret_n, struct err *err)
{
    char names[128], epilog[256];
    const struct cli_program program = {
        .name = "rootless-setup launch",
        .usage = "rootless-setup launch [OPTION]... ENGINE [-- ARG...]",
        .summary = "Starts a rootless engine in the foreground, with the arguments behind \"--\".",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .epilog = epilog,
    };
    (void)str_format(epilog, sizeof epilog,
                     "Engines: %s\n"
                     "The variables of dockerd-rootless.sh and containerd-rootless.sh are read.",
                     engine_names(names, sizeof names));
    return words_parse(&program, argc, argv, config, ret_n, err);
}

/* NULL: none is named, or another command is meant. */
static const struct engine *find_engine(char **words, size_t n, struct err *err)
{
    static const char *const others[] = {"check", "install", "uninstall", "status", NULL};
    char names[128];
    const struct engine *engine = n > 0 ? engine_typed(words[0], err) : NULL;
    if (n == 0)
        (void)err_set(err, EINVAL, "which engine? One of: %s", engine_names(names, sizeof names));
    /* People type after a start script what belongs to its setup tool. */
    if (!engine || n == 1 || str_index(others, words[1]) < 0)
        return engine;
    (void)err_set(err, EINVAL, "did you mean `rootless-setup %s`?", words[1]);
    return NULL;
}

/* For an engine that makes its namespaces itself. */
static int refuse_options(const struct engine *engine, const struct config *config, struct err *err)
{
    const struct launch_settings *given = &config->settings;
    const char *option = given->net                     ? "--net"
                         : given->port_driver           ? "--port-driver"
                         : given->mtu > 0               ? "--mtu"
                         : given->ipv6                  ? "--ipv6"
                         : given->disable_host_loopback ? "--disable-host-loopback"
                         : given->detach_netns          ? "--detach-netns"
                         : given->state_dir             ? "--state-dir"
                         : config->options.n > 0        ? "--option"
                                                        : NULL;
    if (!option)
        return 0;
    return err_set(err, EINVAL,
                   "%s cannot be used with %s, which makes its namespaces and networks itself",
                   option, engine->title);
}

static int read_settings(const struct engine *engine, const struct config *config,
                         struct launch_settings *ret, struct err *err)
{
    struct launch_settings read;
    size_t at = 0;
    if (!engine->in_rootlesskit)
        return refuse_options(engine, config, err);
    int r = settings_read(engine, &config->settings, &read, err);
    if (r >= 0)
        r = settings_merge(engine, &config->settings, &read, ret, err);
    for (const char *stray; r >= 0 && (stray = settings_stray(engine, &at));)
        cli_warning("the variable %.*s has no meaning and is ignored", (int)strcspn(stray, "="),
                    stray);
    return r;
}

/* What is told to the inside by the environment. */
static int set_selinux(const struct engine *engine, struct err *err)
{
    char name[128];
    if (!prepare_selinux())
        return 0;
    if (prepare_selinux_variable(engine, name, sizeof name) < 0 || setenv(name, "1", 1) < 0)
        return err_set(err, ENOMEM, "cannot set the environment");
    return 0;
}

/* An engine that rootlesskit starts: where its state is, what starts it. */
static int plan_rootlesskit(struct launch_plan *plan, struct launch_settings *settings,
                            const struct engine_dirs *dirs, char *state_dir, struct line *line,
                            struct err *err)
{
    const struct engine *engine = plan->engine;
    const struct launch_profile *profile = launch_profile_find(engine);
    if (!settings->state_dir) {
        int r = engine_path(dirs, &engine->state, state_dir, PATH_MAX);
        if (r < 0)
            return err_sys(err, -r, "there is no place for the state directory");
        settings->state_dir = state_dir;
    }
    if (settings->detach_netns == CLI_UNSET)
        settings->detach_netns =
            programs_detaching(&profile->detaching, engine, plan->daemon) ? CLI_ON : CLI_UNSET;
    if (profile->flags_variable)
        plan->daemon_flags = getenv(profile->flags_variable);
    int r = programs_rootlesskit(plan->self, settings->net, line, err);
    return r < 0 ? r : set_selinux(engine, err);
}

static int print(const struct engine *engine, const struct line *line, bool path_changed,
                 struct err *err)
{
    cleanup_line struct line all = {0};
    char selinux[128] = "";
    if (engine->in_rootlesskit && prepare_selinux())
        (void)prepare_selinux_variable(engine, selinux, sizeof selinux);
    if (path_changed || selinux[0])
        line_add(&all, "env");
    if (path_changed)
        line_format(&all, "PATH=%s", getenv("PATH"));
    if (selinux[0])
        line_format(&all, "%s=1", selinux);
    line_add_all(&all, (const char *const *)line->words);
    int r = line_check(&all, err);
    return r < 0 ? r : line_print(&all, stdout, err);
}

static int launch(const struct engine *engine, const struct config *config,
                  struct launch_settings *settings, char *const *args, struct err *err)
{
    static struct engine_dirs dirs;
    static char self[PATH_MAX], state_dir[PATH_MAX];
    cleanup_line struct line line = {0};
    const char *set = engine->daemon_variable ? getenv(engine->daemon_variable) : NULL;
    struct launch_plan plan = {.engine = engine,
                               .daemon = set && set[0] ? set : engine->daemon,
                               .args = args,
                               .given = &config->settings,
                               .settings = settings,
                               .options = &config->options,
                               .self = self};
    int r = preflight_user(&dirs, err);
    if (r >= 0)
        r = programs_self(self, sizeof self, err);
    int path_changed = r < 0 ? r : programs_extend_path(self, err);
    r = path_changed < 0 ? path_changed : preflight_programs(engine, plan.daemon, err);
    if (r >= 0 && engine->in_rootlesskit)
        r = plan_rootlesskit(&plan, settings, &dirs, state_dir, &line, err);
    if (r < 0)
        return r;
    launch_plan_line(&plan, &line);
    r = line_check(&line, err);
    if (r < 0 || config->dry_run)
        return r < 0 ? r : print(engine, &line, path_changed > 0, err);
    r = preflight_alone(engine, &dirs, settings->state_dir, err);
    const struct launch_profile *profile = launch_profile_find(engine);
    if (r >= 0 && profile && profile->warm_up)
        r = programs_warm_up(plan.daemon, profile->warm_up, err);
    return r < 0 ? r : line_exec(&line, err);
}

int cmd_launch(int argc, char **argv)
{
    static struct config config;
    struct launch_settings settings = {0};
    struct err err = {0};
    size_t n = 0;
    int r = parse(argc, argv, &config, &n, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r >= 0)
        argv[n + 1] = NULL;
    const struct engine *engine = r < 0 ? NULL : find_engine(argv + 1, n, &err);
    if (!engine || read_settings(engine, &config, &settings, &err) < 0)
        return cli_fail(&err, CLI_USAGE);
    r = launch(engine, &config, &settings, argv + 2, &err);
    return r < 0 ? cli_fail(&err, CLI_FAILED) : CLI_OK;
}
