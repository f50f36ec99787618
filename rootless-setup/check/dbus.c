#include "rootless-setup/check/dbus.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/fd.h"
#include "lib/base/local.h"
#include "lib/base/str.h"

#define ANSWER_SECONDS 2
#define HEADER_FIXED 16 /* up to and with the length of the array of header fields */

enum { TYPE_CALL = 1, TYPE_RETURN = 2, TYPE_ERROR = 3 };
enum {
    FIELD_PATH = 1,
    FIELD_INTERFACE = 2,
    FIELD_MEMBER = 3,
    FIELD_ERROR_NAME = 4,
    FIELD_REPLY_SERIAL = 5,
    FIELD_DESTINATION = 6,
    FIELD_SIGNATURE = 8,
};

/* ---- writing ---- */

static void put(struct dbus_body *body, const void *bytes, size_t n)
{
    if (body->overflow || n > sizeof body->bytes - body->n) {
        body->overflow = true;
        return;
    }
    (void)memcpy(body->bytes + body->n, bytes, n);
    body->n += n;
}

void dbus_align(struct dbus_body *body, size_t size)
{
    static const unsigned char zero[8];
    put(body, zero, (size - body->n % size) % size);
}

void dbus_put_u32(struct dbus_body *body, uint32_t value)
{
    uint32_t little = htole32(value);
    dbus_align(body, sizeof little);
    put(body, &little, sizeof little);
}

void dbus_put_u64(struct dbus_body *body, uint64_t value)
{
    uint64_t little = htole64(value);
    dbus_align(body, sizeof little);
    put(body, &little, sizeof little);
}

void dbus_put_string(struct dbus_body *body, const char *value)
{
    size_t len = strlen(value);
    dbus_put_u32(body, (uint32_t)len);
    put(body, value, len + 1);
}

void dbus_put_signature(struct dbus_body *body, const char *signature)
{
    unsigned char len = (unsigned char)strlen(signature);
    put(body, &len, 1);
    put(body, signature, (size_t)len + 1);
}

size_t dbus_array_begin(struct dbus_body *body)
{
    dbus_put_u32(body, 0);
    return body->n;
}

/* The padding before the first element does not count, and is there without an element too. */
void dbus_array_end(struct dbus_body *body, size_t begin, size_t element)
{
    size_t first = (begin + element - 1) / element * element;
    if (body->n < first)
        dbus_align(body, element);
    if (body->overflow)
        return;
    uint32_t little = htole32((uint32_t)(body->n - first));
    (void)memcpy(body->bytes + begin - sizeof little, &little, sizeof little);
}

static void put_field(struct dbus_body *header, unsigned char field, const char *signature,
                      const char *value)
{
    dbus_align(header, 8);
    put(header, &field, 1);
    dbus_put_signature(header, signature);
    if (signature[0] == 'g')
        dbus_put_signature(header, value);
    else
        dbus_put_string(header, value);
}

static void put_header(struct dbus_body *header, const struct dbus_call *call, size_t body_len,
                       uint32_t serial)
{
    static const unsigned char begin[] = {'l', TYPE_CALL, 0, 1};
    put(header, begin, sizeof begin);
    dbus_put_u32(header, (uint32_t)body_len);
    dbus_put_u32(header, serial);
    size_t fields = dbus_array_begin(header);
    put_field(header, FIELD_PATH, "o", call->path);
    put_field(header, FIELD_DESTINATION, "s", call->to);
    put_field(header, FIELD_INTERFACE, "s", call->interface);
    put_field(header, FIELD_MEMBER, "s", call->member);
    if (call->signature)
        put_field(header, FIELD_SIGNATURE, "g", call->signature);
    dbus_array_end(header, fields, 8);
    dbus_align(header, 8);
}

/* ---- reading ---- */

/* A message's bytes, and how far they are read. */
struct reader {
    const unsigned char *bytes;
    size_t n, at;
    bool big;
};

static bool get_u32(struct reader *reader, uint32_t *ret)
{
    uint32_t value;
    size_t at = (reader->at + 3) / 4 * 4;
    if (at + sizeof value > reader->n)
        return false;
    (void)memcpy(&value, reader->bytes + at, sizeof value);
    *ret = reader->big ? be32toh(value) : le32toh(value);
    reader->at = at + sizeof value;
    return true;
}

static bool get_text(struct reader *reader, size_t len, const char **ret)
{
    if (len >= reader->n - reader->at || reader->bytes[reader->at + len] != '\0')
        return false;
    *ret = (const char *)reader->bytes + reader->at;
    reader->at += len + 1;
    return strlen(*ret) == len;
}

static bool get_string(struct reader *reader, const char **ret)
{
    uint32_t len;
    return get_u32(reader, &len) && get_text(reader, len, ret);
}

static bool get_signature(struct reader *reader, const char **ret)
{
    if (reader->at >= reader->n)
        return false;
    size_t len = reader->bytes[reader->at++];
    return get_text(reader, len, ret);
}

/* Fields have one of four types; one of another ends the reading, which is an error. */
static bool get_field(struct reader *reader, struct dbus_reply *ret, const char **signature)
{
    const char *type, *text = NULL;
    uint32_t number = 0;
    reader->at = (reader->at + 7) / 8 * 8;
    if (reader->at >= reader->n)
        return false;
    unsigned char code = reader->bytes[reader->at++];
    if (!get_signature(reader, &type) || type[0] == '\0' || type[1] != '\0')
        return false;
    bool good = type[0] == 'u'                     ? get_u32(reader, &number)
                : type[0] == 'g'                   ? get_signature(reader, &text)
                : type[0] == 's' || type[0] == 'o' ? get_string(reader, &text)
                                                   : false;
    if (good && code == FIELD_REPLY_SERIAL)
        ret->reply_to = number;
    if (good && code == FIELD_ERROR_NAME)
        ret->error_name = text;
    if (good && code == FIELD_SIGNATURE)
        *signature = text;
    return good;
}

