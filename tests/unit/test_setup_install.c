/* What a service is written as, and how our own files are told from others. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootless-setup/install/data.h"
#include "rootless-setup/install/own.h"
#include "rootless-setup/install/service.h"
#include "rootless-setup/install/words.h"
#include "tests/unit/tap.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

static char *text;
static size_t len;

static FILE *begin(void)
{
    free(text);
    text = NULL;
    FILE *out = open_memstream(&text, &len);
    ck_assert_ptr_nonnull(out);
    return out;
}

static const struct {
    const char *word, *environment, *program, *argument, *shell;
} quoted[] = {
    {"plain", "\"plain\"", "\"plain\"", "\"plain\"", "plain"},
    {"", "\"\"", "\"\"", "\"\"", "''"},
    {"a b", "\"a b\"", "\"a b\"", "\"a b\"", "'a b'"},
    {"50%h", "\"50%%h\"", "\"50%%h\"", "\"50%%h\"", "50%h"},
    {"$HOME", "\"$HOME\"", "\"$HOME\"", "\"$$HOME\"", "'$HOME'"},
    {"q\"q", "\"q\\\"q\"", "\"q\\\"q\"", "\"q\\\"q\"", "'q\"q'"},
    {"it's", "\"it's\"", "\"it's\"", "\"it's\"", "'it'\\''s'"},
    {"b\\s", "\"b\\\\s\"", "\"b\\\\s\"", "\"b\\\\s\"", "'b\\s'"},
    {"n\nt\t", "\"n\\x0at\\x09\"", "\"n\\x0at\\x09\"", "\"n\\x0at\\x09\"", "'n\nt\t'"},
    {"h\xc3\xa9", "\"h\xc3\xa9\"", "\"h\xc3\xa9\"", "\"h\xc3\xa9\"", "'h\xc3\xa9'"},
};

static const struct {
    const char *text;
    bool shell;
    const char *value;
} commands[] = {
    {"[Service]\nExecStart=/x launch docker -- --data-root /d\n", false, "/d"},
    {"ExecStart=\"/x\" launch docker -- \"--data-root\" \"/a b%%c$$d\\\"e\\\\f\"\n", false,
     "/a b%c$d\"e\\f"},
    {"ExecStart=/x --data-root=/a --data-root=/b", false, "/b"},
    {"ExecStart=/x \\\n  --debug --data-root \\\n /d\n", false, "/d"},
    {"ExecStart=/x --data-root /a\nExecStart=\nExecStart=/x\n", false, ""},
    {"ExecReload=/x --data-root /d\n", false, "before"},
    {"ExecStart=/x --data-root-x /d --data /d --label=--data-root\n", false, ""},
    {"ExecStart=/x --data-root\n", false, ""},
    {"PATH=/bin\nexec /x launch docker -- --data-root '/a b'\\''c$d%%' \"$@\"\n", true,
     "/a b'c$d%%"},
    {"ExecStart=/x --data-root /d\n", true, "before"},
};

START_TEST(a_command_tells_where_data_is)
{
    char value[64] = "before";
    data_from_command(commands[_i].text, commands[_i].shell, "--data-root", value, sizeof value);
    ck_assert_str_eq(value, commands[_i].value);
}
END_TEST

START_TEST(words_are_quoted)
{
    FILE *out = begin();
    char want[256];
    words_unit(out, UNIT_ENVIRONMENT, quoted[_i].word);
    (void)fputc('|', out);
    words_unit(out, UNIT_PROGRAM, quoted[_i].word);
    (void)fputc('|', out);
    words_unit(out, UNIT_ARGUMENT, quoted[_i].word);
    (void)fputc('|', out);
    words_shell(out, quoted[_i].word);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_gt(str_format(want, sizeof want, "%s|%s|%s|%s", quoted[_i].environment,
                                quoted[_i].program, quoted[_i].argument, quoted[_i].shell),
                     0);
    ck_assert_str_eq(text, want);
}
END_TEST

static const struct {
    const char *text;
    bool valid;
} encodings[] = {
    {"", true},
    {"plain", true},
    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb3", true},
    {"\xf4\x8f\xbf\xbf", true},
    {"\xff", false},
    {"\xc3", false},
    {"\xc3(", false},
    {"\xc0\xaf", false},         /* overlong */
    {"\xe0\x80\xaf", false},     /* overlong */
    {"\xed\xa0\x80", false},     /* a surrogate */
    {"\xf4\x90\x80\x80", false}, /* above U+10FFFF */
    {"\xe2\x82", false},
    {"a\x80", false},
};

