// What the node does for an app: the module _agora, which is the prelude's alone.

typedef int64_t capability(const void *question, uint32_t n, void *answer, uint32_t room);
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define FUNCTIONS(_) \
  _(CONFIG, "app:config/v1", "get", config_get) _(SECRET, "app:secret/v1", "get", secret_get) \
  _(KV, "app:kv/v1", "get", kv_get) _(KV, "app:kv/v1", "put", kv_put) _(KV, "app:kv/v1", "delete", kv_delete) \
  _(KV, "app:kv/v1", "scan", kv_scan) _(KV, "app:kv/v1", "swap", kv_swap) \
  _(BLOB, "app:blob/v1", "put", blob_put) _(BLOB, "app:blob/v1", "get", blob_get) _(BLOB, "app:blob/v1", "stat", blob_stat) \
  _(BLOB, "app:blob/v1", "delete", blob_delete) _(BLOB, "app:blob/v1", "list", blob_list) \
  _(EVENTS, "app:events/v1", "publish", events_publish) _(FETCH, "app:fetch/v1", "do", fetch_do) _(LLM, "app:llm/v1", "chat", llm_chat)
#define DECLARE(bit, module, name, symbol) IMPORT(module, name) capability symbol;
FUNCTIONS(DECLARE)
#define FUNCTION(bit, module, name, symbol) {bit, #symbol, symbol},
static const struct { int bit; const char *name; capability *call; } functions[] = {FUNCTIONS(FUNCTION)};

enum { DENIED = -3, TOO_LARGE = -5 };

IMPORT("wasi_snapshot_preview1", "random_get") int32_t wasi_random_get(void *to, uint32_t n);
IMPORT("wasi_snapshot_preview1", "clock_time_get") int32_t wasi_clock(int32_t id, uint64_t precision, uint64_t *time);
IMPORT("wasi_snapshot_preview1", "poll_oneoff") int32_t wasi_poll(const void *in, void *out, int32_t n, void *events);

// agora_epoch counts requests. Randomness of an earlier one is not used: see pocketpy.patch.
uint32_t agora_epoch;

void agora_random(void *to, uint32_t n) { wasi_random_get(to, n); }

int64_t agora_clock(int id) {
  uint64_t t = 0;
  wasi_clock(id, 1, &t);
  return t;
}

// agora_sleep waits, which is the node's time.
void agora_sleep(double seconds) {
  struct { uint64_t user, tag, clock, timeout, precision, flags; } ask = {.clock = 1};
  uint8_t event[32];
  uint32_t events;
  if (!(seconds > 0)) return;
  ask.timeout = seconds < 1e6 ? (uint64_t)(seconds * 1e9) : (uint64_t)1e15;
  wasi_poll(&ask, event, 1, &events);
}

// question collects what is asked.
static struct { uint8_t *p; size_t n, room; } question;

static void ask_for(size_t n) {
  if (question.n + n <= question.room) return;
  question.room = 2 * (question.n + n);
  question.p = realloc(question.p, question.room);
}

static void put(const void *p, size_t n) {
  ask_for(n);
  memcpy(question.p + question.n, p, n);
  question.n += n;
}

static void put_number(uint64_t v, size_t n) { put(&v, n); }

// put_argument writes an argument as a letter says: (r)aw, (s)ized, (o)ptional and sized, (q) 64 bits.
static bool put_argument(char letter, py_Ref v) {
  const uint8_t *p;
  size_t n;
  if (letter == 'q') {
    if (!py_checkint(v)) return false;
    put_number(py_toint(v), 8);
    return true;
  }
  if (letter == 'o' && py_isnone(v)) {
    put_number(0xffffffff, 4);
    return true;
  }
  if (!raw(v, &p, &n)) return false;
  if (letter != 'r') put_number(n, 4);
  put(p, n);
  return true;
}

// ask calls a function of a capability with the question. The answer has to be freed if it is not room.
static int64_t ask(int function, uint8_t *room, size_t size, uint8_t **out) {
  *out = room;
  if (!(agora_app.caps >> functions[function].bit & 1)) return DENIED;
  int64_t r = functions[function].call(question.p, question.n, room, size);
  if (r <= (int64_t)size) return r;
  *out = r <= LARGEST_FRAME ? malloc(r) : NULL;
  if (!*out) return TOO_LARGE;
  return functions[function].call(question.p, question.n, *out, r);
}

static uint8_t answer_room[4096];

static int function_of(py_Ref name) {
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    if (!strcmp(py_tostr(name), functions[i].name)) return i;
  __builtin_trap(); // the prelude's fault
}

// ask(function, letters, *arguments) returns bytes, or an errno below 0.
static bool native_ask(int argc, py_Ref argv) {
  uint8_t *out;
  const char *letters = py_tostr(py_arg(1));
  question.n = 0;
  ask_for(1);
  for (int i = 0; letters[i] && i + 2 < argc; i++)
    if (!put_argument(letters[i], py_arg(i + 2))) return false;
  int64_t r = ask(function_of(argv), answer_room, sizeof answer_room, &out);
  if (r < 0) py_newint(py_retval(), r);
  else new_bytes(py_retval(), out, r);
  if (out != answer_room) free(out);
  return true;
}

