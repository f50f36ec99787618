/*
 * rootlessctl's commands. Each gets the words behind its options, prints its answer to stdout, and
 * returns 0 or -errno with the message to print.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

/** What the command line says; every command has options of its own among them. */
struct ctl_config {
    bool debug;
    const char *socket;
    bool json;
    uint32_t interval_s, count; /**< top; count: capture too; 0 = no end */
    uint32_t drain_s;           /**< remove-ports; 0 = at once */
    const char *write, *interface;
    uint32_t snaplen;
    char socket_path[PATH_MAX]; /**< ctl_find_socket() */
};

typedef int ctl_command(struct ctl_config *config, int argc, char **argv, struct err *err);

/** Fills in config->socket_path. @return 0; -ENOENT when nobody serves there */
int ctl_find_socket(struct ctl_config *config, struct err *err);
/** For a command that takes no argument. */
int ctl_refuse_arguments(int argc, char **argv, struct err *err);

ctl_command ctl_flows, ctl_metrics; /* ctl_flows.c */
ctl_command ctl_top;                /* ctl_top.c */
ctl_command ctl_capture;            /* ctl_capture.c */
