#include "tests/unit/tap.h"

#include <string.h>

#include "lib/base/err.h"
#include "rootlesskit/api/json.h"

static const struct {
    const char *body;
    struct port_spec spec;
} good[] = {
    {"{\"proto\":\"tcp\",\"parentPort\":8080,\"childPort\":80}", {"tcp", "", "", 8080, 80}},
    {"{\"childIP\":\"::1\",\"childPort\":1,\"parentPort\":65535,\"parentIP\":\"127.0.0.1\","
     "\"proto\":\"udp6\"}",
     {"udp6", "127.0.0.1", "::1", 65535, 1}},
    {" \r\n{\"proto\" : \"tcp\" , \"parentPort\":1, \"childPort\":2 }\t\n", {"tcp", "", "", 1, 2}},
    {"{\"proto\":\"tcp\",\"parentIP\":null,\"childIP\":\"\",\"parentPort\":1,\"childPort\":2}",
     {"tcp", "", "", 1, 2}},
    {"{\"proto\":\"\\u0074cp\",\"parentPort\":1,\"childPort\":2,\"new\":{\"proto\":3}}",
     {"tcp", "", "", 1, 2}},
    /* What is missing is for port_spec_check() to say. */
    {"{\"parentPort\":0}", {"", "", "", 0, 0}},
};

START_TEST(a_body_is_read)
{
    const struct port_spec *want = &good[_i].spec;
    struct port_spec spec;
    struct err err = {0};
    int r = api_spec_from_text(good[_i].body, strlen(good[_i].body), &spec, &err);
    ck_assert_msg(r == 0, "%s: %s", good[_i].body, err.msg);
    ck_assert_str_eq(spec.proto, want->proto);
    ck_assert_str_eq(spec.parent_ip, want->parent_ip);
    ck_assert_str_eq(spec.child_ip, want->child_ip);
    ck_assert_uint_eq(spec.parent_port, want->parent_port);
    ck_assert_uint_eq(spec.child_port, want->child_port);
}
END_TEST

static const struct {
    const char *body, *said;
} bad[] = {
    {"", "cannot read the body as JSON"},
    {"{", "cannot read the body as JSON"},
    {"{}x", "cannot read the body as JSON"},
    {"{\"proto\":\"tcp\",\"proto\":\"tcp\"}", "duplicate"},
    {"{\"parentPort\":9223372036854775808}", "too big"},
    {"{\"proto\":\"\xff\"}", "unable to decode byte"},
    {"null", "must be a JSON object"},
    {"[]", "must be a JSON object"},
    {"\"tcp\"", "must be a JSON object"},
    {"{\"parentPort\":1,\"proto\":1}", "proto must be a string"},
    {"{\"parentPort\":1,\"proto\":\"muchtoolong\"}", "proto must be a string of at most 7"},
    {"{\"parentPort\":1,\"proto\":\"tcp\\u0000\"}", "proto must not have a NUL"},
    {"{\"parentPort\":1,\"parentIP\":[]}", "parentIP must be a string"},
    {"{\"parentPort\":1,\"childIP\":false}", "childIP must be a string"},
    {"{}", "parentPort must be a port number; 0 takes"},
    {"{\"parentPort\":null}", "parentPort must be a port number; 0 takes"},
    {"{\"parentPort\":\"80\"}", "parentPort must be a port number"},
    {"{\"parentPort\":65536}", "parentPort must be a port number up to 65535"},
    {"{\"parentPort\":80.0}", "parentPort must be a port number"},
    {"{\"parentPort\":1,\"childPort\":-1}", "childPort must be a port number up to 65535"},
    {"{\"parentPort\":1,\"childPort\":true}", "childPort must be a port number"},
};

START_TEST(a_bad_body_is_refused_with_the_reason)
{
    struct port_spec spec;
    struct err err = {0};
    int r = api_spec_from_text(bad[_i].body, strlen(bad[_i].body), &spec, &err);
    ck_assert_msg(r < 0, "%s was taken", bad[_i].body);
    ck_assert_msg(strstr(err.msg, bad[_i].said), "%s: %s", bad[_i].body, err.msg);
}
END_TEST

START_TEST(a_port_is_written_in_order_without_empty_fields)
{
    struct port_spec spec = {"tcp4", "", "10.0.2.100", 8080, 80};
    json_t *json = api_status_to_json(4294967295, &spec);
    char *text = json_dumps(json, JSON_COMPACT);
    ck_assert_str_eq(text, "{\"id\":4294967295,\"spec\":{\"proto\":\"tcp4\",\"parentPort\":8080,"
                           "\"childPort\":80,\"childIP\":\"10.0.2.100\"}}");
    free(text);
    json_decref(json);
}
END_TEST

START_TEST(text_that_is_no_utf8_is_shown_all_the_same)
{
    json_t *json = api_text_to_json("/home/\xe9/x");
    ck_assert_str_eq(json_string_value(json), "/home/?/x");
    json_decref(json);
}
END_TEST

START_TEST(an_answer_without_an_id_is_refused)
{
    static const char *const answers[] = {
        "{}",        "[]", "{\"id\":\"1\"}", "{\"id\":-1}", "{\"id\":4294967296,\"spec\":{}}",
        "{\"id\":1}"};
    json_t *json = json_loads(answers[_i], 0, NULL);
    struct port_spec spec;
    uint32_t id;
    struct err err = {0};
    ck_assert_msg(api_status_from_json(json, &id, &spec, &err) < 0, "%s", answers[_i]);
    ck_assert_str_ne(err.msg, "");
    json_decref(json);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api_json");
    TCase *tcase = tcase_create("json");
    tcase_add_loop_test(tcase, a_body_is_read, 0, sizeof good / sizeof good[0]);
    tcase_add_loop_test(tcase, a_bad_body_is_refused_with_the_reason, 0,
                        sizeof bad / sizeof bad[0]);
    tcase_add_test(tcase, a_port_is_written_in_order_without_empty_fields);
    tcase_add_test(tcase, text_that_is_no_utf8_is_shown_all_the_same);
    tcase_add_loop_test(tcase, an_answer_without_an_id_is_refused, 0, 6);
    suite_add_tcase(suite, tcase);
    return tap_run(suite);
}
