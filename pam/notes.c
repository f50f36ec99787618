#include "pam/notes.h"

#include <stdarg.h>
#include <stdio.h>

void notes_add(struct notes *notes, int priority, const char *fmt, ...)
{
    if (notes->n >= NOTES_MAX)
        return;
    struct note *note = &notes->items[notes->n];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(note->text, sizeof note->text, fmt, ap);
    va_end(ap);
    for (char *p = note->text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    note->priority = priority;
    notes->n++;
}
