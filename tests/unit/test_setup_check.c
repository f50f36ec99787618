#include "tests/unit/tap.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/quote.h"
#include "rootless-setup/check/report.h"
#include "rootless-setup/check/run.h"
#include "rootless-setup/engine/engine.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

/* A host where nothing stands in the way; cases override what differs, which is meant. */
#pragma GCC diagnostic ignored "-Woverride-init"
#define PLAIN                                                                          \
    .userns_clone = FACT_ABSENT, .max_userns = 1000, .apparmor_userns = FACT_ABSENT,   \
    .selinux = FACT_ABSENT, .seccomp = 0, .userns_in_kernel = true, .kernel_major = 6, \
    .kernel_minor = 1, .kernel_release = "6.1.0"

static const struct {
    enum scratch_step step;
    int code;
    struct check_facts facts;
    const char *cause, *remedy; /* words that must be there */
} userns_cases[] = {
    {SCRATCH_CREATE,
     EPERM,
     {PLAIN, .userns_clone = 0},
     "unprivileged_userns_clone is 0",
     "kernel.unprivileged_userns_clone = 1"},
    {SCRATCH_CREATE, EPERM, {PLAIN, .chrooted = true}, "chroot", "outside the chroot"},
    {SCRATCH_CREATE, EPERM, {PLAIN, .seccomp = 2}, "seccomp", "seccomp=unconfined"},
    {SCRATCH_CREATE, EPERM, {PLAIN, .nested = true}, "container", "--security-opt"},
    {SCRATCH_CREATE, EPERM, {PLAIN}, "security module", ""},
    {SCRATCH_CREATE,
     EACCES,
     {PLAIN, .apparmor_userns = 1},
     "AppArmor",
     "/etc/apparmor.d/rootless-toolkit"},
    {SCRATCH_CREATE, EACCES, {PLAIN, .selinux = 1}, "SELinux", "ausearch"},
    {SCRATCH_CREATE,
     ENOSPC,
     {PLAIN, .max_userns = 0},
     "max_user_namespaces is 0",
     "user.max_user_namespaces = 28633"},
    {SCRATCH_CREATE, ENOSPC, {PLAIN}, "used up", "user.max_user_namespaces = 28633"},
    {SCRATCH_CREATE,
     ENOSPC,
     {PLAIN, .max_userns = 60000},
     "used up",
     "user.max_user_namespaces = 120000"},
    {SCRATCH_CREATE, EUSERS, {PLAIN}, "nested 32 deep", ""},
    {SCRATCH_CREATE, EINVAL, {PLAIN, .userns_in_kernel = false}, "CONFIG_USER_NS", "boot a kernel"},
    {SCRATCH_CREATE, ENOSYS, {PLAIN}, "CONFIG_USER_NS", ""},
    {SCRATCH_CREATE, EIO, {PLAIN}, "errno", ""},
    {SCRATCH_MAP,
     EPERM,
     {PLAIN, .apparmor_userns = 1},
     "AppArmor took its capabilities",
     "userns,"},
    {SCRATCH_DONE,
     EACCES,
     {PLAIN, .apparmor_userns = 1},
     "AppArmor took its capabilities",
     "apparmor_parser -r"},
    {SCRATCH_DONE, EPERM, {PLAIN, .seccomp = 2}, "its root may not", "seccomp=unconfined"},
    {SCRATCH_USE, ENOSPC, {PLAIN}, "max_net_namespaces", "sysctl user"},
};

static void assert_says(const struct check_result *result, const char *cause, const char *remedy)
{
    ck_assert_msg(strstr(result->cause, cause) != NULL, "\"%s\" not in cause \"%s\"", cause,
                  result->cause);
    bool found = false;
    for (int kind = 0; kind < REMEDY_KINDS; kind++)
        found |= strstr(result->remedy[kind], remedy) != NULL;
    ck_assert_msg(found, "\"%s\" in no remedy; root: %s", remedy, result->remedy[REMEDY_ROOT]);
}

START_TEST(userns_errno_names_its_switch)
{
    struct check_result result = {0};
    explain_userns(userns_cases[_i].step, userns_cases[_i].code, &userns_cases[_i].facts, &result);
    assert_says(&result, userns_cases[_i].cause, userns_cases[_i].remedy);
}
END_TEST

