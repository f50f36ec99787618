#!/bin/bash
# What users, or those before them, could have prepared.
# shellcheck disable=SC2119 # no option is a service, too
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

service
make_user mallory
mallory=$uid
make_user alice
dir=/run/user/$uid

# NAME TEXT: alice's session gets no directory, and the log says TEXT
refused() {
    forget_log
    run host "$user" open env close
    is "$1: not used" "$rc $out" "0 "
    like "$1: and the log says why" "$(logged)" "$2"
}

mkdir -p /run/user
chmod 755 /run/user
mkdir -m 700 "$dir"
chown "$mallory" "$dir"
refused "somebody else's directory" "$dir belongs to uid $mallory, not to $user: not used"
ok "and left alone" test -d "$dir"
chown root "$dir"
refused "root's directory" "$dir belongs to uid 0, not to $user"
chown "$user" "$dir"
chmod 777 "$dir"
refused "one that others can write to" "$dir has mode 0777"
rmdir "$dir"
mkdir "$work/aim"
chown "$user" "$work/aim"
ln -s "$work/aim" "$dir"
refused "a symbolic link" "$dir is a symbolic link"
is "and its aim is as it was" "$(stat -c '%a %U' "$work/aim")" "755 $user"
rm "$dir"
echo x >"$dir"
refused "a file" "$dir is a file"
rm "$dir"

install -d -m 755 -o "$user" "$dir"
run host "$user" open sh="stat -c %a $dir" close
is "his own one is closed to others" "$out" 700
ok "and not removed: it was not made here" test -d "$dir"
rmdir "$dir"

chmod 777 /run/user
refused "a /run/user that anybody can write to" "/run/user has owner 0 and mode 0777"
chmod 755 /run/user
chown "$mallory" /run/user
refused "somebody else's /run/user" "/run/user has owner $mallory"
mv /run/user /run/user.away
ln -s "$work/aim" /run/user
refused "a /run/user that is a link" "/run/user"
is "nothing is made behind it" "$(ls -A "$work/aim")" ""
rm /run/user

ln -s "$work/aim" /run/rootless-toolkit.link
rm -rf /run/rootless-toolkit
mv /run/rootless-toolkit.link /run/rootless-toolkit
forget_log
run host "$user" open close
is "a link in the place of the state's folder" "$rc$(ls -A "$work/aim")" 0
like "is refused" "$(logged)" "cannot use /run/rootless-toolkit"
rm /run/rootless-toolkit
mkdir -m 777 /run/rootless-toolkit
chmod 777 /run/rootless-toolkit
forget_log
run host "$user" open close
like "so is a folder that anybody can write to" "$(logged)" "/run/rootless-toolkit has owner 0 and mode 0777"
rmdir "$dir" 2>/dev/null || true
rm -rf /run/rootless-toolkit
install -d /run/rootless-toolkit
mkdir -m 700 /run/rootless-toolkit/pam
ln -s "$work/aim/state" "/run/rootless-toolkit/pam/$uid.lock"
forget_log
run host "$user" open close
is "a link in the place of the lock is not followed" "$rc$(ls -A "$work/aim")" 0
rm -rf /run/rootless-toolkit "$dir"

# ---- what is removed ----

mkdir "$work/precious" "$work/mounted"
echo kept >"$work/precious/file"
echo kept >"$work/mounted/file"
chown -R "$user" "$work/precious"
start_host "$user" open
as_user ln -s "$work/precious" "$dir/link"
as_user ln -s / "$dir/root"
as_user mkdir -p "$dir/a/b/c"
as_user ln -s "$work/precious" "$dir/a/b/c/link"
python3 - "$dir" <<'END'
import os, sys
os.chdir(sys.argv[1])
for i in range(3000):
    os.mkdir("d")
    os.chdir("d")
    open("f", "w").close()
END
mkfifo "$dir/fifo"
touch "$dir/.moved-0" "$dir/a/"$'odd\nname'
chmod 000 "$dir/a/b"
let_go
clean "whatever he left there, 3000 deep, is removed"
is "and nothing that it points to" "$(cat "$work/precious/file")" kept

# A login that died while it made the directory, which was his already.
mkdir -p /run/user
install -d -m 700 -o "$user" "/run/user/.$uid.new"
as_user mkdir "/run/user/.$uid.new/old"
run host "$user" open sh="ls -A $dir" close
is "what he put into a half-made directory keeps him from none" "$rc$out$err" 0
clean "and is gone with it"

start_host "$user" open
mkdir "$dir/mount"
mount --bind "$work/mounted" "$dir/mount"
forget_log
let_go
is "a mount is not entered" "$(cat "$work/mounted/file")" kept
like "what stays is told" "$(logged)" "is not wholly removed, the next logout tries again"
umount "$dir/mount"
run host "$user" open close
clean "and goes when the mount is gone"

# A race: while root removes, he puts links in the place of directories.
start_host "$user" open
cat >"$work/racer" <<'END'
while :; do
    cd "$1" || continue
    mkdir -p x/y 2>/dev/null; touch x/y/z
    mv x w 2>/dev/null; ln -s "$2" x 2>/dev/null; rm -rf w 2>/dev/null; rm -f x 2>/dev/null
done
END
chmod 755 "$work/racer"
(rltest_exec_as_user sh "$work/racer" "$dir" "$work/precious") >/dev/null 2>&1 7>&- &
racer=$!
for _ in $(seq 5); do
    let_go
    start_host "$user" open
done
let_go
is "a race for links harms nothing" "$(cat "$work/precious/file")" kept
kill "$racer"
wait "$racer" || true
run host "$user" open close
clean "and is over in the end"

# ---- another owner's directory is never removed ----

start_host "$user" open
mv "$dir" "$dir.mine"
install -d -m 700 -o "$mallory" "$dir"
touch "$dir/theirs"
let_go
ok "one that was put in its place stays" test -e "$dir/theirs"
rm -rf "$dir" "$dir.mine"
done_testing
