/* rootless-setup fix: does as root what checks found missing, and records how to take it back. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "rootless-setup/check/run.h"
#include "rootless-setup/commands.h"
#include "rootless-setup/fix/apply.h"
#include "rootless-setup/fix/tell.h"
#include "rootless-setup/subject_option.h"
#include "rootless-setup/words.h"

struct config {
    const char *user;
    const char *root;
    bool dry_run;
    bool json;
};

static const struct cli_option options[] = {
    {.name = "dry-run",
     .letter = 'n',
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, dry_run),
     .help = "say what would be done, and do nothing"},
    OPTION_USER(struct config),
    {.name = "root",
     .kind = CLI_STRING,
     .offset = offsetof(struct config, root),
     .value = "DIR",
     .help = "files of the image below DIR; nothing of this machine is touched"},
    {.name = "json",
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, json),
     .help = "one JSON object (docs/fix-schema.json)"},
};

/* The command as it goes on: what is asked, and about whom. */
struct session {
    struct config config;
    struct check_context context;
    bool has_subject; /* checks can be tried */
    bool wanted[PROBES_MAX];
    struct fix_teller teller;
    bool changed; /* something was, or would be */
};

static const char *list_recipes(char *buf, size_t size)
{
    size_t used = (size_t)snprintf(buf, size, "Checks it can do something about:");
    for (size_t i = 0; i < fix_recipes_count && used < size; i++)
        used += (size_t)snprintf(buf + used, size - used, "%s%s", i % 8 == 0 ? "\n  " : " ",
                                 fix_recipes[i].check);
    return buf;
}

static int parse(int argc, char **argv, struct config *config, size_t *ret_n, struct err *err)
{
    char epilog[512];
    const struct cli_program program = {
        .name = "rootless-setup fix",
        .usage = "rootless-setup fix [OPTION]... [CHECK]...",
        .summary =
            "Sets up what checks find missing and only root can set: drop-in files, and the\n"
            "same on the running machine. Without a name: what fails for the user.\n"
            "What was there before is recorded; rootless-setup undo restores it.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .epilog = list_recipes(epilog, sizeof epilog),
    };
    return words_parse(&program, argc, argv, config, ret_n, err);
}

static int find_named(struct session *session, char **ids, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        int probe = check_probe_index(ids[i]);
        if (probe < 0)
            return err_set(err, EINVAL,
                           "unknown check \"%s\" (rootless-setup check --help lists them)", ids[i]);
        if (!fix_recipe_find(ids[i]))
            return err_set(err, EINVAL,
                           "fix can do nothing about %s; rootless-setup check %s says what helps",
                           ids[i], ids[i]);
        session->wanted[probe] = true;
    }
    return 0;
}

/* Of the named ones those that are not in order for the user, where there is one to try them. */
static int drop_passing(struct session *session, struct err *err)
{
    bool all[PROBES_MAX];
    const struct check_result *results = NULL;
    if (!session->has_subject)
        return 0;
    for (size_t i = 0; i < PROBES_MAX; i++)
        all[i] = session->wanted[i];
    check_add_needs(all);
    int r = check_run(&session->context, all, &results, err);
    for (size_t i = 0; r == 0 && i < check_probes_count; i++) {
        if (!session->wanted[i] || results[i].status != CHECK_OK)
            continue;
        session->wanted[i] = false;
        char line[320];
        (void)snprintf(line, sizeof line, "in order for %s: nothing to do",
                       session->context.subject.name);
        tell_begin(&session->teller, check_probes[i].id);
        tell_outcome(&session->teller, "in order", line);
    }
    return r;
}

/* Without a name: what fails, or works with a loss. Hints are nobody's need. */
static int select_failing(struct session *session, struct err *err)
{
    bool all[PROBES_MAX];
    const struct check_result *results = NULL;
    if (session->config.root)
        return err_set(err, EINVAL,
                       "with --root name the checks (fix --help lists them): an image "
                       "cannot be tried");
    if (!session->has_subject)
        return err_set(err, EINVAL, "name the checks, or with --user who has to pass them");
    for (size_t i = 0; i < check_probes_count; i++)
        all[i] = true;
    int r = check_run(&session->context, all, &results, err);
    for (size_t i = 0; r == 0 && i < check_probes_count; i++) {
        enum check_status status = results[i].status;
        if (status != CHECK_WARNING && status < CHECK_FAILED)
            continue;
        session->wanted[i] = results[i].fixable && fix_recipe_find(check_probes[i].id);
        if (session->wanted[i])
            continue;
        tell_begin(&session->teller, check_probes[i].id);
        if (status == CHECK_SKIPPED)
            tell_outcome(&session->teller, "not tried", "not tried; see rootless-setup check");
        else
            tell_outcome(&session->teller, "nothing",
                         "nothing that fix can do; see rootless-setup check");
    }
    return r;
}

