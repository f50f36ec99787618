#!/bin/bash
# SSSD's own plug-in, as Debian ships it. No IPA server can be had here, so the daemon's part of the
# conversation is played by sssd.py; the plug-in and its client library are the real ones.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

ours=$BUILD_ROOT/getsubids/getsubids
mkdir "$work/lib"

# The package is unpacked, not installed: it would change PAM and nsswitch.conf of this machine.
fetch_plugin() {
    local found
    found=$(ldconfig -p | awk '$1 == "libsubid_sss.so" { print $NF; exit }')
    if [ -z "$found" ]; then
        mkdir -p "$work/cache/archives/partial" "$work/package"
        (cd "$work/package" && timeout 100 apt-get -q -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root \
            download sssd-common && dpkg-deb -x sssd-common*.deb .) >"$work/download" 2>&1 || return 1
        found=$(echo "$work"/package/usr/lib/*/libsubid_sss.so)
    fi
    cp "$found" "$work/lib/"
}
fetch_plugin || skip_all "no libsubid_sss.so: package sssd-common is neither installed nor downloadable"
export LD_LIBRARY_PATH=$work/lib
sed -i '/^subid:/d' /etc/nsswitch.conf
echo "subid: sss" >>/etc/nsswitch.conf
echo "rltest-alice:5:5" | tee /etc/subuid >/etc/subgid
mount -t tmpfs -o mode=755 rltest-lib /var/lib
mkdir -p /var/lib/sss/pipes

run "$ours" rltest-alice
is "no daemon: exit status" "$rc" 1
like "no daemon: it is said" "$err" 'the source "sss" .*no connection .*service running.*Error fetching ranges'
is "no daemon: the files do not count" "$out" ""

python3 "$SOURCE_ROOT/tests/integration/getsubids/sssd.py" /var/lib/sss/pipes/nss rltest-alice &
wait_for 10 test -S /var/lib/sss/pipes/nss
run "$ours" rltest-alice
is "uids" "$out" "0: rltest-alice 2147483648 65536"
run "$ours" -g rltest-alice
is "gids" "$out" "0: rltest-alice 2147483648 65536
1: rltest-alice 500000 1000"
run "$ours" rltest-bob
is "a user without" "$rc $out" "1 "
like "a user without: it is said" "$err" "does not know the user"

# shadow's programs and ours go by the same plug-in
if [ -x /usr/bin/getsubids ]; then
    run /usr/bin/getsubids rltest-alice
    is "shadow's getsubids says the same" "$out" "0: rltest-alice 2147483648 65536"
else
    skip "shadow's getsubids says the same" "not installed (package uidmap)"
fi
install -m 755 "$BUILD_ROOT/tests/integration/libsubid/libsubid-ask" "$work/ask"
cp "$BUILD_ROOT/libsubid/libsubid.so.6.0.0" "$work/lib/libsubid.so.6"
run "$work/ask" ranges gid rltest-alice
is "libsubid" "$out" "2 2147483648:65536 500000:1000"
run "$work/ask" owners uid 2147483648
is "owners, which SSSD does not tell" "$rc $out" "1 -1"
like "which is said" "$err" 'the source "sss" .*reports an error'
done_testing
