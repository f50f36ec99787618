#include "pam/subject.h"

#include <errno.h>
#include <pwd.h>
#include <stddef.h>

#include "lib/base/str.h"
#include "pam/options.h"

/* https://systemd.io/UIDS-GIDS/; both ends inclusive. Of homed's users (60001-60513) each is a
 * person. */
static const struct {
    uid_t first, last;
} system_uids[] = {
    {0, 0},
    {60514, 65535},           /* nspawn's, dynamic users, nobody */
    {2147352576, UINT32_MAX}, /* foreign files; what signed arithmetic takes for below 0 */
};

int subject_of(const struct passwd *pw, struct subject *ret)
{
    struct subject subject = {.uid = pw->pw_uid, .gid = pw->pw_gid};
    if (str_copy(subject.name, sizeof subject.name, pw->pw_name) < 0 ||
        str_copy(subject.home, sizeof subject.home, pw->pw_dir ? pw->pw_dir : "") < 0 ||
        str_copy(subject.shell, sizeof subject.shell, pw->pw_shell ? pw->pw_shell : "") < 0 ||
        str_format(subject.runtime, sizeof subject.runtime, "/run/user/%u", subject.uid) < 0)
        return -ENAMETOOLONG;
    *ret = subject;
    return 0;
}

bool subject_is_served(uid_t uid, const struct options *options, uint32_t login_min)
{
    for (size_t i = 0; i < sizeof system_uids / sizeof system_uids[0]; i++)
        if (uid >= system_uids[i].first && uid <= system_uids[i].last)
            return false;
    return uid >= (options->min_uid ? options->min_uid : login_min) && uid <= options->max_uid;
}