#define BIN .program = "newuidmap", .path = "/usr/bin/newuidmap", .said = ""

static const struct {
    struct idmap_failure failure;
    struct check_facts facts;
    const char *os;
    const char *cause, *remedy;
} idmap_cases[] = {
    {{.program = "newuidmap", .path = "", .said = ""},
     {PLAIN},
     "ID=debian\n",
     "no newuidmap in",
     "apt-get install -y uidmap"},
    {{.program = "newuidmap", .path = "", .said = ""},
     {PLAIN},
     "ID=fedora\n",
     "no newuidmap in",
     "dnf install -y shadow-utils"},
    {{.program = "newuidmap", .path = "", .said = ""},
     {PLAIN},
     "ID=manjaro\nID_LIKE=arch\n",
     "no newuidmap in",
     "pacman -S --noconfirm --needed shadow"},
    {{.program = "newuidmap", .path = "", .said = ""},
     {PLAIN},
     "ID=\"opensuse-leap\"\n",
     "no newuidmap in",
     "zypper --non-interactive install shadow"},
    {{.program = "newuidmap", .path = "", .said = ""},
     {PLAIN},
     "ID=gentoo\n",
     "no newuidmap in",
     "with this distribution's package manager"},
    {{BIN, .script = true, .bounded = true},
     {PLAIN},
     "",
     "is a script",
     "remove /usr/bin/newuidmap"},
    {{BIN, .bounded = true},
     {PLAIN},
     "",
     "neither the file capability cap_setuid",
     "setcap cap_setuid=ep /usr/bin/newuidmap"},
    {{BIN, .setuid_root = true, .bounded = true},
     {PLAIN, .no_new_privs = true},
     "",
     "no_new_privs",
     "without no_new_privs"},
    {{BIN, .setuid_root = true, .nosuid = true, .bounded = true}, {PLAIN}, "", "nosuid", ""},
    {{BIN, .file_capability = true}, {PLAIN}, "", "bounding set", "cap_setuid"},
    {{.program = "newuidmap",
      .path = "/n",
      .said = "uid range [1-2) not allowed",
      .file_capability = true,
      .bounded = true},
     {PLAIN},
     "",
     "other ranges",
     ""},
    {{.program = "newuidmap",
      .path = "/n",
      .said = "write: Invalid argument",
      .setuid_root = true,
      .bounded = true},
     {PLAIN},
     "",
     "refuses the map",
     ""},
    {{.program = "newgidmap",
      .path = "/n",
      .said = "gibberish",
      .setuid_root = true,
      .bounded = true},
     {PLAIN},
     "ID=debian\n",
     "it says: gibberish",
     "--reinstall uidmap"},
};

START_TEST(idmap_failure_names_its_cause)
{
    struct check_result result = {0};
    struct distro distro;
    distro_parse(idmap_cases[_i].os, &distro);
    explain_idmap(&idmap_cases[_i].failure, &idmap_cases[_i].facts, &distro, "alice", &result);
    assert_says(&result, idmap_cases[_i].cause, idmap_cases[_i].remedy);
}
END_TEST

static const struct {
    int code;
    struct check_facts facts;
    const char *cause;
} overlay_cases[] = {
    {ENODEV, {PLAIN}, "no overlay file system"},
    {EPERM, {PLAIN, .kernel_major = 5, .kernel_minor = 10}, "only from 5.11 on"},
    {EPERM, {PLAIN}, "security module"},
    {EACCES, {PLAIN, .selinux = 1}, "SELinux"},
    {EINVAL, {PLAIN}, "/home/a is on NFS"},
    {EIO, {PLAIN}, "cannot use as its upper layer"},
    {ENOSPC, {PLAIN}, "full or read-only"},
};

START_TEST(overlay_errno_names_its_cause)
{
    struct check_result result = {0};
    explain_overlay(overlay_cases[_i].code, "/home/a", "NFS", &overlay_cases[_i].facts, &result);
    assert_says(&result, overlay_cases[_i].cause, "");
}
END_TEST

