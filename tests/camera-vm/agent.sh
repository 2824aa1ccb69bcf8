# What the guest does: it runs the scripts that the host names, one after the other, with the words below.
#
# The host writes the name of a folder of /mnt to the serial line; the `script` in it runs there, and its name and exit
# status go back. Clocks are the guest's: they count its instructions, so that a busy host changes no measurement.
exec 3<>/dev/ttyS1
stty -F /dev/ttyS1 raw -echo
export HOME=/root
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# CAMERA_VM (this test program), CAMLOC (the program under test), MODULES and LIBRARY, which were the host's.
. /mnt/environment
export CAMLOC_CACHE=/nonexistent CAMLOC_ORT_DYLIB=$LIBRARY

# mark WORD: notes when something was done.
mark() { echo "$EPOCHREALTIME $1" >>marks; }

# stamp: passes lines on, each behind the time when it came.
stamp() { while IFS= read -r line; do echo "$EPOCHREALTIME $line"; done; }

# await COMMAND: waits until it succeeds; if it never does, the test fails.
await() {
    for _ in {1..300}; do
        "$@" >/dev/null 2>&1 && return
        sleep .1
    done
    echo "never: $*" >>trouble
}

# nodes N: whether there are N device files of cameras. A webcam has two, the second for metadata.
nodes() { [ "$(ls /dev | grep -c '^video')" = "$1" ]; }

# plug PORT ARGUMENTS: plugs a webcam in (webcam/mod.rs has the arguments), and waits until the kernel has it.
plug() {
    local before
    before=$(ls /dev | grep -c '^video')
    "$CAMERA_VM" webcam "$@" >>webcam-"$1" 2>&1 &
    webcam[$1]=$!
    await nodes $((before + 2))
}

# unplug PORT: pulls it out.
unplug() {
    mark unplugged
    kill "${webcam[$1]}"
}

# live SECONDS ARGUMENTS: the program under test for a while, then Ctrl-C. What it says goes to `notes`, what it sees to
# `seen`.
live() {
    local seconds=$1
    shift
    timeout --preserve-status -s INT -k 10 "$seconds" "$CAMLOC" live --no-window --no-track --stats --json - "$@" 2>&1 >seen | stamp >notes
    return "${PIPESTATUS[0]}"
}

# clean: nothing of a test is left for the next one.
clean() {
    local left
    # A program that outlives its shell would take the next test's camera for the one that was pulled out.
    pkill -KILL -x camloc
    left=$(jobs -p)
    [ -z "$left" ] || kill $left 2>/dev/null
    wait
    modprobe -r -d "$MODULES" vivid 2>/dev/null
    await nodes 0
}

modprobe -d "$MODULES" -a vhci-hcd uvcvideo
echo ready >&3
while read -r name <&3; do
    cd "/mnt/$name" || continue
    (
        declare -a webcam
        trap 'echo $? >status; clean' EXIT
        . ./script
    ) >output 2>&1
    echo "$name" >&3
done
