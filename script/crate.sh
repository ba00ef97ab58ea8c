# What the builds of the engines have in common, for their build.sh to read.

# need TOOL…: ends the build unless there are tools.
need() {
  local tool
  for tool; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32 patch cargo; or name a copy of the crate, as the first lines of build.sh say" >&2; exit 1; }
  done
}

# unpack CRATE VERSION SHA256 COPY DIR: unpacks a crate below a directory, once it has the digest. COPY is a file
# that has it; "": the registry is asked.
unpack() {
  local name=$1 version=$2 sha256=$3 crate=$4 dir=$5
  if [[ -z $crate ]]; then
    need cargo
    mkdir -p "$dir/fetch/src"
    touch "$dir/fetch/src/lib.rs"
    printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n%s = "=%s"\n' "$name" "$version" >"$dir/fetch/Cargo.toml"
    cargo fetch --quiet --manifest-path "$dir/fetch/Cargo.toml"
    crate=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/cache" -name "$name-$version.crate" | head -1)
  fi
  echo "$sha256  $crate" | sha256sum --check --quiet - >&2
  tar -xzf "$crate" -C "$dir"
}
