// A JavaScript engine that is an Agora app: QuickJS-ng, the web's classes, and interface abi/v1. Its script is
// in its memory, where the packer put it. See ../doc.go.
//
// It is one translation unit, because it uses what quickjs.c keeps to itself.
#include <stdint.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "memory.c"

// Clocks. What the engine asks while it starts is answered by constants, so that a start-up which itself asks
// for no time is the same each time, and can be kept. performance.now() counts from the request's first
// question.
#define js__gettimeofday_us unused_gettimeofday_us
#define js__hrtime_ns unused_hrtime_ns
#include "cutils.h"
#undef js__gettimeofday_us
#undef js__hrtime_ns

__attribute__((import_module("wasi_snapshot_preview1"), import_name("clock_time_get"))) int32_t wasi_clock(int32_t id, uint64_t precision, uint64_t *time);

static int clocks_run;
static uint64_t origin;

static uint64_t clock_ns(int id) {
  uint64_t t = 0;
  if (clocks_run) wasi_clock(id, 1, &t);
  return t;
}
static int64_t js__gettimeofday_us(void) { return clocks_run ? (int64_t)(clock_ns(0) / 1000) : 1; }
static uint64_t js__hrtime_ns(void) {
  uint64_t t = clock_ns(1);
  if (!origin) origin = t;
  return t - origin;
}

// An async function that waits for what nothing holds any more is freed: where it waited is noted first.
struct JSAsyncFunctionData;
static void agora_abandoned(struct JSAsyncFunctionData *f);

#define localtime_r gmtime_r // the node's zone is none of the app's business: local time is UTC
#include "quickjs.c"
#undef localtime_r

static JSRuntime *rt;
static JSContext *ctx;

#include "hash.c"
#include "text.c"
#include "lines.c"
#include "headers.c"
#include "url.c"
#include "params.c"
#include "body.c"
#include "frame.c"
#include "host.c"
#include "errors.c"

// What the prelude returns, and what the script exports.
static JSValue env, context, tick, trigger, send;
static JSValue app, fetch_handler, scheduled_handler, event_handler;

// Rejected promises that nothing handles yet, and what ctx.waitUntil() was given: lists of pairs and of values.
struct values { JSValue *list; uint32_t n, room; };
static struct values unhandled, waiting;

static void values_add(struct values *v, JSValueConst value) {
  if (v->n == v->room) {
    uint32_t room = v->room ? 2 * v->room : 8;
    JSValue *list = realloc(v->list, room * sizeof *list);
    if (!list) return;
    v->list = list;
    v->room = room;
  }
  v->list[v->n++] = JS_DupValue(ctx, value);
}

static void values_clear(struct values *v) {
  for (uint32_t i = 0; i < v->n; i++) JS_FreeValue(ctx, v->list[i]);
  free(v->list);
  *v = (struct values){0};
}

static int is_object(JSValueConst a, JSValueConst b) { return JS_VALUE_GET_TAG(a) == JS_TAG_OBJECT && JS_VALUE_GET_TAG(b) == JS_TAG_OBJECT && JS_VALUE_GET_OBJ(a) == JS_VALUE_GET_OBJ(b); }

// forget takes a promise off the list of those that were rejected unhandled.
static void forget(JSValueConst promise) {
  for (uint32_t i = 0; i < unhandled.n; i += 2)
    if (is_object(unhandled.list[i], promise)) {
      JS_FreeValue(ctx, unhandled.list[i]);
      JS_FreeValue(ctx, unhandled.list[i + 1]);
      unhandled.n -= 2;
      memmove(unhandled.list + i, unhandled.list + i + 2, (unhandled.n - i) * sizeof *unhandled.list);
      return;
    }
}

static void track_rejection(JSContext *c, JSValueConst promise, JSValueConst reason, bool handled, void *opaque) {
  if (handled) {
    forget(promise);
    return;
  }
  values_add(&unhandled, promise);
  values_add(&unhandled, reason);
}

static JSValue native_wait_until(JSContext *c, JSValueConst this, int argc, JSValueConst *argv) {
  values_add(&waiting, argv[0]);
  return JS_UNDEFINED;
}

static void report_exception(const char *before) {
  JSValue e = JS_GetException(ctx);
  report(ctx, before, e);
  JS_FreeValue(ctx, e);
}

