/* rootless-setup subid: finds the action. */
#include <stddef.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "rootless-setup/commands.h"
#include "rootless-setup/subid/subid.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} actions[] = {
    {"add", subid_add},   {"audit", subid_audit},   {"del", subid_del},
    {"list", subid_list}, {"repair", subid_repair}, {"undo", subid_undo},
};

static const struct cli_program program = {
    .name = "rootless-setup subid",
    .usage = "rootless-setup subid ACTION [OPTION]... [ARG]...",
    .summary = "Manages the ranges of /etc/subuid and /etc/subgid.",
    .epilog = "Actions:\n"
              "  add [USER]...    give users a range of uids and gids\n"
              "  del [USER]...    take ranges back\n"
              "  list [USER]      list the ranges\n"
              "  undo [NUMBER]    take a change back\n"
              "  audit            find what is wrong with the files\n"
              "  repair           mend what can be mended\n"
              "\nrootless-setup subid ACTION --help says more about an action.",
};

int cmd_subid(int argc, char **argv)
{
    struct err err = {0};
    int first = 0;
    int r = cli_parse(&program, argc, argv, NULL, &first, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r < 0)
        return cli_fail(&err, CLI_USAGE);
    if (first == argc) {
        cli_error("subid: an action is missing (rootless-setup subid --help lists them)");
        return CLI_USAGE;
    }
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (str_equal(argv[first], actions[i].name))
            return actions[i].run(argc - first, argv + first);
    cli_error("subid: unknown action \"%s\" (rootless-setup subid --help lists them)", argv[first]);
    return CLI_USAGE;
}
