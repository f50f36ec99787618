#include "lib/cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/base/str.h"

bool terminal_color(const char *when)
{
    const char *refused = getenv("NO_COLOR"), *kind = getenv("TERM");
    if (str_equal(when, "always") || str_equal(when, "never"))
        return str_equal(when, "always");
    return isatty(STDOUT_FILENO) && !(refused && refused[0]) && !(kind && str_equal(kind, "dumb"));
}

unsigned terminal_width(void)
{
    struct winsize size = {0};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 ? 0 : size.ws_col;
}

void terminal_fold(FILE *out, const char *text, size_t column, const char *indent, unsigned width)
{
    bool first = true;
    size_t margin = strlen(indent);
    while (*text) {
        size_t len = strcspn(text, " ");
        if (column > margin && width > 0 && column + !first + len > width) {
            (void)fprintf(out, "\n%s", indent);
            column = margin;
            first = true;
        }
        (void)fprintf(out, "%s%.*s", first ? "" : " ", (int)len, text);
        column += len + !first;
        first = false;
        text += len + (text[len] == ' ');
    }
    (void)fprintf(out, "\n");
}