static const struct {
    enum tun_step step;
    int code;
    struct check_facts facts;
    const char *cause, *remedy;
} tun_cases[] = {
    {TUN_OPEN, EACCES, {PLAIN}, "not readable and writable", "at every boot"},
    {TUN_OPEN, EACCES, {PLAIN, .udev = true}, "not readable and writable", "60-rootless-tun.rules"},
    {TUN_OPEN, ENODEV, {PLAIN}, "tun module", "modprobe -a tun"},
    {TUN_OPEN, ENOENT, {PLAIN}, "tun module", "chmod 0666 /dev/net/tun"},
    {TUN_OPEN, ENOENT, {PLAIN, .tun_in_kernel = true}, "device node", "mknod -m 0666"},
    {TUN_OPEN, EPERM, {PLAIN}, "device cgroup", "--device /dev/net/tun"},
    {TUN_CREATE, EPERM, {PLAIN}, "makes no interface", ""},
};

START_TEST(tun_errno_names_its_cause)
{
    struct check_result result = {0};
    explain_tun(tun_cases[_i].step, tun_cases[_i].code, &tun_cases[_i].facts, &result);
    assert_says(&result, tun_cases[_i].cause, tun_cases[_i].remedy);
}
END_TEST

START_TEST(missing_module_is_loaded_now_and_at_boot)
{
    struct check_result result = {0};
    explain_module(ENOENT, "tproxy", "nft_tproxy nft_socket", "tproxy", &result);
    assert_says(&result, "nft_tproxy nft_socket", "modprobe -a nft_tproxy nft_socket\n");
    assert_says(&result, "tproxy", "/etc/modules-load.d/rootless-tproxy.conf\n");
}
END_TEST

static const struct {
    struct check_facts facts;
    enum check_status status;
    const char *evidence, *remedy;
} where_cases[] = {
    {{PLAIN, .systemd = true}, CHECK_OK, "system of its own, with systemd", ""},
    {{PLAIN, .wsl = true, .systemd = true}, CHECK_OK, "WSL 2 with systemd", ""},
    {{PLAIN, .wsl = true}, CHECK_HINT, "WSL 2 without systemd", "systemd=true"},
    {{PLAIN, .wsl = true, .kernel_major = 4, .kernel_minor = 4},
     CHECK_FAILED,
     "WSL 1",
     "--set-version"},
    {{PLAIN, .container = "lxc"}, CHECK_HINT, "container (lxc)", "security.nesting=true"},
    {{PLAIN, .container = "docker"}, CHECK_HINT, "container (docker)", "--device /dev/net/tun"},
    {{PLAIN, .nested = true}, CHECK_HINT, "does not have all ids", ""},
};

START_TEST(outer_systems_are_told_apart)
{
    struct check_context context = {.facts = where_cases[_i].facts};
    struct check_result result = {0};
    probe_where(&context, &result);
    ck_assert_int_eq(result.status, where_cases[_i].status);
    ck_assert_ptr_nonnull(strstr(result.evidence, where_cases[_i].evidence));
    assert_says(&result, "", where_cases[_i].remedy);
}
END_TEST

START_TEST(every_engine_needs_something_of_its_own)
{
    unsigned seen = 0;
    for (size_t i = 0; i < check_probes_count; i++) {
        ck_assert_uint_ne(check_probes[i].engines & FOR_ALL, 0);
        seen |= check_probes[i].engines;
        for (enum check_engine e = ENGINE_DOCKER; e < ENGINE_COUNT; e++)
            for (size_t n = 0; n < PROBE_NEEDS_MAX && check_probes[i].needs[n]; n++) {
                int need = check_probe_index(check_probes[i].needs[n]);
                /* What is needed is not left out for an engine that the probe concerns. */
                ck_assert(!check_probe_concerns(&check_probes[i], e) ||
                          check_probe_concerns(&check_probes[need], e));
            }
    }
    ck_assert_uint_eq(seen, FOR_ALL);
    for (enum check_engine e = ENGINE_DOCKER; e < ENGINE_COUNT; e++)
        ck_assert_int_eq(check_engine_find(check_engine_name(e)), e);
    ck_assert_int_eq(check_engine_find(NULL), ENGINE_ANY);
    /* The engines that are installed and launched are these, in this order. */
    ck_assert_uint_eq(engines_count, ENGINE_COUNT - 1);
    for (size_t i = 0; i < engines_count; i++)
        ck_assert_str_eq(check_engine_names[i], engines[i].name);
}
END_TEST

