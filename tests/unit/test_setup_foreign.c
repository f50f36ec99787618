/* What others wrote, as checks read it: notes of apt and dpkg, tmpfiles.d and units of systemd,
 * messages of D-Bus, versions of helpers. */
#include "tests/unit/tap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rootless-setup/check/dbus.h"
#include "rootless-setup/check/helper.h"
#include "rootless-setup/check/package.h"
#include "rootless-setup/check/tmpfiles.h"
#include "rootless-setup/check/unit.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

/* ---- packages ---- */

static const struct {
    const char *states;
    bool is_auto;
} state_cases[] = {
    {"", false},
    {"Package: uidmap\nArchitecture: amd64\nAuto-Installed: 1\n", true},
    {"Package: uidmap\nAuto-Installed: 1", true},
    {"Package: uidmap\nAuto-Installed: 0\n\nPackage: x\nAuto-Installed: 1\n", false},
    {"Package: uidmap-x\nAuto-Installed: 1\n\nPackage: uid\nAuto-Installed: 1\n", false},
    {"Package: a\nAuto-Installed: 1\n\nPackage: uidmap\nAuto-Installed: 1\n", true},
    {"Package: uidmap\n\nPackage: b\nAuto-Installed: 1\n", false},
};

START_TEST(apt_marks_what_came_along)
{
    ck_assert_int_eq(package_is_auto(state_cases[_i].states, "uidmap"), state_cases[_i].is_auto);
}
END_TEST

#define INSTALLED "Status: install ok installed\n"

static const struct {
    const char *status;
    bool wanted;
} status_cases[] = {
    {"", false},
    {"Package: uidmap\n" INSTALLED "Depends: libc6\n", false},
    {"Package: a\n" INSTALLED "Depends: uidmap\n", true},
    {"Package: a\nDepends: uidmap\n" INSTALLED, true},
    {"Package: a\n" INSTALLED "Recommends: x, b | uidmap:any (>= 1), c\n", true},
    {"Package: a\n" INSTALLED "Pre-Depends: x,uidmap(>= 1)", true},
    {"Package: a\n" INSTALLED "Suggests: x,\n y,\n\tuidmap\nSection: z\n", true},
    {"Package: a\n" INSTALLED "Depends: uidmap-x, lib-uidmap, x (= uidmap-)\n", false},
    {"Package: a\n" INSTALLED "Depends: x\nEnhances: uidmap\nDescription: y\n uidmap\n", false},
    {"Package: a\nStatus: deinstall ok config-files\nDepends: uidmap\n\nPackage: b\n" INSTALLED,
     false},
};

START_TEST(apt_keeps_what_is_wanted)
{
    ck_assert_int_eq(package_is_wanted(status_cases[_i].status, "uidmap"), status_cases[_i].wanted);
}
END_TEST

START_TEST(dpkg_lists_files)
{
    ck_assert(package_has_file("/.\n/usr/bin/newuidmap\n", "/usr/bin/newuidmap"));
    ck_assert(!package_has_file("/.\n/usr/bin/newuidmapx\n/usr/bin\n", "/usr/bin/newuidmap"));
    ck_assert(!package_has_file("", ""));
}
END_TEST

/* ---- the cleaner ---- */

static const struct {
    const char *texts[2]; /* of files, in the order of their names */
    bool cleaned;
    unsigned line;
} cleaner_cases[] = {
    {{""}, false, 0},
    {{"q /tmp 1777 root root 10d\n"}, true, 1},
    {{"# q /tmp\n\nq /tmp 1777 root root 10d"}, true, 3},
    {{"d /tmp/ - - - 10d"}, true, 1},
    {{"e %T - - - ~aC:1w"}, true, 1},
    {{"D! /tmp - - - 10d"}, false, 0},
    {{"D /tmp 1777 root root -"}, false, 1},
    {{"D /tmp 1777 root root"}, false, 1},
    {{"q /tmpx - - - 10d\nq /var/tmp - - - 30d"}, false, 0},
    {{"q /tmp - - - 10d\nx /tmp/run-7"}, false, 2},
    {{"x /tmp/run-7", "q /tmp - - - 10d"}, false, 1},
    {{"q /tmp - - - 10d\nx /tmp/run-*"}, false, 2},
    {{"q /tmp - - - 10d\nx /tmp/*-%b"}, false, 2},
    {{"q /tmp - - - 10d\nx \"/tmp/run-7\""}, false, 2},
    {{"q /tmp - - - 10d\nx /tmp/run-7/docker"}, true, 1},
    {{"q /tmp - - - 10d\nX /tmp/run-7"}, true, 1},
    {{"q /tmp - - - 10d\nd /tmp/run-7 0700 alice"}, false, 2},
    /* Of two lines for the same, the first file's counts. */
    {{"q /tmp - - - -", "q /tmp - - - 10d"}, false, 1},
    {{"q /tmp - - - 10d", "x /tmp"}, true, 1},
};

