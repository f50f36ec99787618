#include "rootlesskit/link.h"

#include <errno.h>

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

/* @param r  msg_recv()'s */
static int received(int r, struct link_message *message)
{
    message->text[sizeof message->text - 1] = '\0';
    return r > 0 ? 0 : r < 0 ? r : -EPIPE;
}

int link_receive(int link, struct link_message *ret)
{
    return received(msg_recv(link, ret, sizeof *ret, NULL, NULL), ret);
}

int link_receive_fd(int link, struct link_message *ret, int *ret_fd)
{
    return received(msg_recv_fd(link, ret, sizeof *ret, ret_fd), ret);
}