ssize_t dbus_parse(const unsigned char *bytes, size_t n, struct dbus_reply *ret)
{
    uint32_t body_len, serial, fields_len;
    const char *signature = NULL;
    if (n < HEADER_FIXED)
        return 0;
    struct reader reader = {.bytes = bytes, .n = n, .at = 4, .big = bytes[0] == 'B'};
    if ((bytes[0] != 'l' && bytes[0] != 'B') || !get_u32(&reader, &body_len) ||
        !get_u32(&reader, &serial) || !get_u32(&reader, &fields_len) ||
        body_len > DBUS_MESSAGE_MAX || fields_len > DBUS_MESSAGE_MAX)
        return -EBADMSG;
    size_t body = (HEADER_FIXED + fields_len + 7) / 8 * 8;
    if (body + body_len > n)
        return body + body_len > DBUS_MESSAGE_MAX ? -EBADMSG : 0;
    *ret = (struct dbus_reply){.type = bytes[1]};
    reader.n = HEADER_FIXED + fields_len;
    while (reader.at < reader.n)
        if (!get_field(&reader, ret, &signature))
            return -EBADMSG;
    reader.at = body;
    reader.n = body + body_len;
    if (signature && signature[0] == 's' && !get_string(&reader, &ret->text))
        return -EBADMSG;
    return (ssize_t)(body + body_len);
}

/* ---- the connection ---- */

/* The bus specification's EXTERNAL mechanism: it takes us for who the kernel says we are. */
static int authenticate(int sock, uid_t uid)
{
    char name[16], hello[64], answer[256] = "";
    (void)snprintf(name, sizeof name, "%u", uid);
    /* A NUL, then the uid as hexadecimal of its decimal digits. */
    int used = snprintf(hello, sizeof hello, "%cAUTH EXTERNAL ", 0);
    for (const char *c = name; *c; c++)
        used += snprintf(hello + used, sizeof hello - (size_t)used, "%02x", (unsigned char)*c);
    used += snprintf(hello + used, sizeof hello - (size_t)used, "\r\n");
    if (send(sock, hello, (size_t)used, MSG_NOSIGNAL) < 0)
        return -errno;
    ssize_t n = recv(sock, answer, sizeof answer - 1, 0);
    if (n < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    if (n == 0)
        return -ECONNRESET;
    return str_after(answer, "OK ") ? 0 : -EACCES;
}

int dbus_login(const char *path, uid_t uid, struct dbus *ret)
{
    cleanup_close int sock = local_connect(path, ANSWER_SECONDS, NULL);
    if (sock < 0)
        return sock;
    int r = authenticate(sock, uid);
    if (r == 0)
        *ret = (struct dbus){.sock = take_fd(&sock)};
    return r;
}

int dbus_hello(struct dbus *bus)
{
    static const struct dbus_call hello = {"org.freedesktop.DBus", "/org/freedesktop/DBus",
                                           "org.freedesktop.DBus", "Hello", NULL};
    static const struct dbus_body nothing;
    char error[128];
    if (send(bus->sock, "BEGIN\r\n", 7, MSG_NOSIGNAL) < 0)
        return -errno;
    return dbus_call(bus, &hello, &nothing, error, sizeof error);
}

void dbus_close(struct dbus *bus)
{
    bus->sock = fd_close(bus->sock);
}

static int send_all(int sock, const unsigned char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(sock, bytes, n, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        bytes += sent;
        n -= (size_t)sent;
    }
    return 0;
}

static int wait_for_reply(struct dbus *bus, char *error, size_t size)
{
    unsigned char bytes[DBUS_MESSAGE_MAX];
    size_t used = 0;
    for (;;) {
        struct dbus_reply reply;
        ssize_t len = dbus_parse(bytes, used, &reply);
        if (len < 0)
            return (int)len;
        if (len == 0) {
            if (used == sizeof bytes)
                return -EBADMSG;
            ssize_t n = recv(bus->sock, bytes + used, sizeof bytes - used, 0);
            if (n <= 0)
                return n == 0 ? -ECONNRESET : errno == EAGAIN ? -ETIMEDOUT : -errno;
            used += (size_t)n;
            continue;
        }
        if (reply.reply_to == bus->serial && reply.type == TYPE_RETURN)
            return 0;
        if (reply.reply_to == bus->serial && reply.type == TYPE_ERROR) {
            (void)snprintf(error, size, "%s: %s", reply.error_name ? reply.error_name : "error",
                           reply.text ? reply.text : "");
            return -ECANCELED;
        }
        used -= (size_t)len;
        (void)memmove(bytes, bytes + len, used);
    }
}

int dbus_call(struct dbus *bus, const struct dbus_call *call, const struct dbus_body *body,
              char *error, size_t size)
{
    struct dbus_body header = {.n = 0};
    error[0] = '\0';
    put_header(&header, call, body->n, ++bus->serial);
    if (header.overflow || body->overflow)
        return -E2BIG;
    int r = send_all(bus->sock, header.bytes, header.n);
    if (r == 0)
        r = send_all(bus->sock, body->bytes, body->n);
    return r < 0 ? r : wait_for_reply(bus, error, size);
}