START_TEST(cleaning_is_read_as_systemd_does)
{
    struct tmpfiles tmpfiles = {.dir = "/tmp/run-7"};
    for (size_t i = 0; i < 2 && cleaner_cases[_i].texts[i]; i++)
        (void)tmpfiles_read(&tmpfiles, cleaner_cases[_i].texts[i]);
    ck_assert_int_eq(tmpfiles.cleaned, cleaner_cases[_i].cleaned);
    ck_assert_uint_eq(tmpfiles.line, cleaner_cases[_i].line);
}
END_TEST

START_TEST(oddities_of_tmpfiles_do_no_harm)
{
    char text[4096] = "q /tmp - - - 10d\nx /tmp/";
    struct tmpfiles tmpfiles = {.dir = "/tmp/run-7"};
    memset(text + strlen(text), '%', sizeof text - strlen(text) - 1);
    ck_assert(tmpfiles_read(&tmpfiles, text));
    ck_assert(!tmpfiles_read(&tmpfiles, "q\n\"\nx \"\n%\nq % % % % %"));
    ck_assert_uint_eq(tmpfiles.line, 1);
    ck_assert_str_eq(tmpfiles.age, "10d");
}
END_TEST

/* ---- units ---- */

/* The findings as text: "cut:2:Files/x program:5:/usr/bin/x". */
static char findings[1024];

static void note(enum unit_finding finding, unsigned line, const char *word, size_t len, void *arg)
{
    static const char *const names[] = {
        [UNIT_CUT] = "cut",         [UNIT_SPECIFIER] = "specifier",   [UNIT_PROGRAM] = "program",
        [UNIT_NETWORK] = "network", [UNIT_PRIVILEGES] = "privileges",
    };
    (void)arg;
    size_t used = strlen(findings);
    (void)snprintf(findings + used, sizeof findings - used, "%s%s:%u:%.*s", used ? " " : "",
                   names[finding], line, (int)len, word);
}

static const struct {
    const char *text, *findings;
} unit_cases[] = {
    {"", ""},
    {"[Service]\nEnvironment=PATH=/usr/bin:/mnt/c/Program Files/Git:/bin\n",
     "cut:2:Files/Git:/bin"},
    {"Environment=\"PATH=/usr/bin:/mnt/c/Program Files/Git\"\n", ""},
    {"Environment='PATH=/a b' \"X=1\"\n", ""},
    {"Environment=X=a\\ b\n", ""},
    {"Environment=FLAGS=--a --b\n", "cut:1:--b"},
    {"Environment=PATH=/opt/100%x/bin\n", "specifier:1:PATH=/opt/100%x/bin"},
    {"Environment=PATH=%h/bin:/opt/100%%/bin\n", ""},
    {"Environment=PATH=/bin%\n", "specifier:1:PATH=/bin%"},
    {"Environment=X=%x\n", ""},
    {"ExecStart=/home/alice/bin/dockerd-rootless.sh --iptables=false\n",
     "program:1:/home/alice/bin/dockerd-rootless.sh"},
    {"ExecStart=-@/bin/sh sh -c x\n", "program:1:/bin/sh"},
    {"ExecStart=\"/opt/my dir/x\" a\n", "program:1:/opt/my dir/x"},
    {"ExecStart=%h/bin/x\nExecStart=dockerd\nExecStart=/bin/$X\nExecStart=\n", ""},
    {" ExecStart = /bin/x\n", "program:1:/bin/x"},
    {"ExecStart=/bin/x \\\n  --flag /bin/y\nExecStart=/bin/z", "program:1:/bin/x program:3:/bin/z"},
    {"# ExecStart=/bin/x\n; ExecStart=/bin/y\n", ""},
    {"Environment=DOCKERD_ROOTLESS_ROOTLESSKIT_NET=slirp4netns\n", "network:1:slirp4netns"},
    {"Environment=\"DOCKERD_ROOTLESS_ROOTLESSKIT_NET=pasta\"\n", "network:1:pasta"},
    {"NoNewPrivileges=yes\nNoNewPrivileges=no\n", "privileges:1:yes"},
};

