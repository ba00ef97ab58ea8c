// What the node does for an app, and the functions by which the prelude reaches it.

typedef int64_t capability(const void *question, uint32_t n, void *answer, uint32_t room);
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))

// Capabilities have a bit each, in the order in which they appear here, see capabilities.go. The packer
// lets modules import those that their manifest lists; the others are never called.
enum { LOG, CONFIG, SECRET, KV, BLOB, EVENTS, FETCH, LLM };
#define FUNCTIONS(_) \
  _(LOG, "app:log/v1", "write", log_write) _(CONFIG, "app:config/v1", "get", config_get) _(SECRET, "app:secret/v1", "get", secret_get) \
  _(KV, "app:kv/v1", "get", kv_get) _(KV, "app:kv/v1", "put", kv_put) _(KV, "app:kv/v1", "delete", kv_delete) \
  _(KV, "app:kv/v1", "scan", kv_scan) _(KV, "app:kv/v1", "swap", kv_swap) \
  _(BLOB, "app:blob/v1", "put", blob_put) _(BLOB, "app:blob/v1", "get", blob_get) _(BLOB, "app:blob/v1", "stat", blob_stat) \
  _(BLOB, "app:blob/v1", "delete", blob_delete) _(BLOB, "app:blob/v1", "list", blob_list) \
  _(EVENTS, "app:events/v1", "publish", events_publish) _(FETCH, "app:fetch/v1", "do", fetch_do) \
  _(LLM, "app:llm/v1", "chat", llm_chat) _(LLM, "app:llm/v1", "open", llm_open) _(LLM, "app:llm/v1", "next", llm_next) _(LLM, "app:llm/v1", "close", llm_close)
#define DECLARE(bit, module, name, symbol) IMPORT(module, name) capability symbol;
FUNCTIONS(DECLARE)
IMPORT("app:stream/v1", "start") capability stream_start;
IMPORT("app:stream/v1", "write") capability stream_write;

#define NUMBER(bit, module, name, symbol) F_##symbol,
enum { FUNCTIONS(NUMBER) FUNCTION_COUNT };
#define FUNCTION(bit, module, name, symbol) symbol,
static capability *const functions[] = {FUNCTIONS(FUNCTION)};
#define BIT(bit, module, name, symbol) bit,
static const uint8_t bits[] = {FUNCTIONS(BIT)};
#define NAME(bit, module, name, symbol) #symbol,
static const char *const names[] = {FUNCTIONS(NAME)};

enum { DENIED = -3, TOO_LARGE = -5, MAX_LINE = 8 << 10 };

IMPORT("wasi_snapshot_preview1", "fd_write") int32_t wasi_fd_write(int32_t fd, const void *vectors, int32_t n, void *written);
IMPORT("wasi_snapshot_preview1", "random_get") int32_t wasi_random_get(void *to, uint32_t n);
IMPORT("wasi_snapshot_preview1", "poll_oneoff") int32_t wasi_poll(const void *in, void *out, int32_t n, void *events);

static int starting = 1;  // the app's start-up runs
static int streaming;     // the response has begun to go out
static int seeded;        // random holds this request's randomness
static uint64_t random_state;

static void write_stderr(const char *s, size_t n) {
  struct { const void *p; uint32_t n; } vectors[2] = {{s, n}, {"\n", 1}};
  uint32_t written;
  wasi_fd_write(2, vectors, 2, &written);
}

// write_log writes one entry to the app's log, by the capability if it has it. During start-up it goes to
// standard error: a capability that is called then would make start-up something of each request.
static void write_log(int level, const char *s, size_t n) {
  static const char cut[] = " … (cut)";
  char line[MAX_LINE + 1];
  uint8_t answer[8];
  if (n > MAX_LINE) {
    n = MAX_LINE - sizeof cut + 1;
    while (n && (s[n] & 0xc0) == 0x80) n--;
    memcpy(line + 1, s, n);
    memcpy(line + 1 + n, cut, sizeof cut - 1);
    n += sizeof cut - 1;
  } else memcpy(line + 1, s, n);
  line[0] = level;
  if (starting || !(agora_app.caps >> LOG & 1) || log_write(line, n + 1, answer, sizeof answer) < 0) write_stderr(line + 1, n);
}

