/*
 * The endpoint that docker's client talks to, which it keeps by name. Its files are changed by the
 * client alone.
 */
#pragma once

#include "rootless-setup/install/deed.h"

struct err;

/** As Docker's own setup tool calls it. */
#define CONTEXT_NAME "rootless"
#define CONTEXT_MAX 256

struct context {
    bool client;               /**< there is a client that knows contexts */
    char host[4096];           /**< endpoint of "rootless"; "" when there is none of that name */
    char current[CONTEXT_MAX]; /**< the one in use by the client's own files, or "" */
    char variable[4096];       /**< DOCKER_HOST or DOCKER_CONTEXT of this login, which goes first;
                                    "NAME=VALUE", or "" */
};

/** Asks the client. */
void context_read(struct context *ret);
/** Makes, corrects and uses "rootless", as far as that is still to do. */
int context_set(struct deeds *deeds, const struct context *context, const char *socket,
                struct err *err);
/** Removes "rootless", and goes back to @p before ("": to the default) if it is in use. */
int context_drop(struct deeds *deeds, const struct context *context, const char *before,
                 struct err *err);
