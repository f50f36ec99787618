/*
 * A screenful of text, drawn again and again, where stdin and stdout are a terminal; else the text
 * goes to stdout as it is. The terminal is as it was before once screen_close() is through.
 */
#pragma once

#include <stdbool.h>
#include <termios.h>

struct err;

struct screen {
    bool tty;
    int signal_fd;
    struct termios before;
};

enum screen_event { SCREEN_TIME, SCREEN_RESIZED, SCREEN_END };

/** Takes SIGINT, SIGTERM, SIGHUP, SIGTSTP and SIGWINCH over. @return 0 or -errno */
int screen_open(struct screen *screen, struct err *err);
void screen_close(struct screen *screen);
/** Waits for the time to be over, for another size, or for the end: a q, or a signal. */
enum screen_event screen_wait(struct screen *screen, int timeout_ms);
/** How many lines fit; 0: any number. */
unsigned screen_rows(const struct screen *screen);
/** Shows @p text, ASCII in lines: in a terminal each is cut to its width. */
void screen_draw(const struct screen *screen, const char *text);
