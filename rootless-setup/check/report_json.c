#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "rootless-setup/check/report.h"

#define SCHEMA_VERSION 1

/* Text from other programs may be no UTF-8, which jansson refuses; then bytes are replaced. */
json_t *report_text_value(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    char plain[2048];
    size_t n = 0;
    for (; n < sizeof plain - 1 && text[n]; n++)
        plain[n] = (unsigned char)text[n] < 128 ? text[n] : '?';
    plain[n] = '\0';
    return json_string(plain);
}

static json_t *text_or_null(const char *text)
{
    return text[0] ? report_text_value(text) : json_null();
}

static json_t *errno_or_null(int code)
{
    const char *name = code != 0 ? strerrorname_np(code) : NULL;
    return name ? json_string(name) : json_null();
}

/* That of a system which does not run is nobody's. */
static json_t *kernel_value(const struct check_context *context)
{
    return context->files.root ? json_null() : report_text_value(context->facts.kernel_release);
}

static json_t *line_list(const char *text)
{
    json_t *list = json_array();
    while (*text) {
        size_t len = strcspn(text, "\n");
        json_t *line = json_stringn(text, len);
        (void)json_array_append_new(list, line ? line : json_string("?"));
        text += len + (text[len] == '\n');
    }
    return list;
}

static json_t *need_list(const struct check_probe *probe)
{
    json_t *list = json_array();
    for (size_t n = 0; n < PROBE_NEEDS_MAX && probe->needs[n]; n++)
        (void)json_array_append_new(list, json_string(probe->needs[n]));
    return list;
}

json_t *report_check_value(const struct check_probe *probe, const struct check_result *result)
{
    char doc[64];
    (void)snprintf(doc, sizeof doc, "docs/checks.md#%s", probe->id);
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:{s:o, s:o, s:o}, s:b, s:o, s:s}", "id",
                     probe->id, "title", probe->title, "status", check_status_name(result->status),
                     "evidence", report_text_value(result->evidence), "errno",
                     errno_or_null(result->error), "cause", text_or_null(result->cause), "remedy",
                     "root", line_list(result->remedy[REMEDY_ROOT]), "user",
                     line_list(result->remedy[REMEDY_USER]), "notes",
                     line_list(result->remedy[REMEDY_NOTE]), "fix", result->fixable, "needs",
                     need_list(probe), "doc", doc);
}

static json_t *check_list(const bool wanted[PROBES_MAX], const struct check_result *results)
{
    json_t *list = json_array();
    for (size_t i = 0; i < check_probes_count; i++)
        if (wanted[i])
            (void)json_array_append_new(list, report_check_value(&check_probes[i], &results[i]));
    return list;
}

int report_json(const struct check_context *context, const bool wanted[PROBES_MAX],
                const struct check_result *results, FILE *out)
{
    struct check_summary sum = report_summary(wanted, results);
    json_t *report = json_pack(
        "{s:i, s:s, s:b, s:s?, s:o, s:{s:o, s:I, s:I}, s:{s:o, s:o, s:s, s:o},"
        " s:{s:i, s:i, s:i, s:i, s:i}, s:o}",
        "schema", SCHEMA_VERSION, "version", ROOTLESS_VERSION, "ready",
        sum.failed + sum.skipped == 0, "engine", check_engine_name(context->engine), "root",
        text_or_null(context->files.root ? context->files.root : ""), "user", "name",
        report_text_value(context->subject.name), "uid", (json_int_t)context->subject.uid, "gid",
        (json_int_t)context->subject.gid, "host", "distribution",
        report_text_value(context->distro.id), "name",
        report_text_value(context->distro.pretty_name), "package_manager",
        distro_manager_name(context->distro.manager), "kernel", kernel_value(context), "summary",
        "ok", (int)sum.ok, "hint", (int)sum.hints, "warning", (int)sum.warnings, "failed",
        (int)sum.failed, "skipped", (int)sum.skipped, "checks", check_list(wanted, results));
    if (!report)
        return -ENOMEM;
    int r = json_dumpf(report, out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    json_decref(report);
    if (r == 0)
        (void)fprintf(out, "\n");
    return r == 0 ? 0 : -EIO;
}
