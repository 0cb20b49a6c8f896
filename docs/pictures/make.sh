#!/bin/sh
# Makes the pictures of the screen again: `sh docs/pictures/make.sh`, with starwell on the PATH.
# Needs Xvfb, xterm, xdotool, tmux and ImageMagick. A simulated night is shot in a folder of its own.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
home=$(mktemp -d)
export STARWELL_HOME="$home" DISPLAY=:87 LANG=C.UTF-8
unset COLORTERM TMUX NO_COLOR || true
printf '[rig]\ncamera = "simulated"\nfocal_mm = 480\n' > "$home/config.toml"

Xvfb "$DISPLAY" -screen 0 1000x720x24 > /dev/null 2>&1 &
server=$!
starwell run --camera simulated:speed=40,size=1600x1200 --exposure 60 --gain 100 --temperature 12 \
    --frames 4000 --target 'M 51' > "$home/run.log" 2>&1 &
engine=$!
trap 'tmux -S "$home/tmux" kill-server 2> /dev/null; starwell stop > /dev/null 2>&1; kill $engine $server 2> /dev/null; wait; rm -rf "$home"' EXIT

stacked() {
    until starwell status --json 2> /dev/null | grep -q "\"stacked\":$1[,0-9]"; do sleep 1; done
}

# picture NAME "KEYS" XTERM-OPTIONS... -e COMMAND...
picture() {
    name=$1 keys=$2
    shift 2
    xterm -fa 'DejaVu Sans Mono' -fs 8 -geometry 120x40+0+0 -b 0 -bw 0 +sb -bg '#121212' "$@" &
    terminal=$!
    sleep 8
    for key in $keys; do xdotool key "$key"; sleep 1; done
    sleep 4
    window=$(xdotool search --onlyvisible --class xterm | head -n 1)
    import -window "$window" "$home/$name.png"
    kill $terminal
    wait $terminal 2> /dev/null || true
    convert "$home/$name.png" +dither -colors "${colours:-48}" -define png:compression-level=9 "PNG8:$here/$name.png"
}

stacked 2
picture text "" -tn xterm-256color -e starwell
picture tmux "" -tn xterm-256color -e tmux -S "$home/tmux" -f /dev/null new-session starwell
picture sixel "" -ti vt340 -tn xterm-256color -xrm 'XTerm*numColorRegisters: 64' -e starwell --preview sixel
picture red "" -ti vt340 -tn xterm-256color -xrm 'XTerm*numColorRegisters: 64' -e starwell --preview sixel --red
picture focus "p F" -tn xterm-256color -e starwell
