/* rootless-setup status: which engines a user has, whether they run, and what is wrong. */
#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/base/err.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "rootless-setup/check/report.h"
#include "rootless-setup/commands.h"
#include "rootless-setup/install/become.h"
#include "rootless-setup/install/status.h"
#include "rootless-setup/subject_option.h"
#include "rootless-setup/words.h"

#define SCHEMA_VERSION 1

struct config {
    const char *user;
    bool json;
};

static const struct cli_option options[] = {
    OPTION_USER(struct config),
    {.name = "json",
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, json),
     .help = "one JSON object (docs/status-schema.json)"},
};

/* The command as it goes on. */
struct session {
    struct config config;
    struct check_context context;
    const struct engine *engine; /* NULL: all of them */
};

static int parse(int argc, char **argv, struct session *session, struct err *err)
{
    char names[128], epilog[192];
    size_t n = 0;
    (void)snprintf(epilog, sizeof epilog, "Engines: %s.", engine_names(names, sizeof names));
    const struct cli_program program = {
        .name = "rootless-setup status",
        .usage = "rootless-setup status [OPTION]... [ENGINE]",
        .summary =
            "Says whether a container engine is installed for the user, whether it runs and\n"
            "answers, by which network, and what is wrong. Without a name: a line for each.",
        .options = options,
        .n_options = sizeof options / sizeof options[0],
        .epilog = epilog,
    };
    int r = words_parse(&program, argc, argv, &session->config, &n, err);
    if (r != CLI_PARSED || n == 0)
        return r;
    if (n > 1)
        return err_set(err, EINVAL, "status of one engine at a time, or without a name of all");
    session->engine = engine_typed(argv[1], err);
    return session->engine ? 0 : -EINVAL;
}

/* One engine. @return 0, 1 when something is wrong with it, or -errno */
static int report_one(const struct session *session, const struct engine *engine, json_t *list,
                      struct err *err)
{
    static struct setup setup;
    static struct status status;
    int r = setup_open(engine, &session->context, &setup, err);
    if (r == 0)
        r = status_read(&setup, &status, err);
    if (r == 0 && session->config.json)
        r = json_array_append_new(list, status_report_json(&setup, &status)) < 0 ? -ENOMEM : 0;
    else if (r == 0 && session->engine)
        status_report_text(&setup, &status, stdout);
    else if (r == 0)
        status_report_line(&status, stdout);
    setup_close(&setup);
    return r < 0 ? r : status_bad(&status);
}

static int write_json(const struct session *session, json_t *list)
{
    const struct check_subject *subject = &session->context.subject;
    json_t *whole = json_pack("{s:i, s:s, s:{s:o, s:I}, s:O}", "schema", SCHEMA_VERSION, "version",
                              ROOTLESS_VERSION, "user", "name", report_text_value(subject->name),
                              "uid", (json_int_t)subject->uid, "engines", list);
    int r = whole ? json_dumpf(whole, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) : -1;
    json_decref(whole);
    (void)fputc('\n', stdout);
    return r < 0 ? -EIO : 0;
}

/* As the user. @return exit status */
static int status(void *arg)
{
    const struct session *session = arg;
    struct err err = {0};
    json_t *list = json_array();
    int r = 0;
    setup_search(&session->context.facts);
    for (size_t i = 0; r >= 0 && i < engines_count; i++)
        if (!session->engine || session->engine == &engines[i])
            r = report_one(session, &engines[i], list, &err);
    if (r >= 0 && session->config.json && write_json(session, list) < 0)
        r = err_sys(&err, EIO, "cannot write the report");
    json_decref(list);
    if (fflush(stdout) != 0 && r >= 0)
        r = err_sys(&err, errno, "cannot write the report");
    if (r < 0)
        return cli_fail(&err, CLI_FAILED);
    return session->engine && r > 0 ? CLI_FAILED : CLI_OK;
}

int cmd_status(int argc, char **argv)
{
    static struct session session;
    struct err err = {0};
    int r = parse(argc, argv, &session, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r < 0 || subject_context(session.config.user, &session.context, &err) < 0)
        return cli_fail(&err, CLI_USAGE);
    r = become_run(&session.context.subject, status, &session, &err);
    return r < 0 ? cli_fail(&err, CLI_FAILED) : r;
}
