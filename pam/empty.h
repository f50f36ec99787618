/*
 * Emptying a folder that a user could fill as he liked, as root.
 *
 * No link is followed and no mount is entered. However deep he nested, two folders are open at a
 * time: a folder in a folder is moved up to the top before it is looked into. What he adds
 * meanwhile is bounded by the clock.
 */
#pragma once

#include <stdint.h>

/** @param deadline  of clock_ms()
 *  @return 0; -EBUSY when a mount is in the way; -ETIMEDOUT; -errno */
int empty_folder(int fd, int64_t deadline);
