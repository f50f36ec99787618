#include "rootless-setup/fix/recipe.h"

#include "lib/base/str.h"

#define SYSCTL(key, wanted, by, file)                                                \
    {                                                                                \
        .kind = FIX_SYSCTL, .name = file, .target = key, .value = wanted, .rule = by \
    }
#define DELEGATE                                                                       \
    {                                                                                  \
        .kind = FIX_DELEGATE, .name = "delegate", .value = "cpu cpuset io memory pids" \
    }
#define MODULES(file, list)                              \
    {                                                    \
        .kind = FIX_MODULES, .name = file, .value = list \
    }

const struct fix_recipe fix_recipes[] = {
    {"userns",
     {{.kind = FIX_SYSCTL,
       .name = "userns",
       .target = "kernel.unprivileged_userns_clone",
       .value = "1",
       .optional = true},
      SYSCTL("user.max_user_namespaces", "28633", FIX_AT_LEAST, "max-userns"),
      {.kind = FIX_APPARMOR, .name = "apparmor"}}},
    {"namespaces",
     {SYSCTL("user.max_mnt_namespaces", "28633", FIX_AT_LEAST, "max-mnt"),
      SYSCTL("user.max_pid_namespaces", "28633", FIX_AT_LEAST, "max-pid"),
      SYSCTL("user.max_net_namespaces", "28633", FIX_AT_LEAST, "max-net"),
      SYSCTL("user.max_ipc_namespaces", "28633", FIX_AT_LEAST, "max-ipc"),
      SYSCTL("user.max_uts_namespaces", "28633", FIX_AT_LEAST, "max-uts"),
      {.kind = FIX_SYSCTL,
       .name = "max-cgroup",
       .target = "user.max_cgroup_namespaces",
       .value = "28633",
       .rule = FIX_AT_LEAST,
       .optional = true},
      {.kind = FIX_SYSCTL,
       .name = "max-time",
       .target = "user.max_time_namespaces",
       .value = "28633",
       .rule = FIX_AT_LEAST,
       .optional = true}}},
    {"runtime-dir", {{.kind = FIX_LINGER, .name = "linger"}}},
    {"bus", {{.kind = FIX_LINGER, .name = "linger"}}},
    {"linger", {{.kind = FIX_LINGER, .name = "linger"}}},
    {"overlay", {MODULES("overlay", "overlay")}},
    {"fuse",
     {MODULES("fuse", "fuse"),
      {.kind = FIX_DEVICE, .name = "fuse", .target = "/dev/fuse", .mode = 0666}}},
    {"cgroup", {DELEGATE}},
    {"scope", {DELEGATE}},
    {"detach",
     {{.kind = FIX_SYSCTL,
       .name = "detach",
       .target = "fs.may_detach_mounts",
       .value = "1",
       .optional = true}}},
    {"keys",
     {SYSCTL("kernel.keys.maxkeys", "20000", FIX_AT_LEAST, "keys"),
      SYSCTL("kernel.keys.maxbytes", "400000", FIX_AT_LEAST, "keys-bytes")}},
    {"inotify",
     {SYSCTL("fs.inotify.max_user_instances", "1024", FIX_AT_LEAST, "inotify"),
      SYSCTL("fs.inotify.max_user_watches", "524288", FIX_AT_LEAST, "inotify-watches")}},
    {"net.tun",
     {MODULES("tun", "tun"),
      {.kind = FIX_DEVICE, .name = "tun", .target = "/dev/net/tun", .mode = 0666}}},
    {"net.veth", {MODULES("veth", "veth")}},
    {"net.bridge", {MODULES("bridge", "bridge br_netfilter")}},
    {"net.vxlan", {MODULES("vxlan", "vxlan")}},
    {"net.nat", {MODULES("nat", "nf_tables nft_chain_nat nft_masq")}},
    {"net.tproxy", {MODULES("tproxy", "nft_tproxy nft_socket")}},
    {"net.ping", {SYSCTL("net.ipv4.ping_group_range", "0 2147483647", FIX_EQUAL, "ping")}},
    {"net.ports", {SYSCTL("net.ipv4.ip_unprivileged_port_start", "80", FIX_AT_MOST, "ports")}},
};

const size_t fix_recipes_count = sizeof fix_recipes / sizeof fix_recipes[0];

const struct fix_recipe *fix_recipe_find(const char *check)
{
    for (size_t i = 0; i < fix_recipes_count; i++)
        if (str_equal(fix_recipes[i].check, check))
            return &fix_recipes[i];
    return NULL;
}
