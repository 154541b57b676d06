# Camera faults in a virtual machine with systemd and V4L2: absent at the start, unplugged, another number, frozen, its
# feed dead, and a loop that hangs. Run as root in a folder with the wheel, click's wheel and face.avi (any face video);
# needs the kernel modules vivid and v4l2loopback, ffmpeg, and OpenCV with one engine in /opt/venv.
set -u
EF=/opt/venv/bin/edge-fer
STABLE=/dev/v4l/by-id/usb-test-camera-index0
section() { echo; echo "## $* [$(cut -d' ' -f1 /proc/uptime) s after boot]"; }
now() { date +%s%3N; }
lines() { wc -l < "$1"; }
# wait_for SECONDS TEST…: wait until the test is true, and tell how long it took
wait_for() {
  local limit=$1 start; start=$(now); shift
  until "$@"; do [ $(($(now) - start)) -lt $((limit * 1000)) ] || { echo "  NOT within $limit s: $*"; return 1; }; sleep 0.05; done
  echo "  after $(($(now) - start)) ms: $*"
}
more_lines() { [ "$(lines "$1")" -gt "$2" ]; }
says() { grep -q "$2" "$1"; }
ends() { ! kill -0 "$1" 2> /dev/null; }
footprint() { echo "  threads $(ls /proc/$1/task | wc -l), file handles $(ls /proc/$1/fd | wc -l), $(grep VmRSS /proc/$1/status | tr -s '\t ' ' ')"; }
cpu_ms() { awk '{print ($14 + $15) * 10}' /proc/$1/stat; }
unplug() { echo vivid.0 > /sys/bus/platform/drivers/vivid/unbind; }
plug() { echo vivid.0 > /sys/bus/platform/drivers/vivid/bind; }

/opt/venv/bin/pip install -q --no-index --no-deps --force-reinstall ./*.whl 2>&1 | tail -1; $EF --version
# What udev does for a USB camera: a name that stays.
echo 'SUBSYSTEM=="video4linux", ATTR{name}=="vivid-000-vid-cap", SYMLINK+="v4l/by-id/usb-test-camera-index0"' > /etc/udev/rules.d/70-test-camera.rules
udevadm control --reload

section "no camera at the start: without --wait"
$EF run --camera 0 --json; echo "  exit code $?"

section "no camera at the start: with --wait, then plugged in"
$EF run --camera 0 --wait --json > a.jsonl 2> a.err & P=$!
wait_for 60 says a.err 'waiting for it'
sleep 10; T=$(cpu_ms $P); sleep 20; echo "  while it waits: $((($(cpu_ms $P) - T) / 20)) ms of processor time a second"
modprobe vivid n_devs=1 node_types=0x1; wait_for 30 more_lines a.jsonl 0; cat a.err

section "unplugged and plugged in again 20 s later, under another number"
sleep 5; footprint $P; L=$(lines a.err); unplug; wait_for 30 more_lines a.err "$L"
sleep 10; T=$(cpu_ms $P); sleep 10; echo "  while it is away: $((($(cpu_ms $P) - T) / 10)) ms of processor time a second"
modprobe v4l2loopback video_nr=0 card_label=taken exclusive_caps=1
N=$(lines a.jsonl); plug; wait_for 30 more_lines a.jsonl "$N"; echo "  it is now $(readlink -f $STABLE)"; footprint $P; tail -n +$((L + 1)) a.err

section "ten more times"
for i in $(seq 10); do
  L=$(lines a.err); unplug; until more_lines a.err "$L"; do sleep 0.05; done
  N=$(lines a.jsonl); plug; wait_for 30 more_lines a.jsonl "$N" | sed 's/: .*//'
done
footprint $P; echo "  messages: $(lines a.err)"

section "SIGTERM while it is unplugged"
unplug; sleep 4; kill -TERM $P; wait_for 20 ends $P; wait $P; echo "  exit code $?"; tail -4 a.err
rmmod vivid v4l2loopback

section "a face video as a camera"
# Not exclusive_caps=1: v4l2loopback 0.12.7, as in Debian 12, then takes no second feed.
modprobe v4l2loopback video_nr=9 card_label=face
feed() { ffmpeg -nostdin -loglevel error -re -stream_loop -1 -i face.avi -pix_fmt yuyv422 -f v4l2 /dev/video9 & F=$!; }
feed; sleep 6
$EF run --camera 9 --json > b.jsonl 2> b.err & P=$!
wait_for 60 more_lines b.jsonl 5; tail -1 b.jsonl | cut -c1-160

section "frozen for 20 s: the feed is stopped, read() blocks"
kill -STOP $F; wait_for 30 says b.err 'waiting for it'; sleep 20
N=$(lines b.jsonl); kill -CONT $F; wait_for 40 more_lines b.jsonl "$N"; cat b.err; footprint $P

section "the feed dies and comes back 20 s later"
L=$(lines b.err); kill -9 $F; wait $F 2> /dev/null; wait_for 30 more_lines b.err "$L"; sleep 20
N=$(lines b.jsonl); feed; wait_for 60 more_lines b.jsonl "$N"; tail -n +$((L + 1)) b.err; footprint $P

section "SIGTERM while read() is blocked"
kill -STOP $F; sleep 2; kill -TERM $P; wait_for 20 ends $P; wait $P; echo "  exit code $?"; tail -3 b.err; kill -9 $F; wait $F 2> /dev/null

section "as a service: ready without a camera, and started again when its loop hangs"
rmmod v4l2loopback
S=$(now); systemd-run -q --unit=edge-fer-check -p Type=notify -p NotifyAccess=main -p WatchdogSec=10 -p Restart=on-failure -p RestartSec=1 $EF run --camera $STABLE --wait --headless
echo "  started within $(($(now) - S)) ms"; sleep 5; systemctl show -p ActiveState,SubState,StatusText,NRestarts edge-fer-check
modprobe vivid n_devs=1 node_types=0x1; frames() { systemctl show -p StatusText edge-fer-check | grep -q 'frames a second'; }; wait_for 40 frames
systemctl show -p StatusText edge-fer-check
kill -STOP "$(systemctl show -p MainPID --value edge-fer-check)"; restarted() { [ "$(systemctl show -p NRestarts --value edge-fer-check)" -ge 1 ]; }
wait_for 60 restarted; wait_for 60 frames; journalctl -u edge-fer-check --no-pager -o cat | grep -i -m2 watchdog
S=$(now); systemctl stop edge-fer-check; echo "  stopped within $(($(now) - S)) ms"
exit 0
