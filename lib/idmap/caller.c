#include "lib/idmap/caller.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/text.h"
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

bool idmap_caller_scan(const char *text, size_t len, uid_t uid, struct idmap_caller *ret)
{
    struct cursor all = {.p = text, .end = text + len}, line;
    while (cursor_line(&all, &line))
        if (parse_passwd_line(line, uid, ret))
            return true;
    return false;
}

int idmap_caller_find(int etc_fd, uid_t uid, gid_t gid, struct idmap_caller *ret, struct err *err)
{
    *ret = (struct idmap_caller){.uid = uid, .gid = gid};
    cleanup_text struct text passwd;
    int r = text_open(etc_fd, "passwd", &passwd, err);
    if (r < 0 || idmap_caller_scan(passwd.all.p, passwd.len, uid, ret))
        return r;

    char line[IDMAP_NSS_LINE_MAX];
    r = idmap_nss_passwd(uid, line, err);
    if (r > 0 && !idmap_caller_scan(line, (size_t)r, uid, ret))
        return err_set(err, EPROTO, "Cannot determine your user name: strange answer for uid %u",
                       uid);
    return r < 0 ? err_wrap(err, r, "Cannot determine your user name") : 0;
}

static bool text_is(struct cursor c, const char *want)
{
    size_t len = (size_t)(c.end - c.p);
    return len == strlen(want) && strncasecmp(c.p, want, len) == 0;
}

static void skip(struct cursor *c, const char *bytes)
{
    while (!cursor_done(c) && memchr(bytes, *c->p, strlen(bytes)))
        c->p++;
}

/* A line of login.defs(5), "KEY VALUE", as shadow reads it: the value is all that follows, quotes
 * around it and blanks behind it left out. @return whether @p key is set, with its value */
static bool login_defs_value(struct cursor line, const char *key, struct cursor *ret)
{
    const char *value;
    size_t len;
    while (line.end > line.p && memchr(" \t\v\f\r", line.end[-1], 5))
        line.end--;
    skip(&line, " \t");
    if ((size_t)(line.end - line.p) <= strlen(key) || memcmp(line.p, key, strlen(key)) != 0)
        return false;
    line.p += strlen(key);
    if (*line.p != ' ' && *line.p != '\t')
        return false;
    skip(&line, " \t\"");
    cursor_until(&line, '"', &value, &len);
    *ret = (struct cursor){.p = value, .end = value + len};
    return true;
}

bool idmap_caller_aux_groups(int etc_fd)
{
    cleanup_text struct text defs;
    struct cursor line, value = {0};
    bool granted = false;
    if (text_open(etc_fd, "login.defs", &defs, NULL) < 0)
        return false;
    while (cursor_line(&defs.all, &line))
        if (login_defs_value(line, "GRANT_AUX_GROUP_SUBIDS", &value))
            granted = text_is(value, "yes");
    return granted;
}
