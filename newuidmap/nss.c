/*
 * rootless-nss: the passwd entry of one uid, from whatever name services the system has.
 *
 * newuidmap and newgidmap run it for a uid that is not in /etc/passwd (lib/idmap/nss.h), so that no
 * name-service plug-in runs with their privilege. It has none. Installed with mode 0711: the caller
 * of newuidmap must not be able to trace it.
 */
#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/idmap/nss.h"

#define ENTRY_MAX 65536

int main(int argc, char **argv)
{
    static char room[ENTRY_MAX];
    char line[IDMAP_NSS_LINE_MAX];
    uint32_t uid = 0;
    struct passwd entry, *found = NULL;

    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (argc != 2 || parse_u32("uid", argv[1], 0, UINT32_MAX - 1, &uid, NULL) < 0)
        return IDMAP_NSS_FAILED;
    int r = getpwuid_r(uid, &entry, room, sizeof room, &found);
    if (!found) /* getpwuid_r(3): some services say "no such entry" with one of these */
        return r == 0 || r == ENOENT || r == ESRCH ? IDMAP_NSS_ABSENT : IDMAP_NSS_FAILED;
    if (strpbrk(found->pw_name, ":\n"))
        return IDMAP_NSS_FAILED;
    int len = str_format(line, sizeof line, "%s:x:%u:%u:\n", found->pw_name, found->pw_uid,
                         found->pw_gid);
    if (len < 0 || file_write_full(STDOUT_FILENO, line, (size_t)len) < 0)
        return IDMAP_NSS_FAILED;
    return IDMAP_NSS_FOUND;
}