static JSValue native_log(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  size_t n;
  int32_t level;
  if (JS_ToInt32(ctx, &level, argv[0]) < 0) return JS_EXCEPTION;
  const char *s = utf8_of(ctx, argv[1], &n);
  if (!s) return JS_EXCEPTION;
  write_log(level, s, n);
  JS_FreeCString(ctx, s);
  return JS_UNDEFINED;
}

// bytes_or_text returns the bytes of a value, in UTF-8 if it is a text, which is freed with JS_FreeCString.
static const uint8_t *bytes_or_text(JSContext *ctx, JSValueConst v, size_t *n, const char **text) {
  *text = NULL;
  if (JS_IsString(v)) return (const uint8_t *)(*text = utf8_of(ctx, v, n));
  const uint8_t *p = bytes_of(ctx, v, n);
  if (!p) JS_ThrowTypeError(ctx, "bytes are an ArrayBuffer or a view of one");
  return p;
}

// ask calls a function of a capability. The answer is in *out, which has to be freed if it is not room.
static int64_t ask(JSContext *ctx, int function, const uint8_t *question, size_t n, uint8_t *room, size_t size, uint8_t **out) {
  *out = room;
  if (!(agora_app.caps >> bits[function] & 1)) return DENIED;
  int64_t r = functions[function](question, n, room, size);
  if (r <= (int64_t)size) return r;
  *out = r <= LARGEST ? js_malloc(ctx, r) : NULL;
  if (!*out) return TOO_LARGE;
  return functions[function](question, n, *out, r);
}

static uint8_t answer_room[4096];

// native.ask(function, question) returns a Uint8Array, or an errno below 0.
static JSValue native_ask(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  int32_t function;
  size_t n;
  const char *text;
  uint8_t *out;
  if (JS_ToInt32(ctx, &function, argv[0]) < 0) return JS_EXCEPTION;
  if (function < 0 || function >= FUNCTION_COUNT) return JS_ThrowRangeError(ctx, "no such function");
  const uint8_t *p = bytes_or_text(ctx, argv[1], &n, &text);
  if (!p) return JS_EXCEPTION;
  int64_t r = ask(ctx, function, p, n, answer_room, sizeof answer_room, &out);
  JS_FreeCString(ctx, text);
  JSValue v = r < 0 ? JS_NewInt32(ctx, r) : JS_NewUint8ArrayCopy(ctx, out, r);
  if (out != answer_room) js_free(ctx, out);
  return v;
}

static JSValue without_fragment(JSContext *ctx, JSValue url) {
  size_t n;
  const char *s = JS_ToCStringLen(ctx, &n, url), *hash = s ? memchr(s, '#', n) : NULL;
  if (hash) {
    JS_FreeValue(ctx, url);
    url = JS_NewStringLen(ctx, s, hash - s);
  }
  JS_FreeCString(ctx, s);
  return url;
}

// native.fetch(request) returns a Response, or an errno below 0.
static JSValue native_fetch(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  struct request *q = JS_GetOpaque2(ctx, argv[0], request_class);
  struct response *p;
  DynBuf b;
  uint8_t *out;
  if (!q) return JS_EXCEPTION;
  if (!(agora_app.caps >> FETCH & 1)) return JS_NewInt32(ctx, DENIED);
  js_dbuf_init(ctx, &b);
  if (request_frame(ctx, argv[0], q, &b) < 0) {
    dbuf_free(&b);
    return JS_HasException(ctx) ? JS_EXCEPTION : JS_ThrowOutOfMemory(ctx);
  }
  int64_t r = ask(ctx, F_fetch_do, b.buf, b.size, answer_room, sizeof answer_room, &out);
  dbuf_free(&b);
  if (r < RESPONSE_HEADER) return JS_NewInt32(ctx, r < 0 ? r : -1);
  JSValue v = response_object(ctx, JS_UNDEFINED, &p);
  if (!JS_IsException(v)) {
    struct headers *h = body_headers(ctx, v, &p->body);
    size_t n;
    const uint8_t *body = part(out, 24, &n);
    p->status = u32_at(out + 8);
    p->kind = 2;
    p->url = without_fragment(ctx, request_url_text(ctx, q));
    if (h) frame_headers(ctx, h, out, 12, 16);
    if (n) p->body.value = JS_NewUint8ArrayCopy(ctx, body, n);
    if (JS_IsException(p->body.value)) p->body.value = JS_NULL;
  }
  if (out != answer_room) js_free(ctx, out);
  return v;
}

