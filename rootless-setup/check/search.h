/* Where engines look for tools of the system. */
#pragma once

/** Adds /usr/sbin and /sbin to the $PATH of this process, as the engines' start scripts do. */
void search_sbin(void);
