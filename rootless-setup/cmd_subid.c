/* rootless-setup subid: finds the action. */
#include <stddef.h>

#include "lib/cli/options.h"
#include "rootless-setup/commands.h"
#include "rootless-setup/subid/subid.h"

static const struct cli_command actions[] = {
    {"add", "give users a range of uids and gids", subid_add},
    {"audit", "find what is wrong with the files", subid_audit},
    {"del", "take ranges back", subid_del},
    {"list", "list the ranges", subid_list},
    {"repair", "mend what can be mended", subid_repair},
    {"undo", "take a change back", subid_undo},
};

static const struct cli_program program = {
    .name = "rootless-setup subid",
    .usage = "rootless-setup subid COMMAND [OPTION]... [ARG]...",
    .summary = "Manages the ranges of /etc/subuid and /etc/subgid.\n"
               "rootless-setup subid COMMAND --help says more about a command.",
    .commands = actions,
    .n_commands = sizeof actions / sizeof actions[0],
};

int cmd_subid(int argc, char **argv)
{
    return cli_run_command(&program, argc, argv);
}
