#!/usr/bin/env bash
# Builds every app. Needs clang and lld with the wasm32 target.
set -euo pipefail
cd "$(dirname "$0")"
for source in *.c; do
  clang --target=wasm32 -O2 -nostdlib -ffreestanding -fno-builtin -Wall -Wl,--no-entry -Wl,-z,stack-size=16384 -Wl,--strip-all -o "${source%.c}.wasm" "$source"
done