static JSValue native_stream_start(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  struct response *r = JS_GetOpaque2(ctx, argv[0], response_class);
  uint32_t n;
  uint8_t answer[8], *f = r ? response_frame(ctx, r, 1, &n) : NULL;
  if (!f) return r ? JS_ThrowOutOfMemory(ctx) : JS_EXCEPTION;
  int64_t errno_ = stream_start(f, n, answer, sizeof answer);
  free(f);
  if (errno_ < 0) return JS_ThrowTypeError(ctx, "the response cannot be streamed");
  streaming = 1;
  return JS_UNDEFINED;
}

static JSValue native_stream_write(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  size_t n;
  const char *text;
  uint8_t answer[8];
  const uint8_t *p = bytes_or_text(ctx, argv[0], &n, &text);
  if (!p) return JS_EXCEPTION;
  if (n) stream_write(p, n, answer, sizeof answer);
  JS_FreeCString(ctx, text);
  return JS_UNDEFINED;
}

static uint64_t random_next(void) {
  if (!seeded) {
    wasi_random_get(&random_state, sizeof random_state);
    random_state |= !random_state;
    seeded = 1;
  }
  return xorshift64star(&random_state);
}

static JSValue math_random(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  union { double d; uint64_t u; } v = {.u = (uint64_t)0x3ff << 52 | random_next() >> 12};
  return JS_NewFloat64(ctx, v.d - 1);
}

static JSValue native_random(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  size_t n;
  uint8_t *p = bytes_of(ctx, argv[0], &n);
  if (!p) return JS_ThrowTypeError(ctx, "random takes a view of bytes");
  for (size_t i = 0; i < n; i += 65536) wasi_random_get(p + i, n - i < 65536 ? n - i : 65536);
  return JS_DupValue(ctx, argv[0]);
}

static JSValue native_utf8(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  size_t n;
  const char *s = utf8_of(ctx, argv[0], &n);
  if (!s) return JS_EXCEPTION;
  JSValue v = JS_NewUint8ArrayCopy(ctx, (const uint8_t *)s, n);
  JS_FreeCString(ctx, s);
  return v;
}

// native.utf8Into(text, bytes) writes whole characters, and returns [code units read, bytes written].
static JSValue native_utf8_into(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  size_t n, room, read = 0;
  const char *s = utf8_of(ctx, argv[0], &n);
  uint8_t *to = s ? bytes_of(ctx, argv[1], &room) : NULL;
  if (!to) {
    JS_FreeCString(ctx, s);
    return s ? JS_ThrowTypeError(ctx, "encodeInto takes a Uint8Array") : JS_EXCEPTION;
  }
  const uint8_t *at = (const uint8_t *)s, *end = at + n, *next = at;
  while (next < end) {
    int32_t c = utf8_next(&next, end);
    if ((size_t)(next - (const uint8_t *)s) > room) break;
    read += c > 0xffff ? 2 : 1;
    at = next;
  }
  size_t written = at - (const uint8_t *)s;
  memcpy(to, s, written);
  JS_FreeCString(ctx, s);
  return pair_of(ctx, JS_NewInt64(ctx, read), JS_NewInt64(ctx, written));
}

enum { DECODE_UTF8, DECODE_LATIN1, DECODE_UTF16 };

static JSValue native_decode(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv, int how) {
  size_t n;
  uint8_t *p = bytes_of(ctx, argv[0], &n);
  if (!p) return JS_ThrowTypeError(ctx, "bytes are an ArrayBuffer or a view of one");
  if (how == DECODE_LATIN1) return latin1_text(ctx, p, n);
  if (how == DECODE_UTF8) return utf8_text(ctx, p, n, argc > 1 && JS_ToBool(ctx, argv[1]) > 0);
  uint16_t *units = js_malloc(ctx, n + 2);
  if (!units) return JS_EXCEPTION;
  memcpy(units, p, n);
  JSValue v = JS_NewStringUTF16(ctx, units, n / 2);
  js_free(ctx, units);
  return v;
}

