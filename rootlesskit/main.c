/* rootlesskit: the command line, then the parent's life (parent.h). */
#include "lib/base/activation.h"
#include "lib/base/err.h"
#include "lib/cli/cli.h"
#include "rootlesskit/options.h"
#include "rootlesskit/parent.h"
#include "rootlesskit/signals.h"

int main(int argc, char **argv)
{
    static struct rk_config config;
    struct err err = {0};
    unsigned n_sockets = activation_sockets();
    cli_begin("[rootlesskit:parent]", 3 + (int)n_sockets);
    int r = options_parse(&config, argc, argv, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r < 0)
        return cli_fail(&err, CLI_FAILED); /* RootlessKit's status for a wrong command line too */
    cli_set_debug(config.debug);
    config.n_sockets = n_sockets;
    signals_block();
    r = parent_run(&config);
    options_free(&config);
    return r;
}
