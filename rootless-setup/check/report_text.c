#include "rootless-setup/check/report.h"

#include <string.h>

#include "lib/cli/terminal.h"

/* Behind the status; text that goes on below it begins there. */
#define STATUS_WIDTH 9
#define UNDER_STATUS "         "

/* Fewer columns than that beside the titles, and the text goes below them. */
#define BESIDE_MIN 30

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

/* What every part of the text is made from. */
struct view {
    const struct check_context *context;
    const bool *wanted;
    const struct check_result *results;
    bool color;
    unsigned width; /* to fold at, or 0 */
    FILE *out;
};

static const char *color_of(const struct view *view, enum check_status status)
{
    static const char *const codes[] = {
        [CHECK_UNFINISHED] = "\033[31m", [CHECK_OK] = "\033[32m",     [CHECK_HINT] = "\033[36m",
        [CHECK_WARNING] = "\033[33m",    [CHECK_FAILED] = "\033[31m", [CHECK_SKIPPED] = "\033[2m",
    };
    return view->color ? codes[status] : "";
}

static const char *no_color(const struct view *view)
{
    return view->color ? "\033[0m" : "";
}

static void status_word(const struct view *view, enum check_status status)
{
    (void)fprintf(view->out, "%s%-7s%s", color_of(view, status), check_status_name(status),
                  no_color(view));
}

/* Beside the titles, folded there, or below where the terminal is too narrow for that. */
static void evidence(const struct view *view, const char *title, int title_width, const char *text)
{
    char indent[64];
    size_t column = STATUS_WIDTH + (size_t)title_width + 2;
    if (view->width > 0 && view->width < column + BESIDE_MIN) {
        (void)fprintf(view->out, "  %s\n" UNDER_STATUS, title);
        terminal_fold(view->out, text, STATUS_WIDTH, UNDER_STATUS, view->width);
        return;
    }
    (void)fprintf(view->out, "  %-*s  ", title_width, title);
    (void)snprintf(indent, sizeof indent, "%*s", (int)column, "");
    terminal_fold(view->out, text, column, indent, view->width);
}

static void lines(const struct view *view)
{
    size_t width = 0;
    for (size_t i = 0; i < check_probes_count; i++)
        if (view->wanted[i] && strlen(check_probes[i].title) > width)
            width = strlen(check_probes[i].title);
    for (size_t i = 0; i < check_probes_count; i++) {
        if (!view->wanted[i])
            continue;
        status_word(view, view->results[i].status);
        evidence(view, check_probes[i].title, (int)width, view->results[i].evidence);
    }
}

static void cause(const struct view *view, size_t probe)
{
    char label[96];
    const struct check_probe *what = &check_probes[probe];
    (void)snprintf(label, sizeof label, "  %s (%s): ", what->title, what->id);
    status_word(view, view->results[probe].status);
    (void)fprintf(view->out, "%s", label);
    terminal_fold(view->out, view->results[probe].cause, STATUS_WIDTH - 2 + strlen(label),
                  UNDER_STATUS, view->width);
}

/* What is worst comes first. */
static void causes(const struct view *view)
{
    static const enum check_status order[] = {CHECK_FAILED, CHECK_WARNING, CHECK_HINT};
    const char *heading = "\nWhy:\n";
    for (size_t s = 0; s < sizeof order / sizeof order[0]; s++)
        for (size_t i = 0; i < check_probes_count; i++) {
            const struct check_result *result = &view->results[i];
            if (!view->wanted[i] || result->status != order[s] || result->cause[0] == '\0')
                continue;
            (void)fprintf(view->out, "%s", heading);
            heading = "";
            cause(view, i);
        }
    if (heading[0] == '\0')
        terminal_fold(view->out,
                      "More on each: rootless-setup explain NAME, with the name in brackets", 0, "",
                      view->width);
}

/* Remedies for hints are kept apart: nothing needs them. */
static bool has_remedy(const struct view *view, size_t probe, enum check_remedy kind, bool hints)
{
    return view->wanted[probe] && view->results[probe].remedy[kind][0] &&
           (view->results[probe].status == CHECK_HINT) == hints;
}

/* Two probes may ask for the same; it is printed once. */
static bool printed_before(const struct view *view, size_t probe, enum check_remedy kind)
{
    const struct check_result *results = view->results;
    for (size_t i = 0; i < probe; i++)
        if (view->wanted[i] && strcmp(results[i].remedy[kind], results[probe].remedy[kind]) == 0)
            return true;
    return false;
}

