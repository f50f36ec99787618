/* The name servers of the host, which the networks of containers hand on. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootless-setup/check/probe.h"

static unsigned count_servers(const char *text)
{
    struct cursor all = cursor_of(text), line;
    unsigned n = 0;
    while (cursor_line(&all, &line))
        n += (size_t)(line.end - line.p) > strlen("nameserver ") &&
             strncmp(line.p, "nameserver", strlen("nameserver")) == 0 &&
             (line.p[strlen("nameserver")] == ' ' || line.p[strlen("nameserver")] == '\t');
    return n;
}

void probe_dns(const struct check_context *context, struct check_result *result)
{
    (void)context;
    char text[16384], target[512];
    int r = file_read_into(AT_FDCWD, "/etc/resolv.conf", text, sizeof text, NULL);
    if (r < 0) {
        ssize_t n = readlink("/etc/resolv.conf", target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        check_say_errno(result, CHECK_WARNING, -r, "reading /etc/resolv.conf%s%s",
                        n > 0 ? ", a link to " : "", target);
        check_cause(result, "%s, so containers resolve no names",
                    n > 0 ? "what writes the file it leads to does not run"
                          : "the host has no name servers");
        if (strstr(target, "systemd/resolve"))
            check_remedy(result, REMEDY_ROOT, "systemctl enable --now systemd-resolved");
    } else if (count_servers(text) == 0) {
        check_say(result, CHECK_HINT, "/etc/resolv.conf has no name server");
        check_cause(result, "the host asks 127.0.0.1 then, which containers cannot; their names do "
                            "not resolve unless something listens there");
    } else {
        check_say(result, CHECK_OK, "/etc/resolv.conf has %u", count_servers(text));
    }
}
