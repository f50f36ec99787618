/*
 * In this order, each step with no more than it needs:
 *
 *   read     the message and its fds, as the broker. Fixed size, at most MSG_FDS_MAX fds, no
 *            waiting: the broker starts a worker when the message is there. Nothing is done with
 *            the fd. (The peer cannot send signals to the worker yet.)
 *   become   the peer: its gid, no other group, its uid. From here on the worker is what newuidmap
 *            is for a direct caller, down to the code: idmap_begin() leaves the one capability in
 *            the permitted set and nothing in the effective one, idmap_apply() does the rest.
 *   answer   one write to fd 2. That is the connection because the seccomp list of idmap_confine()
 *            leaves stderr for the last word, and the last word here is the answer.
 *
 * As the peer's, the worker can be stopped or killed by the peer, but not traced: it is not
 * dumpable and holds a capability. That costs the peer its own request. A stopped worker keeps
 * the alarm that ends it when it continues.
 */
#include "uidmapd/worker.h"

#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/base/msg.h"
#include "uidmapd/protocol.h"

/* @param r  what decides: on the way to success, a question without answer may leave words in err
 */
static void answer(int r, const struct err *err)
{
    static const struct err none;
    static struct uidmapd_answer message;
    uidmapd_answer_make(r < 0 ? err : &none, &message);
    (void)!write(STDERR_FILENO, &message, sizeof message);
}

static int read_request(struct idmap_request *ret, struct err *err)
{
    static struct uidmapd_request message;
    int fds[MSG_FDS_MAX];
    size_t n_fds = 0;
    int r = msg_recv(STDERR_FILENO, &message, sizeof message, fds, &n_fds);
    if (r == 0)
        _exit(0); /* hung up */
    if (r < 0)
        return err_set(err, EPROTO,
                       "uidmapd got no request: a message of %zu bytes is one, with one fd beside",
                       sizeof message);
    if (n_fds != 1) /* they are closed when we end */
        return err_set(err, EPROTO, "uidmapd takes one fd beside a request, not %zu", n_fds);
    return uidmapd_request_read(&message, fds[0], ret, err);
}

static int become(const struct peer *peer, struct err *err)
{
    if (setgroups(0, NULL) < 0)
        return err_sys(err, errno, "uidmapd cannot leave its groups");
    if (setresgid(peer->gid, peer->gid, peer->gid) < 0)
        return err_sys(err, errno, "uidmapd cannot become gid %u", peer->gid);
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return err_sys(err, errno, "uidmapd cannot keep its capabilities");
    if (setresuid(peer->uid, peer->uid, peer->uid) < 0)
        return err_sys(err, errno, "uidmapd cannot become uid %u", peer->uid);
    if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
        return err_sys(err, errno, "uidmapd cannot drop its capabilities");
    return 0;
}

void worker_run(int conn, const struct peer *peer)
{
    static struct idmap_request request;
    struct idmap_privilege privilege;
    struct err err = {0};

    (void)alarm(WORKER_SECONDS);
    if (dup2(conn, STDERR_FILENO) < 0)
        _exit(1);
    idmap_close_fds(-1);
    int r = read_request(&request, &err);
    if (r == 0)
        r = become(peer, &err);
    if (r == 0)
        r = idmap_begin(request.kind, &privilege, &err);
    if (r == 0)
        r = idmap_apply(&privilege, &request, &err);
    answer(r, &err);
    _exit(0);
}
