#include "lib/idmap/caller.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/idmap/nss.h"

#define LOGIN_DEFS_MAX 65536

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
    struct cursor all = {.p = text, .end = text + len};
    while (!cursor_done(&all)) {
        struct cursor line = all;
        const char *start;
        size_t line_len;
        cursor_until(&all, '\n', &start, &line_len);
        (void)cursor_char(&all, '\n');
        line.end = start + line_len;
        if (parse_passwd_line(line, uid, ret))
            return true;
    }
    return false;
}

static int scan_file(int etc_fd, struct idmap_caller *caller, struct err *err)
{
    cleanup_close int fd = openat(etc_fd, "passwd", O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    if (fd < 0)
        return errno == ENOENT ? 0 : err_sys(err, errno, "cannot open /etc/passwd");
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "cannot look at /etc/passwd");
    if (!S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "/etc/passwd is not a regular file");
    if (st.st_size == 0)
        return 0;
    size_t len = (size_t)st.st_size;
    void *text = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED)
        return err_sys(err, errno, "cannot read /etc/passwd");
    (void)idmap_caller_scan(text, len, caller->uid, caller);
    (void)munmap(text, len);
    return 0;
}

int idmap_caller_find(int etc_fd, uid_t uid, gid_t gid, struct idmap_caller *ret, struct err *err)
{
    *ret = (struct idmap_caller){.uid = uid, .gid = gid};
    int r = scan_file(etc_fd, ret, err);
    if (r < 0 || ret->named)
        return r;

    char line[IDMAP_NSS_LINE_MAX];
    r = idmap_nss_ask(IDMAP_NSS_HELPER, uid, line, sizeof line, err);
    if (r > 0 && !idmap_caller_scan(line, (size_t)r, uid, ret))
        return err_set(err, EPROTO, "Cannot determine your user name: strange answer for uid %u",
                       uid);
    return r < 0 ? err_wrap(err, r, "Cannot determine your user name") : 0;
}

bool idmap_caller_aux_groups(int etc_fd)
{
    static char text[LOGIN_DEFS_MAX];
    static const char name[] = "GRANT_AUX_GROUP_SUBIDS";
    static const char blanks[] = " \t\"";
    bool granted = false;
    if (file_read_into(etc_fd, "login.defs", text, sizeof text, NULL) < 0)
        return false;
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        line += strspn(line, blanks);
        size_t len = strcspn(line, " \t\n");
        if (len != sizeof name - 1 || memcmp(line, name, len) != 0)
            continue;
        line += len;
        line += strspn(line, blanks);
        granted = strncasecmp(line, "yes", 3) == 0 && strcspn(line, " \t\"\n") == 3;
    }
    return granted;
}
