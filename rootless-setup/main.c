/* rootless-setup: finds the subcommand and hands the rest of the command line to it. */
#include <stddef.h>

#include "lib/base/activation.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "rootless-setup/commands.h"

static const struct cli_command commands[] = {
    {"check", "find out whether a user can run rootless engines", cmd_check},
    {"explain", "say what an error message means and what helps", cmd_explain},
    {"fix", "set what belongs to root as rootless engines need it", cmd_fix},
    {"install", "make a container engine a service of the user's", cmd_install},
    {"launch", "start a rootless engine in the foreground", cmd_launch},
    {"launch-inside", NULL, cmd_launch_inside}, /* no person's: launch, inside rootlesskit */
    {"run", "run a command as root of an engine's namespaces, or of fresh ones", cmd_run},
    {"shell", "start a shell as root of an engine's namespaces, or of fresh ones", cmd_shell},
    {"status", "say which engines a user has, and what is wrong with them", cmd_status},
    {"subid", "give users subordinate ids, take them back, list them", cmd_subid},
    {"undo", "take back what fix did", cmd_undo},
    {"uninstall", "take back what install did", cmd_uninstall},
};

static const struct cli_program program = {
    .name = "rootless-setup",
    .usage = "rootless-setup COMMAND [OPTION]... [ARG]...",
    .summary = "Prepares a machine and its users for rootless containers.\n"
               "rootless-setup COMMAND --help says more about a command.",
    .commands = commands,
    .n_commands = sizeof commands / sizeof commands[0],
};

int main(int argc, char **argv)
{
    cli_begin("rootless-setup", 3 + (int)activation_sockets()); /* launch hands them on */
    return cli_run_command(&program, argc, argv);
}
