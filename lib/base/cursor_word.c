/* Apart from cursor.c: what privileged programs are made of stays small. */
#include <string.h>

#include "lib/base/cursor.h"

bool cursor_word(struct cursor *c, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(c->end - c->p) < len || memcmp(c->p, word, len) != 0)
        return false;
    c->p += len;
    return true;
}
