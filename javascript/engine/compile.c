// Compiles the prelude to bytecode, on the machine that builds the engine: a script on standard input becomes an
// array of C on standard output. It is built of the same sources as the engine, whose atoms the bytecode names.
//
// Sources of functions are left out, names of files and lines stay: by them the engine knows its own frames.
#include <stdio.h>
#include <stdlib.h>

#include "quickjs.h"

int main(int argc, char **argv) {
  size_t n = 0, room = 1 << 20, length;
  char *source = malloc(room);
  if (argc != 2 || !source) return 2;
  for (size_t got; (got = fread(source + n, 1, room - n - 1, stdin)) > 0; n += got)
    if (n + got + 1 == room && !(source = realloc(source, room *= 2))) return 2;
  source[n] = 0;
  JSContext *ctx = JS_NewContext(JS_NewRuntime());
  JSValue code = JS_Eval(ctx, source, n, argv[1], JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_STRICT | JS_EVAL_FLAG_COMPILE_ONLY);
  if (JS_IsException(code)) {
    JSValue e = JS_GetException(ctx), stack = JS_GetPropertyStr(ctx, e, "stack");
    fprintf(stderr, "%s\n%s", JS_ToCString(ctx, e), JS_ToCString(ctx, stack));
    return 1;
  }
  uint8_t *bytes = JS_WriteObject(ctx, &length, code, JS_WRITE_OBJ_BYTECODE | JS_WRITE_OBJ_STRIP_SOURCE);
  if (!bytes) return 1;
  for (size_t i = 0; i < length; i++) printf("%u,%s", bytes[i], i % 32 == 31 ? "\n" : "");
  return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
