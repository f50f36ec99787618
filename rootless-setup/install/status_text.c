/* The status of an engine for people. */
#include <string.h>

#include "lib/base/str.h"
#include "rootless-setup/install/status.h"

static const char *how_it_is(const struct status *status)
{
    if (status->running)
        return "running";
    return status->by == STATUS_NOTHING ? "not installed" : "not running";
}

static void line(FILE *out, const char *name)
{
    (void)fprintf(out, "  %-8s  ", name);
}

static void put_service(const struct status *status, FILE *out)
{
    static const char *const by[] = {
        [STATUS_NOTHING] = "none",
        [STATUS_UNIT] = "systemd unit",
        [STATUS_SCRIPT] = "started by hand",
        [STATUS_VENDOR] = "the distribution's unit",
        [STATUS_FOREIGN] = "a unit that is not of rootless-setup",
    };
    line(out, "service");
    (void)fprintf(out, "%s%s%s", by[status->by], status->file[0] ? ": " : "", status->file);
    if (status->unit.active[0])
        (void)fprintf(out, ", %s (%s), %s", status->unit.active, status->unit.sub,
                      status->unit.file);
    if (status->kit > 0)
        (void)fprintf(out, ", process %d", status->kit);
    (void)fputc('\n', out);
    if (status->unit.drop_ins[0]) {
        line(out, "drop-ins");
        (void)fprintf(out, "%s\n", status->unit.drop_ins);
    }
}

static void put_socket(const struct setup *setup, const struct status *status, FILE *out)
{
    if (!setup->socket[0])
        return;
    line(out, "socket");
    (void)fprintf(out, "%s: ", setup->socket);
    if (status->socket_error != 0)
        (void)fprintf(out, "%s\n", strerror(status->socket_error));
    else if (status->by == STATUS_VENDOR)
        (void)fprintf(out, "systemd starts it when somebody asks\n");
    else
        (void)fprintf(out, "answers%s%s%s\n", status->server[0] ? ", " : "",
                      status->server[0] ? "version " : "", status->server);
}

static void put_network(const struct status *status, FILE *out)
{
    if (!status->network[0])
        return;
    line(out, "network");
    (void)fprintf(out, "%s%s%s; ports by %s; rootlesskit %s\n", status->network,
                  status->address[0] ? ", " : "", status->address,
                  status->port_driver[0] ? status->port_driver : "nobody", status->kit_version);
}

static void put_program(const struct status_program *program, const char *name, FILE *out)
{
    if (!program->path[0])
        return;
    line(out, name);
    (void)fprintf(out, "%s%s%s%s\n", program->path, program->version[0] ? " (" : "",
                  program->version, program->version[0] ? ")" : "");
}

static void put_context(const struct status *status, FILE *out)
{
    const struct context *context = &status->context;
    if (!context->client || status->by == STATUS_NOTHING)
        return;
    line(out, "context");
    if (context->host[0])
        (void)fprintf(out, CONTEXT_NAME " (%s)%s\n", context->host,
                      str_equal(context->current, CONTEXT_NAME) ? ", in use" : "");
    else
        (void)fprintf(out, "none\n");
}

static void put_problems(const struct status *status, bool hints, const char *heading, FILE *out)
{
    for (size_t i = 0; i < status->n_problems; i++) {
        const struct status_problem *problem = &status->problems[i];
        if (problem->hint != hints)
            continue;
        (void)fprintf(out, "%s  %s%s%s%s\n", heading, problem->what,
                      problem->check[0] ? " (check " : "", problem->check,
                      problem->check[0] ? ")" : "");
        if (problem->remedy[0])
            (void)fprintf(out, "    %s\n", problem->remedy);
        heading = "";
    }
}

void status_report_text(const struct setup *setup, const struct status *status, FILE *out)
{
    (void)fprintf(out, "%s is %s\n", status->engine->title, how_it_is(status));
    put_service(status, out);
    put_socket(setup, status, out);
    put_network(status, out);
    put_program(&status->daemon, "daemon", out);
    if (!str_equal(status->client.path, status->daemon.path))
        put_program(&status->client, "client", out);
    put_context(status, out);
    put_problems(status, false, "What is wrong:\n", out);
    put_problems(status, true, "Worth knowing:\n", out);
}

void status_report_line(const struct status *status, FILE *out)
{
    const char *wrong = "";
    for (size_t i = status->n_problems; i-- > 0;)
        if (!status->problems[i].hint)
            wrong = status->problems[i].what;
    bool tell = status->by != STATUS_NOTHING && wrong[0];
    (void)fprintf(out, "%-12s %s%s%s\n", status->engine->name, how_it_is(status), tell ? ": " : "",
                  tell ? wrong : "");
}
