#include "lib/subid/subid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/text.h"
#include "lib/subid/line.h"

struct search {
    const char *owner; /* NULL: by number only */
    size_t owner_len;
    char uid[16]; /* in digits: comparing text is cheaper than parsing 100 000 owners */
    size_t uid_len;
    struct subid_range *ret;
    size_t n, max;
};

const char *subid_path(enum subid_kind kind)
{
    return kind == SUBID_UID ? "/etc/subuid" : "/etc/subgid";
}

static bool owner_is(const char *text, size_t len, const char *owner, size_t owner_len)
{
    return len > owner_len && text[owner_len] == ':' && memcmp(text, owner, owner_len) == 0;
}

static bool is_wanted(const struct search *search, const char *text, size_t len)
{
    if (search->owner && owner_is(text, len, search->owner, search->owner_len))
        return true;
    while (len > 1 && text[0] == '0' && text[1] != ':') {
        text++;
        len--;
    }
    return owner_is(text, len, search->uid, search->uid_len);
}

static void take_line(struct search *search, const char *text, size_t len)
{
    struct subid_line line;
    if (search->n == search->max || !is_wanted(search, text, len) ||
        !subid_line_parse(text, len, &line))
        return;
    search->ret[search->n++] = (struct subid_range){.start = line.start, .count = line.count};
}

int subid_open(int etc_fd, enum subid_kind kind, struct err *err)
{
    const char *path = subid_path(kind);
    const char *name = strrchr(path, '/') + 1;
    /* O_NONBLOCK: a FIFO in its place must not hang us */
    cleanup_close int fd =
        openat(etc_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ELOOP)
        return err_set(err, ELOOP,
                       "%s is a symbolic link, which is not followed: put the file itself there",
                       path);
    if (fd < 0)
        return err_sys(err, errno, "cannot open %s", path);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "cannot stat %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "%s is not a regular file", path);
    return take_fd(&fd);
}

int subid_ranges(int etc_fd, enum subid_kind kind, const char *owner, uid_t uid,
                 struct subid_range *ret, size_t max, struct err *err)
{
    cleanup_close int fd = subid_open(etc_fd, kind, err);
    if (fd < 0)
        return fd;
    cleanup_text struct text text;
    int r = text_map(fd, strrchr(subid_path(kind), '/') + 1, &text, err);
    if (r < 0)
        return r;
    struct cursor line;
    struct search search = {.owner = owner, .ret = ret, .max = max};
    search.uid_len = (size_t)snprintf(search.uid, sizeof search.uid, "%u", uid);
    if (owner && strchr(owner, ':'))
        search.owner = NULL; /* else it would match the owner and start of somebody's line */
    if (search.owner)
        search.owner_len = strlen(search.owner);
    while (cursor_line(&text.all, &line))
        take_line(&search, line.p, (size_t)(line.end - line.p));
    return (int)search.n;
}
