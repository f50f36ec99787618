/* rootless-setup run: a command as root of a running engine's namespaces, or of fresh ones. */
#include <errno.h>
#include <stddef.h>

#include "lib/base/err.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "rootless-setup/commands.h"
#include "rootless-setup/launch/session.h"

static const struct cli_program program = {
    .name = "rootless-setup run",
    .usage = "rootless-setup run [OPTION]... [--] COMMAND [ARG]...",
    .summary = "Runs a command as root of a user namespace: of a running engine's, with --engine,\n"
               "or of a fresh one with a network of its own.",
    .options = session_options,
    .n_options = SESSION_OPTIONS,
};

int cmd_run(int argc, char **argv)
{
    static struct session session;
    struct err err = {0};
    int first = 0;
    int r = cli_parse(&program, argc, argv, &session, &first, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r >= 0 && first == argc)
        r = err_set(&err, EINVAL,
                    "a command is missing (rootless-setup run --help shows the usage)");
    if (r < 0)
        return cli_fail(&err, CLI_USAGE);
    r = session_run(&session, argv + first, &err);
    return r < 0 ? cli_fail(&err, r == -EINVAL ? CLI_USAGE : CLI_FAILED) : CLI_OK;
}
