/*
 * newgidmap: writes the gid map of a user namespace for its owner, within the owner's /etc/subgid.
 * Everything it can do is in lib/idmap/idmap.h.
 */
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/idmap/handover.h"
#include "lib/idmap/idmap.h"

/* stdio and exit handlers make system calls that the seccomp filter does not list. */
static _Noreturn void fail(const struct err *err, const char *usage)
{
    char text[ERR_MSG_MAX + 256];
    int len = str_format(text, sizeof text, "newgidmap: %s\n%s", err->msg, usage);
    if (len > 0)
        (void)!write(STDERR_FILENO, text, (size_t)len);
    _exit(1);
}

int main(int argc, char **argv)
{
    static struct idmap_request request;
    struct idmap_privilege privilege;
    struct err err = {0};

    if (idmap_begin(SUBID_GID, &privilege, &err) < 0)
        fail(&err, "");
    if (idmap_parse(SUBID_GID, argc - 1, argv + 1, &request, &err) < 0)
        fail(&err, IDMAP_GID_USAGE);
    idmap_close_fds(request.target.fd);
    if (!privilege.capable)
        idmap_hand_over(SUBID_GID, argv);
    if (idmap_apply(&privilege, &request, &err) < 0)
        fail(&err, "");
    _exit(0);
}
