#include "lib/base/local.h"

#include <errno.h>
#include <sys/time.h>
#include <sys/un.h>

#include "lib/base/fd.h"
#include "lib/base/str.h"

int local_connect(const char *path, unsigned seconds, struct ucred *ret_peer)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval limit = {.tv_sec = (time_t)seconds};
    int type = SOCK_STREAM | SOCK_CLOEXEC | (seconds == 0 ? SOCK_NONBLOCK : 0);
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (str_copy(address.sun_path, sizeof address.sun_path, path) < 0)
        return -ENAMETOOLONG;
    cleanup_close int sock = socket(AF_UNIX, type, 0);
    if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
        setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
        connect(sock, (const struct sockaddr *)&address, sizeof address) < 0 ||
        getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return -errno;
    if (ret_peer)
        *ret_peer = peer;
    return take_fd(&sock);
}