static void report_unhandled(void) {
  for (uint32_t i = 0; i + 1 < unhandled.n; i += 2) report(ctx, "uncaught (in a promise) ", unhandled.list[i + 1]);
  values_clear(&unhandled);
}

static void run_jobs(void) {
  JSContext *c;
  int r;
  while ((r = JS_ExecutePendingJob(rt, &c)) != 0)
    if (r < 0) report_exception("uncaught ");
}

// settle waits for a value, if it is a promise: with jobs, then with timers. It returns an exception for a
// promise that is rejected, or that nothing can settle any more.
static JSValue settle(JSValue v, const char *what) {
  if (!JS_IsPromise(v)) return v;
  for (;;) {
    run_jobs();
    JSPromiseStateEnum state = JS_PromiseState(ctx, v);
    if (state != JS_PROMISE_PENDING) {
      JSValue result = JS_PromiseResult(ctx, v);
      if (state == JS_PROMISE_REJECTED) {
        forget(v);
        result = JS_Throw(ctx, result);
      }
      JS_FreeValue(ctx, v);
      return result;
    }
    JSValue more = JS_Call(ctx, tick, JS_UNDEFINED, 0, NULL);
    if (JS_IsException(more)) report_exception("uncaught (in a timer) ");
    else if (JS_ToBool(ctx, more) <= 0) break;
  }
  DynBuf b;
  js_dbuf_init(ctx, &b);
  dbuf_printf(&b, "%s never settles: nothing that it waits for can happen any more", what);
  put_waiting(&b);
  JS_FreeValue(ctx, v);
  return throw_text(ctx, &b);
}

// --- start-up

static void die(const char *why) {
  report_exception("uncaught ");
  write_stderr(why, strlen(why));
  __builtin_trap();
}

