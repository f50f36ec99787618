#include "rootless-setup/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

int input_read(int fd, char **ret, size_t *ret_len, struct err *err)
{
    cleanup_free char *text = malloc(INPUT_MAX + 1);
    size_t used = 0;
    if (!text)
        return err_sys(err, ENOMEM, "cannot read the text");
    for (;;) {
        if (used == INPUT_MAX) {
            used = INPUT_MAX / 2;
            (void)memmove(text, text + INPUT_MAX - used, used);
        }
        ssize_t n = read(fd, text + used, INPUT_MAX - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "cannot read the text");
        if (n == 0)
            break;
        used += (size_t)n;
    }
    text[used] = '\0';
    *ret = text;
    *ret_len = used;
    text = NULL;
    return 0;
}
