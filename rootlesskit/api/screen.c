#include "rootlesskit/api/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"

/* Control sequences of ECMA-48, and the other screen of xterm, which all of today's know. */
#define OTHER_SCREEN "\033[?1049h\033[?25l"
#define FIRST_SCREEN "\033[?25h\033[?1049l"
#define TO_THE_TOP "\033[H"
#define CLEAR_REST_OF_LINE "\033[K"
#define CLEAR_REST "\033[J"

static void say(const char *text)
{
    (void)fputs(text, stdout);
    (void)fflush(stdout);
}

/* Keys come one by one and unseen; Ctrl-C and Ctrl-Z stay signals. */
static void enter(const struct screen *screen)
{
    struct termios now = screen->before;
    now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    now.c_cc[VMIN] = 1;
    now.c_cc[VTIME] = 0;
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &now);
    say(OTHER_SCREEN);
}

static void leave(const struct screen *screen)
{
    say(FIRST_SCREEN);
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->before);
}

int screen_open(struct screen *screen, struct err *err)
{
    static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH};
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        (void)sigaddset(&set, taken[i]);
    *screen = (struct screen){.signal_fd = -EBADF};
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return err_sys(err, errno, "cannot block signals");
    screen->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (screen->signal_fd < 0)
        return err_sys(err, errno, "cannot watch signals");
    screen->tty = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) &&
                  tcgetattr(STDIN_FILENO, &screen->before) == 0;
    if (screen->tty)
        enter(screen);
    return 0;
}

void screen_close(struct screen *screen)
{
    if (screen->tty)
        leave(screen);
    screen->signal_fd = fd_close(screen->signal_fd);
}

static void stop(const struct screen *screen)
{
    if (screen->tty)
        leave(screen);
    (void)kill(getpid(), SIGSTOP);
    if (screen->tty)
        enter(screen);
}

/* @return SCREEN_TIME: nothing that matters */
static enum screen_event take_signal(const struct screen *screen)
{
    struct signalfd_siginfo info;
    if (read(screen->signal_fd, &info, sizeof info) != sizeof info)
        return SCREEN_TIME;
    if (info.ssi_signo == SIGTSTP)
        stop(screen);
    return info.ssi_signo == SIGTSTP || info.ssi_signo == SIGWINCH ? SCREEN_RESIZED : SCREEN_END;
}

static enum screen_event take_key(void)
{
    char key;
    ssize_t n = read(STDIN_FILENO, &key, 1);
    return n <= 0 || key == 'q' || key == 'Q' ? SCREEN_END : SCREEN_TIME;
}

enum screen_event screen_wait(struct screen *screen, int timeout_ms)
{
    struct pollfd fds[] = {{.fd = screen->signal_fd, .events = POLLIN},
                           {.fd = screen->tty ? STDIN_FILENO : -1, .events = POLLIN}};
    int64_t end = clock_ms() + timeout_ms;
    enum screen_event event = SCREEN_TIME;
    while (event == SCREEN_TIME) {
        int64_t left = end - clock_ms();
        int n = left > 0 ? poll(fds, 2, (int)left) : 0;
        if (n == 0)
            return SCREEN_TIME;
        if (fds[0].revents)
            event = take_signal(screen);
        else if (fds[1].revents)
            event = take_key();
    }
    return event;
}

static struct winsize size_of(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    return size;
}

unsigned screen_rows(const struct screen *screen)
{
    return screen->tty ? size_of().ws_row : 0;
}

void screen_draw(const struct screen *screen, const char *text)
{
    if (!screen->tty) {
        say(text);
        return;
    }
    struct winsize size = size_of();
    (void)fputs(TO_THE_TOP, stdout);
    for (unsigned row = 1; *text && row <= size.ws_row; row++) {
        size_t len = strcspn(text, "\n");
        int shown = len < size.ws_col ? (int)len : size.ws_col;
        /* The last one has no line end, which would scroll. */
        (void)printf("%.*s" CLEAR_REST_OF_LINE "%s", shown, text, row < size.ws_row ? "\n" : "");
        text += len + (text[len] == '\n');
    }
    say(CLEAR_REST);
}
