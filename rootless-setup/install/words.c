#include "rootless-setup/install/words.h"

#include <string.h>

/* The bytes of one character at @p s, or 0 where it is none: no overlong forms, no surrogates. */
static size_t utf8_length(const unsigned char *s)
{
    static const struct {
        unsigned char first, last, low, high; /* of the lead byte; of the second byte */
        unsigned char length;
    } forms[] = {
        {0x01, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (s[0] < forms[i].first || s[0] > forms[i].last)
            continue;
        if (forms[i].length > 1 && (s[1] < forms[i].low || s[1] > forms[i].high))
            return 0;
        for (size_t n = 2; n < forms[i].length; n++)
            if ((s[n] & 0xc0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

bool words_is_utf8(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s) {
        size_t n = utf8_length(s);
        if (n == 0)
            return false;
        s += n;
    }
    return true;
}

void words_unit(FILE *out, enum unit_place place, const char *word)
{
    (void)fputc('"', out);
    for (const char *c = word; *c; c++) {
        if (*c == '"' || *c == '\\')
            (void)fprintf(out, "\\%c", *c);
        else if (*c == '%' || (*c == '$' && place == UNIT_ARGUMENT))
            (void)fprintf(out, "%c%c", *c, *c);
        else if ((unsigned char)*c < ' ' || *c == 0x7f)
            (void)fprintf(out, "\\x%02x", (unsigned char)*c);
        else
            (void)fputc(*c, out);
    }
    (void)fputc('"', out);
}

void words_shell(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=+@%,";
    if (word[0] && word[strspn(word, plain)] == '\0') {
        (void)fputs(word, out);
        return;
    }
    (void)fputc('\'', out);
    for (const char *c = word; *c; c++)
        if (*c == '\'')
            (void)fputs("'\\''", out);
        else
            (void)fputc(*c, out);
    (void)fputc('\'', out);
}
