#include "lib/subid/nsswitch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"

/* The file has about a page everywhere. */
#define TEXT_MAX 65536

static bool is_blank(char ch)
{
    return ch == ' ' || ch == '\t';
}

/* A slash would make dlopen(3) take a path. */
static bool is_plugin_name(const char *name, size_t len)
{
    return len < SUBID_SOURCE_MAX && !memchr(name, '/', len) && !memchr(name, '\0', len);
}

/* The first word behind "subid:", or NULL when the line is another or has no value. */
static const char *value_of(const char *line, const char *end, size_t *ret_len)
{
    static const char key[] = "subid:";
    size_t key_len = sizeof key - 1;
    if ((size_t)(end - line) < key_len || strncasecmp(line, key, key_len) != 0)
        return NULL;
    const char *word = line + key_len;
    while (word < end && is_blank(*word))
        word++;
    const char *stop = word;
    while (stop < end && !is_blank(*stop))
        stop++;
    *ret_len = (size_t)(stop - word);
    return stop > word ? word : NULL;
}

bool subid_source_parse(const char *text, size_t len, char ret[SUBID_SOURCE_MAX])
{
    const char *end = text + len;
    ret[0] = '\0';
    for (const char *line = text; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline ? newline : end;
        size_t word_len = 0;
        const char *word = value_of(line, stop, &word_len);
        line = newline ? newline + 1 : end;
        if (!word)
            continue;
        if (word_len == 5 && strncasecmp(word, "files", 5) == 0)
            return true;
        bool good = is_plugin_name(word, word_len);
        size_t kept = word_len < SUBID_SOURCE_MAX ? word_len : SUBID_SOURCE_MAX - 1;
        memcpy(ret, word, kept);
        ret[kept] = '\0';
        return good;
    }
    return true;
}

/* @return bytes read, TEXT_MAX when there may be more; -errno */
static ssize_t read_text(int etc_fd, char text[TEXT_MAX])
{
    cleanup_close int fd =
        openat(etc_fd, "nsswitch.conf", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    ssize_t used = 0, n = 1;
    while (used < TEXT_MAX && n > 0) {
        n = read(fd, text + used, TEXT_MAX - (size_t)used);
        if (n < 0 && errno != EINTR)
            return -errno;
        used += n > 0 ? n : 0;
        n = n < 0 ? 1 : n;
    }
    return used;
}

int subid_source_read(int etc_fd, char ret[SUBID_SOURCE_MAX], struct err *err)
{
    char text[TEXT_MAX];
    ssize_t len = read_text(etc_fd, text);
    ret[0] = '\0';
    if (len == -ENOENT)
        return 0;
    if (len < 0)
        return err_sys(err, (int)-len, "cannot read /etc/nsswitch.conf");
    if (len == TEXT_MAX)
        return err_set(err, EFBIG, "/etc/nsswitch.conf has %d bytes or more", TEXT_MAX);
    if (!subid_source_parse(text, (size_t)len, ret))
        return err_set(err, EINVAL,
                       "/etc/nsswitch.conf: \"subid: %s\" names no source: it must be \"files\" or "
                       "the NAME of a libsubid_NAME.so",
                       ret);
    return 0;
}
