#include "rootlesskit/resolv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/str.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define DNS_PORT 53
#define TIMEOUT_MAX 30 /* RES_MAXRETRANS of resolv.conf(5) */

/* An interface's name or number; one that is not there fails when it is used. */
static uint32_t scope_of(const char *zone)
{
    struct cursor c = cursor_of(zone);
    uint64_t number = 0;
    unsigned index = if_nametoindex(zone);
    return index > 0 || !cursor_u64(&c, 10, UINT32_MAX, &number) || !cursor_done(&c)
               ? index
               : (uint32_t)number;
}

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
        v6.sin6_scope_id = scope_of(zone + 1);
    memcpy(ret, &v6, sizeof v6);
    return true;
}

/* What stands behind @p keyword (at column 0) and blanks; false when the line is another one. */
static bool behind(struct cursor *line, const char *keyword)
{
    size_t len = strlen(keyword);
    if ((size_t)(line->end - line->p) <= len || memcmp(line->p, keyword, len) != 0 ||
        (line->p[len] != ' ' && line->p[len] != '\t'))
        return false;
    line->p += len;
    return true;
}

/* The next word of a line. @return false at its end, or at a comment */
static bool next_word(struct cursor *line, char *ret, size_t size)
{
    cursor_blanks(line);
    const char *start = line->p;
    while (line->p < line->end && !memchr(" \t\r#;", *line->p, 5))
        line->p++;
    (void)str_format(ret, size, "%.*s", (int)(line->p - start), start);
    return line->p > start;
}

/* The address of a "nameserver ADDRESS" line, else an empty string. */
static void nameserver_of(struct cursor line, char *ret, size_t size)
{
    ret[0] = '\0';
    if (behind(&line, "nameserver"))
        (void)next_word(&line, ret, size);
}

/* "options ... timeout:N ...": the last one counts, and RES_MAXRETRANS is libc's limit. */
static void read_timeout(struct cursor line, uint32_t *ret)
{
    char word[32];
    if (!behind(&line, "options"))
        return;
    while (next_word(&line, word, sizeof word)) {
        const char *value = str_after(word, "timeout:");
        struct cursor c = cursor_of(value ? value : "");
        uint64_t seconds = 0;
        if (cursor_u64(&c, 10, UINT32_MAX, &seconds) && seconds > 0)
            *ret = seconds < TIMEOUT_MAX ? (uint32_t)seconds : TIMEOUT_MAX;
    }
}

void resolv_parse(const char *text, struct gateway_resolvers *ret)
{
    *ret = (struct gateway_resolvers){0};
    struct cursor c = cursor_of(text), line;
    char address[128];
    while (cursor_line(&c, &line)) {
        read_timeout(line, &ret->timeout_s);
        nameserver_of(line, address, sizeof address);
        if (address[0] && ret->n < GATEWAY_RESOLVERS_MAX &&
            parse_address(address, &ret->addresses[ret->n]))
            ret->n++;
    }
}

int resolv_for_child(const char *host_text, const char (*dns)[INET6_ADDRSTRLEN], size_t n_dns,
                     char *ret, size_t size)
{
    int used = 0;
    for (size_t i = 0; i < n_dns && used >= 0; i++) {
        int n = str_format(ret + used, size - (size_t)used, "nameserver %s\n", dns[i]);
        used = n < 0 ? n : used + n;
    }
    struct cursor c = cursor_of(host_text), line;
    char address[128];
    while (used >= 0 && cursor_line(&c, &line)) {
        nameserver_of(line, address, sizeof address);
        if (address[0] || cursor_done(&line) || *line.p == '#' || *line.p == ';')
            continue;
        int n =
            str_format(ret + used, size - (size_t)used, "%.*s\n", (int)(line.end - line.p), line.p);
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

int resolv_look(struct gateway_resolvers *resolvers, struct err *err)
{
    char text[RESOLV_TEXT_MAX];
    int r = resolv_read(text, sizeof text, err);
    if (r >= 0)
        resolv_parse(text, resolvers);
    return r;
}
