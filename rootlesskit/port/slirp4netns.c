/*
 * The slirp4netns driver: its API socket (slirp4netns(1)), one request a connection.
 *
 * No JSON library: what is asked is one of two fixed forms, and of the answer an id or an error's
 * text is all that counts. It comes from the program that we started.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootlesskit/network/network.h"
#include "rootlesskit/port/bind.h"
#include "rootlesskit/port/ports.h"
#include "rootlesskit/statedir.h"

#define TALK_MAX 1024 /* slirp4netns takes 4096 */
#define WAIT_S 10

/* Our id and slirp4netns's of one port. */
struct port_alias {
    uint32_t id, theirs;
};

static int connect_api(const struct statedir *state, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval limit = {.tv_sec = WAIT_S};
    if (str_format(address.sun_path, sizeof address.sun_path, "%s/" NETWORK_SLIRP4NETNS_SOCKET,
                   state->path) < 0)
        return err_set(err, ENAMETOOLONG,
                       "%s/" NETWORK_SLIRP4NETNS_SOCKET " is too long for a socket", state->path);
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return err_sys(err, errno, "cannot reach slirp4netns at %s", address.sun_path);
    return take_fd(&fd);
}

/* The text of {"error": {"desc": "..."}}. */
static int refused(const char *answer, struct err *err)
{
    const char *desc = strstr(answer, "\"desc\"");
    desc = desc ? strchr(desc + strlen("\"desc\""), '"') : NULL;
    if (!desc)
        return err_set(err, EPROTO, "slirp4netns gave an unexpected answer: %s", answer);
    desc++;
    return err_set(err, EINVAL, "slirp4netns: %.*s", (int)strcspn(desc, "\""), desc);
}

static int call(const struct statedir *state, const char *request, char *answer, size_t size,
                struct err *err)
{
    cleanup_close int fd = connect_api(state, err);
    if (fd < 0)
        return fd;
    int r = file_write_full(fd, request, strlen(request));
    if (r >= 0 && shutdown(fd, SHUT_WR) < 0)
        r = -errno;
    ssize_t n = r < 0 ? r : file_read_full(fd, answer, size - 1);
    if (n < 0)
        return err_sys(err, (int)-n, "slirp4netns does not answer");
    answer[n] = '\0';
    return strstr(answer, "\"return\"") && !strstr(answer, "\"error\"") ? 0 : refused(answer, err);
}

static int id_of(const char *answer, uint32_t *ret, struct err *err)
{
    const char *at = strstr(answer, "\"id\"");
    uint64_t id = 0;
    if (at) {
        at += strlen("\"id\"");
        struct cursor c = cursor_of(at + strspn(at, " :"));
        if (cursor_u64(&c, 10, UINT32_MAX, &id)) {
            *ret = (uint32_t)id;
            return 0;
        }
    }
    return err_set(err, EPROTO, "slirp4netns gave an unexpected answer: %s", answer);
}

/* An IPv4 address for the request; in the standard form, as what goes into JSON must be known. */
static int ip_text(const char *given, struct in_addr otherwise, char *ret, struct err *err)
{
    struct sockaddr_storage address;
    if (given[0]) {
        if (port_ip_parse(given, &address) != AF_INET)
            return err_set(err, EAFNOSUPPORT,
                           "%s: the slirp4netns port driver forwards IPv4 alone; use "
                           "--port-driver=builtin",
                           given);
        otherwise = ((const struct sockaddr_in *)(const void *)&address)->sin_addr;
    }
    (void)inet_ntop(AF_INET, &otherwise, ret, INET_ADDRSTRLEN);
    return 0;
}

static int make_request(const struct ports *ports, const struct port_spec *spec, char *ret,
                        size_t size, struct err *err)
{
    const struct in_addr any = {0};
    char host[INET_ADDRSTRLEN], guest[INET_ADDRSTRLEN];
    int r = ip_text(spec->parent_ip, any, host, err);
    if (r >= 0)
        r = ip_text(spec->child_ip, ports->config->child_ip, guest, err);
    if (r < 0)
        return r;
    if (str_after(guest, "127."))
        return err_set(err, EINVAL,
                       "ChildIP %s: the slirp4netns port driver cannot reach the child's loopback; "
                       "leave it out and listen on 0.0.0.0, or use --port-driver=builtin",
                       guest);
    return str_format(ret, size,
                      "{\"execute\": \"add_hostfwd\", \"arguments\": {\"proto\": \"%.3s\", "
                      "\"host_addr\": \"%s\", \"host_port\": %u, \"guest_addr\": \"%s\", "
                      "\"guest_port\": %u}}",
                      spec->proto, host, spec->parent_port, guest, spec->child_port);
}

static int remember(struct ports *ports, uint32_t id, uint32_t theirs, struct err *err)
{
    struct port_alias *grown =
        realloc(ports->aliases, (ports->n_aliases + 1) * sizeof *ports->aliases);
    if (!grown)
        return err_set(err, ENOMEM, "no memory for another port");
    ports->aliases = grown;
    ports->aliases[ports->n_aliases++] = (struct port_alias){.id = id, .theirs = theirs};
    return 0;
}

static int add(struct ports *ports, uint32_t id, struct port_spec *spec, struct err *err)
{
    char request[TALK_MAX], answer[TALK_MAX];
    uint32_t theirs = 0;
    int r = make_request(ports, spec, request, sizeof request, err);
    if (r >= 0)
        r = call(ports->state, request, answer, sizeof answer, err);
    if (r == -EINVAL && !strncmp(err->msg, "slirp4netns: ", 13)) {
        /* It does not say why: to bind the port oneself tells. */
        struct err why = {0};
        cleanup_close int fd = port_bind(spec, &why);
        if (fd < 0)
            *err = why;
        return r;
    }
    if (r >= 0)
        r = id_of(answer, &theirs, err);
    return r < 0 ? r : remember(ports, id, theirs, err);
}

static int remove_port(struct ports *ports, uint32_t id, const struct port_spec *spec,
                       struct err *err)
{
    (void)spec;
    char request[TALK_MAX], answer[TALK_MAX];
    uint32_t i = 0;
    while (i < ports->n_aliases && ports->aliases[i].id != id)
        i++;
    if (i == ports->n_aliases)
        return err_set(err, ENOENT, "unknown id: %u", id);
    (void)str_format(request, sizeof request,
                     "{\"execute\": \"remove_hostfwd\", \"arguments\": {\"id\": %u}}",
                     ports->aliases[i].theirs);
    int r = call(ports->state, request, answer, sizeof answer, err);
    if (r < 0)
        return r;
    ports->aliases[i] = ports->aliases[--ports->n_aliases];
    return 0;
}

static const char *const protos[] = {"tcp", "tcp4", "udp", "udp4", NULL};

const struct port_driver port_driver_slirp4netns = {
    .name = "slirp4netns",
    .protos = protos,
    .disallow_loopback_child_ip = true,
    .add = add,
    .remove = remove_port,
};