static void put_text(uint32_t at, py_Ref v) {
  int n;
  const char *p = py_isstr(v) ? py_tostrn(v, &n) : (const char *)py_tobytes(v, &n);
  uint32_t where = question.n;
  put(p, n);
  put_u32(question.p + at, where);
  put_u32(question.p + at + 4, n);
}

// put_encoded writes a part of an address: what cannot stand in one is percent-encoded.
static void put_encoded(uint32_t at, py_Ref v) {
  int n;
  const uint8_t *p = (const uint8_t *)py_tostrn(v, &n);
  uint32_t where = question.n;
  for (int i = 0; i < n; i++) {
    char code[3] = {'%', "0123456789ABCDEF"[p[i] >> 4], "0123456789ABCDEF"[p[i] & 15]};
    if (p[i] > ' ' && p[i] < 0x7f && p[i] != '"' && p[i] != '<' && p[i] != '>') put(p + i, 1);
    else put(code, 3);
  }
  put_u32(question.p + at, where);
  put_u32(question.p + at + 4, question.n - where);
}

// fetch(method, origin, path, query, headers, body) returns (status, headers, body), or an errno.
static bool native_fetch(int argc, py_Ref argv) {
  static const uint8_t zeros[REQUEST_HEADER];
  uint64_t size;
  uint8_t *out;
  if (!fields_size(py_arg(4), &size)) return false;
  question.n = 0;
  put(zeros, sizeof zeros);
  put_text(16, py_arg(0));
  put_text(40, py_arg(1));
  put_encoded(24, py_arg(2));
  put_encoded(32, py_arg(3));
  uint32_t table = question.n, end, count = py_list_len(py_arg(4)) / 2;
  ask_for(size);
  put_u32(question.p, REQUEST_MAGIC);
  put_u32(question.p + 4, REQUEST_HEADER);
  put_u32(question.p + 12, count);
  put_u32(question.p + 48, table);
  put_u32(question.p + 52, count * ENTRY);
  if (!put_fields(question.p, table, py_arg(4), &end)) return false;
  question.n = end;
  put_text(56, py_arg(5));
  int function = 0;
  while (functions[function].bit != FETCH) function++;
  int64_t r = ask(function, answer_room, sizeof answer_room, &out);
  if (r < RESPONSE_HEADER) {
    py_newint(py_retval(), r < 0 ? r : -1);
    return true;
  }
  size_t n;
  const uint8_t *body = part(out, 24, &n);
  py_StackRef t = py_pushtmp();
  py_newtuple(t, 3);
  py_newint(py_tuple_getitem(t, 0), u32_at(out + 8));
  py_newnone(py_tuple_getitem(t, 1));
  py_newnone(py_tuple_getitem(t, 2));
  new_headers(py_tuple_getitem(t, 1), out, 12, 16);
  new_bytes(py_tuple_getitem(t, 2), body, n);
  py_assign(py_retval(), t);
  py_pop();
  if (out != answer_room) free(out);
  return true;
}

// part(offset) returns a text of the request's frame.
static bool native_part(int argc, py_Ref argv) {
  uint32_t at = py_toint(argv);
  size_t n = 0;
  const uint8_t *p = at + 8 <= u32_at(request_frame + 4) ? part(request_frame, at, &n) : (const uint8_t *)"";
  new_text(py_retval(), p, n);
  return true;
}

static bool native_headers(int argc, py_Ref argv) {
  new_headers(py_retval(), request_frame, 12, 48);
  return true;
}

static bool native_body(int argc, py_Ref argv) {
  size_t n;
  const uint8_t *p = part(request_frame, 56, &n);
  new_bytes(py_retval(), p, n);
  return true;
}

// text(bytes) decodes UTF-8, and replaces what is none.
static bool native_text(int argc, py_Ref argv) {
  const uint8_t *p;
  size_t n;
  if (!raw(argv, &p, &n)) return false;
  new_text(py_retval(), p, n);
  return true;
}

static int hex(uint8_t c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; }

static void put_decoded(py_OutRef to, const uint8_t *p, size_t n) {
  uint8_t *out = malloc(n + 1);
  size_t m = 0;
  for (size_t i = 0; i < n; i++) {
    uint8_t c = p[i];
    if (c == '+') c = ' ';
    else if (c == '%' && i + 2 < n && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) c = hex(p[i + 1]) << 4 | hex(p[i + 2]), i += 2;
    out[m++] = c;
  }
  new_text(to, out, m);
  free(out);
}

