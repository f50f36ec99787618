#include "lib/subid/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

#define LIB "var/lib"
#define FOLDER "/var/lib/rootless-toolkit/subid"
#define UNFINISHED "new"

/* ---- the folder ---- */

static int failed(const struct subid_place *place, int code, struct err *err)
{
    return err_sys(err, code, "cannot use %s" FOLDER, place->root);
}

/* /var/lib with its links resolved as after a chroot (Linux 5.6). @return fd or -errno */
static int open_lib(const struct subid_place *place)
{
    cleanup_close int root_fd =
        open(place->live ? "/" : place->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return -errno;
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, root_fd, LIB, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

/* @return fd or -errno */
static int enter(int dir_fd, const char *name, mode_t mode, bool make)
{
    if (make && mkdirat(dir_fd, name, mode) == 0)
        (void)fsync(dir_fd);
    else if (make && errno != EEXIST)
        return -errno;
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

/* @return fd; -ENOENT without a message; -errno */
static int open_folder(const struct subid_place *place, bool make, struct err *err)
{
    cleanup_close int lib_fd = open_lib(place);
    if (lib_fd == -ENOENT && (!place->live || !make))
        return -ENOENT;
    if (lib_fd < 0)
        return failed(place, -lib_fd, err);
    cleanup_close int toolkit_fd = enter(lib_fd, "rootless-toolkit", 0755, make);
    int fd = toolkit_fd < 0 ? toolkit_fd : enter(toolkit_fd, "subid", 0700, make);
    return fd < 0 && fd != -ENOENT ? failed(place, -fd, err) : fd;
}

/* ---- what is there ---- */

static bool is_number(const char *name, uint32_t *ret)
{
    return name[0] != '0' && parse_u32("", name, 1, UINT32_MAX - 1, ret, NULL) == 0;
}

static int compare_number(const void *pa, const void *pb)
{
    const uint32_t *a = pa, *b = pb;
    return (*a > *b) - (*a < *b);
}

static int list_numbers(struct subid_records *records, DIR *dir, struct err *err)
{
    size_t room = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        uint32_t number = 0;
        if (!is_number(entry->d_name, &number))
            continue;
        if (records->n == room) {
            room = room ? room * 2 : SUBID_RECORDS_MAX + 1;
            uint32_t *grown = reallocarray(records->numbers, room, sizeof *grown);
            if (!grown)
                return err_set(err, ENOMEM, "no memory for %zu records", room);
            records->numbers = grown;
        }
        records->numbers[records->n++] = number;
    }
    if (records->n > 0)
        qsort(records->numbers, records->n, sizeof *records->numbers, compare_number);
    return 0;
}

/* Takes the folder over. */
static int read_folder(struct subid_records *records, const struct subid_place *place,
                       int take_dir_fd, struct err *err)
{
    *records = (struct subid_records){.place = place, .dir_fd = take_dir_fd};
    int fd = openat(take_dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int r = dir ? list_numbers(records, dir, err)
                : err_sys(err, errno, "cannot list %s" FOLDER, place->root);
    if (dir)
        (void)closedir(dir);
    else
        (void)fd_close(fd);
    if (r < 0)
        subid_records_close(records);
    return r;
}

int subid_records_open(struct subid_records *records, const struct subid_place *place,
                       struct err *err)
{
    *records = (struct subid_records){.place = place, .dir_fd = -EBADF};
    int fd = open_folder(place, false, err);
    if (fd == -ENOENT)
        return 0;
    return fd < 0 ? fd : read_folder(records, place, fd, err);
}

void subid_records_close(struct subid_records *records)
{
    free(records->numbers);
    records->dir_fd = fd_close(records->dir_fd);
    records->numbers = NULL;
    records->n = 0;
}

uint32_t subid_records_next(const struct subid_records *records)
{
    return records->n == 0 ? 1 : records->numbers[records->n - 1] + 1;
}

int subid_records_read(const struct subid_records *records, uint32_t number,
                       struct subid_change *ret, struct err *err)
{
    char name[16];
    char *text = NULL;
    size_t len = 0;
    (void)str_format(name, sizeof name, "%" PRIu32, number);
    int r = records->dir_fd < 0
                ? -ENOENT
                : file_read(records->dir_fd, name, 4 * SUBID_DB_MAX, &text, &len, err);
    if (r == -ENOENT)
        return err_set(err, ENOENT, "there is no change %" PRIu32 " on record", number);
    if (r == 0)
        r = subid_change_parse(ret, text, len, err);
    return r < 0 ? err_wrap(err, r, "%s" FOLDER "/%s", records->place->root, name) : 0;
}

/* ---- a new one ---- */

static int write_record(int dir_fd, uint32_t number, const char *text, size_t len)
{
    char name[16];
    (void)str_format(name, sizeof name, "%" PRIu32, number);
    int r = file_replace(dir_fd, UNFINISHED, name, text, len);
    return r < 0 ? r : file_sync_names(dir_fd);
}

static void remove_oldest(const struct subid_records *records)
{
    for (size_t i = 0; i + SUBID_RECORDS_MAX < records->n; i++) {
        char name[16];
        (void)str_format(name, sizeof name, "%" PRIu32, records->numbers[i]);
        (void)unlinkat(records->dir_fd, name, 0);
    }
}

int subid_record_put(const struct subid_place *place, uint32_t number, const char *text, size_t len,
                     struct err *err)
{
    cleanup_close int fd = open_folder(place, true, err);
    if (fd == -ENOENT)
        return place->live ? failed(place, ENOENT, err) : 0;
    if (fd < 0)
        return fd;
    int r = write_record(fd, number, text, len);
    if (r < 0)
        return failed(place, -r, err);
    struct subid_records records;
    if (read_folder(&records, place, take_fd(&fd), NULL) == 0) {
        remove_oldest(&records);
        subid_records_close(&records);
    }
    return 0;
}
