/*
 * Socket activation (sd_listen_fds(3)): a service manager passes listening sockets as fds 3 and up
 * to the process that LISTEN_PID names; they go on to the command, which is another process.
 */
#pragma once

/** How many sockets this process was passed; 0 when the variables are another process's. */
unsigned activation_sockets(void);
/** Called in the command's process: makes LISTEN_PID its own. @return 0 or -errno */
int activation_hand_on(void);
/** Closes our copies: only the command's keep the sockets open. */
void activation_close(unsigned n_sockets);
