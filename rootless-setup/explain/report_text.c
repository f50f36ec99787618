#include <string.h>

#include "lib/cli/terminal.h"
#include "rootless-setup/explain/report.h"

#define WIDTH 78

/* To the width of the terminal, or one that reads well where there is none. */
static void wrapped(const char *text, const char *indent, FILE *out)
{
    unsigned width = terminal_width();
    (void)fprintf(out, "%s", indent);
    terminal_fold(out, text, strlen(indent), indent, width > 0 && width < WIDTH ? width : WIDTH);
}

static void indented(const char *lines, FILE *out)
{
    while (*lines) {
        size_t len = strcspn(lines, "\n");
        (void)fprintf(out, "  %.*s\n", (int)len, lines);
        lines += len + (lines[len] == '\n');
    }
}

static void error_text(const struct explain_answer *answer, FILE *out)
{
    const struct explain_found *first = &answer->found[0];
    (void)fprintf(out, "Recognised: %s\n\n", first->shown);
    wrapped(first->row->cause, "", out);
    (void)fprintf(out, "\nWhat to type:\n");
    indented(first->row->help, out);
    for (size_t i = 1; i < answer->n; i++) {
        (void)fprintf(out, "\nAlso in this text: %s\n", answer->found[i].shown);
        wrapped(answer->found[i].row->cause, "  ", out);
    }
}

static bool passes(const struct explain_answer *answer)
{
    int probe = check_probe_index(answer->check);
    return probe >= 0 && answer->results[probe].status <= CHECK_HINT;
}

static void here(const struct explain_answer *answer, bool color, FILE *out)
{
    if (!answer->check)
        return;
    if (!answer->results) {
        (void)fprintf(out, "\nThe check %s was not tried here: %s.\n", answer->check,
                      answer->untried);
        return;
    }
    (void)fprintf(out, "\nThe check %s for %s on this machine, now:\n\n", answer->check,
                  answer->context->subject.name);
    report_findings(answer->context, answer->wanted, answer->results, color, out);
    if (!passes(answer))
        return;
    (void)fprintf(out, "\n");
    wrapped(answer->n > 0
                ? "So it is in order here: what the text complains about is mended since, "
                  "or the text is another machine's or another user's."
                : "So it is in order here.",
            "", out);
}

void explain_report_text(const struct explain_answer *answer, bool color, FILE *out)
{
    if (answer->about)
        (void)fprintf(out, "%s\n\n%s", answer->about->check, answer->about->text);
    else if (answer->n > 0)
        error_text(answer, out);
    else
        (void)fprintf(out, "No error that is known here stands in this text.\n\n"
                           "To try everything a rootless engine needs:\n"
                           "  rootless-setup check\n");
    here(answer, color, out);
}
