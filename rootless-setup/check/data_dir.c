/* The directory where engines keep images: programs run there, and there is room. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/scratch.h"
#include "rootless-setup/check/storage.h"

/* A system image with its tools. */
#define ROOM_WANTED (UINT64_C(1) << 30)

/* File systems whose server knows nothing of subordinate ids. */
static const char *const remote[] = {"NFS", "SMB", "CephFS", "9p", "vfat", NULL};

/* @return 0, or the errno that executing a program there gave */
static int try_exec(const char *dir)
{
    char program[PATH_MAX];
    if (str_format(program, sizeof program, "%s/program", dir) < 0)
        return ENAMETOOLONG;
    int r = file_create(AT_FDCWD, program, 0700, "#!/bin/sh\nexit 0\n", NULL);
    if (r < 0)
        return -r;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl(program, program, (char *)NULL);
        _exit(errno);
    }
    int status = pid < 0 ? -errno : proc_wait(pid);
    return status < 0 ? -status : WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

static void check_room(const struct check_context *context, const char *dir,
                       struct check_result *result)
{
    struct statfs fs;
    const char *type = storage_type(dir);
    if (statfs(dir, &fs) < 0) {
        check_say_errno(result, CHECK_WARNING, errno, "looking at the file system of %s", dir);
        return;
    }
    uint64_t room = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
    if (type && str_index(remote, type) >= 0) {
        check_say(result, CHECK_WARNING, "%s is on %s", dir, type);
        check_cause(result, "files there cannot belong to subordinate ids, so images are not "
                            "unpacked");
        remedy_data_dir(context->engine, result);
    } else if (room < ROOM_WANTED || (fs.f_files > 0 && fs.f_ffree < 10000)) {
        check_say(result, CHECK_WARNING, "%s has %llu MiB and %llu files left", dir,
                  (unsigned long long)(room >> 20), (unsigned long long)fs.f_ffree);
        check_cause(result, "one image can take more");
        check_remedy(result, REMEDY_NOTE, "free some space there, or move the engine's data");
    } else {
        check_say(result, CHECK_OK, "ran a program in %s (%s), %llu GiB left", dir,
                  type ? type : "unknown file system", (unsigned long long)(room >> 30));
    }
}

void probe_data_dir(const struct check_context *context, struct check_result *result)
{
    char buf[4096];
    const char *dir = storage_dir(context, buf, sizeof buf);
    struct scratch_dir scratch;
    struct err err = {0};
    int r = scratch_dir_make(dir, &scratch, &err);
    if (r < 0) {
        check_say_errno(result, CHECK_FAILED, -r, "making a scratch directory in %s", dir);
        explain_no_scratch(-r, dir, &context->subject, result);
        return;
    }
    int code = try_exec(scratch.path);
    scratch_dir_remove(&scratch);
    if (code == 0) {
        check_room(context, dir, result);
        return;
    }
    check_say_errno(result, CHECK_FAILED, code, "running a program in %s", dir);
    check_cause(result, code == EACCES ? "it is mounted noexec, so no program of an image runs"
                                       : "programs of images will fail the same way");
    check_remedy(result, REMEDY_NOTE, "mount it without noexec, or else:");
    remedy_data_dir(context->engine, result);
}
