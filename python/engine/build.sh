#!/usr/bin/env bash
# Builds the engine, byte for byte the same each time: ./build.sh OUT.wasm
#
# pocketpy comes from the crate pocketpy-sys, whose checksum is pinned. The compiler is Debian 12's clang 14
# with wasi-libc and compiler-rt (packages clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32); other versions
# make other bytes. AGORA_PYTHON_CRATE names a copy of the crate, instead of asking the registry.
set -euo pipefail
export LC_ALL=C # the order of the sources
out=$(realpath -m "${1:?the file to write}")
cd "$(dirname "$0")"

CRATE=pocketpy-sys VERSION=0.1.1
SHA256=1c3a11b3bf0999a7d4728c0b48b9e8c8a35b19ca3052f83428eac52e12fa0280
STACK=1048576 # bytes of C stack: calls from C to Python and back nest in it

. ../../script/crate.sh
need clang-14 wasm-ld-14 patch sha256sum tar od

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unpack $CRATE $VERSION $SHA256 "${AGORA_PYTHON_CRATE:-}" "$work"
cp ./*.c ../../javascript/engine/memory.c pocketpy.patch "$work/$CRATE-$VERSION/vendor/pocketpy"
od -An -v -tu1 -w32 prelude.py | sed 's/^ *//; s/  */,/g; $!s/$/,/' >"$work/$CRATE-$VERSION/vendor/pocketpy/prelude.h"
cd "$work/$CRATE-$VERSION/vendor/pocketpy"
sed -i 's/\r$//' src/modules/random.c src/modules/time.c src/common/sstream.c src/interpreter/vm.c src/interpreter/ceval.c src/public/modules.c
patch --quiet -p1 <pocketpy.patch

mapfile -t sources < <(find src -name '*.c' | sort)
clang-14 --target=wasm32-wasi -Os -std=gnu11 -mexec-model=reactor -msign-ext -mnontrapping-fptoint -Iinclude -I. \
  -ffile-prefix-map="$PWD"=. -fno-ident -fno-strict-aliasing -funsigned-char -fvisibility=hidden \
  -DNDEBUG -D_GNU_SOURCE -DPK_ENABLE_OS=0 -w \
  engine.c "${sources[@]}" \
  -Wl,--stack-first,-z,stack-size=$STACK,--export=agora_app,--export=__heap_base,--gc-sections,-s \
  -fuse-ld="$(command -v wasm-ld-14)" -o "$out"
