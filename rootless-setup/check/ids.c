/* Files of subordinate ids: the ends of the map are tried on a file in memory, which tells of the
 * map, and on one in the directory of images, which tells of its file system. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/maps.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/storage.h"

/* What the process in the namespace is told once that is mapped, and what it answers. */
struct order {
    uint32_t last_uid, last_gid;
    char dir[4096];
};

struct answer {
    int code; /* errno, or 0 */
    bool on_disk;
    uint32_t uid, gid;
};

static int own_by(int fd, uint32_t uid, uint32_t gid)
{
    struct stat st;
    if (fchown(fd, uid, gid) < 0 || fstat(fd, &st) < 0)
        return errno;
    return st.st_uid == uid && st.st_gid == gid ? 0 : ENOTSUP;
}

/* The first, the second and the last id of the map. */
static bool try_ends(int fd, const struct order *order, struct answer *ret)
{
    const uint32_t uids[] = {order->last_uid, 1, 0}, gids[] = {order->last_gid, 1, 0};
    for (size_t i = 0; i < 3; i++) {
        ret->uid = uids[i] <= order->last_uid ? uids[i] : 0;
        ret->gid = gids[i] <= order->last_gid ? gids[i] : 0;
        ret->code = own_by(fd, ret->uid, ret->gid);
        if (ret->code != 0)
            return false;
    }
    return true;
}

static struct answer try_files(const struct order *order)
{
    struct answer answer = {0};
    char path[4200];
    cleanup_close int in_memory = memfd_create("rootless-check", MFD_CLOEXEC);
    if (in_memory < 0) {
        answer.code = errno;
        return answer;
    }
    if (!try_ends(in_memory, order, &answer))
        return answer;
    answer.on_disk = true;
    if (str_format(path, sizeof path, "%s/file", order->dir) < 0) {
        answer.code = ENAMETOOLONG;
        return answer;
    }
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        answer.code = errno;
    else
        (void)try_ends(fd, order, &answer);
    return answer;
}

/* The process in the namespace: says that it is there, waits for its map, tries. */
static _Noreturn void be_inside(int in, int out, const struct order *initial)
{
    struct order order = *initial;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct answer answer = {.code = unshare(CLONE_NEWUSER) < 0 ? errno : 0};
    (void)!write(out, &answer, sizeof answer);
    if (answer.code == 0 && file_read_full(in, &order, sizeof order) == (ssize_t)sizeof order) {
        answer = try_files(&order);
        (void)!write(out, &answer, sizeof answer);
    }
    _exit(0);
}

static int map(pid_t pid, enum subid_kind kind, const struct check_subject *subject,
               uint32_t *ret_last, struct err *err)
{
    static struct maps_attempt attempt;
    char how[64];
    maps_try(pid, kind, subject, &attempt, err);
    if (attempt.status > 0)
        return err_set(err, EIO, "%s: %s%s%s", attempt.path,
                       proc_describe(attempt.status, how, sizeof how), attempt.said[0] ? ": " : "",
                       attempt.said);
    *ret_last = (uint32_t)attempt.ids - 1;
    return attempt.status;
}

/* @return 0 with the answer, or -errno when the namespace could not be made or mapped */
static int ask(const struct check_subject *subject, const char *dir, struct order *order,
               struct answer *ret, struct err *err)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    if (str_copy(order->dir, sizeof order->dir, dir) < 0)
        return err_set(err, ENAMETOOLONG, "%s is too long a path", dir);
    pid_t pid = fork();
    if (pid == 0)
        be_inside(in[0], out[1], order);
    fd_close(in[0]);
    fd_close(out[1]);
    struct answer ready = {.code = EIO};
    int r = pid < 0 ? err_sys(err, errno, "cannot start a process") : 0;
    if (r == 0 && file_read_full(out[0], &ready, sizeof ready) >= 0 && ready.code != 0)
        r = err_sys(err, ready.code, "cannot make a scratch user namespace");
    if (r == 0)
        r = map(pid, SUBID_UID, subject, &order->last_uid, err);
    if (r == 0)
        r = map(pid, SUBID_GID, subject, &order->last_gid, err);
    if (r == 0 && (file_write_full(in[1], order, sizeof *order) < 0 ||
                   file_read_full(out[0], ret, sizeof *ret) != (ssize_t)sizeof *ret))
        r = err_set(err, EIO, "the process in the namespace ended without an answer");
    fd_close(in[1]);
    fd_close(out[0]);
    if (pid > 0)
        (void)proc_wait(pid);
    return r;
}

static void say_refused(const struct check_context *context, const struct answer *answer,
                        const char *dir, struct check_result *result)
{
    const char *type = storage_type(dir);
    check_say_errno(result, CHECK_FAILED, answer->code,
                    "giving a file %s%s to user %u and group %u of a mapped namespace",
                    answer->on_disk ? "in " : "in memory", answer->on_disk ? dir : "", answer->uid,
                    answer->gid);
    if (answer->on_disk) {
        check_cause(result,
                    "%s is on %s, where files cannot belong to subordinate ids: images are not "
                    "unpacked there",
                    dir, type ? type : "a file system");
        remedy_data_dir(context->engine, result);
        return;
    }
    check_cause(result, "the map was written, but does not reach that far");
    check_remedy(result, REMEDY_NOTE, "in a container: give the outer one more ids");
}

void probe_ids(const struct check_context *context, struct check_result *result)
{
    char buf[4096];
    const char *dir = storage_dir(context, buf, sizeof buf);
    struct scratch_dir scratch;
    struct err err = {0};
    static struct order order;
    struct answer answer = {0};
    int r = scratch_dir_make(dir, &scratch, &err);
    if (r < 0 && storage_no_room(-r, dir, result))
        return;
    if (r < 0) {
        check_say_errno(result, CHECK_FAILED, -r, "making a scratch directory in %s", dir);
        explain_no_scratch(-r, dir, &context->subject, result);
        return;
    }
    r = ask(&context->subject, scratch.path, &order, &answer, &err);
    scratch_dir_remove(&scratch);
    if (r < 0) {
        check_say(result, CHECK_FAILED, "%s", err.msg);
        check_cause(result, "the namespace has no map: newuidmap or newgidmap failed");
    } else if (answer.on_disk && storage_no_room(answer.code, dir, result)) {
        return;
    } else if (answer.code != 0) {
        say_refused(context, &answer, dir, result);
    } else {
        check_say(result, CHECK_OK, "in %s files were given to users 0 to %u and groups 0 to %u",
                  dir, order.last_uid, order.last_gid);
    }
}
