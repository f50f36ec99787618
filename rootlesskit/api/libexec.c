#include "rootlesskit/api/libexec.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

int libexec_find(const char *name, char *ret, size_t size, struct err *err)
{
    static const char *const places[] = {"", "../libexec/", NULL};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        slash[1] = '\0';
    for (int i = 0; places[i]; i++)
        if (str_format(ret, size, "%s%s%s", self, places[i], name) > 0 && access(ret, X_OK) == 0)
            return 0;
    if (str_format(ret, size, ROOTLESS_LIBEXECDIR "/%s", name) > 0 && access(ret, X_OK) == 0)
        return 0;
    return err_set(err, ENOENT, "%s is neither beside this program nor in " ROOTLESS_LIBEXECDIR,
                   name);
}
