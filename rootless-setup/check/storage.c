#include "rootless-setup/check/storage.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

const char *storage_type(const char *dir)
{
    static const struct {
        long magic;
        const char *name;
    } names[] = {
        {EXT4_SUPER_MAGIC, "ext4"},
        {XFS_SUPER_MAGIC, "xfs"},
        {BTRFS_SUPER_MAGIC, "btrfs"},
        {TMPFS_MAGIC, "tmpfs"},
        {NFS_SUPER_MAGIC, "NFS"},
        {OVERLAYFS_SUPER_MAGIC, "overlay"},
        {ECRYPTFS_SUPER_MAGIC, "eCryptfs"},
        {FUSE_SUPER_MAGIC, "FUSE"},
        {F2FS_SUPER_MAGIC, "f2fs"},
        {0x2fc12fc1, "zfs"},
        {0xff534d42, "SMB"},
        {0x00c36400, "CephFS"},
        {V9FS_MAGIC, "9p"},
        {MSDOS_SUPER_MAGIC, "vfat"},
    };
    struct statfs fs;
    if (statfs(dir, &fs) < 0)
        return NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if ((unsigned long)fs.f_type == (unsigned long)names[i].magic)
            return names[i].name;
    return NULL;
}

/* Up from where it would be to what there is; the home is the place to complain about. */
const char *storage_dir(const struct check_context *context, char *buf, size_t size)
{
    const char *home = context->subject.home;
    const char *dir =
        check_engine_data_dir(context->engine, &context->subject, &context->files, buf, size);
    while (dir == buf && strcmp(buf, home) != 0 && access(buf, F_OK) < 0) {
        char *slash = strrchr(buf, '/');
        if (!slash || slash == buf)
            return home;
        *slash = '\0';
    }
    return dir;
}

bool storage_no_room(int code, const char *dir, struct check_result *result)
{
    if (code != ENOSPC && code != EDQUOT && code != EROFS)
        return false;
    check_say_errno(result, CHECK_HINT, code, "making a file in %s", dir);
    check_cause(result, "not tried: see data-dir");
    return true;
}