// native.find(bytes, needle, from) returns where the needle is, -1 if it is not.
static JSValue native_find(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  size_t n, m;
  int64_t from;
  const uint8_t *p = bytes_of(ctx, argv[0], &n), *needle = bytes_of(ctx, argv[1], &m);
  if (!p || !needle || !m || JS_ToInt64(ctx, &from, argv[2]) || from < 0)
    return JS_ThrowTypeError(ctx, "find takes bytes, a needle and a place");
  const uint8_t *at = p + (from < (int64_t)n ? from : (int64_t)n), *end = p + n;
  for (; (size_t)(end - at) >= m; at++) {
    at = memchr(at, needle[0], end - at - m + 1);
    if (!at) break;
    if (!memcmp(at, needle, m)) return JS_NewInt64(ctx, at - p);
  }
  return JS_NewInt32(ctx, -1);
}

// native.sleep(milliseconds) waits, which is the node's time.
static JSValue native_sleep(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  struct { uint64_t user; uint64_t tag; uint64_t clock; uint64_t timeout, precision; uint64_t flags; } ask = {.clock = 1};
  uint8_t event[32];
  uint32_t events;
  double ms;
  if (JS_ToFloat64(ctx, &ms, argv[0]) < 0) return JS_EXCEPTION;
  if (ms > 0) {
    ask.timeout = ms < 1e9 ? (uint64_t)(ms * 1e6) : (uint64_t)1e15;
    wasi_poll(&ask, event, 1, &events);
  }
  return JS_UNDEFINED;
}

static JSValue native_now(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) { return JS_NewFloat64(ctx, js__hrtime_ns() / 1e6); }

// --- what the prelude does to bodies

enum { B_BODY, B_USED, B_SLOT };

static JSValue native_get(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv, int what) {
  struct body *b = body_of(ctx, argv[0]);
  if (!b) return JS_EXCEPTION;
  return what == B_BODY ? body_value(ctx, argv[0], b) : what == B_USED ? JS_NewBool(ctx, b->used) : JS_DupValue(ctx, b->slot);
}

static JSValue native_set(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv, int what) {
  struct body *b = body_of(ctx, argv[0]);
  if (!b) return JS_EXCEPTION;
  if (what == B_USED) {
    b->used = JS_ToBool(ctx, argv[1]) > 0;
    return JS_UNDEFINED;
  }
  JSValue *to = what == B_BODY ? &b->value : &b->slot, v = what == B_BODY && JS_IsString(argv[1]) ? body_text(ctx, argv[1]) : JS_DupValue(ctx, argv[1]);
  if (JS_IsException(v)) return v;
  JS_FreeValue(ctx, *to);
  *to = v;
  return JS_UNDEFINED;
}

static JSValue native_hooks(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  for (int i = 0; i < HOOKS; i++) {
    JS_FreeValue(ctx, hooks[i]);
    hooks[i] = JS_GetPropertyStr(ctx, argv[0], hook_names[i]);
  }
  return JS_UNDEFINED;
}

// --- digests

static int algorithm(JSContext *ctx, JSValueConst v) {
  static const char *const known[] = {"SHA-1", "SHA-256", "SHA-384", "SHA-512"};
  const char *s = JS_ToCString(ctx, v);
  int found = -1;
  for (int i = 0; s && i < (int)countof(known); i++)
    if (!strcmp(s, known[i])) found = i;
  if (s && found < 0) JS_ThrowDOMException(ctx, "NotSupportedError", "\"%.40s\" is not one of SHA-1, SHA-256, SHA-384 and SHA-512", s);
  JS_FreeCString(ctx, s);
  return found;
}

static JSValue native_digest(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv, int keyed) {
  uint8_t out[64];
  size_t n, key_len = 0;
  int which = algorithm(ctx, argv[0]);
  if (which < 0) return JS_EXCEPTION;
  uint8_t *key = keyed ? bytes_of(ctx, argv[1], &key_len) : NULL, *p = bytes_of(ctx, argv[1 + keyed], &n);
  if (!p || (keyed && !key)) return JS_ThrowTypeError(ctx, "bytes are an ArrayBuffer or a view of one");
  return JS_NewUint8ArrayCopy(ctx, out, keyed ? agora_hmac(which, key, key_len, p, n, out) : agora_digest(which, p, n, out));
}

static JSValue native_equal(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  size_t n, m;
  uint8_t *a = bytes_of(ctx, argv[0], &n), *b = bytes_of(ctx, argv[1], &m);
  volatile uint8_t differ = 0;
  if (!a || !b || n != m) return JS_FALSE;
  for (size_t i = 0; i < n; i++) differ |= a[i] ^ b[i];
  return JS_NewBool(ctx, !differ);
}
