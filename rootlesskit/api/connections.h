/*
 * Who is connected to the API. There are so many places; when all are taken, whoever has been quiet
 * for a moment must give his up, so that a crowd of silent clients keeps nobody out for long.
 */
#pragma once

#include <stdint.h>

#define CONNECTIONS_MAX 128
/** A client is quiet from his last answer (or since he came); this long he is let alone. */
#define CONNECTIONS_GRACE_MS 500

struct connection;

/** Takes a place for the socket @p fd (borrowed). @return it, or NULL when there is none */
struct connection *connections_enter(int fd);
/** He waits for an answer that takes time: until connections_served() he is not quiet. */
void connections_wait(struct connection *connection);
/** He got an answer just now. */
void connections_served(struct connection *connection);
/** Gives the place back. NULL is allowed. */
void connections_leave(struct connection *connection);
/**
 * When every place is taken: shuts the sockets of the quiet ones, whose owner then sees them end.
 * @return milliseconds until it is worth another try, or -1: there is room
 */
int connections_make_room(void);
