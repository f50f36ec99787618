#include "lib/idmap/log.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/idmap/extent.h"

void idmap_log_refusal(enum subid_kind kind, uid_t uid, const char *reason)
{
    static const struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    char line[ERR_MSG_MAX + 128];
    int len = str_format(line, sizeof line, "<%d>new%smap[%d]: refused uid %u: %s",
                         LOG_AUTHPRIV | LOG_WARNING, idmap_kind_name(kind), getpid(), uid, reason);
    cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || len < 0)
        return;
    (void)sendto(fd, line, (size_t)len, MSG_NOSIGNAL, (const struct sockaddr *)&log, sizeof log);
}
