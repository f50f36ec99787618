/* rootless-setup shell: an interactive shell as root of namespaces. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "rootless-setup/commands.h"
#include "rootless-setup/engine/engine.h"
#include "rootless-setup/launch/session.h"

static const struct cli_program program = {
    .name = "rootless-setup shell",
    .usage = "rootless-setup shell [OPTION]...",
    .summary = "Starts your shell as root of a user namespace: of a running engine's, with\n"
               "--engine, or of a fresh one with a network of its own.",
    .options = session_options,
    .n_options = SESSION_OPTIONS,
};

static const char *find_shell(void)
{
    const char *shell = getenv("SHELL");
    if (shell && shell[0] == '/' && access(shell, X_OK) == 0)
        return shell;
    const struct passwd *entry = getpwuid(getuid());
    return entry && entry->pw_shell[0] == '/' && access(entry->pw_shell, X_OK) == 0
               ? entry->pw_shell
               : "/bin/sh";
}

/*
 * Root's prompt looks as on the host, which invites mistakes. Bash reads its own prompt from files
 * that we do not touch, so it is told to change it before the first time, and then forgets that;
 * a plain sh takes PS1. A shell that does neither still has the variable to show.
 */
static int hint_at(const char *where, const char *shell)
{
    char text[256];
    const char *name = strrchr(shell, '/') + 1;
    if (setenv("ROOTLESS_SETUP_SHELL", where, 1) < 0)
        return -errno;
    if (str_equal(name, "bash")) {
        (void)str_format(text, sizeof text, "PS1=\"(%s) $PS1\"; unset PROMPT_COMMAND", where);
        return setenv("PROMPT_COMMAND", text, 0) < 0 ? -errno : 0;
    }
    if (!str_equal(name, "sh") && !str_equal(name, "dash") && !str_equal(name, "ash"))
        return 0;
    (void)str_format(text, sizeof text, "(%s) # ", where);
    return setenv("PS1", text, 1) < 0 ? -errno : 0;
}

int cmd_shell(int argc, char **argv)
{
    static struct session session;
    struct err err = {0};
    int first = 0;
    int r = cli_parse(&program, argc, argv, &session, &first, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r >= 0 && first < argc)
        r = err_set(&err, EINVAL, "\"%s\": a shell takes no command: use rootless-setup run",
                    argv[first]);
    if (r < 0)
        return cli_fail(&err, CLI_USAGE);
    const char *shell = find_shell();
    const struct engine *engine = engine_find(session.engine);
    if (hint_at(engine ? engine->name : "rootless", shell) < 0) {
        cli_error("cannot set the environment");
        return CLI_FAILED;
    }
    char *const words[] = {(char *)(size_t)shell, NULL};
    r = session_run(&session, words, &err);
    return r < 0 ? cli_fail(&err, r == -EINVAL ? CLI_USAGE : CLI_FAILED) : CLI_OK;
}
