#!/bin/bash
# What `rootless-setup check` makes of Debian's stock kernel, and of the one thing that can be missing.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
make_user check
modules=(overlay veth nft_chain_nat nft_masq nft_tproxy nft_socket tun)

check() { run as_user rootless-setup check "$@"; } # ID...
# NAME STATUS: the line of that check
says() { like "$1: $2" "$out" $'\n'"$2 +$1 "; }

like "the kernel is Debian's" "$(uname -v)" "Debian 6\.1\."
unload "${modules[@]}"
is "no module is loaded that it probes for" "$(loaded "${modules[@]}")" ""
check
is "as it is installed: ready" "$rc" 0
like "it says so" "$out" "$user is ready for rootless engines"
unlike "nothing failed" "$out" $'\nfailed '
for name in "user namespace" "overlay file system" "tun device" "veth pair" "nf_tables NAT" \
    "nf_tables tproxy" "policy routing"; do
    says "$name" ok
done
is "the kernel loaded each module when it was asked for" "$(loaded "${modules[@]}")" \
    "$(printf '%s\n' "${modules[@]}")"

# Without udev there is no node that would load tun.
umount /dev/net/tun
rm /dev/net/tun
at_end sh -c 'rm -f /dev/net/tun; mknod -m 666 /dev/net/tun c 10 200'
unload tun
check net.tun net.tproxy
is "without /dev/net/tun: not ready" "$rc" 1
says "tun device" failed
says "nf_tables tproxy" ok
like "the cause" "$out" "tun device \(net.tun\): the tun module is not loaded"
sed -n '/^sudo sh -eu /,/^END_OF_REMEDIES$/p' <<<"$out" | sed '1d;$d' >"$work/remedy"
like "the remedy" "$(cat "$work/remedy")" "modprobe -a tun"
ok "root follows it" sh -eu "$work/remedy"
rm -f /etc/modules-load.d/rootless-tun.conf
check net.tun
is "and it is ready" "$rc" 0
says "tun device" ok
done_testing