START_TEST(utf8_is_told_from_other_bytes)
{
    ck_assert_int_eq(words_is_utf8(encodings[_i].text), encodings[_i].valid);
}
END_TEST

static void set_environment(const char *path)
{
    static const char *const others[] = {"XDG_DATA_HOME", "XDG_CONFIG_HOME", "DOCKERD"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        (void)unsetenv(others[i]);
    ck_assert_int_eq(setenv("HOME", "/home/alice", 1), 0);
    ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", "/run/user/7", 1), 0);
    ck_assert_int_eq(setenv("PATH", path, 1), 0);
}

static struct service service;
static struct engine_dirs dirs;

static int gather(const char *engine, const char *const *args, size_t n_args)
{
    ck_assert_int_eq(engine_dirs_read(&dirs, NULL), 0);
    return service_gather(engine_find(engine), &dirs, args, n_args, &service, NULL);
}

START_TEST(the_path_is_absolute_and_each_directory_once)
{
    set_environment("/opt/a b:bin::/usr/bin:.:/opt/a b:/opt/%h:/opt/\xff");
    ck_assert_int_eq(gather("docker", NULL, 0), 0);
    const char *rest = strchr(service.path, ':');
    ck_assert_ptr_nonnull(rest);
    /* In front stands our own directory. */
    ck_assert_int_eq(service.path[0], '/');
    ck_assert_str_eq(rest, ":/opt/a b:/usr/bin:/opt/%h:/bin:/usr/sbin:/sbin");
    ck_assert(service.path_cut);
    set_environment("/usr/bin");
    ck_assert_int_eq(gather("docker", NULL, 0), 0);
    ck_assert(!service.path_cut);
}
END_TEST

START_TEST(the_unit_has_it_all)
{
    static const char *const args[] = {"--data-root", "/a b/$x%"};
    set_environment("/usr/bin");
    ck_assert_int_eq(setenv("DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS", "-p 1:1/tcp --ipv6", 1), 0);
    ck_assert_int_eq(setenv("DOCKERD_ROOTLESS_ROOTLESSKITX", "no", 1), 0);
    ck_assert_int_eq(setenv("CONTAINERD_ROOTLESS_ROOTLESSKIT_NET", "no", 1), 0);
    ck_assert_int_eq(setenv("XDG_DATA_HOME", "/da ta", 1), 0);
    ck_assert_int_eq(gather("docker", args, 2), 0);
    FILE *out = begin();
    service_unit(&service, out);
    ck_assert_int_eq(fclose(out), 0);
    static const char *const wanted[] = {
        "Type=notify\n",
        "NotifyAccess=all\n",
        "Delegate=yes\n",
        "KillMode=mixed\n",
        "ExecReload=/bin/kill -s HUP $MAINPID\n",
        "\nEnvironment=\"DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS=-p 1:1/tcp --ipv6\"\n",
        "\nEnvironment=\"XDG_DATA_HOME=/da ta\"\n",
        "\" launch docker -- \"--data-root\" \"/a b/$$x%%\"\n",
        "WantedBy=default.target\n",
    };
    for (int i = 0; i < LENGTH(wanted); i++)
        ck_assert_msg(strstr(text, wanted[i]), "no %s in %s", wanted[i], text);
    ck_assert_ptr_null(strstr(text, "ROOTLESSKITX"));
    ck_assert_ptr_null(strstr(text, "CONTAINERD"));

    /* What SIGHUP ends is not reloaded by it, and what tells nothing is not waited for. */
    ck_assert_int_eq(gather("k3s", NULL, 0), 0);
    out = begin();
    service_unit(&service, out);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_ptr_nonnull(strstr(text, "Type=simple\n"));
    ck_assert_ptr_null(strstr(text, "ExecReload"));
    ck_assert_ptr_nonnull(strstr(text, "\" launch k3s\n"));

    /* Podman's containers do not end with the service. */
    ck_assert_int_eq(gather("podman", NULL, 0), 0);
    out = begin();
    service_unit(&service, out);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_ptr_nonnull(strstr(text, "KillMode=process\n"));
}
END_TEST

START_TEST(what_systemd_cannot_be_told_is_refused)
{
    static const char *const args[] = {"\xff"};
    set_environment("/usr/bin");
    ck_assert_int_eq(gather("docker", args, 1), -EILSEQ);
    ck_assert_int_eq(setenv("XDG_CONFIG_HOME", "/\xff", 1), 0);
    ck_assert_int_eq(gather("docker", NULL, 0), -EILSEQ);
}
END_TEST

START_TEST(our_files_are_known_again)
{
    const struct own_memory memory = {.dirs = 3, .context = "remote"};
    struct own_file file;
    char *whole = own_sign("[Unit]\nA=b\n", &memory);
    ck_assert_int_eq(own_parse(whole, &file), OWN_INTACT);
    ck_assert_str_eq(file.text, "[Unit]\nA=b\n");
    ck_assert_uint_eq(file.memory.dirs, 3);
    ck_assert_str_eq(file.memory.context, "remote");
    own_cleanup(&file);

    /* One line more, one sign less, another memory: edited. */
    char *longer = NULL;
    ck_assert_int_gt(asprintf(&longer, "%sC=d\n", whole), 0);
    ck_assert_int_eq(own_parse(longer, &file), OWN_EDITED);
    ck_assert_str_eq(file.text, "[Unit]\nA=b\nC=d\n");
    own_cleanup(&file);
    free(longer);
    strchr(whole, 'b')[0] = 'c';
    ck_assert_int_eq(own_parse(whole, &file), OWN_EDITED);
    own_cleanup(&file);
    free(whole);
}
END_TEST

static const struct {
    const char *text;
    enum own_state state;
} strange[] = {
    {"", OWN_FOREIGN},
    {"[Unit]\nDescription=mine\n", OWN_FOREIGN},
    {"[Unit]\nX=# rootless-setup: dirs=0 context= sum=0\n", OWN_FOREIGN},
    {"# rootless-setup: ", OWN_EDITED},
    {"# rootless-setup: dirs=99 context= sum=0\n", OWN_EDITED},
    {"# rootless-setup: dirs=-1 context= sum=0\n", OWN_EDITED},
    {"# rootless-setup: dirs=0 context= sum=10000000000000000\n", OWN_EDITED},
    {"# rootless-setup: dirs=0 context= sum=cbf29ce484222325 \n", OWN_EDITED},
};

START_TEST(what_only_looks_like_ours_is_not_taken_for_it)
{
    struct own_file file;
    ck_assert_int_eq(own_parse(strange[_i].text, &file), strange[_i].state);
    own_cleanup(&file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("setup-install");
    TCase *cases = tcase_create("setup-install");
    tcase_add_loop_test(cases, a_command_tells_where_data_is, 0, LENGTH(commands));
    tcase_add_loop_test(cases, words_are_quoted, 0, LENGTH(quoted));
    tcase_add_loop_test(cases, utf8_is_told_from_other_bytes, 0, LENGTH(encodings));
    tcase_add_test(cases, the_path_is_absolute_and_each_directory_once);
    tcase_add_test(cases, the_unit_has_it_all);
    tcase_add_test(cases, what_systemd_cannot_be_told_is_refused);
    tcase_add_test(cases, our_files_are_known_again);
    tcase_add_loop_test(cases, what_only_looks_like_ours_is_not_taken_for_it, 0, LENGTH(strange));
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
