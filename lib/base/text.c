#include "lib/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"

void text_cleanup(struct text *text)
{
    if (text->map)
        (void)munmap(text->map, text->len);
}

int text_open(int dirfd, const char *name, struct text *ret, struct err *err)
{
    /* O_NONBLOCK: a FIFO in its place must not hang us */
    cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    *ret = (struct text){0};
    if (fd < 0)
        return errno == ENOENT ? 0 : err_sys(err, errno, "cannot open /etc/%s", name);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "/etc/%s is not a regular file", name);
    if (st.st_size == 0)
        return 0;
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return err_sys(err, errno, "cannot read /etc/%s", name);
    *ret = (struct text){.map = map, .len = (size_t)st.st_size};
    ret->all = (struct cursor){.p = map, .end = (const char *)map + ret->len};
    return 0;
}
