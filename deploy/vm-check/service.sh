#!/bin/bash
# The service from its installation to its last trace, on a machine that may be thrown away; see README.md.
# Usage, as root: service.sh FOLDER      FOLDER holds wheels/ (edge-fer and what it needs) and face.avi
set -u
folder=$(readlink -f "${1:-.}")
edge_fer=/opt/edge-fer/bin/edge-fer
failed=0

step() { echo; echo "## $*"; }
now() { cut -d' ' -f1 /proc/uptime; }
since() { awk "BEGIN { printf \"%.1f\", $(now) - $1 }"; }
manager=systemctl
show() { $manager show --property="$1" --value edge-fer.service; }
status() { show StatusText; }
same() { [ "$1" = "$2" ]; }
frames() { status | grep -q -E '^working|[1-9][0-9.]* frames a second'; }
waits() { status | grep -q '^waiting'; }
active() { same "$(show ActiveState)" active; }
# another OLD_PROCESS: whether a newer one runs; the process is asked for first, for it is 0 in between.
another() {
    local process
    process=$(show MainPID)
    ! same "$process" 0 && ! same "$process" "$1" && active
}
# till SECONDS WHAT COMMAND...: waits for a condition and tells how long that took.
till() {
    local limit=$1 what=$2 began
    shift 2
    began=$(now)
    while ! "$@"; do
        if awk "BEGIN { exit !($(now) - $began > $limit) }"; then
            echo "FAILED: $what: not within $limit s; status: $(status)"
            failed=1
            return 1
        fi
        sleep 0.2
    done
    echo "$what: after $(since "$began") s; status: $(status)"
}
check() {
    local what=$1
    shift
    if "$@"; then echo "ok: $what"; else echo "FAILED: $what"; failed=1; fi
}
feed() {
    ffmpeg -nostdin -loglevel error -re -stream_loop -1 -i "$folder/face.avi" -pix_fmt yuyv422 -f v4l2 /dev/video0 &
    feeder=$!
}

step "The wheel in /opt/edge-fer"
[ -x /opt/edge-fer/bin/pip ] || python3 -m venv /opt/edge-fer
/opt/edge-fer/bin/python -m pip install --quiet --no-index --find-links "$folder/wheels" "edge-fer[mqtt]" || exit 1
began=$(now)
$edge_fer --version
echo "an interpreter with the command line starts in $(since "$began") s here"
systemctl --version | head -1

step "A place that the service could not read"
chmod 700 /opt/edge-fer
$edge_fer service install --camera 0
check "refused" test ! -e /etc/systemd/system/edge-fer.service
chmod 755 /opt/edge-fer

step "An option that is wrong"
$edge_fer service install --camera 0 --fps fast
check "refused" test ! -e /etc/systemd/system/edge-fer.service

step "No camera at boot: no driver is loaded"
lsmod | grep -c videodev
began=$(now)
$edge_fer service install --camera 0
echo "exit code $?, after $(since "$began") s"
till 20 "it waits" waits
systemd-analyze verify /etc/systemd/system/edge-fer.service
systemd-analyze security --no-pager edge-fer.service | tail -1

step "The camera comes"
modprobe v4l2loopback video_nr=0 card_label=face exclusive_caps=1
feed
till 40 "frames" frames

step "Status and log"
$edge_fer service status | sed -n '1,12p'
$edge_fer service logs -n 12

step "Doctor"
$edge_fer doctor
echo "exit code $?"

step "A second install"
before=$(stat -c %Y /etc/systemd/system/edge-fer.service) process=$(show MainPID)
$edge_fer service install --camera 0
check "the unit is untouched" same "$before" "$(stat -c %Y /etc/systemd/system/edge-fer.service)"
check "the process goes on" same "$process" "$(show MainPID)"

step "kill -9"
process=$(show MainPID)
kill -9 "$process"
till 120 "another process" another "$process"
till 40 "frames" frames

step "Freeze: the camera gives no more frames"
kill -STOP $feeder
till 30 "noticed" waits
sleep 5
kill -CONT $feeder
till 30 "thawed, frames" frames
check "the same process" same "$(show NRestarts)" 1

step "A loop that hangs: SIGSTOP, and the watchdog"
process=$(show MainPID)
kill -STOP "$process"
till 90 "another process" another "$process"
journalctl --unit edge-fer --output cat | grep -i watchdog | tail -1
till 40 "frames" frames

