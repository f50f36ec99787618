#include "rootlesskit/api/ask.h"

#include <errno.h>

#include "lib/base/err.h"
#include "lib/base/msg.h"
#include "rootlesskit/api/control.h"

static bool parent_gone;

int ask_beside(const struct control_request *request, int fd, struct control_reply *reply,
               struct err *err)
{
    int r = msg_send(CONTROL_FD, request, sizeof *request, &fd, fd >= 0 ? 1 : 0);
    if (r >= 0)
        r = msg_recv(CONTROL_FD, reply, sizeof *reply, NULL, NULL);
    if (r <= 0) {
        parent_gone = true;
        return err_set(err, EPIPE, "rootlesskit is ending");
    }
    reply->message[sizeof reply->message - 1] = '\0';
    return reply->code < 0 ? err_set(err, -reply->code, "%s", reply->message) : 0;
}

int ask(const struct control_request *request, struct control_reply *reply, struct err *err)
{
    return ask_beside(request, -EBADF, reply, err);
}

bool ask_parent_gone(void)
{
    return parent_gone;
}
