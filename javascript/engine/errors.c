// How failures are told: with the place in the source that was written.

enum { CAUSES = 4 }; // of an error, told at most

static JSValue describe = JS_UNDEFINED; // the prelude's, of values that are no errors

// text_of_property returns a property as text, NULL if it is none. It throws nothing.
static const char *text_of_property(JSContext *ctx, JSValueConst v, const char *name) {
  JSValue p = JS_GetPropertyStr(ctx, v, name);
  const char *s = JS_IsString(p) ? JS_ToCString(ctx, p) : NULL;
  if (!s) JS_FreeValue(ctx, JS_GetException(ctx));
  JS_FreeValue(ctx, p);
  return s;
}

static void put_value(JSContext *ctx, DynBuf *b, JSValueConst v) {
  JSValue text = JS_IsFunction(ctx, describe) ? JS_Call(ctx, describe, JS_UNDEFINED, 1, &v) : JS_ToString(ctx, v);
  const char *s = JS_IsString(text) ? JS_ToCString(ctx, text) : NULL;
  if (!s) JS_FreeValue(ctx, JS_GetException(ctx));
  dbuf_putstr(b, s ? s : "a value that cannot be shown");
  JS_FreeCString(ctx, s);
  JS_FreeValue(ctx, text);
}

static void put_error(JSContext *ctx, DynBuf *b, JSValueConst e, int depth);

// put_failure appends what has the properties of an error.
static void put_failure(JSContext *ctx, DynBuf *b, JSValueConst e, int depth) {
  const char *name = text_of_property(ctx, e, "name"), *message = text_of_property(ctx, e, "message"), *stack = text_of_property(ctx, e, "stack");
  dbuf_putstr(b, name ? name : "Error");
  if (message && *message) {
    dbuf_putstr(b, ": ");
    dbuf_putstr(b, message);
  }
  if (stack) {
    put_first(b, stack);
    dbuf_putc(b, '\n');
    put_mapped(b, stack);
  }
  while (b->size && b->buf[b->size - 1] == '\n') b->size--;
  JS_FreeCString(ctx, name);
  JS_FreeCString(ctx, message);
  JS_FreeCString(ctx, stack);
  JSValue cause = JS_GetPropertyStr(ctx, e, "cause");
  if (JS_IsException(cause)) JS_FreeValue(ctx, JS_GetException(ctx));
  else if (!JS_IsUndefined(cause) && depth < CAUSES) {
    dbuf_putstr(b, "\ncaused by ");
    put_error(ctx, b, cause, depth + 1);
  }
  JS_FreeValue(ctx, cause);
}

// put_error appends any value that was thrown. A DOMException is no error to the engine.
static void put_error(JSContext *ctx, DynBuf *b, JSValueConst e, int depth) {
  JSClassID class;
  JS_GetAnyOpaque(e, &class);
  if (JS_IsError(e) || class == JS_CLASS_DOM_EXCEPTION) put_failure(ctx, b, e, depth);
  else put_value(ctx, b, e);
}

// report writes an error to the app's log.
static void report(JSContext *ctx, const char *before, JSValueConst e) {
  static const char none[] = "the app failed, and there is no memory left to say how: raise limits.memory";
  DynBuf b;
  js_dbuf_init(ctx, &b);
  dbuf_putstr(&b, before);
  put_error(ctx, &b, e, 0);
  if (b.error) write_log(3, none, sizeof none - 1);
  else write_log(3, (char *)b.buf, b.size);
  dbuf_free(&b);
}

// native.stack(error) returns its text as report writes it, also of what only inherits from Error.
static JSValue native_stack(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  DynBuf b;
  js_dbuf_init(ctx, &b);
  put_failure(ctx, &b, argv[0], 0);
  return take_text(ctx, &b);
}

// put_function appends where a function of the script is defined.
static void put_function(JSContext *ctx, DynBuf *b, JSValueConst f) {
  JSObject *p = JS_VALUE_GET_TAG(f) == JS_TAG_OBJECT ? JS_VALUE_GET_OBJ(f) : NULL;
  if (!p || !js_class_has_bytecode(p->class_id)) return;
  JSFunctionBytecode *code = p->u.func.function_bytecode;
  int column, line = find_line_num(ctx, code, -1, &column);
  dbuf_putstr(b, " (");
  put_place(b, line, column);
  dbuf_putc(b, ')');
}

// Where async functions of the script waited that were freed in this request.
static struct { int line, column; } abandoned_at[4];
static uint32_t abandoned;

// waits_at finds where an async function of the script waits. It reports whether it is one.
static int waits_at(JSAsyncFunctionData *f, int *line, int *column) {
  JSStackFrame *frame = &f->func_state.frame;
  JSObject *p = f->is_active && JS_VALUE_GET_TAG(frame->cur_func) == JS_TAG_OBJECT ? JS_VALUE_GET_OBJ(frame->cur_func) : NULL;
  if (!p || !js_class_has_bytecode(p->class_id)) return 0;
  JSFunctionBytecode *code = p->u.func.function_bytecode;
  JSAtom script = JS_NewAtom(ctx, SCRIPT);
  int ours = code->filename == script;
  JS_FreeAtom(ctx, script);
  if (ours) *line = find_line_num(ctx, code, frame->cur_pc - code->byte_code_buf - 1, column);
  return ours;
}

static void agora_abandoned(struct JSAsyncFunctionData *f) {
  int line, column;
  if (abandoned == countof(abandoned_at) || !waits_at(f, &line, &column)) return;
  abandoned_at[abandoned].line = line;
  abandoned_at[abandoned++].column = column;
}

static void put_wait(DynBuf *b, int line, int column) {
  dbuf_putstr(b, "\n    waits at ");
  put_place(b, line, column);
}

// put_waiting appends where async functions of the script wait, or waited, for what never comes.
static void put_waiting(DynBuf *b) {
  struct list_head *el;
  int n = 0, line, column;
  for (uint32_t i = 0; i < abandoned; i++) put_wait(b, abandoned_at[i].line, abandoned_at[i].column);
  list_for_each(el, &rt->gc_obj_list) {
    JSGCObjectHeader *header = list_entry(el, JSGCObjectHeader, link);
    if (JS_GC_TYPE(header) == JS_GC_OBJ_TYPE_ASYNC_FUNCTION && n < 8 && waits_at((JSAsyncFunctionData *)header, &line, &column)) {
      put_wait(b, line, column);
      n++;
    }
  }
}

// throw_text throws a TypeError with what a buffer holds.
static JSValue throw_text(JSContext *ctx, DynBuf *b) {
  dbuf_putc(b, 0);
  JSValue e = b->error ? JS_ThrowOutOfMemory(ctx) : JS_ThrowTypeError(ctx, "%s", (char *)b->buf);
  dbuf_free(b);
  return e;
}
