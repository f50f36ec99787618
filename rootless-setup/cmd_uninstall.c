/* rootless-setup uninstall: takes back what install did. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/base/err.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "rootless-setup/commands.h"
#include "rootless-setup/install/become.h"
#include "rootless-setup/install/uninstall.h"
#include "rootless-setup/subject_option.h"
#include "rootless-setup/words.h"

struct config {
    const char *user;
    bool dry_run, purge, yes;
};

static const struct cli_option options[] = {
    OPTION_USER(struct config),
    {.name = "dry-run",
     .letter = 'n',
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, dry_run),
     .help = "say what would be done, and do nothing"},
    {.name = "purge",
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, purge),
     .help = "remove its images, containers and volumes too"},
    {.name = "yes",
     .letter = 'y',
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, yes),
     .help = "with --purge: do not ask"},
};

/* The command as it goes on. */
struct session {
    struct config config;
    struct check_context context;
    const struct engine *engine;
};

static int parse(int argc, char **argv, struct session *session, struct err *err)
{
    char names[128], epilog[192];
    size_t n = 0;
    (void)snprintf(epilog, sizeof epilog, "Engines: %s.", engine_names(names, sizeof names));
    const struct cli_program program = {
        .name = "rootless-setup uninstall",
        .usage = "rootless-setup uninstall [OPTION]... ENGINE",
        .summary = "Ends an engine of the user's, and takes back what rootless-setup install did.\n"
                   "Images and containers stay, unless --purge is given.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .epilog = epilog,
    };
    int r = words_parse(&program, argc, argv, &session->config, &n, err);
    if (r != CLI_PARSED)
        return r;
    if (n != 1)
        return err_set(err, EINVAL, "uninstall what? Name one of: %s", names);
    session->engine = engine_typed(argv[1], err);
    if (!session->engine)
        return -EINVAL;
    return 0;
}

/* As the user. @return exit status */
static int uninstall(void *arg)
{
    const struct session *session = arg;
    const struct uninstall_options uninstall_options = {
        .dry_run = session->config.dry_run,
        .purge = session->config.purge,
        .yes = session->config.yes,
    };
    static struct setup setup;
    struct err err = {0};
    setup_search(&session->context.facts);
    int r = setup_open(session->engine, &session->context, &setup, &err);
    if (r == 0)
        r = uninstall_run(&setup, &uninstall_options, stdout, &err);
    setup_close(&setup);
    (void)fflush(stdout);
    return r < 0 ? cli_fail(&err, CLI_FAILED) : CLI_OK;
}

int cmd_uninstall(int argc, char **argv)
{
    static struct session session;
    struct err err = {0};
    int r = parse(argc, argv, &session, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r < 0 || subject_context(session.config.user, &session.context, &err) < 0)
        return cli_fail(&err, CLI_USAGE);
    r = become_run(&session.context.subject, uninstall, &session, &err);
    if (fflush(stdout) != 0 && r == 0)
        r = err_sys(&err, errno, "cannot write the report");
    return r < 0 ? cli_fail(&err, CLI_FAILED) : r;
}
