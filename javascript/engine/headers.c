// Headers: names in lower case and values as bytes, as they are in frames.

struct field { const uint8_t *name, *value; uint32_t name_len, value_len; };
struct headers {
  struct field *list;
  uint32_t n, room;
  uint32_t changes; // counted, for iterators
  int immutable;    // of a request that came in
};

static JSClassID headers_class;

static int is_token_char(uint8_t c) {
  static const uint32_t set[4] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
  return c < 128 && (set[c >> 5] >> (c & 31) & 1);
}

static void headers_free(JSRuntime *rt, struct headers *h) {
  if (!h)
    return;
  for (uint32_t i = 0; i < h->n; i++)
    js_free_rt(rt, (void *)h->list[i].name);
  js_free_rt(rt, h->list);
  js_free_rt(rt, h);
}

// headers_add appends a field, whose name and value are copied into one block. Names are lower-cased.
static int headers_add(JSContext *ctx, struct headers *h, const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len) {
  if (h->n == h->room) {
    uint32_t room = h->room ? 2 * h->room : 8;
    struct field *list = js_realloc(ctx, h->list, room * sizeof *list);
    if (!list)
      return -1;
    h->list = list;
    h->room = room;
  }
  uint8_t *p = js_malloc(ctx, name_len + value_len + 1);
  if (!p)
    return -1;
  for (size_t i = 0; i < name_len; i++)
    p[i] = name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 32 : name[i];
  memcpy(p + name_len, value, value_len);
  h->list[h->n++] = (struct field){p, p + name_len, name_len, value_len};
  h->changes++;
  return 0;
}

static void headers_drop(JSContext *ctx, struct headers *h, uint32_t i) {
  h->changes++;
  js_free(ctx, (void *)h->list[i].name);
  memmove(h->list + i, h->list + i + 1, (--h->n - i) * sizeof *h->list);
}

// byte_string is a text of code units below 256 (a ByteString): pointer and length stay valid as long as hold.
struct byte_string { const uint8_t *p; size_t n; JSValue hold; };

static int byte_string(JSContext *ctx, JSValueConst v, struct byte_string *s) {
  s->hold = JS_ToString(ctx, v);
  if (JS_IsException(s->hold))
    return -1;
  if (JS_VALUE_GET_TAG(s->hold) == JS_TAG_STRING_ROPE) {
    JSValue flat = js_linearize_string_rope(ctx, s->hold);
    if (JS_IsException(flat))
      return -1;
    s->hold = flat;
  }
  JSString *str = JS_VALUE_GET_STRING(s->hold);
  s->n = str->len;
  if (!str->is_wide_char) {
    s->p = str8(str);
    return 0;
  }
  uint8_t *copy = js_malloc(ctx, str->len + 1);
  if (!copy)
    goto fail;
  for (uint32_t i = 0; i < str->len; i++) {
    if (str16(str)[i] > 255) {
      js_free(ctx, copy);
      JS_ThrowTypeError(ctx, "headers have characters up to U+00FF: encode others, for example with encodeURIComponent()");
      goto fail;
    }
    copy[i] = str16(str)[i];
  }
  JS_FreeValue(ctx, s->hold);
  s->hold = latin1_text(ctx, copy, s->n);
  js_free(ctx, copy);
  if (JS_IsException(s->hold))
    return -1;
  s->p = str8(JS_VALUE_GET_STRING(s->hold));
  return 0;
fail:
  JS_FreeValue(ctx, s->hold);
  return -1;
}

static int header_name(JSContext *ctx, JSValueConst v, struct byte_string *s) {
  if (byte_string(ctx, v, s) < 0)
    return -1;
  int good = s->n > 0;
  for (size_t i = 0; i < s->n; i++)
    good &= is_token_char(s->p[i]);
  if (good)
    return 0;
  JS_ThrowTypeError(ctx, "\"%.80s\" is not a header's name", (const char *)s->p);
  JS_FreeValue(ctx, s->hold);
  return -1;
}

