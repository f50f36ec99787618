#include "rootless-setup/check/endpoint.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/str.h"

int endpoint_try(const char *path, uid_t *ret_uid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (str_copy(address.sun_path, sizeof address.sun_path, path) < 0)
        return -ENAMETOOLONG;
    cleanup_close int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sock < 0 || connect(sock, (const struct sockaddr *)&address, sizeof address) < 0 ||
        getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return -errno;
    *ret_uid = peer.uid;
    return 0;
}
