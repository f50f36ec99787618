#include "lib/subid/subid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/subid/line.h"

/* Read in pieces rather than mapped: that takes half the time, for setting up the pages of a
 * mapping costs more than the copy, and a file truncated under us ends early instead of us by
 * SIGBUS. */
#define PIECE 65536

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

/* Takes the whole lines of [buf, buf + len). @return bytes used up */
static size_t take_lines(struct search *search, const char *buf, size_t len)
{
    size_t at = 0;
    while (at < len) {
        const char *newline = memchr(buf + at, '\n', len - at);
        if (!newline)
            break;
        size_t end = (size_t)(newline - buf);
        take_line(search, buf + at, end - at);
        at = end + 1;
    }
    return at;
}

/* Scans to the end. A line that fills the buffer is longer than any line that counts: its first
 * piece is given up and the rest skipped up to its newline. A last line without newline counts. */
static int scan(struct search *search, int fd)
{
    char buf[PIECE];
    size_t have = 0;
    bool skipping = false;
    for (ssize_t n; (n = read(fd, buf + have, sizeof buf - have)) != 0;) {
        if (n < 0)
            return -errno;
        have += (size_t)n;
        size_t used = 0;
        if (skipping) {
            const char *newline = memchr(buf, '\n', have);
            used = newline ? (size_t)(newline - buf) + 1 : have;
            skipping = !newline;
        }
        used += take_lines(search, buf + used, have - used);
        have -= used;
        memmove(buf, buf + used, have);
        if (have == sizeof buf) {
            skipping = true;
            have = 0;
        }
    }
    if (!skipping)
        take_line(search, buf, have);
    return 0;
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
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "%s is not a regular file", path);
    return take_fd(&fd);
}

int subid_ranges(int etc_fd, enum subid_kind kind, const char *owner, uid_t uid,
                 struct subid_range *ret, size_t max, struct err *err)
{
    cleanup_close int fd = subid_open(etc_fd, kind, err);
    if (fd < 0)
        return fd;
    struct search search = {.owner = owner, .ret = ret, .max = max};
    search.uid_len = (size_t)snprintf(search.uid, sizeof search.uid, "%u", uid);
    if (owner && strchr(owner, ':'))
        search.owner = NULL; /* else it would match the owner and start of somebody's line */
    if (search.owner)
        search.owner_len = strlen(search.owner);
    int r = scan(&search, fd);
    if (r < 0)
        return err_sys(err, -r, "cannot read %s", subid_path(kind));
    return (int)search.n;
}
