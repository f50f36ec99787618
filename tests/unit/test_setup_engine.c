/* The table of engines, and where a user's files are. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootless-setup/engine/engine.h"
#include "tests/unit/tap.h"

START_TEST(every_engine_is_found_and_whole)
{
    for (size_t i = 0; i < engines_count; i++) {
        const struct engine *engine = &engines[i];
        ck_assert_ptr_eq(engine_find(engine->name), engine);
        if (engine->alias)
            ck_assert_ptr_eq(engine_find(engine->alias), engine);
        ck_assert_ptr_nonnull(engine->daemon_args);
        ck_assert_ptr_nonnull(engine->copy_up);
        ck_assert_ptr_nonnull(engine->data[0].name);
        ck_assert_int_eq(engine->in_rootlesskit, engine->state.name && engine->variables);
        ck_assert(str_equal(strrchr(engine->unit, '.'), ".service"));
    }
    ck_assert_ptr_null(engine_find("rkt"));
    ck_assert_ptr_null(engine_find(""));
    ck_assert_ptr_null(engine_find(NULL));
}
END_TEST

START_TEST(names_are_listed)
{
    char names[128];
    ck_assert_str_eq(engine_names(names, sizeof names),
                     "docker, containerd, buildkit, podman, k3s");
    ck_assert_str_eq(engine_names(names, 8), "docker,");
}
END_TEST

static void set_all(const char *home, const char *runtime, const char *data, const char *config)
{
    const struct {
        const char *name, *value;
    } all[] = {{"HOME", home},
               {"XDG_RUNTIME_DIR", runtime},
               {"XDG_DATA_HOME", data},
               {"XDG_CONFIG_HOME", config}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ck_assert_int_eq(
            all[i].value ? setenv(all[i].name, all[i].value, 1) : unsetenv(all[i].name), 0);
}

START_TEST(directories_follow_the_environment)
{
    static struct engine_dirs dirs;
    const struct engine *docker = engine_find("docker");
    char path[4096];

    set_all("/home/al ice", "/run/user/7", "/data", NULL);
    ck_assert_int_eq(engine_dirs_read(&dirs, NULL), 0);
    ck_assert_int_gt(engine_path(&dirs, &docker->data[0], path, sizeof path), 0);
    ck_assert_str_eq(path, "/data/docker");
    ck_assert_int_gt(engine_path(&dirs, &docker->socket, path, sizeof path), 0);
    ck_assert_str_eq(path, "/run/user/7/docker.sock");
    ck_assert_str_eq(dirs.path[ENGINE_CONFIG], "/home/al ice/.config");
    ck_assert_int_eq(engine_path(&dirs, &docker->data[1], path, sizeof path), -ENOENT);
    ck_assert_int_eq(engine_path(&dirs, &docker->socket, path, 8), -ENAMETOOLONG);

    /* Relative ones do not count. */
    set_all("/home/alice", "run", "data", "");
    ck_assert_int_eq(engine_dirs_read(&dirs, NULL), 0);
    ck_assert_str_eq(dirs.path[ENGINE_DATA], "/home/alice/.local/share");
    ck_assert_int_eq(engine_path(&dirs, &docker->socket, path, sizeof path), -ENOENT);
}
END_TEST

START_TEST(without_a_home_there_is_an_error)
{
    static struct engine_dirs dirs;
    struct err err = {0};
    set_all(NULL, "/run/user/7", NULL, NULL);
    ck_assert_int_eq(engine_dirs_read(&dirs, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.msg, "HOME is not set"));
    set_all("home", "/run/user/7", NULL, NULL);
    ck_assert_int_eq(engine_dirs_read(&dirs, &err), -ENOENT);
}
END_TEST

START_TEST(variables_have_the_engines_prefix)
{
    char name[64];
    ck_assert_int_gt(engine_variable(engine_find("docker"), "NET", name, sizeof name), 0);
    ck_assert_str_eq(name, "DOCKERD_ROOTLESS_ROOTLESSKIT_NET");
    ck_assert_int_gt(engine_variable(engine_find("nerdctl"), "STATE_DIR", name, sizeof name), 0);
    ck_assert_str_eq(name, "CONTAINERD_ROOTLESS_ROOTLESSKIT_STATE_DIR");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("setup_engine");
    TCase *tcase = tcase_create("engine");
    tcase_add_test(tcase, every_engine_is_found_and_whole);
    tcase_add_test(tcase, names_are_listed);
    tcase_add_test(tcase, directories_follow_the_environment);
    tcase_add_test(tcase, without_a_home_there_is_an_error);
    tcase_add_test(tcase, variables_have_the_engines_prefix);
    suite_add_tcase(suite, tcase);
    return tap_run(suite);
}
