#include "rootless-setup/check/quote.h"

#include <string.h>

#include "lib/base/str.h"

static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                            "_-./:=+@%,";

const char *quote_word(const char *word, char *buf, size_t size)
{
    if (word[0] && word[strspn(word, plain)] == '\0' && str_copy(buf, size, word) == 0)
        return buf;
    size_t used = 0;
    if (used + 1 < size)
        buf[used++] = '\'';
    for (; *word && used + 6 < size; word++) {
        if (*word == '\'') {
            (void)memcpy(buf + used, "'\\''", 4);
            used += 4;
        } else {
            buf[used++] = *word;
        }
    }
    if (*word)
        return str_copy(buf, size, "''") == 0 ? buf : "''";
    (void)memcpy(buf + used, "'", 2);
    return buf;
}

const char *quote_self(const struct check_facts *facts, char *buf, size_t size)
{
    static const char *const usual[] = {"/usr/bin", "/usr/local/bin", "/bin", "/usr/sbin", NULL};
    char path[sizeof facts->bin_dir + 16];
    if (facts->bin_dir[0] == '\0' || str_index(usual, facts->bin_dir) >= 0 ||
        str_format(path, sizeof path, "%s/rootless-setup", facts->bin_dir) < 0)
        return "rootless-setup";
    return quote_word(path, buf, size);
}
