#include "lib/subid/content.h"

#include <errno.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"

#define PIECE 65536

/* FNV-1a, 64 bits. */
#define HASH_BEGIN 0xcbf29ce484222325u
#define HASH_PRIME 0x100000001b3u

static void take_piece(struct subid_content *content, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        content->hash = (content->hash ^ (unsigned char)text[i]) * HASH_PRIME;
    content->size += len;
}

struct subid_content subid_content_of(const char *text, size_t len)
{
    struct subid_content content = {.exists = true, .hash = HASH_BEGIN};
    take_piece(&content, text, len);
    return content;
}

int subid_content_read(const struct subid_place *place, enum subid_kind kind,
                       struct subid_content *ret, struct err *err)
{
    cleanup_close int fd = subid_open(place->etc_fd, kind, err);
    if (fd == -ENOENT) {
        *ret = (struct subid_content){0};
        return 0;
    }
    if (fd < 0)
        return fd;
    struct subid_content content = {.exists = true, .hash = HASH_BEGIN};
    char buf[PIECE];
    for (;;) {
        ssize_t n = file_read_full(fd, buf, sizeof buf);
        if (n < 0)
            return err_sys(err, (int)-n, "cannot read %s%s", place->root, subid_path(kind));
        if (n == 0)
            break;
        take_piece(&content, buf, (size_t)n);
    }
    *ret = content;
    return 0;
}

bool subid_content_equal(const struct subid_content *a, const struct subid_content *b)
{
    return a->exists == b->exists && a->size == b->size && a->hash == b->hash;
}
