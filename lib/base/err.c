#include "lib/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 0))) static void format_message(struct err *err, const char *fmt,
                                                                 va_list ap)
{
    /* vsnprintf cuts at the bound; a cut message is still a message. */
    (void)vsnprintf(err->msg, sizeof err->msg, fmt, ap);
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        format_message(err, fmt, ap);
        va_end(ap);
        err->code = code;
    }
    return -code;
}

int err_sys(struct err *err, int code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        format_message(err, fmt, ap);
        va_end(ap);
        size_t used = strlen(err->msg);
        (void)snprintf(err->msg + used, sizeof err->msg - used, ": %s", strerror(code));
        err->code = code;
    }
    return -code;
}

int err_wrap(struct err *err, int r, const char *fmt, ...)
{
    if (err) {
        char old[ERR_MSG_MAX];
        memcpy(old, err->msg, sizeof old);
        va_list ap;
        va_start(ap, fmt);
        format_message(err, fmt, ap);
        va_end(ap);
        size_t used = strlen(err->msg);
        (void)snprintf(err->msg + used, sizeof err->msg - used, ": %s", old);
        err->code = -r;
    }
    return r;
}