/* Whom the checks are tried for. */
static int find_subject(struct session *session, struct err *err)
{
    if (session->config.root)
        return 0;
    int r = subject_context(session->config.user, &session->context, err);
    if (r == -ENXIO)
        return 0; /* what is named can be set for nobody in particular */
    session->has_subject = r == 0;
    if (r == 0)
        session->config.user = session->context.subject.name;
    return r;
}

/* How the checks come out now. */
static int verify(const struct session *session, struct err *err)
{
    const struct check_result *results = NULL;
    bool wanted[PROBES_MAX];
    for (size_t i = 0; i < PROBES_MAX; i++)
        wanted[i] = session->wanted[i];
    check_add_needs(wanted);
    int r = check_run(&session->context, wanted, &results, err);
    for (size_t i = 0; r == 0 && i < check_probes_count; i++)
        if (session->wanted[i])
            tell_now(&session->teller, &check_probes[i], &results[i],
                     session->context.subject.name);
    return r;
}

static int apply(struct session *session, struct place *place, struct record *record,
                 struct err *err)
{
    struct fix_run run = {
        .place = place,
        .record = record,
        .user = session->config.user,
        .bin_dir = session->context.facts.bin_dir,
        .dry = session->config.dry_run,
        .teller = &session->teller,
    };
    int r = fix_resume(&run, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < check_probes_count; i++) {
        if (!session->wanted[i] || fix_apply(&run, fix_recipe_find(check_probes[i].id), err) == 0)
            continue;
        /* One that fails keeps nobody from the others. */
        (void)fflush(stdout);
        (void)cli_fail(err, CLI_FAILED);
        session->wanted[i] = false;
        run.refused++;
    }
    r = fix_finish(&run, err);
    if (r < 0)
        return r;
    session->changed = run.changed > 0;
    if (!run.dry && run.changed > 0 && session->has_subject)
        r = verify(session, err);
    return r < 0 ? r : run.refused > 0 ? -ECANCELED : 0;
}

static int work(struct session *session, struct err *err)
{
    struct place place;
    static struct record record;
    int r = place_open(session->config.root, &place, err);
    if (r < 0)
        return r;
    r = record_open(&place, !session->config.dry_run, &record, err);
    if (r == -EACCES && session->config.dry_run) {
        record = (struct record){.dir_fd = -EBADF}; /* root's to read; it only tells what is ours */
        r = 0;
    }
    if (r == 0)
        r = apply(session, &place, &record, err);
    record_close(&record);
    place_close(&place);
    return r;
}

int cmd_fix(int argc, char **argv)
{
    static struct session session;
    struct err err = {0};
    size_t n = 0;
    int r = parse(argc, argv, &session.config, &n, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r < 0 || find_named(&session, argv + 1, n, &err) < 0)
        return cli_fail(&err, CLI_USAGE);
    if (geteuid() != 0 && !session.config.dry_run && !session.config.root) {
        cli_error("fix changes what belongs to root; type: sudo rootless-setup fix%s",
                  n > 0 ? " CHECK..." : "");
        return CLI_FAILED;
    }
    if (tell_start(&session.teller, session.config.json, stdout) < 0 ||
        find_subject(&session, &err) < 0 ||
        (n == 0 ? select_failing(&session, &err) : drop_passing(&session, &err)) < 0)
        return cli_fail(&err, CLI_USAGE);
    r = work(&session, &err);
    int told =
        tell_finish(&session.teller, session.config.root, session.config.dry_run, session.changed);
    if (told < 0 && r == 0)
        r = err_sys(&err, -told, "cannot write the report");
    if (fflush(stdout) != 0 && r == 0)
        r = err_sys(&err, errno, "cannot write the report");
    if (r == -ECANCELED)
        return CLI_FAILED; /* every reason was told */
    return r < 0 ? cli_fail(&err, CLI_FAILED) : CLI_OK;
}
