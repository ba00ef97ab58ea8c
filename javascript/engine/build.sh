#!/usr/bin/env bash
# Builds the engine, byte for byte the same each time: ./build.sh OUT.wasm
#
# QuickJS-ng comes from the crate rquickjs-sys, whose checksum is pinned. The compiler is Debian 12's clang 14
# with wasi-libc and compiler-rt (packages clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32); other versions
# make other bytes. AGORA_CRATE names a copy of the crate, instead of asking the registry.
set -euo pipefail
export LC_ALL=C # the order of the prelude's files
out=$(realpath -m "${1:?the file to write}")
cd "$(dirname "$0")"

CRATE=rquickjs-sys VERSION=0.14.0
SHA256=cee271d0eeba64f0915b846cb7ae02e16faf3dfdffdca91731101d9d30fe3423
STACK=524288 # bytes of C stack: about 1,600 JavaScript calls, and 19 MB of the node's stack at most

. ../../script/crate.sh
need clang-14 wasm-ld-14 patch sha256sum tar

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unpack $CRATE $VERSION $SHA256 "${AGORA_CRATE:-}" "$work"
cp ./*.c "$work/$CRATE-$VERSION/quickjs/"
cp quickjs.patch "$work"
./prelude.sh >"$work/prelude.js"
cd "$work/$CRATE-$VERSION/quickjs"

# The prelude's bytecode, by a program for this machine. Its bytes are the same on all that are little-endian.
clang-14 -O0 -fno-strict-aliasing -funsigned-char -DNDEBUG -D_GNU_SOURCE -w \
  compile.c quickjs.c libregexp.c libunicode.c dtoa.c -lm -lpthread -o "$work/compile"
"$work/compile" app:web <"$work/prelude.js" >prelude.h

patch --quiet -p1 <"$work/quickjs.patch"

clang-14 --target=wasm32-wasi -Os -mexec-model=reactor -msign-ext -mnontrapping-fptoint \
  -ffile-prefix-map="$PWD"=. -fno-ident -fno-strict-aliasing -funsigned-char -fvisibility=hidden \
  -DNDEBUG -D_GNU_SOURCE -DAGORA_OWN_MEMORY -DAGORA_STACK_END=16384 -DAGORA_JSON_DEPTH=1000 \
  -Wno-ignored-attributes \
  engine.c libregexp.c libunicode.c dtoa.c \
  -Wl,--stack-first,-z,stack-size=$STACK,--export=agora_app,--export=__heap_base,--gc-sections,-s \
  -fuse-ld="$(command -v wasm-ld-14)" -o "$out"
