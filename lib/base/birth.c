#include "lib/base/birth.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/file.h"
#include "lib/base/str.h"

#define FIELD 22

int birth_of(pid_t pid, uint64_t *ret)
{
    char path[64], text[1024];
    (void)str_format(path, sizeof path, "/proc/%d/stat", pid);
    int r = file_read_into(AT_FDCWD, path, text, sizeof text, NULL);
    if (r < 0)
        return r == -ENOENT ? -ESRCH : r;
    const char *field = strrchr(text, ')'); /* the name before it may hold anything */
    if (field && (str_after(field, ") Z") || str_after(field, ") X")))
        return -ESRCH;
    for (int i = 3; field && i <= FIELD; i++)
        field = strchr(field + 1, ' ');
    struct cursor c = cursor_of(field ? field + 1 : "");
    return cursor_u64(&c, 10, INT64_MAX, ret) ? 0 : -EINVAL;
}
