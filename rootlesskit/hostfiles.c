#include "rootlesskit/hostfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootlesskit/resolv.h"

#define HOSTS_MAX (1 << 20)

static int write_resolv(int state_fd, const char (*dns)[INET6_ADDRSTRLEN], size_t n_dns,
                        struct err *err)
{
    char host[RESOLV_TEXT_MAX], ours[RESOLV_TEXT_MAX];
    int r = resolv_read(host, sizeof host, err);
    if (r < 0)
        return r;
    if (resolv_for_child(host, dns, n_dns, ours, sizeof ours) < 0)
        return err_set(err, EFBIG, "/etc/resolv.conf is too large");
    return file_create(state_fd, "resolv.conf", 0644, ours, err);
}

/* The host's names, and ours for the host name, as RootlessKit writes them. */
static int write_hosts(int state_fd, struct err *err)
{
    cleanup_free char *host = NULL;
    cleanup_free char *ours = NULL;
    char name[256] = "";
    size_t len = 0;
    int r = file_read(AT_FDCWD, "/etc/hosts", HOSTS_MAX, &host, &len, err);
    if (r < 0 && r != -ENOENT)
        return r;
    (void)gethostname(name, sizeof name - 1);
    size_t room = len + 2 * sizeof name + 64;
    ours = malloc(room);
    if (!ours)
        return err_set(err, ENOMEM, "no memory for the hosts file");
    (void)str_format(ours, room, "%s\n127.0.0.1 %s\n::1 %s\n", host ? host : "", name, name);
    return file_create(state_fd, "hosts", 0644, ours, err);
}

int hostfiles_write(int state_fd, const char (*dns)[INET6_ADDRSTRLEN], size_t n_dns,
                    struct err *err)
{
    int r = write_resolv(state_fd, dns, n_dns, err);
    return r < 0 ? r : write_hosts(state_fd, err);
}
