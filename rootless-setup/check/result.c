#include "rootless-setup/check/result.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *check_status_name(enum check_status status)
{
    static const char *const names[] = {
        [CHECK_UNFINISHED] = "failed", [CHECK_OK] = "ok",         [CHECK_HINT] = "hint",
        [CHECK_WARNING] = "warning",   [CHECK_FAILED] = "failed", [CHECK_SKIPPED] = "skipped",
    };
    return names[status];
}

enum check_status check_worse(enum check_status a, enum check_status b)
{
    return a > b ? a : b;
}

/* What other programs say ends up in our lines; it must not move the cursor of a terminal. */
static void make_printable(char *text, bool keep_newlines)
{
    for (; *text; text++)
        if (((unsigned char)*text < ' ' && !(keep_newlines && *text == '\n')) || *text == 127)
            *text = ' ';
}

static void end_text(char *text, size_t size, bool keep_newlines)
{
    text[size - 1] = '\0';
    make_printable(text, keep_newlines);
}

void check_take(struct check_result *ret, const struct check_result *shared)
{
    unsigned char fixable;
    struct check_result result;
    (void)memcpy(&result, shared, sizeof result); /* once: it may be changed at any moment */
    (void)memcpy(&fixable, &result.fixable, sizeof fixable);
    result.fixable = fixable == 1; /* a bool of any other bits is none */
    if ((unsigned)result.status > CHECK_SKIPPED) {
        *ret = (struct check_result){.status = CHECK_UNFINISHED};
        return;
    }
    end_text(result.evidence, sizeof result.evidence, false);
    end_text(result.cause, sizeof result.cause, false);
    for (size_t kind = 0; kind < REMEDY_KINDS; kind++)
        end_text(result.remedy[kind], sizeof result.remedy[kind], true);
    *ret = result;
}

void check_say(struct check_result *result, enum check_status status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(result->evidence, sizeof result->evidence, fmt, args);
    va_end(args);
    make_printable(result->evidence, false);
    result->status = status;
}

void check_say_errno(struct check_result *result, enum check_status status, int code,
                     const char *fmt, ...)
{
    char what[sizeof result->evidence - 64];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    const char *name = strerrorname_np(code);
    check_say(result, status, "%s: %s (%s)", what, strerror(code), name ? name : "?");
    result->error = code;
}

__attribute__((format(printf, 3, 0))) static void append(char *text, size_t size, const char *fmt,
                                                         va_list args)
{
    size_t used = strlen(text);
    (void)vsnprintf(text + used, size - used, fmt, args);
}

void check_cause(struct check_result *result, const char *fmt, ...)
{
    size_t used = strlen(result->cause);
    if (used > 0)
        (void)snprintf(result->cause + used, sizeof result->cause - used, "; ");
    va_list args;
    va_start(args, fmt);
    append(result->cause, sizeof result->cause, fmt, args);
    va_end(args);
    make_printable(result->cause, false);
}

void check_remedy(struct check_result *result, enum check_remedy kind, const char *fmt, ...)
{
    char *text = result->remedy[kind];
    size_t before = strlen(text);
    va_list args;
    va_start(args, fmt);
    append(text, sizeof result->remedy[kind] - 1, fmt, args);
    va_end(args);
    make_printable(text + before, true);
    size_t used = strlen(text);
    /* A command that was cut is worse than none. */
    if (used >= sizeof result->remedy[kind] - 2)
        text[before] = '\0';
    else
        (void)memcpy(text + used, "\n", 2);
}