/* Its lines. What is a comment is folded, so that each line is one; a command never is. */
static void remedy(const struct view *view, const char *lines, const char *prefix, bool comment)
{
    char line[sizeof view->results->remedy[0]];
    while (*lines) {
        size_t len = strcspn(lines, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)len, lines);
        (void)fprintf(view->out, "%s", prefix);
        terminal_fold(view->out, line, strlen(prefix), prefix, comment ? view->width : 0);
        lines += len + (lines[len] == '\n');
    }
}

/* All remedies of one kind below a heading, which is left out when there is none. */
static bool remedies(const struct view *view, enum check_remedy kind, bool hints,
                     const char *heading, const char *prefix)
{
    bool any = false;
    for (size_t i = 0; i < check_probes_count; i++) {
        if (!has_remedy(view, i, kind, hints) || printed_before(view, i, kind))
            continue;
        (void)fprintf(view->out, "%s# %s%s:\n", any ? "" : heading, check_probes[i].title,
                      hints ? ", if wanted" : "");
        any = true;
        remedy(view, view->results[i].remedy[kind], prefix, kind == REMEDY_NOTE);
    }
    return any;
}

/* One script: what root does, what the user's own shell does, and the rest as comments. */
static void script(const struct view *view)
{
    const struct check_subject *subject = &view->context->subject;
    bool as_root = subject->switch_user; /* we are root: no sudo, and the user's part is not ours */
    bool any = false;
    for (size_t i = 0; i < check_probes_count; i++)
        for (enum check_remedy kind = 0; kind < REMEDY_KINDS; kind++)
            any |= has_remedy(view, i, kind, false) || has_remedy(view, i, kind, true);
    if (!any)
        return;
    (void)fprintf(view->out, "\nRemedies, to paste into a shell of %s:\n\n",
                  as_root ? "root" : subject->name);
    if (remedies(view, REMEDY_ROOT, false,
                 as_root ? "sh -eu <<'END_OF_REMEDIES'\n" : "sudo sh -eu <<'END_OF_REMEDIES'\n",
                 ""))
        (void)fprintf(view->out, "END_OF_REMEDIES\n");
    (void)remedies(view, REMEDY_USER, false, as_root ? "# In the user's own shell:\n" : "",
                   as_root ? "#   " : "");
    (void)remedies(view, REMEDY_ROOT, true, "# As root, and only for what the hints name:\n",
                   "#   ");
    static const char notes[] = "# Not done by a command:\n";
    bool noted = remedies(view, REMEDY_NOTE, false, notes, "#   ");
    (void)remedies(view, REMEDY_NOTE, true, noted ? "" : notes, "#   ");
}

static void verdict(const struct view *view, struct check_summary sum)
{
    const struct check_context *context = view->context;
    const char *engine = check_engine_name(context->engine);
    bool ready = sum.failed + sum.skipped == 0;
    bool all = !context->files.root;
    for (size_t i = 0; i < check_probes_count; i++)
        all &= view->wanted[i] || !check_probe_concerns(&check_probes[i], context->engine);
    (void)fprintf(view->out, "\n%s%s is %s for rootless %s%s%s",
                  color_of(view, ready ? CHECK_OK : CHECK_FAILED), context->subject.name,
                  ready ? "ready" : "not ready", engine ? engine : "engines",
                  ready && !all ? ", as far as checked" : "", no_color(view));
    const char *before = ": ";
    const struct {
        unsigned n;
        const char *what;
    } counts[] = {
        {sum.failed, "failed"},
        {sum.skipped, "not tried"},
        {sum.warnings, sum.warnings == 1 ? "warning" : "warnings"},
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (counts[i].n == 0)
            continue;
        (void)fprintf(view->out, "%s%u %s", before, counts[i].n, counts[i].what);
        before = ", ";
    }
    (void)fprintf(view->out, "\n");
}

void report_findings(const struct check_context *context, const bool wanted[PROBES_MAX],
                     const struct check_result *results, bool color, FILE *out)
{
    const struct view view = {context, wanted, results, color, terminal_width(), out};
    lines(&view);
    causes(&view);
    script(&view);
}

void report_text(const struct check_context *context, const bool wanted[PROBES_MAX],
                 const struct check_result *results, bool color, FILE *out)
{
    const struct view view = {context, wanted, results, color, terminal_width(), out};
    (void)fprintf(out, "Checking user %s (uid %u) on %s, %s%s\n\n", context->subject.name,
                  context->subject.uid, context->distro.pretty_name,
                  context->files.root ? "files below " : "Linux ",
                  context->files.root ? context->files.root : context->facts.kernel_release);
    report_findings(context, wanted, results, color, out);
    verdict(&view, report_summary(wanted, results));
}
