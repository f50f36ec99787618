/* rootless-setup launch-inside: how launch goes on as root of the namespaces. Nobody types it:
 *     rootless-setup launch-inside ENGINE DAEMON [ARG]... */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/cli/cli.h"
#include "rootless-setup/check/facts.h"
#include "rootless-setup/commands.h"
#include "rootless-setup/engine/engine.h"
#include "rootless-setup/launch/line.h"
#include "rootless-setup/launch/prepare.h"
#include "rootless-setup/launch/profile.h"

/* What is done here would harm a machine whose files are no copies. */
static int check_place(struct err *err)
{
    struct check_facts facts;
    facts_read(&facts);
    if (facts.nested && geteuid() == 0 && getenv("ROOTLESSKIT_STATE_DIR"))
        return 0;
    return err_set(err, EPERM, "this is not inside rootlesskit: use rootless-setup launch");
}

int cmd_launch_inside(int argc, char **argv)
{
    static struct engine_dirs dirs;
    cleanup_line struct line line = {0};
    struct err err = {0};
    const struct engine *engine = argc > 2 ? engine_find(argv[1]) : NULL;
    const struct launch_profile *profile = engine ? launch_profile_find(engine) : NULL;
    if (!profile || !engine->in_rootlesskit) {
        cli_error("use rootless-setup launch");
        return CLI_USAGE;
    }
    for (int i = 2; i < argc; i++)
        line_add(&line, argv[i]);
    if (check_place(&err) < 0 || engine_dirs_read(&dirs, &err) < 0 ||
        prepare_engine(engine, profile, &dirs, &err) < 0 || line_check(&line, &err) < 0 ||
        line_exec(&line, &err) < 0)
        return cli_fail(&err, CLI_FAILED);
    return CLI_OK;
}