step "SIGHUP: settings are read anew"
process=$(show MainPID)
mkdir -p /etc/edge-fer
echo 'min_face_px = 500' >/etc/edge-fer/config.toml
systemctl reload edge-fer
till 40 "frames, without a face" sh -c "systemctl show -p StatusText --value edge-fer | grep -q 'second, 0 faces'"
echo 'min_face_px = "big"' >/etc/edge-fer/config.toml
systemctl reload edge-fer
sleep 8
till 40 "bad settings change nothing" sh -c "systemctl show -p StatusText --value edge-fer | grep -q 'second, 0 faces'"
journalctl --unit edge-fer --output cat | grep config.toml | tail -1
rm /etc/edge-fer/config.toml
systemctl reload edge-fer
till 40 "the face is back" sh -c "systemctl show -p StatusText --value edge-fer | grep -q 'second, 1 face'"
check "the same process" same "$process" "$(show MainPID)"

step "Bad settings at the start"
echo 'min_face_px = "big"' >/etc/edge-fer/config.toml
$edge_fer service restart
echo "exit code $?"
check "restart refused, the service goes on" same "$process" "$(show MainPID)"
systemctl restart edge-fer
sleep 10
echo "restarted past the check: $(show ActiveState), exit code $(show ExecMainStatus), restarts $(show NRestarts)"
rm /etc/edge-fer/config.toml

step "Another camera: install with other options, and unplug and replug it"
modprobe vivid n_devs=1 node_types=0x1 vid_cap_nr=1
$edge_fer service install --camera 1
till 40 "frames" frames
echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind &
till 30 "noticed" waits
sleep 3
echo vivid.0 >/sys/bus/platform/drivers/vivid/bind
till 30 "back, frames" frames
check "it was never started again" same "$(show NRestarts)" 0

step "A broker, which is away, and a password for root alone"
echo swordfish >/etc/edge-fer/mqtt-password
chmod 600 /etc/edge-fer/mqtt-password
$edge_fer service install --camera 0 --mqtt mqtt://visitor@127.0.0.1 --mqtt-password-file /etc/edge-fer/mqtt-password
till 40 "frames" frames
$edge_fer service logs -n 20 | grep mqtt | tail -1
check "the password is handed over by systemd" grep -q -z 'mqtt-password-file=/run/credentials/' "/proc/$(show MainPID)/cmdline"
systemd-analyze security --no-pager edge-fer.service | tail -1
$edge_fer doctor | grep -A1 broker
$edge_fer service install --camera 0
check "the network is closed again" same "$(show PrivateNetwork)" yes
till 40 "frames" frames

step "What it holds"
process=$(show MainPID)
grep -E '^(VmHWM|VmRSS|Threads|Uid|Groups|CapEff|NoNewPrivs|Seccomp):' "/proc/$process/status"
echo "$(ls "/proc/$process/fd" | wc -l) open files, $(find /var/lib/private/edge-fer -type f | wc -l) files written"

step "Stop"
began=$(now)
systemctl stop edge-fer
echo "exit code $(show ExecMainStatus), after $(since "$began") s"

step "From install to the first frame"
$edge_fer service uninstall
began=$(now)
$edge_fer service install --camera 0
till 40 "frames" frames
echo "first frame $(since "$began") s after the command was typed"

step "Uninstall"
$edge_fer service uninstall
echo "exit code $?"
$edge_fer service uninstall
echo "exit code $?"
left=$(find /etc/systemd /run/systemd /var/lib /run -iname '*edge-fer*' 2>/dev/null)
check "nothing is left: $left" same "$left" ""
$edge_fer service status
echo "exit code $?"

step "The service of a user"
useradd --create-home --groups video visitor
home=$(getent passwd visitor | cut -d: -f6)
run=/run/user/$(id -u visitor)
mkdir -p "$run" && chown visitor: "$run" && chmod 700 "$run"
# What user@.service does, without the login of which a bare machine may know nothing.
systemd-run --quiet --unit=visitors-manager --uid=visitor --property=Delegate=yes --setenv=XDG_RUNTIME_DIR="$run" \
    --setenv=HOME="$home" /lib/systemd/systemd --user
visitor="runuser -u visitor -- env XDG_RUNTIME_DIR=$run HOME=$home"
manager="$visitor systemctl --user"
till 60 "the user's manager runs" test -S "$run/systemd/private"
cd "$home" || exit 1
$visitor $edge_fer service install --user --camera 0 --csv "$home/faces.csv"
till 40 "frames" frames
$visitor $edge_fer service uninstall
check "the user's file stays" test -s "$home/faces.csv"
left=$(find "$home" "$run" -name '*edge-fer*')
check "nothing is left: $left" same "$left" ""

kill $feeder
step "$([ $failed = 0 ] && echo "all as it should be" || echo "something FAILED")"
exit $failed
