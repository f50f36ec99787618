#include "rootlesskit/slice.h"

#include <errno.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

int slice_parse(struct slice *ret, const char *text, struct err *err)
{
    *ret = (struct slice){.kind = SLICE_NONE};
    if (!text)
        return 0;
    if (str_equal(text, "auto")) {
        ret->kind = SLICE_AUTO;
        return 0;
    }
    struct cursor c = cursor_of(text);
    uint64_t offset = 0, count = 0;
    if (!cursor_u64(&c, 10, UINT32_MAX, &offset) || !cursor_char(&c, ':') ||
        !cursor_u64(&c, 10, UINT32_MAX - offset, &count) || count == 0 || !cursor_done(&c))
        return err_set(err, EINVAL,
                       "--subid-slice: \"%s\" is neither auto nor OFFSET:COUNT, like 65536:65536",
                       text);
    *ret =
        (struct slice){.kind = SLICE_GIVEN, .offset = (uint32_t)offset, .count = (uint32_t)count};
    return 0;
}

/* A new one, counted for the piece's root. Where a filter forbids keyctl(2), it does so for reading
 * the user's keys as well. */
static int leave_keyring(struct err *err)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS &&
        errno != EPERM)
        return err_sys(err, errno, "--subid-slice: cannot leave the user's session keyring");
    return 0;
}

int slice_become_root(struct err *err)
{
    if (setgroups(0, NULL) < 0)
        return err_sys(err, errno, "--subid-slice: cannot leave the user's groups");
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return err_sys(err, errno, "--subid-slice: cannot become root of the slice");
    /* Another uid than before made us undumpable, which would keep the drivers, and whoever calls
     * nsenter(1) on child_pid, out of our namespaces. Nothing here is secret to our own root. */
    (void)prctl(PR_SET_DUMPABLE, 1);
    return leave_keyring(err);
}
