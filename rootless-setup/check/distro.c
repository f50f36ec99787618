#include "rootless-setup/check/distro.h"

#include <stdbool.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/str.h"
#include "rootless-setup/check/files.h"

#define OS_RELEASE_MAX 65536

static const struct {
    const char *id;
    enum distro_manager manager;
} families[] = {
    {"debian", MANAGER_APT},       {"ubuntu", MANAGER_APT},  {"fedora", MANAGER_DNF},
    {"rhel", MANAGER_DNF},         {"centos", MANAGER_DNF},  {"arch", MANAGER_PACMAN},
    {"archlinux", MANAGER_PACMAN}, {"suse", MANAGER_ZYPPER}, {"opensuse", MANAGER_ZYPPER},
    {"sles", MANAGER_ZYPPER},
};

static const struct {
    const char *name, *install, *reinstall;
} managers[] = {
    [MANAGER_UNKNOWN] = {"unknown", NULL, NULL},
    [MANAGER_APT] = {"apt", "apt-get install -y", "apt-get install -y --reinstall"},
    [MANAGER_DNF] = {"dnf", "dnf install -y", "dnf reinstall -y"},
    [MANAGER_PACMAN] = {"pacman", "pacman -S --noconfirm --needed", "pacman -S --noconfirm"},
    [MANAGER_ZYPPER] = {"zypper", "zypper --non-interactive install",
                        "zypper --non-interactive install --force"},
};

/* A package under each manager, in the order of enum distro_manager; the first is for the note. */
static const char *const packages[PACKAGE_COUNT][sizeof managers / sizeof managers[0]] = {
    [PACKAGE_UIDMAP] = {"newuidmap and newgidmap", "uidmap", "shadow-utils", "shadow", "shadow"},
    [PACKAGE_FUSE_OVERLAYFS] = {"fuse-overlayfs", "fuse-overlayfs", "fuse-overlayfs",
                                "fuse-overlayfs", "fuse-overlayfs"},
    [PACKAGE_SLIRP4NETNS] = {"slirp4netns", "slirp4netns", "slirp4netns", "slirp4netns",
                             "slirp4netns"},
    [PACKAGE_IPTABLES] = {"iptables", "iptables", "iptables", "iptables", "iptables"},
    [PACKAGE_PASST] = {"passt", "passt", "passt", "passt", "passt"},
};

static enum distro_manager manager_of(const char *id, size_t len)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (strlen(families[i].id) == len && strncmp(families[i].id, id, len) == 0)
            return families[i].manager;
    /* opensuse-leap, opensuse-tumbleweed, ... */
    if (len > 9 && strncmp(id, "opensuse-", 9) == 0)
        return MANAGER_ZYPPER;
    return MANAGER_UNKNOWN;
}

/* Values may stand in quotes; escapes inside them do not occur in the keys read here. */
static bool value_of(const char *line, size_t len, const char *key, char *ret, size_t size)
{
    size_t key_len = strlen(key);
    if (len <= key_len || strncmp(line, key, key_len) != 0 || line[key_len] != '=')
        return false;
    const char *value = line + key_len + 1;
    size_t value_len = len - key_len - 1;
    if (value_len >= 2 && (*value == '"' || *value == '\'') && value[value_len - 1] == *value) {
        value++;
        value_len -= 2;
    }
    return value_len > 0 && str_format(ret, size, "%.*s", (int)value_len, value) > 0;
}

static enum distro_manager first_known(const char *words)
{
    struct cursor c = cursor_of(words);
    enum distro_manager manager = MANAGER_UNKNOWN;
    while (!cursor_done(&c) && manager == MANAGER_UNKNOWN) {
        const char *word;
        size_t len;
        cursor_until(&c, ' ', &word, &len);
        (void)cursor_char(&c, ' ');
        manager = manager_of(word, len);
    }
    return manager;
}

void distro_parse(const char *text, struct distro *ret)
{
    *ret = (struct distro){.id = "unknown", .pretty_name = "unknown distribution"};
    char like[128] = "";
    struct cursor c = cursor_of(text), line;
    while (cursor_line(&c, &line)) {
        char value[128];
        size_t len = (size_t)(line.end - line.p);
        if (value_of(line.p, len, "ID", value, sizeof value))
            (void)str_copy(ret->id, sizeof ret->id, value);
        else if (value_of(line.p, len, "ID_LIKE", value, sizeof value))
            (void)str_copy(like, sizeof like, value);
        else if (value_of(line.p, len, "PRETTY_NAME", value, sizeof value))
            (void)str_copy(ret->pretty_name, sizeof ret->pretty_name, value);
    }
    ret->manager = first_known(ret->id);
    if (ret->manager == MANAGER_UNKNOWN)
        ret->manager = first_known(like);
}

void distro_read(const struct check_files *files, struct distro *ret)
{
    cleanup_free char *text = NULL;
    if (files_read(files, "/etc/os-release", OS_RELEASE_MAX, &text) < 0)
        (void)files_read(files, "/usr/lib/os-release", OS_RELEASE_MAX, &text);
    distro_parse(text ? text : "", ret);
}

const char *distro_manager_name(enum distro_manager manager)
{
    return managers[manager].name;
}

static void remedy(enum distro_manager manager, const char *command, enum distro_package package,
                   struct check_result *result)
{
    if (command)
        check_remedy(result, REMEDY_ROOT, "%s %s", command, packages[package][manager]);
    else
        check_remedy(result, REMEDY_NOTE, "install %s with this distribution's package manager",
                     packages[package][MANAGER_UNKNOWN]);
}

void distro_remedy_install(const struct distro *distro, enum distro_package package,
                           struct check_result *result)
{
    remedy(distro->manager, managers[distro->manager].install, package, result);
}

void distro_remedy_reinstall(const struct distro *distro, enum distro_package package,
                             struct check_result *result)
{
    remedy(distro->manager, managers[distro->manager].reinstall, package, result);
}
