/*
 * Clients whose answer comes when a port that they removed has no connection any more. Their
 * connection is suspended, and the parent is asked every WAITS_POLL_MS; all others are served
 * meanwhile.
 */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>

struct err;

/** At a time: as many as the network process waits for (gateway/drains.h), and some of all clients
 *  (connections.h). */
#define WAITS_MAX 64
#define WAITS_POLL_MS 100

/** Has @p connection wait for port @p id. Not when waits_full(). */
void waits_begin(struct MHD_Connection *connection, unsigned id);
/** Of a connection that is being answered. @return 0 or -errno (with a message): how its wait came
 *  out, once; -ENODATA when it did not wait; -EINPROGRESS when it still does */
int waits_end(struct MHD_Connection *connection, struct err *err);
/** Its request has ended, however. */
void waits_forget(struct MHD_Connection *connection);
/** @return true when nobody more can wait */
bool waits_full(void);
/** Asks for those that wait, and lets go those whose wait is over, all when the parent is gone.
 *  @return milliseconds until MHD_run() and this are due again, or -1: nobody waits */
int waits_poll(void);