static int is_header_space(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static int header_value(JSContext *ctx, JSValueConst v, struct byte_string *s) {
  if (byte_string(ctx, v, s) < 0)
    return -1;
  while (s->n && is_header_space(s->p[0])) s->p++, s->n--;
  while (s->n && is_header_space(s->p[s->n - 1])) s->n--;
  for (size_t i = 0; i < s->n; i++)
    if (s->p[i] == 0 || s->p[i] == '\r' || s->p[i] == '\n') {
      JS_FreeValue(ctx, s->hold);
      JS_ThrowTypeError(ctx, "a header's value has a line break or NUL in it");
      return -1;
    }
  return 0;
}

static int same_name(const struct field *f, const uint8_t *name, size_t n) {
  if (f->name_len != n)
    return 0;
  for (size_t i = 0; i < n; i++)
    if (f->name[i] != (name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 32 : name[i]))
      return 0;
  return 1;
}

static int headers_find(struct headers *h, const char *lower) {
  for (uint32_t i = 0; i < h->n; i++)
    if (same_name(&h->list[i], (const uint8_t *)lower, strlen(lower)))
      return i;
  return -1;
}

// headers_value is the value of all fields of a name, joined; JS_NULL if there is none.
static JSValue headers_value(JSContext *ctx, struct headers *h, const uint8_t *name, size_t n) {
  const struct field *first = NULL;
  StringBuffer b;
  int joined = 0;
  for (uint32_t i = 0; i < h->n; i++) {
    const struct field *f = &h->list[i];
    if (!same_name(f, name, n))
      continue;
    if (!first) {
      first = f;
      continue;
    }
    if (!joined++) {
      string_buffer_init(ctx, &b, 64);
      string_buffer_write8(&b, first->value, first->value_len);
    }
    string_buffer_puts8(&b, ", ");
    string_buffer_write8(&b, f->value, f->value_len);
  }
  if (joined)
    return string_buffer_end(&b);
  return first ? latin1_text(ctx, first->value, first->value_len) : JS_NULL;
}

static int headers_append(JSContext *ctx, struct headers *h, JSValueConst name, JSValueConst value, int replace) {
  struct byte_string k, v;
  if (header_name(ctx, name, &k) < 0)
    return -1;
  if (header_value(ctx, value, &v) < 0) {
    JS_FreeValue(ctx, k.hold);
    return -1;
  }
  int err = 0, placed = 0;
  for (uint32_t i = 0; replace && i < h->n;)
    if (!same_name(&h->list[i], k.p, k.n)) i++;
    else if (placed++) headers_drop(ctx, h, i);
    else { // the first keeps its place
      struct field last;
      err = headers_add(ctx, h, k.p, k.n, v.p, v.n);
      if (err)
        break;
      last = h->list[--h->n];
      js_free(ctx, (void *)h->list[i].name);
      h->list[i++] = last;
    }
  if (!placed && !err)
    err = headers_add(ctx, h, k.p, k.n, v.p, v.n);
  JS_FreeValue(ctx, k.hold);
  JS_FreeValue(ctx, v.hold);
  return err;
}

static struct headers *headers_of(JSValueConst v) { return JS_GetOpaque(v, headers_class); }

static int headers_copy(JSContext *ctx, struct headers *to, const struct headers *from) {
  for (uint32_t i = 0; i < from->n; i++) {
    const struct field *f = &from->list[i];
    if (headers_add(ctx, to, f->name, f->name_len, f->value, f->value_len) < 0)
      return -1;
  }
  return 0;
}

// each_pair calls f with the pairs of an iterable of pairs.
typedef int pair_func(JSContext *ctx, void *to, JSValueConst name, JSValueConst value);

static int one_pair(JSContext *ctx, JSValueConst pair, pair_func *f, void *to, const char *what) {
  JSValue parts = JS_UNDEFINED, item[2] = {JS_UNDEFINED, JS_UNDEFINED};
  int64_t n = -1;
  int err = -1;
  if (JS_IsObject(pair)) {
    if (JS_IsArray(pair)) parts = JS_DupValue(ctx, pair);
    else { // any iterable: Array.from of it
      JSValue array = JS_GetPropertyStr(ctx, ctx->array_ctor, "from");
      parts = JS_Call(ctx, array, ctx->array_ctor, 1, &pair);
      JS_FreeValue(ctx, array);
    }
    if (JS_IsException(parts) || JS_GetLength(ctx, parts, &n) < 0)
      goto done;
  }
  if (n != 2) {
    JS_ThrowTypeError(ctx, "%s takes pairs of a name and a value", what);
    goto done;
  }
  for (int i = 0; i < 2; i++) {
    item[i] = JS_GetPropertyUint32(ctx, parts, i);
    if (JS_IsException(item[i]))
      goto done;
  }
  err = f(ctx, to, item[0], item[1]);
done:
  JS_FreeValue(ctx, parts);
  JS_FreeValue(ctx, item[0]);
  JS_FreeValue(ctx, item[1]);
  return err;
}

static int each_of_record(JSContext *ctx, JSValueConst record, pair_func *f, void *to) {
  JSPropertyEnum *names;
  uint32_t n, i;
  if (JS_GetOwnPropertyNames(ctx, &names, &n, record, JS_GPN_STRING_MASK | JS_GPN_SYMBOL_MASK | JS_GPN_ENUM_ONLY) < 0)
    return -1;
  int err = 0;
  for (i = 0; i < n && !err; i++) {
    JSValue name = JS_AtomToValue(ctx, names[i].atom), value = JS_GetProperty(ctx, record, names[i].atom);
    err = JS_IsException(value) || JS_IsException(name) ? -1 : f(ctx, to, name, value);
    JS_FreeValue(ctx, name);
    JS_FreeValue(ctx, value);
  }
  JS_FreePropertyEnum(ctx, names, n);
  return err;
}

// each_pair_of calls f with what an iterable of pairs or a record holds.
static int each_pair_of(JSContext *ctx, JSValueConst init, pair_func *f, void *to, const char *what) {
  JSValue iterate = JS_GetProperty(ctx, init, JS_ATOM_Symbol_iterator);
  if (JS_IsException(iterate))
    return -1;
  if (JS_IsUndefined(iterate) || JS_IsNull(iterate))
    return each_of_record(ctx, init, f, to);
  JSValue it = JS_GetIterator2(ctx, init, iterate);
  JS_FreeValue(ctx, iterate);
  if (JS_IsException(it))
    return -1;
  JSValue next = JS_GetProperty(ctx, it, JS_ATOM_next);
  int err = JS_IsException(next) ? -1 : 0;
  while (!err) {
    int done;
    JSValue pair = JS_IteratorNext(ctx, it, next, 0, NULL, &done);
    if (JS_IsException(pair))
      err = -1;
    else if (done)
      break;
    else if ((err = one_pair(ctx, pair, f, to, what)) < 0)
      JS_IteratorClose(ctx, it, true);
    JS_FreeValue(ctx, pair);
  }
  JS_FreeValue(ctx, next);
  JS_FreeValue(ctx, it);
  return err;
}

static int append_pair(JSContext *ctx, void *to, JSValueConst name, JSValueConst value) {
  return headers_append(ctx, to, name, value, 0);
}

// headers_fill adds what `new Headers(init)` takes.
static int headers_fill(JSContext *ctx, struct headers *h, JSValueConst init) {
  if (JS_IsUndefined(init))
    return 0;
  struct headers *from = headers_of(init);
  if (from)
    return headers_copy(ctx, h, from);
  if (!JS_IsObject(init)) {
    JS_ThrowTypeError(ctx, "headers are an object, an iterable of pairs or a Headers");
    return -1;
  }
  return each_pair_of(ctx, init, append_pair, h, "Headers");
}

static JSValue headers_new(JSContext *ctx, struct headers **h, JSValueConst proto) {
  *h = js_mallocz(ctx, sizeof **h);
  if (!*h)
    return JS_EXCEPTION;
  JSValue v = JS_IsUndefined(proto) ? JS_NewObjectClass(ctx, headers_class) : JS_NewObjectProtoClass(ctx, proto, headers_class);
  if (JS_IsException(v))
    js_free(ctx, *h);
  else
    JS_SetOpaque(v, *h);
  return v;
}

// construct makes an object of a class for `new`, of a class that extends it, too.
static JSValue proto_of(JSContext *ctx, JSValueConst target, const char *name) {
  if (JS_IsUndefined(target)) {
    JS_ThrowTypeError(ctx, "write new %s()", name);
    return JS_EXCEPTION;
  }
  return JS_GetProperty(ctx, target, JS_ATOM_prototype);
}

static JSValue headers_construct(JSContext *ctx, JSValueConst target, int argc, JSValueConst *argv) {
  struct headers *h;
  JSValue proto = proto_of(ctx, target, "Headers");
  if (JS_IsException(proto))
    return proto;
  JSValue v = headers_new(ctx, &h, proto);
  JS_FreeValue(ctx, proto);
  if (!JS_IsException(v) && argc > 0 && headers_fill(ctx, h, argv[0]) < 0) {
    JS_FreeValue(ctx, v);
    return JS_EXCEPTION;
  }
  return v;
}

enum { H_GET, H_HAS, H_SET, H_APPEND, H_DELETE };

static JSValue headers_method(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv, int what) {
  struct headers *h = JS_GetOpaque2(ctx, this, headers_class);
  if (!h)
    return JS_EXCEPTION;
  if (argc < (what == H_SET || what == H_APPEND ? 2 : 1))
    return JS_ThrowTypeError(ctx, "Headers takes a name%s here", what == H_SET || what == H_APPEND ? " and a value" : "");
  if (what != H_GET && what != H_HAS && h->immutable)
    return JS_ThrowTypeError(ctx, "the headers of this request cannot be changed: make a copy with new Headers(request.headers)");
  if (what == H_SET || what == H_APPEND)
    return headers_append(ctx, h, argv[0], argv[1], what == H_SET) < 0 ? JS_EXCEPTION : JS_UNDEFINED;
  struct byte_string k;
  if (header_name(ctx, argv[0], &k) < 0)
    return JS_EXCEPTION;
  JSValue result = JS_UNDEFINED;
  if (what == H_DELETE) {
    for (uint32_t i = 0; i < h->n;)
      if (same_name(&h->list[i], k.p, k.n)) headers_drop(ctx, h, i);
      else i++;
  } else {
    result = headers_value(ctx, h, k.p, k.n);
    if (what == H_HAS) {
      int there = !JS_IsNull(result);
      JS_FreeValue(ctx, result);
      result = JS_NewBool(ctx, there);
    }
  }
  JS_FreeValue(ctx, k.hold);
  return result;
}

static JSValue headers_cookies(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  struct headers *h = JS_GetOpaque2(ctx, this, headers_class);
  JSValue list = h ? JS_NewArray(ctx) : JS_EXCEPTION;
  for (uint32_t i = 0, n = 0; h && i < h->n; i++)
    if (same_name(&h->list[i], (const uint8_t *)"set-cookie", 10))
      JS_DefinePropertyValueUint32(ctx, list, n++, latin1_text(ctx, h->list[i].value, h->list[i].value_len), JS_PROP_C_W_E);
  return list;
}

static int field_order(const void *a, const void *b) {
  const struct field *f = *(struct field *const *)a, *g = *(struct field *const *)b;
  uint32_t n = f->name_len < g->name_len ? f->name_len : g->name_len;
  int order = memcmp(f->name, g->name, n);
  return order ? order : f->name_len != g->name_len ? (int)f->name_len - (int)g->name_len : f < g ? -1 : 1;
}

static JSValue pair_of(JSContext *ctx, JSValue name, JSValue value) {
  JSValue pair = JS_NewArray(ctx);
  JS_DefinePropertyValueUint32(ctx, pair, 0, name, JS_PROP_C_W_E);
  JS_DefinePropertyValueUint32(ctx, pair, 1, value, JS_PROP_C_W_E);
  return pair;
}

// What an iterator of Headers or URLSearchParams yields.
enum { PAIRS, KEYS, VALUES };

// headers_list returns what iterating yields: sorted, one value for each name, each cookie by itself.
static JSValue headers_list(JSContext *ctx, struct headers *h, int what) {
  JSValue list = JS_NewArray(ctx);
  struct field **sorted = js_malloc(ctx, (h->n + 1) * sizeof *sorted);
  if (!sorted)
    return JS_EXCEPTION;
  for (uint32_t i = 0; i < h->n; i++)
    sorted[i] = &h->list[i];
  qsort(sorted, h->n, sizeof *sorted, field_order);
  uint32_t n = 0;
  for (uint32_t i = 0; i < h->n; i++) {
    const struct field *f = sorted[i];
    int cookie = same_name(f, (const uint8_t *)"set-cookie", 10);
    if (!cookie && i && same_name(sorted[i - 1], f->name, f->name_len))
      continue;
    JSValue name = what == VALUES ? JS_UNDEFINED : latin1_text(ctx, f->name, f->name_len);
    JSValue value = what == KEYS ? JS_UNDEFINED : cookie ? latin1_text(ctx, f->value, f->value_len) : headers_value(ctx, h, f->name, f->name_len);
    JS_DefinePropertyValueUint32(ctx, list, n++, what == KEYS ? name : what == VALUES ? value : pair_of(ctx, name, value), JS_PROP_C_W_E);
  }
  js_free(ctx, sorted);
  return list;
}

// An iterator is live: it has a place, and what is there when it is asked is what it yields. One of Headers keeps
// the list that it is in as long as nothing is changed.
struct iterator {
  JSValue of, list;
  uint32_t at, changes;
  int what;
};

typedef JSValue step_func(JSContext *ctx, struct iterator *it, int *done);

static JSValue headers_step(JSContext *ctx, struct iterator *it, int *done) {
  struct headers *h = headers_of(it->of);
  int64_t n = 0;
  if (JS_IsUndefined(it->list) || it->changes != h->changes) {
    JS_FreeValue(ctx, it->list);
    it->list = headers_list(ctx, h, it->what);
    it->changes = h->changes;
    if (JS_IsException(it->list)) {
      it->list = JS_UNDEFINED;
      return JS_EXCEPTION;
    }
  }
  JS_GetLength(ctx, it->list, &n);
  *done = it->at >= n;
  return *done ? JS_UNDEFINED : JS_GetPropertyUint32(ctx, it->list, it->at++);
}

static JSValue iterator_new(JSContext *ctx, JSClassID class, JSValueConst of, int what) {
  JSValue v = JS_NewObjectClass(ctx, class);
  struct iterator *it = JS_IsException(v) ? NULL : js_malloc(ctx, sizeof *it);
  if (!it) {
    JS_FreeValue(ctx, v);
    return JS_EXCEPTION;
  }
  *it = (struct iterator){JS_DupValue(ctx, of), JS_UNDEFINED, 0, 0, what};
  JS_SetOpaque(v, it);
  return v;
}

static void iterator_finalizer(JSRuntime *rt, JSValueConst v) {
  JSClassID class;
  struct iterator *it = JS_GetAnyOpaque(v, &class);
  if (!it)
    return;
  JS_FreeValueRT(rt, it->of);
  JS_FreeValueRT(rt, it->list);
  js_free_rt(rt, it);
}

static void iterator_mark(JSRuntime *rt, JSValueConst v, JS_MarkFunc *mark) {
  JSClassID class;
  struct iterator *it = JS_GetAnyOpaque(v, &class);
  if (!it)
    return;
  JS_MarkValue(rt, it->of, mark);
  JS_MarkValue(rt, it->list, mark);
}

static JSClassID headers_iterator_class;
static const JSClassDef headers_iterator_def = {"Headers Iterator", .finalizer = iterator_finalizer, .gc_mark = iterator_mark};

static JSValue headers_next(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv, int *done, int magic) {
  struct iterator *it = JS_GetOpaque2(ctx, this, headers_iterator_class);
  *done = 0;
  return it ? headers_step(ctx, it, done) : JS_EXCEPTION;
}

static JSValue headers_iterate(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv, int what) {
  return JS_GetOpaque2(ctx, this, headers_class) ? iterator_new(ctx, headers_iterator_class, this, what) : JS_EXCEPTION;
}

// each_of calls back for what an iterator yields, as forEach does.
static JSValue each_of(JSContext *ctx, step_func *step, JSValueConst this, int argc, JSValueConst *argv) {
  if (argc < 1 || !JS_IsFunction(ctx, argv[0]))
    return JS_ThrowTypeError(ctx, "forEach takes a function");
  struct iterator it = {JS_DupValue(ctx, this), JS_UNDEFINED, 0, 0, PAIRS};
  JSValue result = JS_UNDEFINED;
  for (int done = 0; !JS_IsException(result);) {
    JSValue pair = step(ctx, &it, &done);
    if (done || JS_IsException(pair)) {
      result = pair;
      break;
    }
    JSValue args[3] = {JS_GetPropertyUint32(ctx, pair, 1), JS_GetPropertyUint32(ctx, pair, 0), JS_DupValue(ctx, this)};
    JSValue r = JS_Call(ctx, argv[0], argc > 1 ? argv[1] : JS_UNDEFINED, 3, (JSValueConst *)args);
    for (int k = 0; k < 3; k++)
      JS_FreeValue(ctx, args[k]);
    JS_FreeValue(ctx, pair);
    if (JS_IsException(r))
      result = r;
    else
      JS_FreeValue(ctx, r);
  }
  JS_FreeValue(ctx, it.list);
  JS_FreeValue(ctx, it.of);
  return result;
}

static JSValue headers_each(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  return JS_GetOpaque2(ctx, this, headers_class) ? each_of(ctx, headers_step, this, argc, argv) : JS_EXCEPTION;
}

static void headers_finalizer(JSRuntime *rt, JSValueConst v) { headers_free(rt, headers_of(v)); }

static const JSClassDef headers_def = {"Headers", .finalizer = headers_finalizer};

#define TAG(name) JS_PROP_STRING_DEF("[Symbol.toStringTag]", name, JS_PROP_CONFIGURABLE)

static const JSCFunctionListEntry headers_iterator_proto[] = {
  JS_ITERATOR_NEXT_DEF("next", 0, headers_next, 0),
  TAG("Headers Iterator"),
};

static const JSCFunctionListEntry headers_proto[] = {
  JS_CFUNC_MAGIC_DEF("get", 1, headers_method, H_GET),
  JS_CFUNC_MAGIC_DEF("has", 1, headers_method, H_HAS),
  JS_CFUNC_MAGIC_DEF("set", 2, headers_method, H_SET),
  JS_CFUNC_MAGIC_DEF("append", 2, headers_method, H_APPEND),
  JS_CFUNC_MAGIC_DEF("delete", 1, headers_method, H_DELETE),
  JS_CFUNC_DEF("getSetCookie", 0, headers_cookies),
  JS_CFUNC_MAGIC_DEF("entries", 0, headers_iterate, PAIRS),
  JS_CFUNC_MAGIC_DEF("keys", 0, headers_iterate, KEYS),
  JS_CFUNC_MAGIC_DEF("values", 0, headers_iterate, VALUES),
  JS_ALIAS_DEF("[Symbol.iterator]", "entries"),
  JS_CFUNC_DEF("forEach", 1, headers_each),
  TAG("Headers"),
};
