#include "rootlesskit/link.h"

#include <errno.h>

#include "lib/base/fd.h"
#include "lib/base/msg.h"
#include "lib/base/str.h"

int link_send(int link, enum link_op op, int code, const char *text)
{
    struct link_message message = {.op = (uint32_t)op, .code = code};
    (void)str_copy(message.text, sizeof message.text, text);
    return msg_send(link, &message, sizeof message, NULL, 0);
}

int link_send_fd(int link, enum link_op op, int fd)
{
    struct link_message message = {.op = (uint32_t)op};
    return msg_send(link, &message, sizeof message, &fd, 1);
}

static int receive(int link, struct link_message *ret, int *fds, size_t *n_fds)
{
    int r = msg_recv(link, ret, sizeof *ret, fds, n_fds);
    ret->text[sizeof ret->text - 1] = '\0';
    return r > 0 ? 0 : r < 0 ? r : -EPIPE;
}

int link_receive(int link, struct link_message *ret)
{
    return receive(link, ret, NULL, NULL);
}

int link_receive_fd(int link, struct link_message *ret, int *ret_fd)
{
    int fds[MSG_FDS_MAX];
    size_t n_fds = 0;
    *ret_fd = -EBADF;
    int r = receive(link, ret, fds, &n_fds);
    for (size_t i = 1; i < n_fds; i++)
        fd_close(fds[i]);
    if (n_fds > 0)
        *ret_fd = fds[0];
    return r;
}
