# Shared by the tests of `rootless-setup subid`: TAP, a tree to work on, and the comparison that
# says whether anything in it changed. $1 is the rootless-setup under test.
# shellcheck shell=bash disable=SC2034 # setup is for the tests
setup=$1
tests=0 failures=0

# result WHAT DETAIL STATUS
result() {
    tests=$((tests + 1))
    if [ "$3" = 0 ]; then
        echo "ok $tests - $1"
    else
        failures=$((failures + 1))
        echo "not ok $tests - $1"
        printf '%s\n' "$2" | sed 's/^/# /'
    fi
}

skip() {
    tests=$((tests + 1))
    echo "ok $tests # SKIP $1: $2"
    [ "${MUST_WORK:-0}" != 1 ] || failures=$((failures + 1))
}

# same WHAT FOUND WANTED
same() {
    local status=0
    [ "$2" = "$3" ] || status=1
    result "$1" "found: $2
wanted: $3" $status
}

finish() {
    echo "1..$tests"
    [ $failures = 0 ]
}

work=$(mktemp -d /tmp/rltest-XXXXXX)
root=$work/root

# A fresh tree with a few users, and whatever files the test then writes.
fresh() {
    rm -rf "$root"
    mkdir -p "$root/etc"
    cat >"$root/etc/passwd" <<'END'
root:x:0:0:root:/root:/bin/sh
alice:x:1000:1000::/home/alice:/bin/sh
bob:x:1001:1001::/home/bob:/bin/sh
evil::x:1002:1002::/home/evil:/bin/sh
1234:x:1003:1003::/home/1234:/bin/sh
-dash:x:1004:1004::/home/dash:/bin/sh
END
    printf 'root:x:0:\nusers:x:100:\n' >"$root/etc/group"
}

# Names, modes, owners and contents of the tree, in one string.
fingerprint() {
    (cd "$root" && find . -printf '%p %m %U:%G %l\n' | sort && find . -type f | sort | xargs md5sum)
}

# refused WHAT STATUS TEXT COMMAND...: ends with STATUS, says one line on stderr that holds TEXT,
# nothing on stdout, and leaves the tree as it was
refused() {
    local what=$1 wanted=$2 text=$3 status=0 found
    shift 3
    fingerprint >"$work/before"
    "$@" >"$work/out" 2>"$work/err" || status=$?
    found="exit $status
$(cat "$work/out" "$work/err")
$(fingerprint | diff "$work/before" - || true)"
    if [ $status = "$wanted" ] && [ "$(wc -l <"$work/err")" = 1 ] && [ ! -s "$work/out" ] &&
        grep -qF -- "$text" "$work/err" && fingerprint | cmp -s "$work/before" -; then
        result "$what" "" 0
    else
        result "$what" "$found" 1
    fi
}
