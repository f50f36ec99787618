/* What is wrong with an engine, each with what helps and the check that tells more. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "rootless-setup/check/run.h"
#include "rootless-setup/install/failure.h"
#include "rootless-setup/install/status.h"

enum weight { WRONG, HINT };

__attribute__((format(printf, 4, 5))) static struct status_problem *
add(struct status *status, enum weight weight, const char *check, const char *fmt, ...)
{
    static struct status_problem dropped;
    struct status_problem *problem = status->n_problems < STATUS_PROBLEMS_MAX
                                         ? &status->problems[status->n_problems++]
                                         : &dropped;
    va_list ap;
    *problem = (struct status_problem){.hint = weight == HINT};
    (void)str_copy(problem->check, sizeof problem->check, check);
    va_start(ap, fmt);
    (void)vsnprintf(problem->what, sizeof problem->what, fmt, ap);
    va_end(ap);
    return problem;
}

__attribute__((format(printf, 2, 3))) static void remedy(struct status_problem *problem,
                                                         const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(problem->remedy, sizeof problem->remedy, fmt, ap);
    va_end(ap);
}

static void judge_programs(const struct setup *setup, struct status *status)
{
    const struct engine *engine = setup->engine;
    if (!status->daemon.path[0])
        remedy(add(status, WRONG, "", "%s is not in $PATH: %s is not installed, or not here",
                   engine->daemon, engine->title),
               "# install the package (%s)", engine->package);
    if (!status->client.path[0])
        (void)add(status, HINT, "", "%s, which people type, is not in $PATH", engine->client);
}

static void judge_manager(const struct setup *setup, struct status *status)
{
    if (setup->manager != MANAGER_SILENT || status->by == STATUS_SCRIPT)
        return;
    remedy(add(status, WRONG, "bus", "systemd runs here, but not for this session (%s)",
               setup->silence),
           "# log in as the user by ssh, on the console or with machinectl shell");
}

/* A unit that ended, or never came up: the log says why. */
static void judge_failure(struct status *status)
{
    static struct failure failure;
    const struct unit *unit = &status->unit;
    bool ended = str_equal(unit->active, "failed") || str_equal(unit->sub, "auto-restart") ||
                 unit->restarts > 0;
    if (!ended)
        return;
    failure_read(status->unit_name, &failure);
    const char *check = failure.row && failure.row->check ? failure.row->check : "";
    struct status_problem *problem = add(
        status, unit_runs(unit) && status->running ? HINT : WRONG, check,
        "%s ended by itself (%s; started again so far: %u)%s%s", status->unit_name, unit->result,
        unit->restarts, failure.row ? ": " : "", failure.row ? failure.row->cause : "");
    remedy(problem, "journalctl --user --unit %s", status->unit_name);
}

static void judge_unit(const struct setup *setup, struct status *status)
{
    const struct unit *unit = &status->unit;
    const char *name = status->unit_name;
    if (setup->manager != MANAGER_ANSWERS || status->by == STATUS_NOTHING ||
        status->by == STATUS_SCRIPT)
        return;
    if (str_equal(unit->reload, "yes"))
        remedy(add(status, HINT, "", "%s changed since systemd read it", name),
               "systemctl --user daemon-reload");
    if (str_equal(unit->load, "masked"))
        remedy(add(status, WRONG, "", "%s is masked", name), "systemctl --user unmask %s", name);
    else if (!str_equal(unit->load, "loaded"))
        remedy(add(status, WRONG, "", "systemd does not take %s: %s", status->file, unit->load),
               "systemd-analyze --user verify %s", name);
    else if (!str_equal(unit->file, "enabled"))
        remedy(add(status, HINT, "", "%s does not start with a login", name),
               "systemctl --user enable %s", name);
    judge_failure(status);
    if (str_equal(unit->active, "inactive"))
        remedy(add(status, WRONG, "", "%s is not started", name), "systemctl --user start %s",
               name);
}

static void judge_socket(const struct setup *setup, struct status *status)
{
    if (status->running || !setup->engine->socket.name || status->n_problems > 0)
        return;
    if (!setup->socket[0])
        (void)add(status, WRONG, "runtime-dir", "XDG_RUNTIME_DIR is not set: %s listens there",
                  setup->engine->title);
    else if (status->by == STATUS_SCRIPT && status->kit == 0)
        remedy(add(status, WRONG, "", "it is not started"), "%s", status->file);
    else
        (void)add(status, WRONG, "", "nobody answers at %s: %s", setup->socket,
                  strerror(status->socket_error));
}

static void judge_context(const struct setup *setup, struct status *status)
{
    const struct context *context = &status->context;
    char host[4300];
    if (!context->client || !setup->socket[0] ||
        str_format(host, sizeof host, "unix://%s", setup->socket) < 0)
        return;
    const char *value = strchr(context->variable, '=');
    bool variable_fits =
        value && (str_equal(value + 1, host) || str_equal(value + 1, CONTEXT_NAME));
    if (context->variable[0] && !variable_fits)
        remedy(add(status, HINT, "", "docker talks to another engine: %s", context->variable),
               "unset DOCKER_HOST DOCKER_CONTEXT");
    else if (!context->variable[0] && !str_equal(context->current, CONTEXT_NAME))
        remedy(add(status, HINT, "", "docker talks to its context \"%s\", not to this engine",
                   context->current),
               "docker context use " CONTEXT_NAME);
    if (context->host[0] && !str_equal(context->host, host))
        remedy(add(status, HINT, "", "docker's context \"" CONTEXT_NAME "\" leads to %s",
                   context->host),
               "rootless-setup install docker");
}

/* An engine that does not run may lack something of the host. */
static void judge_host(const struct setup *setup, struct status *status)
{
    const struct check_result *results = NULL;
    struct check_context context = *setup->context;
    bool wanted[PROBES_MAX];
    if (status->running || status->by == STATUS_NOTHING)
        return;
    context.subject.switch_user = false; /* we are the user by now */
    context.engine = check_engine_find(setup->engine->name);
    check_select(context.engine, wanted);
    if (check_run(&context, wanted, &results, NULL) < 0)
        return;
    for (size_t i = 0; i < check_probes_count; i++)
        if (wanted[i] &&
            (results[i].status == CHECK_FAILED || results[i].status == CHECK_UNFINISHED))
            remedy(add(status, WRONG, check_probes[i].id, "%s: %s", check_probes[i].title,
                       results[i].evidence),
                   "rootless-setup check %s", check_probes[i].id);
}

void status_judge(const struct setup *setup, struct status *status)
{
    judge_programs(setup, status);
    if (status->by == STATUS_NOTHING && !status->running)
        return;
    judge_manager(setup, status);
    judge_unit(setup, status);
    judge_socket(setup, status);
    judge_host(setup, status);
    if (status->by != STATUS_NOTHING)
        judge_context(setup, status);
    if (setup->context->facts.systemd && !status->lingers)
        remedy(add(status, HINT, "linger",
                   "it ends with the user's last logout, and does not start at boot"),
               "loginctl enable-linger %s", setup->context->subject.name);
}
