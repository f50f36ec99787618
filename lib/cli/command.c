#include "lib/cli/options.h"

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"

int cli_run_command(const struct cli_program *program, int argc, char **argv)
{
    struct err err = {0};
    int first = 0;
    int r = cli_parse(program, argc, argv, NULL, &first, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r < 0)
        return cli_fail(&err, CLI_USAGE);
    if (first == argc) {
        cli_error("a command is missing (%s --help lists them)", program->name);
        return CLI_USAGE;
    }
    for (size_t i = 0; i < program->n_commands; i++)
        if (str_equal(argv[first], program->commands[i].name))
            return program->commands[i].run(argc - first, argv + first);
    cli_error("unknown command \"%s\" (%s --help lists them)", argv[first], program->name);
    return CLI_USAGE;
}