// form(text) returns the names and values of a form or a query, by turns.
static bool native_form(int argc, py_Ref argv) {
  const uint8_t *p;
  size_t n;
  if (!raw(argv, &p, &n)) return false;
  py_StackRef list = py_pushtmp();
  py_newlist(list);
  for (size_t at = 0; at < n;) {
    const uint8_t *end = memchr(p + at, '&', n - at);
    size_t len = end ? (size_t)(end - p) - at : n - at;
    const uint8_t *equals = memchr(p + at, '=', len);
    size_t name = equals ? (size_t)(equals - p) - at : len;
    if (len) {
      put_decoded(py_list_emplace(list), p + at, name);
      put_decoded(py_list_emplace(list), p + at + name + (name < len), len - name - (name < len));
    }
    at += len + 1;
  }
  py_assign(py_retval(), list);
  py_pop();
  return true;
}

// names(bytes, numbered) reads a list of texts with their lengths, each with a number of 64 bits behind it or not.
static bool native_names(int argc, py_Ref argv) {
  int n;
  const uint8_t *p = py_tobytes(argv, &n);
  int numbered = py_tobool(py_arg(1));
  py_StackRef list = py_pushtmp();
  py_newlist(list);
  for (uint32_t at = 0; at + 4 <= (uint32_t)n;) {
    uint32_t len = u32_at(p + at);
    if (len > n - at - 4) break;
    new_text(py_list_emplace(list), p + at + 4, len);
    at += 4 + len;
    if (numbered) {
      int64_t size;
      memcpy(&size, p + at, 8);
      py_newint(py_list_emplace(list), size);
      at += 8;
    }
  }
  py_assign(py_retval(), list);
  py_pop();
  return true;
}

static bool native_random(int argc, py_Ref argv) {
  PY_CHECK_ARGC(1);
  PY_CHECK_ARG_TYPE(0, tp_int);
  int64_t n = py_toint(argv);
  if (n < 0 || n > 65536) return ValueError("random bytes are from 0 to 65536 at a time");
  agora_random(py_newbytes(py_retval(), n), n);
  return true;
}

// What bytes lack of Python's: their length, and the numbers in them.
static bool bytes_len(int argc, py_Ref argv) {
  int n;
  py_tobytes(argv, &n);
  py_newint(py_retval(), n);
  return true;
}

static bool bytes_iter(int argc, py_Ref argv) {
  int n;
  const uint8_t *p = py_tobytes(argv, &n);
  py_StackRef list = py_pushtmp();
  py_newlistn(list, n);
  for (int i = 0; i < n; i++) py_newint(py_list_getitem(list, i), p[i]);
  bool ok = py_iter(list);
  py_pop();
  return ok;
}

// text_at returns where the character of that number begins.
static size_t text_at(const char *s, size_t n, int64_t character) {
  size_t at = 0;
  for (; at < n && character > 0; character--) do at++; while (at < n && (s[at] & 0xc0) == 0x80);
  return at;
}

// find_text returns the number of the character where a text is in another, -1 if it is not: pocketpy counts bytes.
static bool find_text(int argc, py_Ref argv, int64_t *found) {
  int n, m;
  if (argc < 2 || argc > 3) return TypeError("expected a str and, perhaps, where to begin");
  if (!py_checkstr(py_arg(1)) || (argc == 3 && !py_checkint(py_arg(2)))) return false;
  const char *s = py_tostrn(argv, &n), *t = py_tostrn(py_arg(1), &m);
  *found = -1;
  for (size_t at = argc == 3 ? text_at(s, n, py_toint(py_arg(2))) : 0; at + m <= (size_t)n; at++) {
    const char *first = m ? memchr(s + at, t[0], n - m - at + 1) : s + at;
    if (!first) break;
    at = first - s;
    if (memcmp(first, t, m)) continue;
    *found = 0;
    for (size_t i = 0; i < at; i++) *found += (s[i] & 0xc0) != 0x80;
    break;
  }
  return true;
}

static bool text_find(int argc, py_Ref argv) {
  int64_t found;
  if (!find_text(argc, argv, &found)) return false;
  py_newint(py_retval(), found);
  return true;
}

static bool text_index(int argc, py_Ref argv) {
  int64_t found;
  if (!find_text(argc, argv, &found)) return false;
  if (found < 0) return ValueError("substring not found");
  py_newint(py_retval(), found);
  return true;
}

static void bind_host(void) {
  py_bindmethod(tp_str, "find", text_find);
  py_bindmethod(tp_str, "index", text_index);
  static const struct { const char *name; py_CFunction f; } natives[] = {
    {"ask", native_ask}, {"fetch", native_fetch}, {"part", native_part}, {"headers", native_headers}, {"body", native_body},
    {"text", native_text}, {"form", native_form}, {"names", native_names}, {"random", native_random},
  };
  py_bindmagic(tp_bytes, __len__, bytes_len);
  py_bindmagic(tp_bytes, __iter__, bytes_iter);
  py_Ref module = py_newmodule("_agora");
  for (size_t i = 0; i < sizeof natives / sizeof *natives; i++) py_bindfunc(module, natives[i].name, natives[i].f);
}
