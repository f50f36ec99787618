/*
 * The command line that starts an engine. Pure: everything is in the arguments.
 */
#pragma once

#include "lib/cli/options.h"
#include "rootless-setup/engine/engine.h"
#include "rootless-setup/launch/line.h"
#include "rootless-setup/launch/settings.h"

/** The subcommand by which this program goes on as root of the namespaces. */
#define LAUNCH_INSIDE "launch-inside"

struct launch_plan {
    const struct engine *engine;
    const char *daemon;       /**< words: the program, maybe with arguments */
    const char *daemon_flags; /**< words, or NULL */
    char *const *args;        /**< NULL-ended: the user's */

    /* For an engine inside rootlesskit. */
    const struct launch_settings *given;    /**< by options: they count last */
    const struct launch_settings *settings; /**< what holds in the end */
    const struct cli_list *options;         /**< more options of rootlesskit */
    const char *self;                       /**< this program */
};

/** @param line  for an engine inside rootlesskit, has what starts that */
void launch_plan_line(const struct launch_plan *plan, struct line *line);