START_TEST(faults_of_units_are_found)
{
    findings[0] = '\0';
    unit_lint(unit_cases[_i].text, note, NULL);
    ck_assert_str_eq(findings, unit_cases[_i].findings);
}
END_TEST

/* ---- versions ---- */

static const struct {
    const char *said;
    uint32_t date;
} pasta_cases[] = {
    {"pasta 2024_08_14.61c0b0d\nCopyright Red Hat\n", 20240814},
    {"pasta 0.0~git20240220.1e6f92b-1\n", 20240220},
    {"pasta 0^20230625.g32660ce-1.fc38.x86_64\n", 20230625},
    {"pasta 0.0+20251223.2ba9fd58\n", 20251223},
    {"pasta unknown version\n", 0},
    {"", 0},
    {"pasta 12024081\n", 0},
};

START_TEST(pasta_dates)
{
    ck_assert_uint_eq(helper_pasta_date(pasta_cases[_i].said), pasta_cases[_i].date);
}
END_TEST

START_TEST(versions_are_read)
{
    ck_assert_uint_eq(helper_version("slirp4netns version 1.2.0\n", "slirp4netns version "),
                      1002000);
    ck_assert_uint_eq(helper_version("libslirp: 4.7.0\n", "libslirp: "), 4007000);
    ck_assert_uint_eq(helper_version("libslirp: 4.7\n", "libslirp: "), 4007000);
    ck_assert_uint_eq(helper_version("nothing", "libslirp: "), 0);
}
END_TEST

static const struct {
    bool pasta;
    const char *said;
    enum check_status status;
    const char *cause;
} fault_cases[] = {
    {true, "pasta 2023_03_21.1ee2f7c", CHECK_WARNING, "2023_06_25"},
    {true, "pasta 2024_02_20.1e6f92b", CHECK_HINT, "--map-guest-addr"},
    {true, "pasta 2025_02_17.a1e48a0", CHECK_OK, ""},
    {true, "pasta unknown version", CHECK_OK, ""},
    {false, "slirp4netns version 0.3.0", CHECK_WARNING, "--netns-type"},
    {false, "slirp4netns version 1.0.1\nlibslirp: 4.2.0", CHECK_WARNING, "CVE-2020-1983"},
    {false, "slirp4netns version 1.1.8\nlibslirp: 4.4.0", CHECK_HINT, "CVE-2021-3592"},
    {false, "slirp4netns version 1.2.0\nlibslirp: 4.7.0", CHECK_OK, ""},
};

START_TEST(known_faults_lower_the_status)
{
    struct check_result result = {.status = CHECK_OK};
    if (fault_cases[_i].pasta)
        helper_judge_pasta(fault_cases[_i].said, &result);
    else
        helper_judge_slirp(fault_cases[_i].said, &result);
    ck_assert_int_eq(result.status, fault_cases[_i].status);
    ck_assert_ptr_nonnull(strstr(result.cause, fault_cases[_i].cause));
    ck_assert(fault_cases[_i].cause[0] != '\0' || result.cause[0] == '\0');
}
END_TEST

/* ---- D-Bus ---- */

/* An answer to call 7, as a bus of this byte order sends it: an error with a text. */
static size_t make_error(unsigned char *ret, bool big)
{
    static const char name[] = "org.x.E", text[] = "why";
    unsigned char bytes[] = {
        'l', 3, 1,   1, 8, 0,   0, 0, 1, 0, 0, 0, 37, 0, 0, 0, /* 16: fields */
        4,   1, 's', 0, 7, 0,   0, 0, 0, 0, 0, 0, 0,  0, 0, 0, /* error name, its NUL, to 32 */
        5,   1, 'u', 0, 7, 0,   0, 0,                          /* reply to 7 */
        8,   1, 'g', 0, 1, 's', 0,                             /* signature */
        0,                                                     /* to 48 */
        3,   0, 0,   0, 0, 0,   0, 0,                          /* the text */
    };
    (void)memcpy(bytes + 24, name, sizeof name);
    (void)memcpy(bytes + 52, text, sizeof text);
    bytes[12] = 31;
    if (big) {
        static const size_t numbers[] = {4, 8, 12, 20, 36, 48};
        bytes[0] = 'B';
        for (size_t i = 0; i < LENGTH(numbers); i++) {
            bytes[numbers[i] + 3] = bytes[numbers[i]];
            bytes[numbers[i]] = 0;
        }
    }
    (void)memcpy(ret, bytes, sizeof bytes);
    return sizeof bytes;
}

