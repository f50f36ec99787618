/* Whether mounts that the host makes later are seen in containers. */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootless-setup/check/probe.h"

#define MOUNTINFO_MAX (4 << 20)

/* The last mount on "/" in mountinfo, "ID PARENT DEV ROOT / OPTIONS shared:1 - ...", is the one in
 * use. @return 1 shared, 0 not, -1 unknown */
static int root_shared(const char *mountinfo)
{
    struct cursor text = cursor_of(mountinfo), line;
    int shared = -1;
    while (cursor_line(&text, &line)) {
        const char *field = NULL;
        size_t len = 0;
        bool on_root = false, peers = false;
        for (int i = 0; !cursor_done(&line); i++) {
            cursor_until(&line, ' ', &field, &len);
            (void)cursor_char(&line, ' ');
            if (i == 4)
                on_root = len == 1 && field[0] == '/';
            if (len == 1 && field[0] == '-')
                break;
            peers |= i > 5 && len > 7 && strncmp(field, "shared:", 7) == 0;
        }
        if (on_root)
            shared = peers;
    }
    return shared;
}

void probe_propagation(const struct check_context *context, struct check_result *result)
{
    (void)context;
    cleanup_free char *text = NULL;
    if (file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL, NULL) < 0 ||
        root_shared(text) < 0) {
        check_say(result, CHECK_HINT, "/proc/self/mountinfo does not tell how / is mounted");
        return;
    }
    if (root_shared(text) == 1) {
        check_say(result, CHECK_OK, "/ is a shared mount");
        return;
    }
    check_say(result, CHECK_HINT, "/ is not a shared mount");
    check_cause(result, "what the host mounts later is not seen in containers that run, as in WSL, "
                        "in containers and under some init systems");
    check_remedy(result, REMEDY_ROOT, "mount --make-rshared /");
    check_remedy(result, REMEDY_NOTE,
                 "at every boot: on WSL as command= of [boot] in /etc/wsl.conf");
}
