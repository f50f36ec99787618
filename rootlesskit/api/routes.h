/*
 * The API's paths (docs/openapi.yaml). Nothing is known here: every request becomes one question to
 * the parent (control.h), and its reply the answer.
 */
#pragma once

#include <microhttpd.h>
#include <stddef.h>

/** A request's body as far as it was kept. */
struct body {
    char *text;
    size_t len;
    size_t discarded; /**< bytes of one that is too long; 0 = all of it was kept */
};

/** Answers one whole request, now or, called again, when waits.h lets go of it. @return MHD_NO: the
 *  connection must end */
enum MHD_Result routes_answer(struct MHD_Connection *connection, const char *url,
                              const char *method, const struct body *body);
