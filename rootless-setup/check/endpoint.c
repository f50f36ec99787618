#include "rootless-setup/check/endpoint.h"

#include "lib/base/fd.h"
#include "lib/base/local.h"

int endpoint_try(const char *path, uid_t *ret_uid)
{
    struct ucred peer;
    cleanup_close int sock = local_connect(path, 0, &peer);
    if (sock < 0)
        return sock;
    *ret_uid = peer.uid;
    return 0;
}
