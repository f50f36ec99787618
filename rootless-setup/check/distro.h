/*
 * Which distribution this is, as far as remedies need it: how a package is installed here and what
 * it is called. Read from /etc/os-release (ID and ID_LIKE); an unknown one gets generic advice.
 */
#pragma once

#include "rootless-setup/check/result.h"

struct check_files;

enum distro_manager {
    MANAGER_UNKNOWN = 0,
    MANAGER_APT,
    MANAGER_DNF,
    MANAGER_PACMAN,
    MANAGER_ZYPPER,
};

/** What a remedy may ask for; the package's name depends on the distribution. */
enum distro_package {
    PACKAGE_UIDMAP, /**< newuidmap and newgidmap */
    PACKAGE_FUSE_OVERLAYFS,
    PACKAGE_SLIRP4NETNS,
    PACKAGE_IPTABLES,
    PACKAGE_PASST,
    PACKAGE_COUNT,
};

struct distro {
    enum distro_manager manager;
    char id[64];          /**< "debian"; "unknown" without os-release */
    char pretty_name[96]; /**< "Debian GNU/Linux 12 (bookworm)" */
};

/** Reads the text of an os-release file; what is missing or malformed stays unknown. */
void distro_parse(const char *text, struct distro *ret);
/** Reads /etc/os-release, else /usr/lib/os-release. */
void distro_read(const struct check_files *files, struct distro *ret);
/** "apt", "dnf", "pacman", "zypper" or "unknown". */
const char *distro_manager_name(enum distro_manager manager);
/** Adds the command that installs @p package, or a note where the package manager is unknown. */
void distro_remedy_install(const struct distro *distro, enum distro_package package,
                           struct check_result *result);
/** As above with the verb that puts back a package whose files were changed. */
void distro_remedy_reinstall(const struct distro *distro, enum distro_package package,
                             struct check_result *result);
