#include "lib/base/activation.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

#define FIRST_FD 3       /* SD_LISTEN_FDS_START */
#define SOCKETS_MAX 1024 /* more would reach the usual limit of open files */

unsigned activation_sockets(void)
{
    const char *pid_text = getenv("LISTEN_PID"), *n_text = getenv("LISTEN_FDS");
    uint32_t pid = 0, n = 0;
    if (!pid_text || !n_text || parse_u32("LISTEN_PID", pid_text, 1, INT32_MAX, &pid, NULL) < 0 ||
        parse_u32("LISTEN_FDS", n_text, 0, SOCKETS_MAX, &n, NULL) < 0)
        return 0;
    return pid == (uint32_t)getpid() ? n : 0;
}

int activation_hand_on(void)
{
    char pid[16];
    (void)str_format(pid, sizeof pid, "%d", getpid());
    return setenv("LISTEN_PID", pid, 1) < 0 ? -errno : 0;
}

void activation_close(unsigned n_sockets)
{
    for (unsigned i = 0; i < n_sockets; i++)
        fd_close(FIRST_FD + (int)i);
}
