/*
 * As much of D-Bus as it takes to ask a service for something and to be told yes or no: one
 * connection, calls one after the other, arguments of the kinds that are needed here.
 *
 * What the other side sends is foreign: every length is checked against what was received.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DBUS_MESSAGE_MAX 8192

struct dbus {
    int sock;
    uint32_t serial;
};

/** Arguments of a call; what does not fit makes the call fail with -E2BIG. */
struct dbus_body {
    unsigned char bytes[DBUS_MESSAGE_MAX / 2];
    size_t n;
    bool overflow;
};

void dbus_put_u32(struct dbus_body *body, uint32_t value);
void dbus_put_u64(struct dbus_body *body, uint64_t value);
void dbus_put_string(struct dbus_body *body, const char *value);
void dbus_put_signature(struct dbus_body *body, const char *signature);
/** Zero bytes up to a multiple of @p size: 8 before each struct. */
void dbus_align(struct dbus_body *body, size_t size);
/** An array of elements that are aligned to @p element. @return for dbus_array_end() */
size_t dbus_array_begin(struct dbus_body *body);
void dbus_array_end(struct dbus_body *body, size_t begin, size_t element);

/** Connects to a bus's socket and logs in as @p uid. @return 0 or -errno; -EACCES when it takes us
 *  for nobody it knows, -ETIMEDOUT without an answer */
int dbus_login(const char *path, uid_t uid, struct dbus *ret);
/** Leaves the login and becomes one of the bus's, which comes before any call. */
int dbus_hello(struct dbus *bus);
void dbus_close(struct dbus *bus);

struct dbus_call {
    const char *to, *path, *interface, *member;
    const char *signature; /**< of the body; NULL: no arguments */
};

/**
 * Calls, and waits for the answer; what else comes meanwhile is passed over.
 * @param error  the other side's error name and text, "" for its own failures to answer
 * @return 0; -ECANCELED for an error of the other side; -errno
 */
int dbus_call(struct dbus *bus, const struct dbus_call *call, const struct dbus_body *body,
              char *error, size_t size);

/** The parts of a message that matter here. */
struct dbus_reply {
    uint8_t type; /**< 2: return, 3: error */
    uint32_t reply_to;
    const char *error_name; /**< points into the message; NULL */
    const char *text;       /**< the first argument, when it is a string; NULL */
};
/**
 * Reads a message. Pure, for tests.
 * @param bytes  @p n of them
 * @return its whole length, 0 when more bytes are needed, -EBADMSG when it is none
 */
ssize_t dbus_parse(const unsigned char *bytes, size_t n, struct dbus_reply *ret);
