/* rootless-setup: finds the subcommand and hands the rest of the command line to it. */
#include <stddef.h>
#include <stdio.h>

#include "lib/base/activation.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "rootless-setup/commands.h"

struct command {
    const char *name;
    const char *summary; /* NULL: not listed */
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
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
#define N_COMMANDS (sizeof commands / sizeof commands[0])

/* The list of subcommands behind the options, from the table above. */
static const char *list_commands(char *buf, size_t size)
{
    size_t used = (size_t)snprintf(buf, size, "Commands:");
    for (size_t i = 0; i < N_COMMANDS && used < size; i++)
        if (commands[i].summary)
            used += (size_t)snprintf(buf + used, size - used, "\n  %-12s %s", commands[i].name,
                                     commands[i].summary);
    return buf;
}

int main(int argc, char **argv)
{
    cli_begin("rootless-setup", 3 + (int)activation_sockets()); /* launch hands them on */
    char epilog[2048];
    const struct cli_program program = {
        .name = "rootless-setup",
        .usage = "rootless-setup COMMAND [OPTION]... [ARG]...",
        .summary = "Prepares a machine and its users for rootless containers.\n"
                   "rootless-setup COMMAND --help says more about a command.",
        .epilog = list_commands(epilog, sizeof epilog),
    };
    struct err err = {0};
    int first = 0;
    int r = cli_parse(&program, argc, argv, NULL, &first, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r < 0)
        return cli_fail(&err, CLI_USAGE);
    if (first == argc) {
        cli_error("a command is missing (rootless-setup --help lists them)");
        return CLI_USAGE;
    }
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (str_equal(argv[first], commands[i].name))
            return commands[i].run(argc - first, argv + first);
    cli_error("unknown command \"%s\" (rootless-setup --help lists them)", argv[first]);
    return CLI_USAGE;
}