START_TEST(os_release_survives_oddities)
{
    struct distro distro;
    distro_parse("NAME=x\nID='ubuntu'\nPRETTY_NAME=\"U 24\"\nID_LIKE=debian", &distro);
    ck_assert_str_eq(distro.id, "ubuntu");
    ck_assert_str_eq(distro.pretty_name, "U 24");
    ck_assert_int_eq(distro.manager, MANAGER_APT);
    distro_parse("", &distro);
    ck_assert_str_eq(distro.id, "unknown");
    ck_assert_int_eq(distro.manager, MANAGER_UNKNOWN);
    distro_parse("ID=\nID_LIKE=\"rhel fedora\"\n", &distro);
    ck_assert_int_eq(distro.manager, MANAGER_DNF);
}
END_TEST

static const struct {
    const char *word, *quoted;
} quote_cases[] = {
    {"alice", "alice"},
    {"", "''"},
    {"CORP\\thomas", "'CORP\\thomas'"},
    {"it's", "'it'\\''s'"},
    {"/home/my dir", "'/home/my dir'"},
    {"$(reboot)", "'$(reboot)'"},
};

START_TEST(words_are_quoted_for_the_shell)
{
    char buf[64];
    ck_assert_str_eq(quote_word(quote_cases[_i].word, buf, sizeof buf), quote_cases[_i].quoted);
}
END_TEST

START_TEST(long_texts_are_cut_but_never_a_command)
{
    struct check_result result = {0};
    char big[4096];
    (void)memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    check_say(&result, CHECK_FAILED, "%s", big);
    check_cause(&result, "%s", big);
    check_cause(&result, "more");
    ck_assert_uint_lt(strlen(result.evidence), sizeof result.evidence);
    check_remedy(&result, REMEDY_ROOT, "echo short");
    check_remedy(&result, REMEDY_ROOT, "echo %s", big);
    ck_assert_str_eq(result.remedy[REMEDY_ROOT], "echo short\n");
}
END_TEST

START_TEST(control_bytes_do_not_reach_the_terminal)
{
    struct check_result result = {0};
    check_say(&result, CHECK_FAILED, "a\033[31mb\nc");
    ck_assert_str_eq(result.evidence, "a [31mb c");
}
END_TEST

START_TEST(a_result_of_others_is_made_one)
{
    struct check_result shared, result;
    memset(&shared, '\033', sizeof shared);
    check_take(&result, &shared);
    ck_assert_int_eq(result.status, CHECK_UNFINISHED);
    shared.status = CHECK_WARNING;
    check_take(&result, &shared);
    ck_assert_int_eq(result.status, CHECK_WARNING);
    ck_assert(!result.fixable);
    ck_assert_uint_eq(strspn(result.evidence, " "), sizeof result.evidence - 1);
    ck_assert_uint_eq(strlen(result.evidence), sizeof result.evidence - 1);
    ck_assert_uint_eq(strlen(result.remedy[REMEDY_NOTE]), sizeof result.remedy[0] - 1);
}
END_TEST

/* A report with one result of each status. */
static struct check_result results[PROBES_MAX];
static bool wanted[PROBES_MAX];

static struct check_context sample(void)
{
    struct check_context context = {.facts = {PLAIN}};
    distro_parse("ID=debian\nPRETTY_NAME=\"Debian\"\n", &context.distro);
    context.subject.uid = 1000;
    context.subject.gid = 100;
    ck_assert_int_eq(str_copy(context.subject.name, sizeof context.subject.name, "alice"), 0);
    (void)memset(results, 0, sizeof results);
    (void)memset(wanted, 0, sizeof wanted);
    for (size_t i = 0; i < 5; i++)
        wanted[i] = true;
    check_say(&results[0], CHECK_OK, "fine");
    check_say_errno(&results[1], CHECK_FAILED, EPERM, "mount");
    check_cause(&results[1], "masked");
    check_remedy(&results[1], REMEDY_ROOT, "fix one\nfix two");
    check_say(&results[2], CHECK_WARNING, "odd \xff byte");
    check_say(&results[3], CHECK_SKIPPED, "not tried");
    check_say(&results[4], CHECK_HINT, "off");
    check_remedy(&results[4], REMEDY_ROOT, "optional fix");
    return context;
}

