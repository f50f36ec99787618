/* --egress-allow and --egress-deny. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/net/address.h"
#include "rootlesskit/gateway/egress.h"

/* Every rule is about its own network, on each of its ports; nothing of it leaks into the other
 * family. */
static void check(const struct egress_rule *rule)
{
    static struct egress alone;
    const struct in6_addr v6 = {{{0x20, 0x01, 0x0d, 0xb8}}};
    struct in6_addr other = address_is_v4(&rule->network) ? v6 : address_map((struct in_addr){0});
    alone.n = 1;
    alone.items[0] = *rule;
    assert(rule->deny && rule->prefix <= 128 && rule->n_ports <= EGRESS_PORTS_MAX);
    assert(egress_denies(&alone, &rule->network, 0) == (rule->n_ports == 0));
    assert(!egress_denies(&alone, &other, rule->ports[0].first));
    for (unsigned i = 0; i < rule->n_ports; i++) {
        assert(rule->ports[i].first > 0 && rule->ports[i].first <= rule->ports[i].last);
        assert(egress_denies(&alone, &rule->network, rule->ports[i].last));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct egress rules;
    char *text = malloc(size + 1);
    assert(text);
    memcpy(text, data, size);
    text[size] = '\0';
    rules.n = rules.n_allow = 0;
    int r = egress_add(&rules, text, true, NULL);
    assert(r < 0 ? rules.n == 0 : rules.n > 0);
    assert(rules.n_allow == 0);
    for (size_t i = 0; i < rules.n; i++)
        check(&rules.items[i]);
    free(text);
    return 0;
}
