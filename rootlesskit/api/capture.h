/*
 * Between rootlessctl and rootlesskit-capture, which it becomes: what the program finds open, and
 * its words. rootlessctl has the rights of its user and looks everything up; the program joins the
 * child's namespaces, opens the packet socket, gives up every capability, and only then reads a
 * packet. The library that it captures with is in no other program.
 *
 *   rootlesskit-capture IFNAME|any COUNT|0 SNAPLEN FILTER|""
 */
#pragma once

enum capture_fd {
    CAPTURE_USERNS = 3,
    CAPTURE_NETNS,
    CAPTURE_CHILD, /**< a pidfd: its end is the capture's */
    CAPTURE_FILE,  /**< where to write, from its position on */
    CAPTURE_FD_END,
};

#define CAPTURE_PROGRAM "rootlesskit-capture"