static char *rendered(bool json, bool color)
{
    static char text[16384];
    struct check_context context = sample();
    FILE *out = fmemopen(text, sizeof text, "w");
    if (json)
        ck_assert_int_eq(report_json(&context, wanted, results, out), 0);
    else
        report_text(&context, wanted, results, color, out);
    (void)fclose(out);
    return text;
}

START_TEST(json_has_the_documented_shape)
{
    json_t *root = json_loads(rendered(true, false), 0, NULL);
    ck_assert_ptr_nonnull(root);
    ck_assert_int_eq(json_integer_value(json_object_get(root, "schema")), 1);
    ck_assert(json_is_false(json_object_get(root, "ready")));
    json_t *checks = json_object_get(root, "checks");
    ck_assert_uint_eq(json_array_size(checks), 5);
    json_t *failed = json_array_get(checks, 1);
    ck_assert_str_eq(json_string_value(json_object_get(failed, "id")), "namespaces");
    ck_assert_str_eq(json_string_value(json_object_get(failed, "status")), "failed");
    ck_assert_str_eq(json_string_value(json_object_get(failed, "errno")), "EPERM");
    json_t *commands = json_object_get(json_object_get(failed, "remedy"), "root");
    ck_assert_uint_eq(json_array_size(commands), 2);
    ck_assert(json_is_null(json_object_get(json_array_get(checks, 0), "cause")));
    json_decref(root);
}
END_TEST

START_TEST(text_is_aligned_and_ends_with_a_script)
{
    const char *text = rendered(false, false);
    ck_assert_ptr_null(strchr(text, '\033'));
    ck_assert_ptr_nonnull(strstr(text, "\nok       user namespace           fine\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nfailed   other namespaces         mount: Operation not "
                                       "permitted (EPERM)\n"));
    ck_assert_ptr_nonnull(strstr(text, "sudo sh -eu <<'END_OF_REMEDIES'\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nfix one\nfix two\nEND_OF_REMEDIES\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n#   optional fix\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nalice is not ready for rootless engines: 1 failed, 1 not "
                                       "tried, 1 warning\n"));
}
END_TEST

START_TEST(color_only_when_asked)
{
    ck_assert_ptr_nonnull(strstr(rendered(false, true), "\033[31mfailed \033[0m"));
}
END_TEST

START_TEST(needs_are_added_and_stand_earlier)
{
    bool some[PROBES_MAX] = {false};
    some[check_probe_index("net.tproxy")] = true;
    check_add_needs(some);
    ck_assert(some[check_probe_index("userns")]);
    ck_assert(some[check_probe_index("net.nat")]);
    ck_assert(!some[check_probe_index("overlay")]);
    for (size_t i = 0; i < check_probes_count; i++)
        for (size_t n = 0; n < PROBE_NEEDS_MAX && check_probes[i].needs[n]; n++) {
            int need = check_probe_index(check_probes[i].needs[n]);
            ck_assert(need >= 0 && (size_t)need < i);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("setup-check");
    TCase *cases = tcase_create("setup-check");
    tcase_add_loop_test(cases, userns_errno_names_its_switch, 0, LENGTH(userns_cases));
    tcase_add_loop_test(cases, idmap_failure_names_its_cause, 0, LENGTH(idmap_cases));
    tcase_add_loop_test(cases, overlay_errno_names_its_cause, 0, LENGTH(overlay_cases));
    tcase_add_loop_test(cases, tun_errno_names_its_cause, 0, LENGTH(tun_cases));
    tcase_add_test(cases, missing_module_is_loaded_now_and_at_boot);
    tcase_add_loop_test(cases, outer_systems_are_told_apart, 0, LENGTH(where_cases));
    tcase_add_test(cases, every_engine_needs_something_of_its_own);
    tcase_add_test(cases, os_release_survives_oddities);
    tcase_add_loop_test(cases, words_are_quoted_for_the_shell, 0, LENGTH(quote_cases));
    tcase_add_test(cases, long_texts_are_cut_but_never_a_command);
    tcase_add_test(cases, control_bytes_do_not_reach_the_terminal);
    tcase_add_test(cases, a_result_of_others_is_made_one);
    tcase_add_test(cases, json_has_the_documented_shape);
    tcase_add_test(cases, text_is_aligned_and_ends_with_a_script);
    tcase_add_test(cases, color_only_when_asked);
    tcase_add_test(cases, needs_are_added_and_stand_earlier);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
