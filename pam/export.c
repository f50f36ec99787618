#include "pam/export.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base/str.h"
#include "pam/subject.h"

#define BUS "bus"
#define DOCKER_SOCKET "docker.sock"

/* A socket of his: one that is somebody else's would have the user talk to him. */
static bool is_his_socket(int dir, const char *name, uid_t uid)
{
    struct stat st;
    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode) &&
           st.st_uid == uid;
}

void export_find(struct export *ret, const struct subject *subject, int runtime_fd)
{
    *ret = (struct export){
        .runtime = true,
        .bus = is_his_socket(runtime_fd, BUS, subject->uid),
        .docker_socket = is_his_socket(runtime_fd, DOCKER_SOCKET, subject->uid),
    };
}

void export_each(const struct export *export, const struct subject *subject, export_fn *fn,
                 void *arg)
{
    char value[SUBJECT_RUNTIME_MAX + sizeof "unix://" DOCKER_SOCKET];
    if (!export->runtime)
        return;
    fn("XDG_RUNTIME_DIR", subject->runtime, arg);
    if (export->bus && str_format(value, sizeof value, "unix:path=%s/" BUS, subject->runtime) > 0)
        fn("DBUS_SESSION_BUS_ADDRESS", value, arg);
    if (export->docker_socket &&
        str_format(value, sizeof value, "unix://%s/" DOCKER_SOCKET, subject->runtime) > 0)
        fn("DOCKER_HOST", value, arg);
}
