#!/usr/bin/env bash
# Builds the guest with debug information, plain and optimised, in the two versions
# of DWARF that compilers write. Needs clang and lld with the wasm32 target.
set -euo pipefail
cd "$(dirname "$0")"
for build in O0:4 O2:4 O2:5; do
  clang --target=wasm32 "-${build%:*}" "-gdwarf-${build#*:}" -fdebug-compilation-dir=/build -ffile-prefix-map="$PWD"=/build -nostdlib -ffreestanding \
    -Wl,--no-entry -Wl,-z,stack-size=16384 -o "trap-${build%:*}-dwarf${build#*:}.wasm" trap.c
done
