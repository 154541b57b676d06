#!/bin/sh
# Write the videos in tests/faults/files anew, with Debian's ffmpeg (5.1): sizes and shades that no camera would give.
# Each is under 20 kB; the tests cut, join and damage them further.
set -eu
cd "$(dirname "$0")/files"
make() { ffmpeg -hide_banner -loglevel error -y "$@"; }
shades() { echo "testsrc=size=$1:rate=10:duration=${2:-2}"; }
x264="-c:v libx264 -preset veryslow -crf 40 -pix_fmt yuv420p -fflags +bitexact -flags:v +bitexact"
# shellcheck disable=SC2086
{
    make -f lavfi -i "$(shades 64x48)" $x264 -movflags faststart plain.mp4
    make -i plain.mp4 -c copy -metadata:s:v rotate=90 rotated.mp4
    make -f lavfi -i "$(shades 64x48)" $x264 -pix_fmt yuv420p10le ten_bits.mp4
    make -f lavfi -i "$(shades 65x49)" $x264 -pix_fmt yuv444p odd_sides.mp4
    make -f lavfi -i "$(shades 64x48)" $x264 -frames:v 1 one_frame.mp4
    make -f lavfi -i "$(shades 64x48)" -vf "setpts='if(lt(N,10),N/10,1+(N-10)/2)/TB'" -vsync vfr $x264 uneven.mp4
    make -f lavfi -i "sine=duration=0.3" -c:a aac -b:a 32k audio_only.mp4
    make -f lavfi -i "$(shades 64x48 1)" $x264 -f mpegts small.ts
    make -f lavfi -i "$(shades 96x80 1)" $x264 -f mpegts large.ts
    cat small.ts large.ts >changing_size.ts
    rm small.ts large.ts
    make -f lavfi -i "color=size=8192x6400:rate=10:duration=0.1" $x264 gigantic.mp4
}
ls -l
