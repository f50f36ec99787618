/* Questions of rootlesskit-api to the parent (control.h). */
#pragma once

#include <stdbool.h>

struct control_reply;
struct control_request;
struct err;

/** One question, one answer. @return the parent's code: 0 or -errno with its message */
int ask(const struct control_request *request, struct control_reply *reply, struct err *err);
/** @param fd  goes beside it, borrowed; or < 0 */
int ask_beside(const struct control_request *request, int fd, struct control_reply *reply,
               struct err *err);
/** The parent did not answer: it is ending, and so must we. */
bool ask_parent_gone(void);
