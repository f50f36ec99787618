#include "rootless-setup/check/report.h"

#include <string.h>

struct check_summary report_summary(const bool wanted[PROBES_MAX],
                                    const struct check_result *results)
{
    struct check_summary sum = {0};
    for (size_t i = 0; i < check_probes_count; i++) {
        if (!wanted[i])
            continue;
        switch (results[i].status) {
        case CHECK_OK:
            sum.ok++;
            break;
        case CHECK_HINT:
            sum.hints++;
            break;
        case CHECK_WARNING:
            sum.warnings++;
            break;
        case CHECK_SKIPPED:
            sum.skipped++;
            break;
        case CHECK_FAILED:
        case CHECK_UNFINISHED:
        default:
            sum.failed++;
            break;
        }
    }
    return sum;
}

static const char *color_of(enum check_status status, bool color)
{
    static const char *const codes[] = {
        [CHECK_UNFINISHED] = "\033[31m", [CHECK_OK] = "\033[32m",     [CHECK_HINT] = "\033[36m",
        [CHECK_WARNING] = "\033[33m",    [CHECK_FAILED] = "\033[31m", [CHECK_SKIPPED] = "\033[2m",
    };
    return color ? codes[status] : "";
}

static void status_word(enum check_status status, bool color, FILE *out)
{
    (void)fprintf(out, "%s%-7s%s", color_of(status, color), check_status_name(status),
                  color ? "\033[0m" : "");
}

static void lines(const bool wanted[PROBES_MAX], const struct check_result *results, bool color,
                  FILE *out)
{
    size_t width = 0;
    for (size_t i = 0; i < check_probes_count; i++)
        if (wanted[i] && strlen(check_probes[i].title) > width)
            width = strlen(check_probes[i].title);
    for (size_t i = 0; i < check_probes_count; i++) {
        if (!wanted[i])
            continue;
        status_word(results[i].status, color, out);
        (void)fprintf(out, "  %-*s  %s\n", (int)width, check_probes[i].title, results[i].evidence);
    }
}

static void causes(const bool wanted[PROBES_MAX], const struct check_result *results, bool color,
                   FILE *out)
{
    bool any = false;
    for (size_t i = 0; i < check_probes_count; i++) {
        if (!wanted[i] || results[i].cause[0] == '\0')
            continue;
        (void)fprintf(out, "%s", any ? "" : "\nWhy:\n");
        any = true;
        status_word(results[i].status, color, out);
        (void)fprintf(out, "  %s: %s (docs/checks.md#%s)\n", check_probes[i].title,
                      results[i].cause, check_probes[i].id);
    }
}

/* Two probes may ask for the same line; it is printed once. */
static bool printed_before(const bool wanted[PROBES_MAX], const struct check_result *results,
                           size_t probe, enum check_remedy kind)
{
    for (size_t i = 0; i < probe; i++)
        if (wanted[i] && strcmp(results[i].remedy[kind], results[probe].remedy[kind]) == 0)
            return true;
    return false;
}

static void remedy_lines(const char *text, const char *prefix, FILE *out)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        (void)fprintf(out, "%s%.*s\n", prefix, (int)len, text);
        text += len + (text[len] == '\n');
    }
}

/* The remedies of one kind. Those for hints are commented out: nothing needs them. */
static void remedies_of(const bool wanted[PROBES_MAX], const struct check_result *results,
                        enum check_remedy kind, bool hints, FILE *out)
{
    for (size_t i = 0; i < check_probes_count; i++) {
        const char *text = results[i].remedy[kind];
        if (!wanted[i] || text[0] == '\0' || (results[i].status == CHECK_HINT) != hints ||
            printed_before(wanted, results, i, kind))
            continue;
        (void)fprintf(out, "# %s%s\n", check_probes[i].title, hints ? ", if wanted:" : ":");
        remedy_lines(text, kind == REMEDY_NOTE || hints ? "#   " : "", out);
    }
}

static bool any_remedy(const bool wanted[PROBES_MAX], const struct check_result *results,
                       enum check_remedy kind, bool hints)
{
    for (size_t i = 0; i < check_probes_count; i++)
        if (wanted[i] && results[i].remedy[kind][0] && (results[i].status == CHECK_HINT) == hints)
            return true;
    return false;
}

static void script(const struct check_context *context, const bool wanted[PROBES_MAX],
                   const struct check_result *results, FILE *out)
{
    bool root = any_remedy(wanted, results, REMEDY_ROOT, false);
    bool user = any_remedy(wanted, results, REMEDY_USER, false);
    bool note = any_remedy(wanted, results, REMEDY_NOTE, false);
    bool hint = any_remedy(wanted, results, REMEDY_ROOT, true);
    if (!root && !user && !note && !hint)
        return;
    (void)fprintf(out, "\nRemedies, to paste into a shell of %s:\n\n", context->subject.name);
    if (root) {
        (void)fprintf(out, "sudo sh -eu <<'END_OF_REMEDIES'\n");
        remedies_of(wanted, results, REMEDY_ROOT, false, out);
        (void)fprintf(out, "END_OF_REMEDIES\n");
    }
    if (user)
        remedies_of(wanted, results, REMEDY_USER, false, out);
    if (note) {
        (void)fprintf(out, "# Not done by a command:\n");
        remedies_of(wanted, results, REMEDY_NOTE, false, out);
    }
    if (hint) {
        (void)fprintf(out, "# As root, and only for what the hints name:\n");
        remedies_of(wanted, results, REMEDY_ROOT, true, out);
    }
}

static void verdict(const struct check_context *context, struct check_summary sum, bool color,
                    FILE *out)
{
    const char *end = color ? "\033[0m" : "";
    if (sum.failed + sum.skipped > 0)
        (void)fprintf(out, "\n%s%s is not ready for rootless engines%s: %u failed",
                      color_of(CHECK_FAILED, color), context->subject.name, end, sum.failed);
    else
        (void)fprintf(out, "\n%s%s is ready for rootless engines%s", color_of(CHECK_OK, color),
                      context->subject.name, end);
    if (sum.skipped > 0)
        (void)fprintf(out, ", %u not tried", sum.skipped);
    if (sum.warnings > 0)
        (void)fprintf(out, ", %u warning%s", sum.warnings, sum.warnings == 1 ? "" : "s");
    (void)fprintf(out, "\n");
}

void report_text(const struct check_context *context, const bool wanted[PROBES_MAX],
                 const struct check_result *results, bool color, FILE *out)
{
    (void)fprintf(out, "Checking user %s (uid %u) on %s, Linux %s\n\n", context->subject.name,
                  context->subject.uid, context->distro.pretty_name, context->facts.kernel_release);
    lines(wanted, results, color, out);
    causes(wanted, results, color, out);
    script(context, wanted, results, out);
    verdict(context, report_summary(wanted, results), color, out);
}
