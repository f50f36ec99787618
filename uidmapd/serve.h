/*
 * The broker proper: accepts, asks the kernel who it is, queues, and starts a worker for each
 * request. It reads no byte and takes no fd of a peer.
 */
#pragma once

struct err;
struct listener;

/** A connection that sends nothing is given up after this time. */
#define SERVE_SILENCE_MS 5000
/** A request that was not begun within this time is refused. */
#define SERVE_WAIT_MS 60000
/** What runs when the broker is told to end has this time to finish. */
#define SERVE_FAREWELL_MS 30000
/** A broker that the service manager starts on demand ends after this time without work. */
#define SERVE_IDLE_MS 60000

/**
 * Serves until SIGTERM or SIGINT, then finishes what was accepted.
 * @param ends_idle  whether to end when nobody asks: somebody else holds the socket
 * @return 0, or -errno when it could not begin
 */
int serve(const struct listener *listener, int ends_idle, struct err *err);
