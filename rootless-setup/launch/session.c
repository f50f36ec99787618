#include "rootless-setup/launch/session.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootless-setup/engine/engine.h"
#include "rootless-setup/launch/enter.h"
#include "rootless-setup/launch/line.h"
#include "rootless-setup/launch/programs.h"
#include "rootless-setup/launch/settings.h"

#define FIELD(member) .offset = offsetof(struct session, member)

const struct cli_option session_options[SESSION_OPTIONS] = {
    {"engine", 'e', CLI_STRING, FIELD(engine), "ENGINE",
     "in the namespaces of this running engine (default: in fresh ones)"},
    {"state-dir", 0, CLI_STRING, FIELD(state_dir), "DIR",
     "the engine's state directory, where it is not the usual one"},
    {"detached-network", 0, CLI_FLAG, FIELD(network),
     .help = "in the network of the engine's containers, where it is detached"},
    {"net", 0, CLI_STRING, FIELD(net), "DRIVER",
     "network of fresh namespaces, as of rootlesskit (default: auto)", launch_nets,
     launch_nets_gone},
    {"publish", 'p', CLI_LIST, FIELD(publish), "SPEC",
     "publish a port of fresh namespaces, as rootlesskit does; may repeat"},
    {"dry-run", 0, CLI_FLAG, FIELD(dry_run),
     .help = "print the command line that would be executed, and end"},
};

/* Prints it, or becomes it. */
static int finish(const struct session *session, const struct line *line, struct err *err)
{
    int r = line_check(line, err);
    if (r < 0)
        return r;
    return session->dry_run ? line_print(line, stdout, err) : line_exec(line, err);
}

static void add_command(struct line *line, char *const *argv)
{
    for (size_t i = 0; argv[i]; i++)
        line_add(line, argv[i]);
}

static int run_fresh(const struct session *session, const char *self, char *const *argv,
                     struct err *err)
{
    cleanup_line struct line line = {0};
    const char *net = session->net ? session->net : "auto";
    if (session->state_dir || session->network)
        return err_set(err, EINVAL, "%s says something of a running engine: add --engine",
                       session->state_dir ? "--state-dir" : "--detached-network");
    int r = programs_rootlesskit(self, net, &line, err);
    if (r < 0)
        return r;
    line_format(&line, "--net=%s", net);
    if (!str_equal(net, "host")) {
        line_add(&line, "--disable-host-loopback");
        line_add(&line, "--copy-up=/etc");
        line_add(&line, "--port-driver=builtin");
    }
    for (size_t i = 0; i < session->publish.n; i++)
        line_format(&line, "--publish=%s", session->publish.items[i]);
    line_add(&line, "--");
    add_command(&line, argv);
    return finish(session, &line, err);
}

/* Podman's namespaces are entered by its own command, which makes them first if need be. */
static int run_in_podman(const struct session *session, char *const *argv, struct err *err)
{
    cleanup_line struct line line = {0};
    int r = programs_check("podman", "Podman", "install it, or put its folder into PATH", err);
    if (r < 0)
        return r;
    line_add(&line, "podman");
    line_add(&line, "unshare");
    if (session->network)
        line_add(&line, "--rootless-netns");
    line_add(&line, "--");
    add_command(&line, argv);
    return finish(session, &line, err);
}

static int run_in_engine(const struct session *session, char *const *argv, struct err *err)
{
    cleanup_line struct line line = {0};
    struct engine_dirs dirs;
    char name[128], state_dir[PATH_MAX];
    const struct engine *engine = engine_typed(session->engine, err);
    if (!engine)
        return -EINVAL;
    if (session->net || session->publish.n > 0)
        return err_set(err, EINVAL, "%s is for fresh namespaces: %s has a network",
                       session->net ? "--net" : "--publish", engine->title);
    if (str_equal(engine->name, "podman"))
        return run_in_podman(session, argv, err);
    if (!engine->in_rootlesskit)
        return err_set(err, EOPNOTSUPP, "%s keeps its namespaces to itself: there is no way in",
                       engine->title);
    add_command(&line, argv);
    if (session->dry_run)
        return finish(session, &line, err);
    int r = engine_dirs_read(&dirs, err);
    if (r < 0)
        return r;
    const char *set = session->state_dir;
    if (!set && engine_variable(engine, "STATE_DIR", name, sizeof name) > 0)
        set = getenv(name);
    r = set && set[0] ? str_format(state_dir, sizeof state_dir, "%s", set)
                      : engine_path(&dirs, &engine->state, state_dir, sizeof state_dir);
    if (r < 0)
        return err_set(err, -r,
                       "XDG_RUNTIME_DIR is not set, so where is %s? (rootless-setup check "
                       "runtime-dir says what to type)",
                       engine->title);
    r = enter_engine(engine, &dirs, state_dir, session->network, err);
    return r < 0 ? r : finish(session, &line, err);
}

int session_run(const struct session *session, char *const *argv, struct err *err)
{
    char self[PATH_MAX];
    int r = programs_self(self, sizeof self, err);
    if (r >= 0)
        r = programs_extend_path(self, err);
    if (r < 0)
        return r;
    return session->engine ? run_in_engine(session, argv, err)
                           : run_fresh(session, self, argv, err);
}
