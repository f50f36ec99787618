# Shared by the tests of `rootless-setup subid`: a tree to work on, and the comparison that says
# whether anything in it changed. $1 is the rootless-setup under test.
# shellcheck shell=bash disable=SC2034 # setup is for the tests
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../schema.sh
. "$(dirname "$0")/../schema.sh"
setup=$1
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

# Names, modes, owners and contents of the tree.
fingerprint() {
    (cd "$root" && find . -printf '%p %m %U:%G %l\n' | sort && find . -type f | sort | xargs md5sum)
}

# refused NAME STATUS TEXT COMMAND...: ends with STATUS, says one line on stderr that holds TEXT,
# nothing on stdout, and leaves the tree as it was
refused() {
    local name=$1 status=$2 text=$3
    shift 3
    fingerprint >"$work/before"
    run "$@"
    fingerprint >"$work/after"
    if [ "$rc" = "$status" ] && [ -z "$out" ] && [ "$err" = "${err%%$'\n'*}" ] &&
        [[ $err == *"$text"* ]] && cmp -s "$work/before" "$work/after"; then
        pass "$name"
    else
        fail "$name" "$(rltest_said "$@"
            diff "$work/before" "$work/after")"
    fi
}
