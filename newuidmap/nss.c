/*
 * rootless-nss: answers from whatever name services the system has, for newuidmap and newgidmap.
 *
 * They run it for a uid that is not in /etc/passwd, and where nsswitch.conf names a plug-in for
 * subordinate ids (lib/idmap/nss.h), so that no plug-in runs with their privilege. It has none.
 * Installed with mode 0711: the caller of newuidmap must not be able to trace it.
 */
#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/idmap/nss.h"
#include "lib/subid/plugin.h"

#define ENTRY_MAX 65536

static int answer(const char *text, size_t len, int status)
{
    return file_write_full(STDOUT_FILENO, text, len) < 0 ? IDMAP_NSS_FAILED : status;
}

static int answer_passwd(const char *word)
{
    static char room[ENTRY_MAX];
    char line[IDMAP_NSS_LINE_MAX];
    uint32_t uid = 0;
    struct passwd entry, *found = NULL;
    if (parse_u32("uid", word, 0, UINT32_MAX - 1, &uid, NULL) < 0)
        return IDMAP_NSS_FAILED;
    int r = getpwuid_r(uid, &entry, room, sizeof room, &found);
    if (!found) /* getpwuid_r(3): some services say "no such entry" with one of these */
        return r == 0 || r == ENOENT || r == ESRCH ? IDMAP_NSS_ABSENT : IDMAP_NSS_FAILED;
    if (strpbrk(found->pw_name, ":\n"))
        return IDMAP_NSS_FAILED;
    int len = str_format(line, sizeof line, "%s:x:%u:%u:\n", found->pw_name, found->pw_uid,
                         found->pw_gid);
    return len < 0 ? IDMAP_NSS_FAILED : answer(line, (size_t)len, IDMAP_NSS_FOUND);
}

/* "INSIDE OUTSIDE COUNT\n": what is asked about is the outer side. */
static bool take_range(struct cursor *map, struct subid_range *ret)
{
    uint64_t inside = 0, start = 0, count = 0;
    if (!cursor_u64(map, 10, UINT32_MAX, &inside) || !cursor_char(map, ' ') ||
        !cursor_u64(map, 10, UINT32_MAX, &start) || !cursor_char(map, ' ') ||
        !cursor_u64(map, 10, UINT32_MAX, &count) || !cursor_char(map, '\n'))
        return false;
    *ret = (struct subid_range){.start = (uint32_t)start, .count = (uint32_t)count};
    return true;
}

/* @return how many extents were answered, or -errno */
static int ask_all(const struct subid_plugin *plugin, enum subid_kind kind, const char *owner,
                   struct cursor map, char answers[IDMAP_NSS_LINE_MAX], struct err *err)
{
    int n = 0;
    while (!cursor_done(&map)) {
        struct subid_range range;
        if (n == IDMAP_NSS_LINE_MAX || !take_range(&map, &range))
            return err_set(err, EINVAL, "a strange question");
        int r = subid_plugin_covers(plugin, kind, owner, range, err);
        if (r < 0)
            return r;
        answers[n++] = r > 0 ? '1' : '0';
    }
    return n;
}

static int answer_covers(const char *source, const char *kind, const char *owner, const char *map)
{
    char answers[IDMAP_NSS_LINE_MAX];
    struct subid_plugin plugin;
    struct err err = {0};
    int n = subid_plugin_open(&plugin, source, &err);
    if (n == 0)
        n = ask_all(&plugin, str_equal(kind, "uid") ? SUBID_UID : SUBID_GID, owner, cursor_of(map),
                    answers, &err);
    /* Not closed: this process ends, and the plug-in's own clean-up is none of our business. */
    if (n < 0)
        return answer(err.msg, strnlen(err.msg, IDMAP_NSS_LINE_MAX - 1), IDMAP_NSS_FAILED);
    return answer(answers, (size_t)n, IDMAP_NSS_FOUND);
}

int main(int argc, char **argv)
{
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (argc == 3 && str_equal(argv[1], IDMAP_NSS_PASSWD))
        return answer_passwd(argv[2]);
    if (argc == 6 && str_equal(argv[1], IDMAP_NSS_COVERS))
        return answer_covers(argv[2], argv[3], argv[4], argv[5]);
    return IDMAP_NSS_FAILED;
}
