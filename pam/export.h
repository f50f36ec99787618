/*
 * The variables of a session: which can be told by looking, in the helper; they are set where the
 * PAM handle is.
 */
#pragma once

#include <stdbool.h>

struct subject;

/** What was found in the runtime directory. */
struct export
{
    bool runtime;       /**< it is there and his */
    bool bus;           /**< so is the session bus's socket */
    bool docker_socket; /**< and Docker's, or it soon will be */
};

/** Looks for the sockets in the runtime directory. */
void export_find(struct export *ret, const struct subject *subject, int runtime_fd);

/** Called once a variable. */
typedef void export_fn(const char *name, const char *value, void *arg);
/** Calls @p fn for each that is to be set. */
void export_each(const struct export *export, const struct subject *subject, export_fn *fn,
                 void *arg);
