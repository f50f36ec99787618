#include "lib/cli/cli.h"
#include "rootless-setup/commands.h"

int cmd_subid(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    cli_error("no action");
    return CLI_USAGE;
}
