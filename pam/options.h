/*
 * The words behind pam_rootless.so in a PAM configuration line.
 *
 * A word that is wrong is told to the caller and otherwise as if it were not there: a slip of the
 * pen in a file of /etc/pam.d must lock nobody out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/** A service or engine has a short name; a longer line is refused. */
#define OPTIONS_SERVICES_MAX 1024
#define OPTIONS_WAIT_DEFAULT_S 5

struct options {
    bool debug;
    bool quiet;
    bool required_ready;
    bool linger;
    bool no_subid;
    bool no_runtime_dir;
    bool no_cgroup;
    bool no_environment;
    uint32_t min_uid; /**< 0: UID_MIN of login.defs */
    uint32_t max_uid;
    uint32_t wait_s;
    char skip_services[OPTIONS_SERVICES_MAX]; /**< names between commas */
    const char *engine;                       /**< NULL: none; static */
};

/** Told of each word that is no option, or whose value is wrong. */
typedef void options_fault_fn(const struct err *fault, void *arg);

/** Reads all words. @param fault_fn  called once a bad word, whatever follows it is still read */
void options_parse(struct options *ret, int argc, const char **argv, options_fault_fn *fault_fn,
                   void *arg);
/** Whether @p service is in skip_services, or one that is never served. */
bool options_skip(const struct options *options, const char *service);
