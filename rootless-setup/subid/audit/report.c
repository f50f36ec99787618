#include "rootless-setup/subid/audit/report.h"

#include <string.h>

#include "rootless-setup/subid/subid.h"

/* More of a line says no more. */
#define SHOWN_MAX 120

static const char *const colors[AUDIT_LEVELS] = {"\033[31m", "\033[33m", "\033[36m"};

/* Whatever stands in the file must not command a terminal. */
static void put_text(FILE *out, const char *text, size_t len, size_t max)
{
    for (size_t i = 0; i < len && i < max; i++) {
        unsigned char ch = (unsigned char)text[i];
        if (ch < ' ' || ch >= 0x7f)
            (void)fprintf(out, "\\x%02x", ch);
        else
            (void)fputc(ch, out);
    }
    if (len > max)
        (void)fputs("...", out);
}

static void put_place(FILE *out, const struct audit_finding *finding,
                      const struct subid_place *place)
{
    (void)fputs("  ", out);
    if (finding->name)
        put_text(out, finding->name, strlen(finding->name), SIZE_MAX);
    else if (!finding->no_file)
        (void)fprintf(out, "%s%s", place->root, subid_path(finding->kind));
    if (finding->line > 0)
        (void)fprintf(out, ":%zu", finding->line);
    if (finding->name || !finding->no_file)
        (void)fputs(": ", out);
    if (finding->line > 0) {
        put_text(out, finding->text, finding->text_len, SHOWN_MAX);
        (void)fputs("\n      ", out);
    }
    if (finding->message)
        put_text(out, finding->message, strlen(finding->message), SIZE_MAX);
    (void)fputc('\n', out);
}

static void put_rule(FILE *out, const struct audit_rule *rule, const struct audit_print *how)
{
    (void)fprintf(out, "%s%s%s: %s: %s.\n", how->color ? colors[rule->level] : "",
                  audit_level_names[rule->level], how->color ? "\033[0m" : "", rule->name,
                  rule->meaning);
    if (how->help)
        (void)fprintf(out, "  (%s)\n", rule->help);
}

void audit_print(const struct audit_findings *findings, const struct subid_place *place,
                 const struct audit_print *how, FILE *out)
{
    for (size_t i = 0; i < findings->n; i++) {
        const struct audit_finding *finding = &findings->items[i];
        if (audit_rules[finding->rule].level > how->least)
            continue;
        if (i == 0 || findings->items[i - 1].rule != finding->rule)
            put_rule(out, &audit_rules[finding->rule], how);
        put_place(out, finding, place);
    }
}

/* ---- JSON ---- */

static json_t *text_or_null(const char *text, size_t len)
{
    if (!text)
        return json_null();
    json_t *value = subid_text_json(text, len < SUBID_LINE_MAX ? len : SUBID_LINE_MAX);
    return value ? value : json_null();
}

static json_t *file_json(const struct audit_finding *finding, const struct subid_place *place)
{
    if (finding->name)
        return text_or_null(finding->name, strlen(finding->name));
    if (finding->no_file)
        return json_null();
    return json_sprintf("%s%s", place->root, subid_path(finding->kind));
}

static json_t *number_or_null(uint64_t number, bool known)
{
    return known ? json_integer((json_int_t)number) : json_null();
}

static json_t *finding_json(const struct audit_finding *finding, const struct subid_place *place)
{
    const struct audit_rule *rule = &audit_rules[finding->rule];
    bool has_ids = finding->end > finding->start;
    const char *message = finding->message ? finding->message : "";
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s}", "rule", rule->name, "level",
        audit_level_names[rule->level], "file", file_json(finding, place), "line",
        number_or_null(finding->line, finding->line > 0), "text",
        text_or_null(finding->text, finding->text_len), "owner",
        text_or_null(finding->owner, finding->owner_len), "start",
        number_or_null(finding->start, has_ids), "count",
        number_or_null(finding->end - finding->start, has_ids), "other_line",
        number_or_null(finding->other_line, finding->other_line > 0), "message",
        text_or_null(message, strlen(message)), "meaning", rule->meaning, "help", rule->help);
}

json_t *audit_json(const struct audit_findings *findings, const struct subid_place *place,
                   enum audit_level least)
{
    json_t *list = json_array();
    for (size_t i = 0; i < findings->n; i++)
        if (audit_rules[findings->items[i].rule].level <= least &&
            json_array_append_new(list, finding_json(&findings->items[i], place)) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

json_t *audit_summary_json(const struct audit_findings *findings)
{
    return json_pack("{s:I, s:I, s:I}", "errors",
                     (json_int_t)audit_findings_count(findings, AUDIT_ERROR), "warnings",
                     (json_int_t)audit_findings_count(findings, AUDIT_WARNING), "notes",
                     (json_int_t)audit_findings_count(findings, AUDIT_NOTE));
}