START_TEST(an_error_is_read)
{
    unsigned char bytes[128];
    struct dbus_reply reply;
    size_t n = make_error(bytes, _i == 1);
    ck_assert_int_eq(dbus_parse(bytes, n, &reply), (ssize_t)n);
    ck_assert_int_eq(reply.type, 3);
    ck_assert_uint_eq(reply.reply_to, 7);
    ck_assert_str_eq(reply.error_name, "org.x.E");
    ck_assert_str_eq(reply.text, "why");
    for (size_t part = 0; part < n; part++)
        ck_assert_int_eq(dbus_parse(bytes, part, &reply), 0);
}
END_TEST

START_TEST(nonsense_is_no_message)
{
    unsigned char bytes[128];
    struct dbus_reply reply;
    size_t n = make_error(bytes, false);
    bytes[0] = 'x';
    ck_assert_int_eq(dbus_parse(bytes, n, &reply), -EBADMSG);
    (void)make_error(bytes, false);
    bytes[7] = 0xff; /* a body of gigabytes */
    ck_assert_int_eq(dbus_parse(bytes, n, &reply), -EBADMSG);
    (void)make_error(bytes, false);
    bytes[20] = 200; /* a string beyond the message */
    ck_assert_int_eq(dbus_parse(bytes, n, &reply), -EBADMSG);
    (void)make_error(bytes, false);
    bytes[18] = 'v'; /* a field of a type that none has */
    ck_assert_int_eq(dbus_parse(bytes, n, &reply), -EBADMSG);
}
END_TEST

START_TEST(arguments_are_aligned)
{
    struct dbus_body body = {.n = 0};
    dbus_put_string(&body, "ab"); /* 4 + 3 */
    size_t array = dbus_array_begin(&body);
    dbus_align(&body, 8);
    dbus_put_string(&body, "n");
    dbus_put_signature(&body, "t");
    dbus_put_u64(&body, 1);
    dbus_array_end(&body, array, 8);
    static const unsigned char wanted[] = {2, 0, 0, 0, 'a', 'b', 0,   0, 24, 0,   0, 0, 0, 0,
                                           0, 0, 1, 0, 0,   0,   'n', 0, 1,  't', 0, 0, 0, 0,
                                           0, 0, 0, 0, 1,   0,   0,   0, 0,  0,   0, 0};
    ck_assert_uint_eq(body.n, sizeof wanted);
    ck_assert_mem_eq(body.bytes, wanted, sizeof wanted);
}
END_TEST

START_TEST(an_empty_array_of_structs_is_padded)
{
    struct dbus_body body = {.n = 0};
    size_t array = dbus_array_begin(&body);
    dbus_array_end(&body, array, 8);
    static const unsigned char wanted[8] = {0};
    ck_assert_uint_eq(body.n, sizeof wanted);
    ck_assert_mem_eq(body.bytes, wanted, sizeof wanted);
}
END_TEST

START_TEST(too_many_arguments_are_told)
{
    struct dbus_body body = {.n = 0};
    for (size_t i = 0; i < sizeof body.bytes; i++)
        dbus_put_u32(&body, 0);
    ck_assert(body.overflow);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("setup-foreign");
    TCase *cases = tcase_create("setup-foreign");
    tcase_add_loop_test(cases, apt_marks_what_came_along, 0, LENGTH(state_cases));
    tcase_add_loop_test(cases, apt_keeps_what_is_wanted, 0, LENGTH(status_cases));
    tcase_add_test(cases, dpkg_lists_files);
    tcase_add_loop_test(cases, cleaning_is_read_as_systemd_does, 0, LENGTH(cleaner_cases));
    tcase_add_test(cases, oddities_of_tmpfiles_do_no_harm);
    tcase_add_loop_test(cases, faults_of_units_are_found, 0, LENGTH(unit_cases));
    tcase_add_loop_test(cases, pasta_dates, 0, LENGTH(pasta_cases));
    tcase_add_test(cases, versions_are_read);
    tcase_add_loop_test(cases, known_faults_lower_the_status, 0, LENGTH(fault_cases));
    tcase_add_loop_test(cases, an_error_is_read, 0, 2);
    tcase_add_test(cases, nonsense_is_no_message);
    tcase_add_test(cases, arguments_are_aligned);
    tcase_add_test(cases, an_empty_array_of_structs_is_padded);
    tcase_add_test(cases, too_many_arguments_are_told);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
