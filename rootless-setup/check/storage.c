#include "rootless-setup/check/storage.h"

#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/str.h"

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

const char *storage_dir(const struct check_subject *subject, char *buf, size_t size)
{
    const char *set = getenv("XDG_DATA_HOME");
    if (set && set[0] == '/' && access(set, W_OK | X_OK) == 0 && str_copy(buf, size, set) == 0)
        return buf;
    if (str_format(buf, size, "%s/.local/share", subject->home) > 0 &&
        access(buf, W_OK | X_OK) == 0)
        return buf;
    return subject->home;
}
