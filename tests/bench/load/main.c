/* The table of subcommands, and what they share. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "tests/bench/load/load.h"

static const struct command {
    const char *name;
    int arguments;
    int (*run)(char **argv, struct err *err);
} COMMANDS[] = {
    {"serve", 2, load_serve},     {"hold", 2, load_hold},         {"dial", 4, load_dial},
    {"refused", 4, load_refused}, {"open", 3, load_open},         {"flood", 5, load_flood},
    {"sink", 2, load_sink},       {"lookup", 4, load_lookup},     {"answer", 2, load_answer},
    {"echo", 2, load_echo},       {"pingpong", 3, load_pingpong}, {"relay", 5, load_relay},
};

int load_address(char **argv, struct sockaddr_in *ret, struct err *err)
{
    uint32_t port;

    *ret = (struct sockaddr_in){.sin_family = AF_INET};
    if (inet_pton(AF_INET, argv[0], &ret->sin_addr) != 1)
        return err_set(err, EINVAL, "not an IPv4 address: %s", argv[0]);
    int r = parse_u32("port", argv[1], 1, UINT16_MAX, &port, err);
    if (r < 0)
        return r;
    ret->sin_port = htons((uint16_t)port);
    return 0;
}

int load_bind(char **argv, int type, struct err *err)
{
    cleanup_close int fd = -EBADF;
    struct sockaddr_in address;
    int yes = 1;

    int r = load_address(argv, &address, err);
    if (r < 0)
        return r;
    fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(err, errno, "socket");
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return err_sys(err, errno, "%s port %s", argv[0], argv[1]);
    return take_fd(&fd);
}

uint64_t load_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
    struct err err = {0};

    cli_begin("load", 3);
    for (size_t i = 0; argc > 1 && i < sizeof(COMMANDS) / sizeof(*COMMANDS); i++) {
        const struct command *command = &COMMANDS[i];

        if (!str_equal(argv[1], command->name) || argc - 2 != command->arguments)
            continue;
        return command->run(argv + 2, &err) < 0 ? cli_fail(&err, CLI_FAILED) : CLI_OK;
    }
    cli_error(
        "usage: load serve|hold|dial|refused|open|lookup|answer|echo|pingpong|flood|sink|relay "
        "ARGUMENTS (load.h has them)");
    return CLI_USAGE;
}
