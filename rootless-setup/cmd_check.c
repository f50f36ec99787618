#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "lib/cli/terminal.h"
#include "rootless-setup/check/report.h"
#include "rootless-setup/check/run.h"
#include "rootless-setup/commands.h"
#include "rootless-setup/subject_option.h"
#include "rootless-setup/words.h"

/* The documented statuses of this command; usage errors share 2 with an empty stdout. */
enum { READY = 0, NOT_READY = 1, READY_WITH_WARNINGS = 2 };

struct config {
    const char *user;
    const char *engine;
    const char *root;
    const char *color;
    bool json;
    bool quiet;
    bool strict;
};

static const char *const color_choices[] = {"auto", "always", "never", NULL};

static const struct cli_option options[] = {
    OPTION_USER(struct config),
    {.name = "engine",
     .letter = 'e',
     .kind = CLI_STRING,
     .offset = offsetof(struct config, engine),
     .value = "ENGINE",
     .help = "what docker, containerd, buildkit, podman or k3s needs, where it has its data",
     .choices = check_engine_names},
    {.name = "root",
     .kind = CLI_STRING,
     .offset = offsetof(struct config, root),
     .value = "DIR",
     .help = "files of the system below DIR, of which nothing is run"},
    {.name = "json",
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, json),
     .help = "one JSON object (docs/check-schema.json)"},
    {.name = "quiet",
     .letter = 'q',
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, quiet),
     .help = "print nothing, only the exit status"},
    {.name = "strict",
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, strict),
     .help = "exit status 2 when ready with warnings"},
    {.name = "color",
     .kind = CLI_STRING,
     .offset = offsetof(struct config, color),
     .value = "WHEN",
     .help = "auto, always or never (default: auto, on a terminal without NO_COLOR)",
     .choices = color_choices},
};

static const char *list_probes(char *buf, size_t size)
{
    size_t used = (size_t)snprintf(buf, size, "Checks (all by default):");
    for (size_t i = 0; i < check_probes_count && used < size; i++)
        used += (size_t)snprintf(buf + used, size - used, "\n  %-12s %s", check_probes[i].id,
                                 check_probes[i].title);
    return buf;
}

/* In a system that does not run only files can be looked at. */
static bool can_try(const struct config *config, size_t probe)
{
    return !config->root || check_probes[probe].image;
}

static int select_named(const struct config *config, const char *id, bool wanted[PROBES_MAX],
                        struct err *err)
{
    int probe = check_probe_index(id);
    if (probe < 0)
        return err_set(err, EINVAL, "unknown check \"%s\" (rootless-setup check --help lists them)",
                       id);
    if (!can_try(config, (size_t)probe))
        return err_set(err, EINVAL,
                       "the check %s tries a running system, which one below --root is not", id);
    wanted[probe] = true;
    return 0;
}

static int select_probes(const struct config *config, char **ids, size_t n, bool wanted[PROBES_MAX],
                         struct err *err)
{
    enum check_engine engine = check_engine_find(config->engine);
    for (size_t i = 0; i < check_probes_count; i++)
        wanted[i] = n == 0 && can_try(config, i) && check_probe_concerns(&check_probes[i], engine);
    for (size_t i = 0; i < n; i++) {
        int r = select_named(config, ids[i], wanted, err);
        if (r < 0)
            return r;
    }
    if (!config->root)
        check_add_needs(wanted);
    return 0;
}

/* What root need not paste. */
static void suggest_fix(const struct check_context *context, const bool wanted[PROBES_MAX],
                        const struct check_result *results)
{
    const char *before = context->subject.switch_user
                             ? "\nOr let it be set: rootless-setup fix"
                             : "\nOr let it be set: sudo rootless-setup fix";
    for (size_t i = 0; i < check_probes_count; i++) {
        bool bad = results[i].status == CHECK_WARNING || results[i].status == CHECK_FAILED;
        if (!wanted[i] || !bad || !results[i].fixable)
            continue;
        (void)printf("%s %s", before, check_probes[i].id);
        before = "";
    }
    if (before[0] == '\0')
        (void)printf("%s%s\n", context->subject.switch_user ? " --user " : "",
                     context->subject.switch_user ? context->subject.name : "");
}

static int report(const struct config *config, const struct check_context *context,
                  const bool wanted[PROBES_MAX], const struct check_result *results,
                  struct err *err)
{
    int r = 0;
    if (config->json)
        r = report_json(context, wanted, results, stdout);
    else if (!config->quiet) {
        report_text(context, wanted, results, terminal_color(config->color), stdout);
        if (!config->root)
            suggest_fix(context, wanted, results);
    }
    if (r < 0 || fflush(stdout) != 0)
        return err_sys(err, r < 0 ? -r : errno, "cannot write the report");
    return 0;
}

static int exit_status(const struct config *config, struct check_summary sum)
{
    if (sum.failed + sum.skipped > 0)
        return NOT_READY;
    return config->strict && sum.warnings > 0 ? READY_WITH_WARNINGS : READY;
}

/* The system that is looked at, and the user in it. */
static int find_context(const struct config *config, struct check_context *ret, struct err *err)
{
    if (!config->root) {
        int r = subject_context(config->user, ret, err);
        ret->engine = check_engine_find(config->engine);
        return r;
    }
    *ret = (struct check_context){.engine = check_engine_find(config->engine)};
    int r = files_find(config->root, &ret->files, err);
    if (r < 0)
        return r;
    facts_unknown(&ret->facts);
    ret->facts.systemd = files_has(&ret->files, "/usr/lib/systemd/systemd");
    distro_read(&ret->files, &ret->distro);
    return subject_find_in(&ret->files, config->user, &ret->subject, err);
}

static int parse(int argc, char **argv, struct config *config, size_t *ret_n, struct err *err)
{
    char epilog[4096];
    const struct cli_program program = {
        .name = "rootless-setup check",
        .usage = "rootless-setup check [OPTION]... [CHECK]...",
        .summary = "Tries everything a rootless container engine needs, as the user in question,\n"
                   "and says what failed, why, and which commands help. Changes nothing.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .epilog = list_probes(epilog, sizeof epilog),
    };
    return words_parse(&program, argc, argv, config, ret_n, err);
}

int cmd_check(int argc, char **argv)
{
    struct config config = {.color = "auto"};
    struct check_context context;
    struct err err = {0};
    bool wanted[PROBES_MAX] = {false};
    size_t n = 0;
    int r = parse(argc, argv, &config, &n, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r == 0 && str_equal(config.root, "/"))
        config.root = NULL;
    if (r < 0 || select_probes(&config, argv + 1, n, wanted, &err) < 0 ||
        find_context(&config, &context, &err) < 0)
        return cli_fail(&err, CLI_USAGE);
    const struct check_result *results = NULL;
    if (check_run(&context, wanted, &results, &err) < 0 ||
        report(&config, &context, wanted, results, &err) < 0)
        return cli_fail(&err, CLI_FAILED);
    return exit_status(&config, report_summary(wanted, results));
}
