/* rootless-setup install: makes an engine a service of a user's. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "lib/cli/terminal.h"
#include "rootless-setup/check/report.h"
#include "rootless-setup/check/run.h"
#include "rootless-setup/commands.h"
#include "rootless-setup/install/become.h"
#include "rootless-setup/install/install.h"
#include "rootless-setup/install/linger.h"
#include "rootless-setup/subject_option.h"
#include "rootless-setup/words.h"

struct config {
    const char *user;
    bool dry_run, force, no_start, no_context, linger;
};

static const struct cli_option options[] = {
    OPTION_USER(struct config),
    {.name = "dry-run",
     .letter = 'n',
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, dry_run),
     .help = "say what would be done, and do nothing"},
    {.name = "force",
     .letter = 'f',
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, force),
     .help = "also when checks fail or something else listens at the socket"},
    {.name = "linger",
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, linger),
     .help = "start at boot, and stay when the user logs out"},
    {.name = "no-start",
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, no_start),
     .help = "do not start it now, but at the next login"},
    {.name = "no-context",
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, no_context),
     .help = "leave docker's contexts as they are"},
};

/* The command as it goes on. */
struct session {
    struct config config;
    struct check_context context;
    const struct engine *engine;
    const char *const *args;
    size_t n_args;
};

static int parse(int argc, char **argv, struct session *session, struct err *err)
{
    char names[128], epilog[256];
    size_t n = 0;
    (void)snprintf(epilog, sizeof epilog,
                   "Engines: %s.\nWhat stands behind \"--\" is passed to the engine's daemon.",
                   engine_names(names, sizeof names));
    const struct cli_program program = {
        .name = "rootless-setup install",
        .usage = "rootless-setup install [OPTION]... ENGINE [-- ARG...]",
        .summary =
            "Makes a container engine a service of the user's, without root: a systemd user\n"
            "unit, started now and at every login, or a script where no systemd runs.\n"
            "Done again, it changes nothing; rootless-setup uninstall takes it back.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .epilog = epilog,
    };
    int r = words_parse(&program, argc, argv, &session->config, &n, err);
    if (r != CLI_PARSED)
        return r;
    if (n == 0)
        return err_set(err, EINVAL, "install what? Name one of: %s", names);
    session->engine = engine_typed(argv[1], err);
    if (!session->engine)
        return -EINVAL;
    session->args = (const char *const *)argv + 2;
    session->n_args = n - 1;
    return 0;
}

/* What keeps engines from running, if anything does. @return 0, or -EAGAIN when something does */
static int check(const struct session *session, struct err *err)
{
    const struct check_result *results = NULL;
    bool wanted[PROBES_MAX], bad[PROBES_MAX] = {false};
    check_select(session->context.engine, wanted);
    int r = check_run(&session->context, wanted, &results, err);
    if (r < 0)
        return r;
    struct check_summary sum = report_summary(wanted, results);
    for (size_t i = 0; i < check_probes_count; i++)
        bad[i] = wanted[i] && results[i].status >= CHECK_FAILED;
    int rootful = check_probe_index("rootful");
    if (rootful >= 0 && wanted[rootful] && results[rootful].status == CHECK_HINT)
        (void)printf("Root's Docker runs here too (%s); it is left alone.\n",
                     results[rootful].evidence);
    if (sum.failed + sum.skipped == 0)
        return 0;
    report_findings(&session->context, bad, results, terminal_color("auto"), stdout);
    return err_set(err, EAGAIN,
                   "%s cannot run for %s before this is mended (rootless-setup check says more; "
                   "--force installs it all the same)",
                   session->engine->title, session->context.subject.name);
}

/* As the user. @return exit status */
static int install(void *arg)
{
    const struct session *session = arg;
    const struct config *config = &session->config;
    const struct install_options install_options = {
        .dry_run = config->dry_run,
        .force = config->force,
        .no_start = config->no_start,
        .no_context = config->no_context,
        .linger = config->linger,
        .args = session->args,
        .n_args = session->n_args,
    };
    static struct setup setup;
    struct err err = {0};
    setup_search(&session->context.facts);
    int r = setup_open(session->engine, &session->context, &setup, &err);
    if (r == 0 && !config->force)
        r = install_find_programs(session->engine, &err);
    if (r == 0)
        r = install_run(&setup, &install_options, stdout, &err);
    setup_close(&setup);
    (void)fflush(stdout);
    return r < 0 ? cli_fail(&err, CLI_FAILED) : CLI_OK;
}

int cmd_install(int argc, char **argv)
{
    static struct session session;
    struct err err = {0};
    int r = parse(argc, argv, &session, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r < 0 || subject_context(session.config.user, &session.context, &err) < 0)
        return cli_fail(&err, CLI_USAGE);
    session.context.engine = check_engine_find(session.engine->name);
    r = session.config.linger
            ? linger_enable(&session.context, session.config.dry_run, stdout, &err)
            : 0;
    if (r == 0)
        r = check(&session, &err);
    if (r == -EAGAIN && session.config.force) {
        (void)fflush(stdout);
        cli_warning("not ready, but --force was given");
        r = 0;
    }
    if (r == 0)
        r = become_run(&session.context.subject, install, &session, &err);
    if (fflush(stdout) != 0 && r == 0)
        r = err_sys(&err, errno, "cannot write the report");
    return r < 0 ? cli_fail(&err, CLI_FAILED) : r;
}
