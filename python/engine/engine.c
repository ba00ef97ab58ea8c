// A Python engine that is an Agora app: pocketpy, and interface abi/v1. Its files are in its memory, where the
// packer put them: names and contents by turns, each with a NUL behind it, the app's first file first. See ../doc.go.
#include <stdint.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// pocketpy takes it for granted that there is memory: where there is none, the request ends.
#define malloc bounded_malloc
#define calloc bounded_calloc
#define realloc bounded_realloc
#include "memory.c" // the JavaScript engine's
#undef malloc
#undef calloc
#undef realloc

static void out_of_memory(void);
void *malloc(size_t n) {
  void *p = bounded_malloc(n);
  if (!p) out_of_memory();
  return p;
}
void *calloc(size_t count, size_t size) {
  void *p = bounded_calloc(count, size);
  if (!p) out_of_memory();
  return p;
}
void *realloc(void *old, size_t n) {
  void *p = bounded_realloc(old, n);
  if (!p) out_of_memory();
  return p;
}

#include "pocketpy/pocketpy.h"
#include "pocketpy/interpreter/vm.h"
#include "pocketpy/interpreter/frame.h"
#include "pocketpy/objects/sourcedata.h"

static uint32_t u32_at(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}
static void put_u32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }

#include "output.c"
#include "frame.c"
#include "host.c"
#include "json.c"

int system(const char *command) { return -1; } // of pocketpy's parts for operating systems

// stop ends what runs, and says why and at which line.
_Noreturn static void stop(const char *why) {
  const Frame *f = pk_current_vm ? pk_current_vm->top_frame : NULL;
  char line[512];
  size_t n = f ? snprintf(line, sizeof line, "%s\n  File \"%.200s\", line %d", why, f->co->src->filename->data, Frame__lineno(f)) : snprintf(line, sizeof line, "%s", why);
  flush_printed();
  write_log(ERROR, line, n);
  __builtin_trap();
}
static void out_of_memory(void) { stop("uncaught MemoryError: the app's limit of memory is reached"); }
_Noreturn void abort(void) { stop("the app cannot go on: it reached a bound of the engine's, as of 65,530 names"); }
_Noreturn void exit(int code) { stop("uncaught SystemExit: an app answers with a Response, and does not exit"); }

// --- files

// find_file returns a file's contents, NULL if there is none of that name.
static const char *find_file(const char *name) {
  const char *at = (const char *)(uintptr_t)agora_app.script, *end = at + agora_app.script_len;
  while (at < end) {
    const char *contents = at + strlen(at) + 1;
    if (!strcmp(at, name)) return contents;
    at = contents + strlen(contents) + 1;
  }
  return NULL;
}

static char *import_file(const char *name) {
  const char *contents = find_file(name);
  return contents ? strdup(contents) : NULL;
}

// --- start-up

static const char prelude[] = {
#include "prelude.h"
  , 0
};

static py_Ref env, make_request, make_event, respond;
static py_Ref fetch_handler, scheduled_handler, event_handler;

static void die(void) {
  report("uncaught ");
  __builtin_trap();
}

static py_Ref handler(const char *name) {
  py_Ref f = py_getglobal(py_name(name));
  return f && !py_isnone(f) ? f : NULL;
}

static void start_engine(void) {
  py_initialize();
  py_callbacks()->print = print;
  py_callbacks()->importfile = import_file;
  bind_host();
  bind_json();
  py_Ref module = py_newmodule("agora");
  if (!py_exec(prelude, "<agora>", EXEC_MODE, module)) die();
  env = py_getdict(module, py_name("env"));
  make_request = py_getdict(module, py_name("_request"));
  make_event = py_getdict(module, py_name("_event"));
  respond = py_getdict(module, py_name("_respond"));
}

// agora_check compiles the files and runs none. What is wrong is written to standard error.
__attribute__((export_name("agora_check"))) void agora_check(void) {
  start_engine();
  const char *at = (const char *)(uintptr_t)agora_app.script, *end = at + agora_app.script_len;
  while (at < end) {
    const char *contents = at + strlen(at) + 1;
    if (!py_compile(contents, at, EXEC_MODE, false)) {
      tell_syntax_error();
      py_clearexc(NULL);
    }
    at = contents + strlen(contents) + 1;
  }
}

__attribute__((export_name("app_init"))) void app_init(void) {
  start_engine();
  const char *name = (const char *)(uintptr_t)agora_app.script;
  if (!py_exec(name + strlen(name) + 1, name, EXEC_MODE, NULL)) die();
  fetch_handler = handler("fetch");
  scheduled_handler = handler("scheduled");
  event_handler = handler("event");
  if (!fetch_handler && !scheduled_handler && !event_handler) {
    py_exception(tp_TypeError, "the app has no handler: write `def fetch(request, env):`");
    die();
  }
  flush_printed();
  ManagedHeap__collect(&pk_current_vm->heap);
  pk_current_vm->heap.gc_counter = 0;
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

static uint64_t fail(py_StackRef base) {
  report("uncaught ");
  py_clearexc(base);
  return packed(&failed, sizeof failed);
}

// call_handler calls what the request is for. The request is the engine's own object.
static bool call_handler(const char **name) {
  size_t n;
  const uint8_t *kind = frame_header("agora-trigger", &n);
  py_Ref f = NULL;
  *name = "fetch";
  if (kind && n == 4 && !memcmp(kind, "cron", 4)) f = scheduled_handler, *name = "scheduled";
  if (kind && n == 5 && !memcmp(kind, "event", 5)) f = event_handler, *name = "event";
  py_Ref make = f ? make_event : make_request;
  if (!f) f = fetch_handler, *name = "fetch";
  if (!f) return TypeError("the app has no fetch() for requests: write `def fetch(request, env):`");
  if (!py_call(make, 0, NULL)) return false;
  py_push(f);
  py_pushnil();
  py_push(py_retval());
  py_push(env);
  return py_vectorcall(2, 0);
}

// make_response turns what the handler returned into a response's frame.
static bool make_response(const char *name, uint8_t **frame, uint32_t *n) {
  py_push(respond);
  py_pushnil();
  py_push(py_retval());
  py_newstr(py_pushtmp(), name);
  return py_vectorcall(2, 0) && response_frame(py_retval(), frame, n);
}

__attribute__((export_name("app_handle_v1"))) uint64_t app_handle(const uint8_t *frame, uint32_t n) {
  static uint32_t requests;
  const char *name;
  uint8_t *out;
  uint32_t size;
  if (requests++ == 1) memory_settle(); // what a warm-up freed lies all over
  agora_epoch++;
  request_frame = frame;
  py_StackRef base = py_peek(0);
  if (!call_handler(&name) || !make_response(name, &out, &size)) return fail(base);
  flush_printed();
  py_clearexc(base);
  return packed(out, size);
}
