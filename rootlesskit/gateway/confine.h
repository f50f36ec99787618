/*
 * What the data plane gives up once it is set up: the file system, every capability, and every
 * system call but those that move bytes. A hostile peer that took it over could still do what it is
 * there for, connect from the host's network, and nothing else.
 */
#pragma once

struct err;

/** Drops the calling thread's capabilities (they are a thread's own). */
int confine_capabilities(struct err *err);
/** The same but for what a socket needs to bear a client's address and port, and a mark. */
int confine_to_sockets(struct err *err);
/** A program that the calling thread executes keeps its capabilities over the network, also where
 *  the user's id is not mapped; until one of the others is called. */
int confine_keep_ambient(struct err *err);
/** Leaves the file system, drops the calling thread's capabilities, and gains none any more. */
int confine_leave(struct err *err);
/** The same, and installs the system call filter for all threads. Call it last. */
int confine_process(struct err *err);
