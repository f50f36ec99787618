#include "lib/subid/nsswitch.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/text.h"

/* The first word behind "subid:"; empty when the line is another or has no value. */
static struct cursor value_of(struct cursor line)
{
    static const char key[] = "subid:";
    size_t key_len = sizeof key - 1;
    if ((size_t)(line.end - line.p) < key_len || strncasecmp(line.p, key, key_len) != 0)
        return (struct cursor){.p = line.end, .end = line.end};
    line.p += key_len;
    cursor_blanks(&line);
    struct cursor word = {.p = line.p, .end = line.p};
    while (word.end < line.end && *word.end != ' ' && *word.end != '\t')
        word.end++;
    return word;
}

bool subid_source_parse(struct cursor text, char ret[SUBID_SOURCE_MAX])
{
    struct cursor line;
    ret[0] = '\0';
    while (cursor_line(&text, &line)) {
        struct cursor word = value_of(line);
        size_t len = (size_t)(word.end - word.p);
        if (len == 0)
            continue;
        if (len == 5 && strncasecmp(word.p, "files", 5) == 0)
            return true;
        size_t kept = len < SUBID_SOURCE_MAX ? len : SUBID_SOURCE_MAX - 1;
        memcpy(ret, word.p, kept);
        ret[kept] = '\0';
        /* A slash would make dlopen(3) take a path. */
        return len == kept && !memchr(word.p, '/', len) && !memchr(word.p, '\0', len);
    }
    return true;
}

int subid_source_read(int etc_fd, char ret[SUBID_SOURCE_MAX], struct err *err)
{
    cleanup_text struct text text;
    ret[0] = '\0';
    int r = text_open(etc_fd, "nsswitch.conf", &text, err);
    if (r < 0)
        return r;
    if (!subid_source_parse(text.all, ret))
        return err_set(err, EINVAL,
                       "/etc/nsswitch.conf: \"subid: %s\" names no source: it must be \"files\" or "
                       "the NAME of a libsubid_NAME.so",
                       ret);
    return 0;
}
