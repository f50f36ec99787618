/* How an engine is launched: variables, options and defaults, and the command line they make. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootless-setup/launch/line.h"
#include "rootless-setup/launch/plan.h"
#include "rootless-setup/launch/profile.h"
#include "rootless-setup/launch/programs.h"
#include "rootless-setup/launch/settings.h"
#include "tests/unit/tap.h"

static const struct engine *docker, *containerd;

static void set_up(void)
{
    ck_assert_int_eq(clearenv(), 0);
    docker = engine_find("docker");
    containerd = engine_find("containerd");
}

static void set(const char *what, const char *value)
{
    char name[128];
    ck_assert_int_gt(engine_variable(docker, what, name, sizeof name), 0);
    ck_assert_int_eq(setenv(name, value, 1), 0);
}

static char *text_of(const struct line *line)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(line_check(line, NULL), 0);
    ck_assert_int_eq(line_print(line, out, NULL), 0);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

static void expect_text(const struct line *line, const char *want)
{
    cleanup_free char *text = text_of(line);
    ck_assert_str_eq(text, want);
}

START_TEST(words_are_split_at_blanks_and_printed_for_a_shell)
{
    cleanup_line struct line line = {0};
    line_split(&line, NULL);
    line_split(&line, " \t\n");
    ck_assert_uint_eq(line.n, 0);
    line_split(&line, "  one\ttwo 'three four' ");
    ck_assert_uint_eq(line.n, 4);
    line_add(&line, "");
    line_add(&line, "it's; $x");
    line_format(&line, "--n=%d", 7);
    expect_text(&line, "one two ''\\''three' 'four'\\''' '' 'it'\\''s; $x' --n=7\n");
    ck_assert_ptr_null(line.words[line.n]);
}
END_TEST

static void read_docker(const struct launch_settings *given, struct launch_settings *ret)
{
    struct launch_settings read;
    struct err err = {0};
    ck_assert_msg(settings_read(docker, given, &read, &err) == 0, "%s", err.msg);
    ck_assert_msg(settings_merge(docker, given, &read, ret, &err) == 0, "%s", err.msg);
}

START_TEST(options_go_before_variables_and_these_before_defaults)
{
    struct launch_settings given = {0}, settings;
    read_docker(&given, &settings);
    ck_assert_str_eq(settings.net, "auto");
    ck_assert_str_eq(settings.port_driver, "builtin");
    ck_assert_int_eq(settings.disable_host_loopback, CLI_ON);
    ck_assert_int_eq(settings.detach_netns, CLI_UNSET);
    ck_assert_ptr_null(settings.state_dir);
    ck_assert_ptr_null(settings.flags);

    set("NET", "pasta");
    set("MTU", "1400");
    set("DISABLE_HOST_LOOPBACK", "false");
    set("DETACH_NETNS", "1");
    set("PORT_DRIVER", "");
    read_docker(&given, &settings);
    ck_assert_str_eq(settings.net, "pasta");
    ck_assert_uint_eq(settings.mtu, 1400);
    ck_assert_int_eq(settings.disable_host_loopback, CLI_OFF);
    ck_assert_int_eq(settings.detach_netns, CLI_ON);
    ck_assert_str_eq(settings.port_driver, "builtin");

    given = (struct launch_settings){.net = "gateway", .detach_netns = CLI_OFF};
    set("DETACH_NETNS", "nonsense that no longer counts");
    read_docker(&given, &settings);
    ck_assert_str_eq(settings.net, "gateway");
    ck_assert_int_eq(settings.detach_netns, CLI_OFF);
    ck_assert_uint_eq(settings.mtu, 1400);
}
END_TEST

START_TEST(a_value_that_means_nothing_is_refused)
{
    static const struct {
        const char *what, *value, *says;
    } wrong[] = {
        {"NET", "tap", "NET: unknown value \"tap\", it must be one of: auto, gateway"},
        {"NET", "vpnkit", "NET=vpnkit: VPNKit is no longer maintained"},
        {"MTU", "-1", "MTU"},
        {"MTU", "65522", "65521"},
        {"PORT_DRIVER", "gvisor-tap-vsock", "PORT_DRIVER=gvisor-tap-vsock"},
        {"SLIRP4NETNS_SANDBOX", "1", "auto, true, false"},
        {"DISABLE_HOST_LOOPBACK", "0", "true, false"},
        {"DETACH_NETNS", "TRUE", "auto, true, false, 1, 0"},
        {"IPV6", "auto", "true, false"},
    };
    struct launch_settings given = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct launch_settings settings = {.mtu = 4711};
        struct err err = {0};
        set(wrong[i].what, wrong[i].value);
        ck_assert_int_lt(settings_read(docker, &given, &settings, &err), 0);
        ck_assert_msg(strstr(err.msg, wrong[i].says) != NULL, "%s", err.msg);
        ck_assert_uint_eq(settings.mtu, 4711);
        ck_assert_int_eq(clearenv(), 0);
    }
}
END_TEST

START_TEST(the_hosts_network_is_not_dockers)
{
    struct launch_settings given = {.net = "host"}, read = {0}, settings;
    struct err err = {0};
    ck_assert_int_eq(settings_merge(docker, &given, &read, &settings, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "--net=host"));
    ck_assert_int_eq(settings_merge(containerd, &given, &read, &settings, &err), 0);
    ck_assert_str_eq(settings.port_driver, "none");
}
END_TEST

START_TEST(variables_without_a_meaning_are_found)
{
    size_t at = 0;
    set("NET", "auto");
    set("FLAGS", "");
    ck_assert_int_eq(setenv("PATH", "/bin", 1), 0);
    ck_assert_ptr_null(settings_stray(docker, &at));
    set("NETS", "x");
    at = 0;
    ck_assert_str_eq(settings_stray(docker, &at), "DOCKERD_ROOTLESS_ROOTLESSKIT_NETS=x");
    ck_assert_ptr_null(settings_stray(docker, &at));
    at = 0;
    ck_assert_ptr_null(settings_stray(containerd, &at));
}
END_TEST

static void expect_plan(const struct engine *engine, const struct launch_settings *given,
                        const struct cli_list *options, const char *want)
{
    cleanup_line struct line line = {0};
    struct launch_settings read = {0}, settings = {0};
    struct err err = {0};
    char *args[] = {(char *)(size_t) "--label", (char *)(size_t) "a b", NULL};
    if (engine->in_rootlesskit) {
        ck_assert_msg(settings_read(engine, given, &read, &err) == 0, "%s", err.msg);
        ck_assert_msg(settings_merge(engine, given, &read, &settings, &err) == 0, "%s", err.msg);
    }
    if (!settings.state_dir)
        settings.state_dir = "/s";
    const struct launch_plan plan = {
        .engine = engine,
        .daemon = "/d --x",
        .daemon_flags = "--y  --z",
        .args = args,
        .given = given,
        .settings = &settings,
        .options = options,
        .self = "/me",
    };
    if (engine->in_rootlesskit)
        line_add(&line, "/k");
    launch_plan_line(&plan, &line);
    expect_text(&line, want);
}

START_TEST(the_last_word_is_our_command_lines)
{
    static const struct cli_list none, some = {.items = {"--publish=8080:80/tcp"}, .n = 1};
    struct launch_settings given = {0};
    expect_plan(docker, &given, &none,
                "/k --state-dir=/s --net=auto --slirp4netns-sandbox=auto "
                "--slirp4netns-seccomp=auto --port-driver=builtin --disable-host-loopback "
                "--copy-up=/etc --copy-up=/run --propagation=rslave "
                "/me launch-inside docker /d --x --y --z --label 'a b'\n");
    set("FLAGS", "--mtu=1300 --net=none");
    set("MTU", "1400");
    given = (struct launch_settings){.net = "gateway", .disable_host_loopback = CLI_OFF};
    expect_plan(docker, &given, &some,
                "/k --state-dir=/s --mtu=1400 --port-driver=builtin "
                "--copy-up=/etc --copy-up=/run --propagation=rslave --mtu=1300 --net=none "
                "--net=gateway --disable-host-loopback=false --publish=8080:80/tcp "
                "/me launch-inside docker /d --x --y --z --label 'a b'\n");
    given = (struct launch_settings){.net = "host", .detach_netns = CLI_ON};
    expect_plan(containerd, &given, &none,
                "/k --state-dir=/s --port-driver=none --copy-up=/etc --copy-up=/run "
                "--copy-up=/var/lib --propagation=rslave --net=host --detach-netns "
                "/me launch-inside containerd /d --x --y --z --label 'a b'\n");
    given = (struct launch_settings){0};
    expect_plan(engine_find("podman"), &given, &none,
                "/d --x system service --time=0 --y --z --label 'a b'\n");
}
END_TEST

START_TEST(versions_are_compared_as_numbers)
{
    static const struct {
        const char *text;
        bool reaches;
    } cases[] = {
        {"Docker version 29.5.0, build 1a2b3c4", true},
        {"Docker version 29.10.1, build 1a2b3c4", true},
        {"Docker version 30.0.0-rc.1, build 1", true},
        {"Docker version 29.4.9, build 1", false},
        {"Docker version 20.10.24+dfsg1, build 297e128", false},
        {"nerdctl version v29.5", true},
        {"Docker version dev, build 1", false},
        {"Docker version 29", false},
        {"Docker version 99999999999.1", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(programs_version_reaches(cases[i].text, 29, 5) == cases[i].reaches, "%s",
                      cases[i].text);
}
END_TEST

START_TEST(the_path_gets_what_it_lacks)
{
    ck_assert_int_eq(setenv("PATH", "/a:/usr/sbin", 1), 0);
    ck_assert_int_eq(programs_extend_path("/our/bin/me", NULL), 1);
    ck_assert_str_eq(getenv("PATH"), "/our/bin:/a:/usr/sbin:/sbin");
    ck_assert_int_eq(programs_extend_path("/our/bin/me", NULL), 0);
    ck_assert_str_eq(getenv("PATH"), "/our/bin:/a:/usr/sbin:/sbin");
    ck_assert_int_eq(unsetenv("PATH"), 0);
    ck_assert_int_eq(programs_extend_path("/usr/bin/me", NULL), 1);
    ck_assert_str_eq(getenv("PATH"), "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
}
END_TEST

START_TEST(every_engine_in_rootlesskit_has_a_profile)
{
    for (size_t i = 0; i < engines_count; i++) {
        const struct launch_profile *profile = launch_profile_find(&engines[i]);
        if (!engines[i].in_rootlesskit)
            continue;
        ck_assert_ptr_nonnull(profile);
        for (size_t k = 0; profile->links[k]; k++)
            ck_assert_int_eq(profile->links[k][0], '/');
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("setup_launch");
    TCase *tcase = tcase_create("launch");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, words_are_split_at_blanks_and_printed_for_a_shell);
    tcase_add_test(tcase, options_go_before_variables_and_these_before_defaults);
    tcase_add_test(tcase, a_value_that_means_nothing_is_refused);
    tcase_add_test(tcase, the_hosts_network_is_not_dockers);
    tcase_add_test(tcase, variables_without_a_meaning_are_found);
    tcase_add_test(tcase, the_last_word_is_our_command_lines);
    tcase_add_test(tcase, versions_are_compared_as_numbers);
    tcase_add_test(tcase, the_path_gets_what_it_lacks);
    tcase_add_test(tcase, every_engine_in_rootlesskit_has_a_profile);
    suite_add_tcase(suite, tcase);
    return tap_run(suite);
}
