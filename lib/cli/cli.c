#include "lib/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"

static const char *prefix_text = "?";
static bool debug_on;
static mode_t inherited_umask;

void cli_set_prefix(const char *prefix)
{
    prefix_text = prefix;
}

void cli_set_debug(bool on)
{
    debug_on = on;
}

bool cli_debugging(void)
{
    return debug_on;
}

/* One write a line, so that lines of several processes do not mix. */
__attribute__((format(printf, 2, 0))) static void say(const char *kind, const char *fmt, va_list ap)
{
    char text[ERR_MSG_MAX + 256];
    (void)vsnprintf(text, sizeof text, fmt, ap);
    const char *separator = prefix_text[0] == '[' ? " " : ": ";
    (void)fprintf(stderr, "%s%s%s%s\n", prefix_text, separator, kind, text);
}

void cli_error(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(prefix_text[0] == '[' ? "error: " : "", fmt, ap);
    va_end(ap);
}

void cli_warning(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say("warning: ", fmt, ap);
    va_end(ap);
}

void cli_debug(const char *fmt, ...)
{
    if (!debug_on)
        return;
    va_list ap;
    va_start(ap, fmt);
    say("debug: ", fmt, ap);
    va_end(ap);
}

int cli_fail(const struct err *err, int status)
{
    cli_error("%s", err->msg);
    return status;
}

mode_t cli_inherited_umask(void)
{
    return inherited_umask;
}

void cli_begin(const char *prefix, int first_unknown_fd)
{
    cli_set_prefix(prefix);
    if (fd_fill_std() < 0)
        exit(CLI_FAILED);
    fd_close_from(first_unknown_fd);
    inherited_umask = umask(022);
    (void)setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
}
