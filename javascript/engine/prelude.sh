#!/usr/bin/env bash
# Writes the prelude, which is one function of the engine's native side: all its files, in the order of their names.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../prelude"
echo '(function (native) {'
echo '"use strict";'
cat ./*.js
echo '})'