static void class(JSClassID *id, const JSClassDef *def, JSCFunction *construct, const JSCFunctionListEntry *proto, int n, const JSCFunctionListEntry *statics, int m) {
  JS_NewClassID(rt, id);
  JS_NewClass(rt, *id, def);
  JSValue p = JS_NewObject(ctx), c = JS_NewCFunction2(ctx, construct, def->class_name, 0, JS_CFUNC_constructor, 0);
  JS_SetPropertyFunctionList(ctx, p, proto, n);
  JS_SetPropertyFunctionList(ctx, c, statics, m);
  JS_SetConstructor(ctx, c, p);
  JS_SetClassProto(ctx, *id, p);
  JSValue global = JS_GetGlobalObject(ctx);
  JS_DefinePropertyValueStr(ctx, global, def->class_name, c, JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
  JS_FreeValue(ctx, global);
}

// iterator makes a class of iterators, which scripts cannot make by themselves.
static void iterator(JSClassID *id, const JSClassDef *def, const JSCFunctionListEntry *proto, int n) {
  JS_NewClassID(rt, id);
  JS_NewClass(rt, *id, def);
  JSValue p = JS_NewObjectProto(ctx, ctx->class_proto[JS_CLASS_ITERATOR]);
  JS_SetPropertyFunctionList(ctx, p, proto, n);
  JS_SetClassProto(ctx, *id, p);
}

#define LIST(name) name, countof(name)

static const JSCFunctionListEntry native_list[] = {
  JS_CFUNC_DEF("log", 2, native_log), JS_CFUNC_DEF("stack", 1, native_stack), JS_CFUNC_DEF("ask", 2, native_ask),
  JS_CFUNC_DEF("fetch", 1, native_fetch), JS_CFUNC_DEF("streamStart", 1, native_stream_start), JS_CFUNC_DEF("streamWrite", 1, native_stream_write),
  JS_CFUNC_DEF("random", 1, native_random), JS_CFUNC_DEF("utf8", 1, native_utf8), JS_CFUNC_DEF("utf8Into", 2, native_utf8_into),
  JS_CFUNC_MAGIC_DEF("text", 2, native_decode, DECODE_UTF8), JS_CFUNC_MAGIC_DEF("latin1", 1, native_decode, DECODE_LATIN1),
  JS_CFUNC_MAGIC_DEF("utf16", 1, native_decode, DECODE_UTF16), JS_CFUNC_DEF("sleep", 1, native_sleep), JS_CFUNC_DEF("now", 0, native_now),
  JS_CFUNC_MAGIC_DEF("body", 1, native_get, B_BODY), JS_CFUNC_MAGIC_DEF("used", 1, native_get, B_USED), JS_CFUNC_MAGIC_DEF("slot", 1, native_get, B_SLOT),
  JS_CFUNC_MAGIC_DEF("setBody", 2, native_set, B_BODY), JS_CFUNC_MAGIC_DEF("setUsed", 2, native_set, B_USED), JS_CFUNC_MAGIC_DEF("setSlot", 2, native_set, B_SLOT),
  JS_CFUNC_DEF("hooks", 1, native_hooks), JS_CFUNC_DEF("find", 3, native_find), JS_CFUNC_MAGIC_DEF("digest", 2, native_digest, 0), JS_CFUNC_MAGIC_DEF("hmac", 3, native_digest, 1),
  JS_CFUNC_DEF("equal", 2, native_equal), JS_CFUNC_DEF("waitUntil", 1, native_wait_until),
};

static void make_runtime(void) {
  rt = JS_NewRuntime();
  if (!rt) __builtin_trap();
  JS_SetGCThreshold(rt, SIZE_MAX); // it would write to every object, so to every page: the request's end collects
  ctx = JS_NewContext(rt);
  if (!ctx) __builtin_trap();
  JS_SetHostPromiseRejectionTracker(rt, track_rejection, NULL);
  class(&headers_class, &headers_def, headers_construct, LIST(headers_proto), NULL, 0);
  class(&params_class, &params_def, params_construct, LIST(params_proto), NULL, 0);
  iterator(&headers_iterator_class, &headers_iterator_def, LIST(headers_iterator_proto));
  iterator(&params_iterator_class, &params_iterator_def, LIST(params_iterator_proto));
  class(&url_class, &url_def, url_construct, LIST(url_proto), LIST(url_statics));
  class(&request_class, &request_def, request_construct, LIST(request_proto), NULL, 0);
  class(&response_class, &response_def, response_construct, LIST(response_proto), LIST(response_statics));
  for (int i = 0; i < HOOKS; i++) hooks[i] = JS_UNDEFINED;
  JSValue global = JS_GetGlobalObject(ctx), math = JS_GetPropertyStr(ctx, global, "Math");
  JS_DefinePropertyValueStr(ctx, math, "random", JS_NewCFunction(ctx, math_random, "random", 0), JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
  JS_FreeValue(ctx, math);
  JS_FreeValue(ctx, global);
}

// make_properties makes what an object has and is made on first use: a request would make it again each time.
static void make_properties(JSValueConst v) {
  JSPropertyEnum *names;
  uint32_t n;
  if (!JS_IsObject(v) || JS_IsProxy(v) || JS_GetOwnPropertyNames(ctx, &names, &n, v, JS_GPN_STRING_MASK | JS_GPN_SYMBOL_MASK) < 0) return;
  for (uint32_t i = 0; i < n; i++) {
    JSPropertyDescriptor d;
    if (JS_GetOwnProperty(ctx, &d, v, names[i].atom) <= 0) continue;
    JS_FreeValue(ctx, d.value);
    JS_FreeValue(ctx, d.getter);
    JS_FreeValue(ctx, d.setter);
  }
  JS_FreePropertyEnum(ctx, names, n);
}

static void make_builtins(void) {
  for (int i = 0; i < rt->class_count; i++) make_properties(ctx->class_proto[i]);
  JSValue global = JS_GetGlobalObject(ctx);
  static const char *const often[] = {"Object", "Array", "JSON", "Math", "Promise", "Number", "String", "Date", "Reflect", "Symbol", "URL", "Response", "Uint8Array", "console"};
  make_properties(global);
  for (size_t i = 0; i < countof(often); i++) {
    JSValue v = JS_GetPropertyStr(ctx, global, often[i]);
    if (JS_IsException(v)) JS_FreeValue(ctx, JS_GetException(ctx));
    make_properties(v);
    JS_FreeValue(ctx, v);
  }
  JS_FreeValue(ctx, global);
}

// The prelude, as compile.c compiled it: to parse it took a hundred million instructions of each start-up.
static const uint8_t prelude[] = {
#include "prelude.h"
};

// run_prelude calls the prelude, which is a function, with what it may use of this side.
static void run_prelude(void) {
  JSValue native = JS_NewObject(ctx), numbers = JS_NewObject(ctx);
  JS_SetPropertyFunctionList(ctx, native, LIST(native_list));
  for (int i = 0; i < FUNCTION_COUNT; i++) JS_SetPropertyStr(ctx, numbers, names[i], JS_NewInt32(ctx, i));
  JS_SetPropertyStr(ctx, native, "functions", numbers);
  JSValue f = JS_ReadObject(ctx, prelude, sizeof prelude, JS_READ_OBJ_BYTECODE);
  if (!JS_IsException(f)) f = JS_EvalFunction(ctx, f);
  JSValue parts = JS_IsException(f) ? f : JS_Call(ctx, f, JS_UNDEFINED, 1, (JSValueConst *)&native);
  if (JS_IsException(parts)) die("the engine's own part cannot be started");
  env = JS_GetPropertyStr(ctx, parts, "env");
  context = JS_GetPropertyStr(ctx, parts, "context");
  tick = JS_GetPropertyStr(ctx, parts, "tick");
  trigger = JS_GetPropertyStr(ctx, parts, "trigger");
  send = JS_GetPropertyStr(ctx, parts, "send");
  describe = JS_GetPropertyStr(ctx, parts, "describe");
  JS_FreeValue(ctx, parts);
  JS_FreeValue(ctx, native);
  JS_FreeValue(ctx, f);
}

static JSValue handler(const char *name) {
  JSValue f = JS_GetPropertyStr(ctx, app, name);
  if (JS_IsException(f)) die("the app's default export cannot be read");
  return f;
}

static void take_handlers(JSValueConst exports) {
  app = JS_GetPropertyStr(ctx, exports, "default");
  fetch_handler = JS_IsFunction(ctx, app) ? JS_DupValue(ctx, app) : JS_IsObject(app) ? handler("fetch") : JS_UNDEFINED;
  scheduled_handler = JS_IsObject(app) ? handler("scheduled") : JS_UNDEFINED;
  event_handler = JS_IsObject(app) ? handler("event") : JS_UNDEFINED;
  if (JS_IsFunction(ctx, fetch_handler) || JS_IsFunction(ctx, scheduled_handler) || JS_IsFunction(ctx, event_handler)) return;
  JS_ThrowTypeError(ctx, "the app has no handler: write `export default { async fetch(request, env) { … } }`");
  die("the app has no handler");
}

static void run_script(void) {
  JSValue module = JS_Eval(ctx, (const char *)(uintptr_t)agora_app.script, agora_app.script_len, SCRIPT, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
  if (JS_IsException(module)) die("the app's script has an error");
  JSModuleDef *m = JS_VALUE_GET_PTR(module);
  clocks_run = 1; // from here on they are what the app sees
  origin = 0;
  JSValue done = settle(JS_EvalFunction(ctx, module), "the app's top level");
  if (JS_IsException(done)) die("the app's script failed when it started");
  JS_FreeValue(ctx, done);
  JSValue exports = JS_GetModuleNamespace(ctx, m);
  take_handlers(exports);
  JS_FreeValue(ctx, exports);
  report_unhandled();
}

__attribute__((export_name("app_init"))) void app_init(void) {
  make_runtime();
  run_prelude();
  run_script();
  values_clear(&waiting);
  make_builtins();
  memory_settle();
  memory_reserve();
  starting = 0;
}

// --- requests

__attribute__((export_name("app_alloc"))) void *app_alloc(uint32_t n) { return malloc(n); }

// failed is the response to a request whose handler failed.
#define FAILED_BODY "This app failed. Its log says why.\n"
static const struct __attribute__((packed)) {
  uint32_t magic, header, status, count, table, table_len, body, body_len;
  uint32_t entry[4];
  char text[12 + 25 + sizeof FAILED_BODY - 1];
} failed = {RESPONSE_MAGIC, RESPONSE_HEADER, 500, 1, 32, 16, 48 + 37, sizeof FAILED_BODY - 1, {48, 12, 60, 25}, "content-typetext/plain; charset=utf-8" FAILED_BODY};

static uint64_t packed(const void *p, uint32_t n) { return (uint64_t)(uintptr_t)p << 32 | n; }

// fail tells an exception and answers for the handler. What has begun to go out breaks off.
static uint64_t fail(void) {
  report_exception("uncaught ");
  report_unhandled();
  if (streaming) __builtin_trap();
  return packed(&failed, sizeof failed);
}

// call_handler calls what the request is for.
static JSValue call_handler(JSValueConst request, const uint8_t *frame) {
  size_t n;
  const uint8_t *kind = JS_IsUndefined(scheduled_handler) && JS_IsUndefined(event_handler) ? NULL : frame_header(frame, "agora-trigger", &n);
  if (kind) {
    JSValueConst f = n == 4 && !memcmp(kind, "cron", 4) ? scheduled_handler : n == 5 && !memcmp(kind, "event", 5) ? event_handler : JS_UNDEFINED;
    if (JS_IsFunction(ctx, f)) return JS_Call(ctx, trigger, JS_UNDEFINED, 3, (JSValueConst[]){app, f, request});
  }
  if (!JS_IsFunction(ctx, fetch_handler)) return JS_ThrowTypeError(ctx, "the app has no fetch() for requests: write `export default { async fetch(request, env) { … } }`");
  return JS_Call(ctx, fetch_handler, app, 3, (JSValueConst[]){request, env, context});
}

// check_response throws if the handler returned something else than a Response that can be sent.
static struct response *check_response(JSValueConst v) {
  struct response *r = JS_GetOpaque(v, response_class);
  DynBuf b;
  if (r && r->status && !r->body.used) return r;
  js_dbuf_init(ctx, &b);
  dbuf_putstr(&b, "fetch()");
  put_function(ctx, &b, fetch_handler);
  if (!r) {
    dbuf_putstr(&b, " returned ");
    put_value(ctx, &b, v);
    dbuf_putstr(&b, ", which is no Response: return new Response(…) or Response.json(…)");
  } else
    dbuf_putstr(&b, !r->status ? " returned Response.error()" : " returned a Response whose body was read already: return a clone() of it");
  throw_text(ctx, &b);
  return NULL;
}

static void settle_waiting(void) {
  for (uint32_t i = 0; i < waiting.n; i++) { // it may grow
    JSValue v = settle(JS_DupValue(ctx, waiting.list[i]), "a promise given to waitUntil()");
    if (JS_IsException(v)) report_exception("uncaught (in waitUntil) ");
    JS_FreeValue(ctx, v);
  }
  values_clear(&waiting);
}

// begin_request makes a request's state: nothing of start-up's clocks and randomness is left.
static void begin_request(void) {
  static uint32_t requests;
  static uintptr_t collected;
  // The second request finds what a warm-up freed, unless the instance keeps its state: then cycles have to be
  // collected some time.
  if (requests == 1) memory_settle();
  if (requests++ > 1 && heap_next - collected > 8 << 20) {
    JS_RunGC(rt);
    collected = heap_next;
  }
  seeded = streaming = 0;
  origin = 0;
  abandoned = 0;
  values_clear(&unhandled);
  values_clear(&waiting);
}

static uint64_t finish(JSValue response) {
  struct response *r = check_response(response);
  uint32_t n;
  if (!r) return fail();
  if (!is_known_body(r->body.value)) {
    JSValue sent = settle(JS_Call(ctx, send, JS_UNDEFINED, 1, (JSValueConst *)&response), "the response's body");
    if (JS_IsException(sent)) return fail();
    JS_FreeValue(ctx, sent);
  }
  run_jobs();
  settle_waiting();
  report_unhandled();
  if (streaming) return 0;
  uint8_t *frame = response_frame(ctx, r, 0, &n);
  if (!frame) {
    if (!JS_HasException(ctx)) JS_ThrowOutOfMemory(ctx);
    return fail();
  }
  return packed(frame, n);
}

__attribute__((export_name("app_handle_v1"))) uint64_t app_handle(const uint8_t *frame, uint32_t n) {
  struct request *r;
  begin_request();
  JSValue request = request_object(ctx, JS_UNDEFINED, &r);
  if (JS_IsException(request)) return fail();
  r->frame = frame;
  r->body.value = JS_UNDEFINED;
  JSValue response = settle(call_handler(request, frame), "the promise that the handler returned");
  uint64_t result = JS_IsException(response) ? fail() : finish(response);
  JS_FreeValue(ctx, response);
  JS_FreeValue(ctx, request);
  return result;
}
