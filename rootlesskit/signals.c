#include "rootlesskit/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "lib/base/err.h"

/* Job control (TSTP, TTIN, TTOU, CONT) keeps its default in every process: the terminal stops and
 * continues the group as one. Faults of our own must stay fatal. */
static const int not_caught[] = {SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU,
                                 SIGCONT, SIGPIPE, SIGURG,  SIGSEGV, SIGBUS,
                                 SIGFPE,  SIGILL,  SIGTRAP, SIGABRT, SIGSYS};

static sigset_t mask_before;

static void fill(sigset_t *set)
{
    sigfillset(set);
    for (size_t i = 0; i < sizeof not_caught / sizeof not_caught[0]; i++)
        sigdelset(set, not_caught[i]);
}

void signals_block(void)
{
    sigset_t set;
    fill(&set);
    (void)sigprocmask(SIG_BLOCK, &set, &mask_before);
    (void)signal(SIGPIPE, SIG_IGN);
}

void signals_restore(void)
{
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

int signals_open(struct err *err)
{
    sigset_t set;
    fill(&set);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? err_sys(err, errno, "cannot make a signalfd") : fd;
}

bool signals_passed_on(const struct signalfd_siginfo *info)
{
    return info->ssi_code != SI_KERNEL;
}

int signals_end_wanted(void)
{
    static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    sigset_t pending;
    if (sigpending(&pending) == 0)
        for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
            if (sigismember(&pending, ending[i]))
                return ending[i];
    return 0;
}
