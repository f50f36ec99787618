/*
 * The process that serves one request: it reads it, becomes the peer, does what newuidmap or
 * newgidmap would do for the peer, answers, and ends. Everything a peer sends is read here only.
 */
#pragma once

#include "uidmapd/peer.h"

/** A worker ends by itself within this time: the name services may have two questions. */
#define WORKER_SECONDS 25

/** Runs in a fork of the broker, which has told signals apart from its own before. @p conn is the
 *  connection, with the request waiting in it. */
_Noreturn void worker_run(int conn, const struct peer *peer);
