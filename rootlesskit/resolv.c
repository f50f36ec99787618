#include "rootlesskit/resolv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/str.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define DNS_PORT 53

static bool parse_address(const char *text, struct sockaddr_storage *ret)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(DNS_PORT)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(DNS_PORT)};
    *ret = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(ret, &v4, sizeof v4);
        return true;
    }
    char address[INET6_ADDRSTRLEN];
    const char *zone = strchr(text, '%');
    int len = zone ? (int)(zone - text) : (int)strlen(text);
    if (str_format(address, sizeof address, "%.*s", len, text) < 0 ||
        inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
        return false;
    if (zone)
        v6.sin6_scope_id = if_nametoindex(zone + 1);
    memcpy(ret, &v6, sizeof v6);
    return true;
}

/* The address of a "nameserver ADDRESS" line (the keyword at column 0), else an empty string. */
static void nameserver_of(const char *line, size_t len, char *ret, size_t size)
{
    static const char keyword[] = "nameserver";
    size_t at = sizeof keyword - 1;
    ret[0] = '\0';
    if (len <= at || memcmp(line, keyword, at) != 0 || (line[at] != ' ' && line[at] != '\t'))
        return;
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    size_t end = at;
    while (end < len && !memchr(" \t\r#;", line[end], 5))
        end++;
    (void)str_format(ret, size, "%.*s", (int)(end - at), line + at);
}

/* The next line, and the address in it if it is a nameserver line. @return false at the end */
static bool next_line(struct cursor *c, const char **line, size_t *len, char *address, size_t size)
{
    if (cursor_done(c))
        return false;
    cursor_until(c, '\n', line, len);
    (void)cursor_char(c, '\n');
    nameserver_of(*line, *len, address, size);
    return true;
}

void resolv_parse(const char *text, struct resolvers *ret)
{
    *ret = (struct resolvers){0};
    struct cursor c = cursor_of(text);
    const char *line;
    size_t len;
    char address[128];
    while (ret->n < GATEWAY_RESOLVERS_MAX && next_line(&c, &line, &len, address, sizeof address))
        if (address[0] && parse_address(address, &ret->addresses[ret->n]))
            ret->n++;
}

int resolv_for_child(const char *host_text, const struct in_addr *dns, size_t n_dns, char *ret,
                     size_t size)
{
    char shown[INET_ADDRSTRLEN];
    int used = 0;
    for (size_t i = 0; i < n_dns && used >= 0; i++) {
        (void)inet_ntop(AF_INET, &dns[i], shown, sizeof shown);
        int n = str_format(ret + used, size - (size_t)used, "nameserver %s\n", shown);
        used = n < 0 ? n : used + n;
    }
    struct cursor c = cursor_of(host_text);
    const char *line;
    size_t len;
    char address[128];
    while (used >= 0 && next_line(&c, &line, &len, address, sizeof address)) {
        if (address[0] || len == 0 || line[0] == '#' || line[0] == ';')
            continue;
        int n = str_format(ret + used, size - (size_t)used, "%.*s\n", (int)len, line);
        used = n < 0 ? n : used + n;
    }
    return used;
}

int resolv_read(char *ret, size_t size, struct err *err)
{
    int n = file_read_into(AT_FDCWD, RESOLV_CONF, ret, size, err);
    if (n == -ENOENT)
        ret[0] = '\0';
    return n == -ENOENT || n >= 0 ? 0 : n;
}

/* Directories, not files: a resolver's manager replaces the file by renaming a new one over it. */
static void watch_directory_of(int fd, const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash && str_format(dir, sizeof dir, "%.*s", (int)(slash - path) + 1, path) > 0)
        (void)inotify_add_watch(fd, dir,
                                IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE | IN_ONLYDIR);
}

int resolv_watch(struct err *err)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0)
        return err_sys(err, errno, "cannot watch " RESOLV_CONF);
    watch_directory_of(fd, RESOLV_CONF);
    cleanup_free char *real = realpath(RESOLV_CONF, NULL);
    if (real && !str_equal(real, RESOLV_CONF))
        watch_directory_of(fd, real);
    return fd;
}

void resolv_drain(int watch_fd)
{
    char events[4096];
    while (read(watch_fd, events, sizeof events) > 0)
        ;
}
