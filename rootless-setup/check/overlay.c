/* Overlay in a user namespace, in the file system where the engine will keep its images. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/fuse.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/storage.h"

static int write_file(const char *path, const char *text)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : file_write_full(fd, text, 4);
}

/* What image layers and running containers do to the merged tree, in one walk. */
static const char *use_merged(void)
{
    struct stat st;
    if (write_file("merged/new", "new\n") < 0)
        return "creating a file";
    if (write_file("merged/one", "two\n") < 0 || stat("upper/one", &st) < 0 || st.st_size != 8)
        return "appending to a file of a lower layer (copy up)";
    if (unlink("merged/one") < 0 || access("merged/one", F_OK) == 0)
        return "removing a file of a lower layer (whiteout)";
    if (unlink("merged/dir/two") < 0 || rmdir("merged/dir") < 0 || mkdir("merged/dir", 0700) < 0)
        return "replacing a directory of a lower layer (opaque)";
    if (rename("merged/new", "merged/dir/new") < 0)
        return "renaming a file";
    return NULL;
}

static int prepare(void)
{
    static const char *const dirs[] = {"lower1", "lower2", "lower2/dir", "upper", "work", "merged"};
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
        if (mkdir(dirs[i], 0700) < 0)
            return -errno;
    int r = write_file("lower1/one", "one\n");
    return r < 0 ? r : write_file("lower2/dir/two", "two\n");
}

/* userxattr keeps overlay's marks in user.overlay.*; kernels that lack the option do without. */
static int mount_overlay(const char **ret_how)
{
    static const char layers[] = "lowerdir=lower1:lower2,upperdir=upper,workdir=work";
    char options[sizeof layers + sizeof ",userxattr"];
    (void)snprintf(options, sizeof options, "%s,userxattr", layers);
    *ret_how = "userxattr";
    if (mount("overlay", "merged", "overlay", 0, options) == 0)
        return 0;
    if (errno == EINVAL && mount("overlay", "merged", "overlay", 0, layers) == 0) {
        *ret_how = "no userxattr";
        return 0;
    }
    return -errno;
}

/* Works in the scratch directory. @return 0, or -errno with the failing step in *ret_step */
static int try_overlay(const char *scratch, const char **ret_step, const char **ret_how)
{
    struct err err = {0};
    enum scratch_step step;
    *ret_step = "making a mount namespace";
    int r = scratch_userns(CLONE_NEWNS, &step, &err);
    if (r < 0)
        return r;
    *ret_step = "making its layers";
    if (chdir(scratch) < 0 || (r = prepare()) < 0)
        return r < 0 ? r : -errno;
    *ret_step = "mounting it";
    r = mount_overlay(ret_how);
    if (r < 0)
        return r;
    errno = 0;
    *ret_step = use_merged();
    return !*ret_step ? 0 : errno != 0 ? -errno : -EIO;
}

static void say_failure(const struct check_context *context, const char *dir, const char *step,
                        int code, struct check_result *result)
{
    char path[4096];
    int fuse_errno;
    bool no_room = code == ENOSPC || code == EDQUOT || code == EROFS;
    bool fuse = fuse_overlayfs_usable(path, sizeof path, &fuse_errno) && !no_room;
    check_say_errno(result, fuse ? CHECK_WARNING : CHECK_FAILED, code,
                    "overlay in a user namespace in %s: %s", dir, step);
    explain_overlay(code, dir, storage_type(dir), &context->facts, result);
    struct check_engine_docker docker;
    /* Docker 29 and later keep images with containerd, which does not change over by itself. */
    if (context->engine == ENGINE_DOCKER &&
        !(check_engine_docker_read(&context->subject, &context->files, &docker) &&
          docker.no_image_store))
        check_remedy(result, REMEDY_NOTE,
                     "Docker 29 and later need in ~/.config/docker/daemon.json: \"features\": "
                     "{\"containerd-snapshotter\": false}");
    if (fuse)
        check_remedy(result, REMEDY_NOTE, "fuse-overlayfs works here and takes its place, slower");
    else if (path[0] == '\0' && !no_room)
        distro_remedy_install(&context->distro, PACKAGE_FUSE_OVERLAYFS, result);
}

void probe_overlay(const struct check_context *context, struct check_result *result)
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
    const char *step = NULL, *how = NULL;
    r = try_overlay(scratch.path, &step, &how);
    if (r == 0)
        check_say(result, CHECK_OK, "mounted in %s (%s, %s) and written through", dir,
                  storage_type(dir) ? storage_type(dir) : "unknown file system", how);
    else
        say_failure(context, dir, step, -r, result);
    (void)umount2("merged", MNT_DETACH);
    scratch_dir_remove(&scratch);
}
