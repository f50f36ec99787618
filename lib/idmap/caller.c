#include "lib/idmap/caller.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/idmap/nss.h"

/* name:password:uid:gid:rest */
static bool parse_passwd_line(struct cursor line, uid_t uid, struct idmap_caller *ret)
{
    const char *name, *password;
    size_t len, ignored;
    uint64_t found = 0, group = 0;
    cursor_until(&line, ':', &name, &len);
    if (len == 0 || len >= sizeof ret->name || name[0] == '+' || name[0] == '-' ||
        memchr(name, '\0', len))
        return false;
    if (!cursor_char(&line, ':'))
        return false;
    cursor_until(&line, ':', &password, &ignored);
    if (!cursor_char(&line, ':') || !cursor_u64(&line, 10, UINT32_MAX - 1, &found) || found != uid)
        return false;
    if (!cursor_char(&line, ':') || !cursor_u64(&line, 10, UINT32_MAX - 1, &group) ||
        !cursor_char(&line, ':'))
        return false;
    memcpy(ret->name, name, len);
    ret->name[len] = '\0';
    ret->primary_gid = (gid_t)group;
    ret->named = true;
    return true;
}

static bool next_line(struct cursor *all, struct cursor *ret)
{
    const char *start;
    size_t len;
    if (cursor_done(all))
        return false;
    cursor_until(all, '\n', &start, &len);
    (void)cursor_char(all, '\n');
    *ret = (struct cursor){.p = start, .end = start + len};
    return true;
}

bool idmap_caller_scan(const char *text, size_t len, uid_t uid, struct idmap_caller *ret)
{
    struct cursor all = {.p = text, .end = text + len}, line;
    while (next_line(&all, &line))
        if (parse_passwd_line(line, uid, ret))
            return true;
    return false;
}

/* A file that shrinks while it is mapped ends us with SIGBUS: only root can do that to files in
 * /etc, and nothing has been done yet. @return 1, 0: absent or empty, -errno */
static int map_file(int etc_fd, const char *name, void **ret, size_t *ret_len, struct err *err)
{
    cleanup_close int fd = openat(etc_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    if (fd < 0)
        return errno == ENOENT ? 0 : err_sys(err, errno, "cannot open /etc/%s", name);
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "cannot look at /etc/%s", name);
    if (!S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "/etc/%s is not a regular file", name);
    if (st.st_size == 0)
        return 0;
    void *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED)
        return err_sys(err, errno, "cannot read /etc/%s", name);
    *ret = text;
    *ret_len = (size_t)st.st_size;
    return 1;
}

int idmap_caller_find(int etc_fd, uid_t uid, gid_t gid, struct idmap_caller *ret, struct err *err)
{
    *ret = (struct idmap_caller){.uid = uid, .gid = gid};
    void *text = NULL;
    size_t len = 0;
    int r = map_file(etc_fd, "passwd", &text, &len, err);
    if (r > 0) {
        (void)idmap_caller_scan(text, len, uid, ret);
        (void)munmap(text, len);
    }
    if (r < 0 || ret->named)
        return r < 0 ? r : 0;

    char line[IDMAP_NSS_LINE_MAX];
    r = idmap_nss_ask(IDMAP_NSS_HELPER, uid, line, sizeof line, err);
    if (r > 0 && !idmap_caller_scan(line, (size_t)r, uid, ret))
        return err_set(err, EPROTO, "Cannot determine your user name: strange answer for uid %u",
                       uid);
    return r < 0 ? err_wrap(err, r, "Cannot determine your user name") : 0;
}

static bool word_is(const char *word, size_t len, const char *want)
{
    return len == strlen(want) && strncasecmp(word, want, len) == 0;
}

static void take_word(struct cursor *c, const char **ret, size_t *ret_len)
{
    while (!cursor_done(c) && strchr(" \t\"", *c->p))
        c->p++;
    *ret = c->p;
    while (!cursor_done(c) && !strchr(" \t\"", *c->p))
        c->p++;
    *ret_len = (size_t)(c->p - *ret);
}

bool idmap_caller_aux_groups(int etc_fd)
{
    struct cursor all, line;
    const char *word;
    void *text = NULL;
    size_t size = 0, len;
    bool granted = false;
    if (map_file(etc_fd, "login.defs", &text, &size, NULL) <= 0)
        return false;
    all = (struct cursor){.p = text, .end = (const char *)text + size};
    while (next_line(&all, &line)) {
        take_word(&line, &word, &len);
        if (!word_is(word, len, "GRANT_AUX_GROUP_SUBIDS"))
            continue;
        take_word(&line, &word, &len);
        granted = word_is(word, len, "yes");
    }
    (void)munmap(text, size);
    return granted;
}
