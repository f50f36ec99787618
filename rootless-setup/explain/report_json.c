#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "rootless-setup/explain/report.h"

#define SCHEMA_VERSION 1

static json_t *line_list(const char *text)
{
    json_t *list = json_array();
    while (*text) {
        size_t len = strcspn(text, "\n");
        (void)json_array_append_new(list, json_stringn(text, len));
        text += len + (text[len] == '\n');
    }
    return list;
}

static json_t *found_list(const struct explain_answer *answer)
{
    json_t *list = json_array();
    for (size_t i = 0; i < answer->n; i++) {
        const struct explain_row *row = answer->found[i].row;
        (void)json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:o, s:s?, s:b}", "id", row->id, "recognised",
                            answer->found[i].shown, "cause", row->cause, "help",
                            line_list(row->help), "check", row->check, "symptom", row->symptom));
    }
    return list;
}

static json_t *here_list(const struct explain_answer *answer)
{
    json_t *list = json_array();
    for (size_t i = 0; answer->results && i < check_probes_count; i++)
        if (answer->wanted[i])
            (void)json_array_append_new(list,
                                        report_check_value(&check_probes[i], &answer->results[i]));
    return list;
}

int explain_report_json(const struct explain_answer *answer, FILE *out)
{
    json_t *report =
        json_pack("{s:i, s:s, s:b, s:o, s:s?, s:s?, s:o, s:s?}", "schema", SCHEMA_VERSION,
                  "version", ROOTLESS_VERSION, "known", answer->n > 0 || answer->about, "errors",
                  found_list(answer), "about", answer->about ? answer->about->text : NULL, "check",
                  answer->check, "here", here_list(answer), "untried", answer->untried);
    if (!report)
        return -ENOMEM;
    int r = json_dumpf(report, out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    json_decref(report);
    if (r == 0)
        (void)fprintf(out, "\n");
    return r == 0 ? 0 : -EIO;
}
