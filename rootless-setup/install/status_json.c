/* The status of an engine for programs: docs/status-schema.json. */
#include <jansson.h>
#include <string.h>

#include "lib/base/str.h"
#include "rootless-setup/check/report.h"
#include "rootless-setup/install/status.h"

static json_t *text_or_null(const char *text)
{
    return text[0] ? report_text_value(text) : json_null();
}

static json_t *service(const struct status *status)
{
    const struct unit *unit = &status->unit;
    if (!unit->active[0])
        return json_null();
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i}", "unit", status->unit_name, "load",
                     unit->load, "active", unit->active, "sub", unit->sub, "enabled", unit->file,
                     "result", unit->result, "restarts", (int)unit->restarts, "pid",
                     (int)unit->pid);
}

static json_t *socket_value(const struct setup *setup, const struct status *status)
{
    if (!setup->socket[0])
        return json_null();
    const char *name = status->socket_error ? strerrorname_np(status->socket_error) : "";
    return json_pack("{s:o, s:b, s:o, s:o}", "path", report_text_value(setup->socket), "answers",
                     status->socket_error == 0, "errno", text_or_null(name ? name : ""), "version",
                     text_or_null(status->server));
}

static json_t *network(const struct status *status)
{
    if (status->kit == 0)
        return json_null();
    return json_pack("{s:i, s:o, s:o, s:o, s:o}", "pid", (int)status->kit, "rootlesskit",
                     text_or_null(status->kit_version), "network_driver",
                     text_or_null(status->network), "address", text_or_null(status->address),
                     "port_driver", text_or_null(status->port_driver));
}

static json_t *program(const struct status_program *program_status)
{
    return json_pack("{s:o, s:o}", "path", text_or_null(program_status->path), "version",
                     text_or_null(program_status->version));
}

static json_t *context_value(const struct status *status)
{
    const struct context *context = &status->context;
    if (!context->client)
        return json_null();
    return json_pack("{s:o, s:o, s:o}", "host", text_or_null(context->host), "current",
                     text_or_null(context->current), "environment",
                     text_or_null(context->variable));
}

static json_t *problems(const struct status *status)
{
    json_t *list = json_array();
    for (size_t i = 0; i < status->n_problems; i++) {
        const struct status_problem *problem = &status->problems[i];
        (void)json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "weight",
                                                    problem->hint ? "hint" : "wrong", "check",
                                                    text_or_null(problem->check), "what",
                                                    report_text_value(problem->what), "remedy",
                                                    text_or_null(problem->remedy)));
    }
    return list;
}

json_t *status_report_json(const struct setup *setup, const struct status *status)
{
    return json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "engine",
                     status->engine->name, "installed", status_by_name(status->by), "running",
                     status->running, "file", text_or_null(status->file), "service",
                     service(status), "socket", socket_value(setup, status), "rootlesskit",
                     network(status), "daemon", program(&status->daemon), "client",
                     program(&status->client), "context", context_value(status), "lingers",
                     status->lingers, "problems", problems(status));
}
