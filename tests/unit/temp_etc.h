/* A directory that stands for /etc, with files written in one line; removed at the end. */
#pragma once

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/file.h"

struct temp_etc {
    char root[32]; /* what --root would be */
    char etc[40];
    int fd;
};

static inline void temp_etc_make(struct temp_etc *t)
{
    memcpy(t->root, "/tmp/rltest-XXXXXX", sizeof "/tmp/rltest-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t->root));
    (void)snprintf(t->etc, sizeof t->etc, "%s/etc", t->root);
    ck_assert_int_eq(mkdir(t->etc, 0755), 0);
    t->fd = open(t->etc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(t->fd, 0);
}

static inline void temp_etc_write(const struct temp_etc *t, const char *name, const char *text)
{
    ck_assert_int_eq(file_create(t->fd, name, 0644, text, NULL), 0);
}

static inline void temp_etc_expect(const struct temp_etc *t, const char *name, const char *text)
{
    char found[8192];
    ck_assert_int_ge(file_read_into(t->fd, name, found, sizeof found, NULL), 0);
    ck_assert_str_eq(found, text);
}

/* Removes the tree; fails when anything is left that the test did not name. */
static inline void temp_etc_remove(struct temp_etc *t, const char *const *names)
{
    for (; *names; names++)
        (void)unlinkat(t->fd, *names, 0);
    t->fd = fd_close(t->fd);
    ck_assert_msg(rmdir(t->etc) == 0, "something was left behind in %s", t->etc);
    ck_assert_int_eq(rmdir(t->root), 0);
}
