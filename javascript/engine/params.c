// URLSearchParams: pairs of texts, and the URL whose query they are.

struct pair { JSValue name, value; };
struct params {
  struct pair *list;
  uint32_t n, room;
  JSValue url; // undefined: none
};

static struct params *params_of(JSValueConst v) { return JS_GetOpaque(v, params_class); }

// params_add takes both values over.
static int params_add(JSContext *ctx, struct params *p, JSValue name, JSValue value) {
  if (JS_IsException(name) || JS_IsException(value)) goto fail;
  if (p->n == p->room) {
    uint32_t room = p->room ? 2 * p->room : 8;
    struct pair *list = js_realloc(ctx, p->list, room * sizeof *list);
    if (!list) goto fail;
    p->list = list;
    p->room = room;
  }
  p->list[p->n++] = (struct pair){name, value};
  return 0;
fail:
  JS_FreeValue(ctx, name);
  JS_FreeValue(ctx, value);
  return -1;
}

static void params_clear(JSContext *ctx, struct params *p) {
  for (uint32_t i = 0; i < p->n; i++) {
    JS_FreeValue(ctx, p->list[i].name);
    JS_FreeValue(ctx, p->list[i].value);
  }
  p->n = 0;
}

// form_text decodes + and percent-encoded bytes.
static JSValue form_text(JSContext *ctx, const uint8_t *s, size_t n) {
  size_t plain = 0;
  while (plain < n && s[plain] != '+' && s[plain] != '%') plain++;
  if (plain == n) return utf8_text(ctx, s, n, 0);
  uint8_t *out = js_malloc(ctx, n);
  size_t k = 0;
  if (!out) return JS_EXCEPTION;
  for (size_t i = 0; i < n; i++)
    if (s[i] == '+') out[k++] = ' ';
    else if (s[i] == '%' && i + 2 < n && hex_of(s[i + 1]) >= 0 && hex_of(s[i + 2]) >= 0) {
      out[k++] = hex_of(s[i + 1]) << 4 | hex_of(s[i + 2]);
      i += 2;
    } else out[k++] = s[i];
  JSValue v = utf8_text(ctx, out, k, 0);
  js_free(ctx, out);
  return v;
}

static int params_parse(JSContext *ctx, struct params *p, const char *text, size_t n) {
  const uint8_t *s = (const uint8_t *)text, *end = s + n;
  while (s < end) {
    const uint8_t *stop = memchr(s, '&', end - s);
    if (!stop) stop = end;
    const uint8_t *equals = memchr(s, '=', stop - s);
    if (stop > s) {
      const uint8_t *name_end = equals ? equals : stop, *value = equals ? equals + 1 : stop;
      if (params_add(ctx, p, form_text(ctx, s, name_end - s), form_text(ctx, value, stop - value)) < 0) return -1;
    }
    s = stop + 1;
  }
  return 0;
}

static void put_form(JSContext *ctx, DynBuf *b, JSValueConst v) {
  size_t n;
  const char *s = utf8_of(ctx, v, &n);
  if (!s) {
    b->error = true;
    return;
  }
  for (size_t i = 0; i < n; i++)
    if (is_alpha(s[i]) || is_digit(s[i]) || one_of(s[i], "*-._")) dbuf_putc(b, s[i]);
    else if (s[i] == ' ') dbuf_putc(b, '+');
    else put_hex(b, s[i]);
  JS_FreeCString(ctx, s);
}

static void put_params(JSContext *ctx, DynBuf *b, struct params *p) {
  for (uint32_t i = 0; i < p->n; i++) {
    if (i) dbuf_putc(b, '&');
    put_form(ctx, b, p->list[i].name);
    dbuf_putc(b, '=');
    put_form(ctx, b, p->list[i].value);
  }
}

static void params_update(JSContext *ctx, struct params *p) {
  struct url *u = JS_GetOpaque(p->url, url_class);
  if (!u) return;
  DynBuf b;
  js_dbuf_init(ctx, &b);
  put_params(ctx, &b, p);
  u->has_query = b.size > 0;
  take_buf(ctx, &u->query, &b);
  dbuf_free(&b);
}

static void params_reload(JSContext *ctx, struct url *u) {
  struct params *p = params_of(u->params);
  if (!p) return;
  params_clear(ctx, p);
  if (u->has_query) params_parse(ctx, p, u->query.p, u->query.n);
}

static JSValue params_new(JSContext *ctx, struct params **p, JSValueConst proto) {
  *p = js_mallocz(ctx, sizeof **p);
  if (!*p) return JS_EXCEPTION;
  (*p)->url = JS_UNDEFINED;
  JSValue v = JS_IsUndefined(proto) ? JS_NewObjectClass(ctx, params_class) : JS_NewObjectProtoClass(ctx, proto, params_class);
  if (JS_IsException(v)) js_free(ctx, *p);
  else JS_SetOpaque(v, *p);
  return v;
}

static JSValue url_params(JSContext *ctx, JSValueConst this) {
  struct url *u = JS_GetOpaque2(ctx, this, url_class);
  struct params *p;
  if (!u) return JS_EXCEPTION;
  if (JS_IsUndefined(u->params)) {
    JSValue v = params_new(ctx, &p, JS_UNDEFINED);
    if (JS_IsException(v)) return v;
    p->url = JS_DupValue(ctx, this);
    u->params = v;
    params_reload(ctx, u);
  }
  return JS_DupValue(ctx, u->params);
}

// usv is a value's text without halves of surrogate pairs.
static JSValue usv(JSContext *ctx, JSValueConst v) {
  JSValue s = JS_ToString(ctx, v);
  if (JS_IsException(s) || (JS_VALUE_GET_TAG(s) == JS_TAG_STRING && !JS_VALUE_GET_STRING(s)->is_wide_char)) return s;
  size_t n;
  const char *p = utf8_of(ctx, s, &n);
  JSValue r = p ? utf8_text(ctx, (const uint8_t *)p, n, 0) : JS_EXCEPTION;
  JS_FreeCString(ctx, p);
  JS_FreeValue(ctx, s);
  return r;
}

static int params_pair(JSContext *ctx, void *to, JSValueConst name, JSValueConst value) {
  return params_add(ctx, to, usv(ctx, name), usv(ctx, value));
}

// params_record replaces a name that differs from an earlier one only in what usv changes.
static int params_fill(JSContext *ctx, struct params *p, JSValueConst init) {
  if (JS_IsUndefined(init)) return 0;
  if (JS_IsObject(init)) {
    struct params *from = params_of(init);
    for (uint32_t i = 0; from && i < from->n; i++)
      if (params_add(ctx, p, JS_DupValue(ctx, from->list[i].name), JS_DupValue(ctx, from->list[i].value)) < 0) return -1;
    return from ? 0 : each_pair_of(ctx, init, params_pair, p, "URLSearchParams");
  }
  size_t n;
  const char *s = utf8_of(ctx, init, &n);
  if (!s) return -1;
  int skip = n && *s == '?';
  int err = params_parse(ctx, p, s + skip, n - skip);
  JS_FreeCString(ctx, s);
  return err;
}

static JSValue params_construct(JSContext *ctx, JSValueConst target, int argc, JSValueConst *argv) {
  struct params *p;
  JSValue proto = proto_of(ctx, target, "URLSearchParams");
  if (JS_IsException(proto)) return proto;
  JSValue v = params_new(ctx, &p, proto);
  JS_FreeValue(ctx, proto);
  if (!JS_IsException(v) && argc > 0 && params_fill(ctx, p, argv[0]) < 0) {
    JS_FreeValue(ctx, v);
    return JS_EXCEPTION;
  }
  return v;
}

static int same_text(JSContext *ctx, JSValueConst a, JSValueConst b) { return JS_IsStrictEqual(ctx, a, b); }

static void params_drop(JSContext *ctx, struct params *p, uint32_t i) {
  JS_FreeValue(ctx, p->list[i].name);
  JS_FreeValue(ctx, p->list[i].value);
  memmove(p->list + i, p->list + i + 1, (--p->n - i) * sizeof *p->list);
}

enum { P_GET, P_ALL, P_HAS, P_APPEND, P_SET, P_DELETE };

static JSValue params_find(JSContext *ctx, struct params *p, JSValueConst name, JSValueConst value, int what) {
  JSValue all = what == P_ALL ? JS_NewArray(ctx) : JS_NULL;
  for (uint32_t i = 0, n = 0; i < p->n; i++) {
    if (!same_text(ctx, p->list[i].name, name) || (!JS_IsUndefined(value) && !same_text(ctx, p->list[i].value, value))) continue;
    if (what == P_HAS) return JS_TRUE;
    if (what == P_GET) return JS_DupValue(ctx, p->list[i].value);
    JS_DefinePropertyValueUint32(ctx, all, n++, JS_DupValue(ctx, p->list[i].value), JS_PROP_C_W_E);
  }
  return what == P_HAS ? JS_FALSE : all;
}

// params_change appends, sets or deletes.
static int params_change(JSContext *ctx, struct params *p, JSValueConst name, JSValueConst value, int what) {
  int placed = what == P_DELETE, err = 0;
  for (uint32_t i = 0; what != P_APPEND && i < p->n;) {
    if (!same_text(ctx, p->list[i].name, name) || (what == P_DELETE && !JS_IsUndefined(value) && !same_text(ctx, p->list[i].value, value))) i++;
    else if (placed) params_drop(ctx, p, i);
    else {
      JS_FreeValue(ctx, p->list[i].value);
      p->list[i++].value = JS_DupValue(ctx, value);
      placed = 1;
    }
  }
  if (!placed) err = params_add(ctx, p, JS_DupValue(ctx, name), JS_DupValue(ctx, value));
  params_update(ctx, p);
  return err;
}

static JSValue params_method(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv, int what) {
  struct params *p = JS_GetOpaque2(ctx, this, params_class);
  int both = what == P_APPEND || what == P_SET;
  if (!p) return JS_EXCEPTION;
  if (argc < 1 + both) return JS_ThrowTypeError(ctx, "URLSearchParams takes a name%s here", both ? " and a value" : "");
  int with_value = both || ((what == P_HAS || what == P_DELETE) && argc > 1 && !JS_IsUndefined(argv[1]));
  JSValue name = usv(ctx, argv[0]), value = JS_IsException(name) || !with_value ? JS_UNDEFINED : usv(ctx, argv[1]), result = JS_EXCEPTION;
  if (!JS_IsException(name) && !JS_IsException(value)) {
    if (what <= P_HAS) result = params_find(ctx, p, name, value, what);
    else if (params_change(ctx, p, name, value, what) == 0) result = JS_UNDEFINED;
  }
  JS_FreeValue(ctx, name);
  JS_FreeValue(ctx, value);
  return result;
}

static JSValue params_size(JSContext *ctx, JSValueConst this) {
  struct params *p = JS_GetOpaque2(ctx, this, params_class);
  return p ? JS_NewInt32(ctx, p->n) : JS_EXCEPTION;
}

// text_order compares code units of UTF-16.
static int text_order(JSContext *ctx, JSValueConst a, JSValueConst b) {
  JSValue x = JS_ToString(ctx, a), y = JS_ToString(ctx, b);
  if (JS_VALUE_GET_TAG(x) == JS_TAG_STRING_ROPE) x = js_linearize_string_rope(ctx, x);
  if (JS_VALUE_GET_TAG(y) == JS_TAG_STRING_ROPE) y = js_linearize_string_rope(ctx, y);
  int order = JS_IsException(x) || JS_IsException(y) ? 0 : js_string_compare(JS_VALUE_GET_STRING(x), JS_VALUE_GET_STRING(y));
  JS_FreeValue(ctx, x);
  JS_FreeValue(ctx, y);
  return order;
}

// params_sort merges: equal names keep their order, and many pairs take no square of time.
static void params_merge(JSContext *ctx, struct pair *list, struct pair *spare, uint32_t n) {
  uint32_t half = n / 2, a = 0, b = half, k = 0;
  if (n < 2) return;
  params_merge(ctx, list, spare, half);
  params_merge(ctx, list + half, spare, n - half);
  while (a < half || b < n)
    spare[k++] = b == n || (a < half && text_order(ctx, list[a].name, list[b].name) <= 0) ? list[a++] : list[b++];
  memcpy(list, spare, n * sizeof *list);
}

static JSValue params_sort(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  struct params *p = JS_GetOpaque2(ctx, this, params_class);
  struct pair *spare = p ? js_malloc(ctx, (p->n + 1) * sizeof *spare) : NULL;
  if (!spare) return JS_EXCEPTION;
  params_merge(ctx, p->list, spare, p->n);
  js_free(ctx, spare);
  params_update(ctx, p);
  return JS_UNDEFINED;
}

static JSValue params_text(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  struct params *p = JS_GetOpaque2(ctx, this, params_class);
  DynBuf b;
  if (!p) return JS_EXCEPTION;
  js_dbuf_init(ctx, &b);
  put_params(ctx, &b, p);
  return take_text(ctx, &b);
}

static JSValue params_step(JSContext *ctx, struct iterator *it, int *done) {
  struct params *p = params_of(it->of);
  *done = it->at >= p->n;
  if (*done) return JS_UNDEFINED;
  struct pair *q = &p->list[it->at++];
  return it->what == PAIRS ? pair_of(ctx, JS_DupValue(ctx, q->name), JS_DupValue(ctx, q->value)) : JS_DupValue(ctx, it->what == KEYS ? q->name : q->value);
}

static JSClassID params_iterator_class;
static const JSClassDef params_iterator_def = {"URLSearchParams Iterator", .finalizer = iterator_finalizer, .gc_mark = iterator_mark};

static JSValue params_next(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv, int *done, int magic) {
  struct iterator *it = JS_GetOpaque2(ctx, this, params_iterator_class);
  *done = 0;
  return it ? params_step(ctx, it, done) : JS_EXCEPTION;
}

static JSValue params_iterate(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv, int what) {
  return JS_GetOpaque2(ctx, this, params_class) ? iterator_new(ctx, params_iterator_class, this, what) : JS_EXCEPTION;
}

static JSValue params_each(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  return JS_GetOpaque2(ctx, this, params_class) ? each_of(ctx, params_step, this, argc, argv) : JS_EXCEPTION;
}

static void params_finalizer(JSRuntime *rt, JSValueConst v) {
  struct params *p = params_of(v);
  if (!p) return;
  for (uint32_t i = 0; i < p->n; i++) {
    JS_FreeValueRT(rt, p->list[i].name);
    JS_FreeValueRT(rt, p->list[i].value);
  }
  js_free_rt(rt, p->list);
  JS_FreeValueRT(rt, p->url);
  js_free_rt(rt, p);
}

static void params_mark(JSRuntime *rt, JSValueConst v, JS_MarkFunc *mark) {
  struct params *p = params_of(v);
  if (p) JS_MarkValue(rt, p->url, mark);
}

static const JSClassDef params_def = {"URLSearchParams", .finalizer = params_finalizer, .gc_mark = params_mark};

static const JSCFunctionListEntry params_iterator_proto[] = {
  JS_ITERATOR_NEXT_DEF("next", 0, params_next, 0),
  TAG("URLSearchParams Iterator"),
};

static const JSCFunctionListEntry params_proto[] = {
  JS_CFUNC_MAGIC_DEF("get", 1, params_method, P_GET),
  JS_CFUNC_MAGIC_DEF("getAll", 1, params_method, P_ALL),
  JS_CFUNC_MAGIC_DEF("has", 1, params_method, P_HAS),
  JS_CFUNC_MAGIC_DEF("append", 2, params_method, P_APPEND),
  JS_CFUNC_MAGIC_DEF("set", 2, params_method, P_SET),
  JS_CFUNC_MAGIC_DEF("delete", 1, params_method, P_DELETE),
  JS_CGETSET_DEF("size", params_size, NULL),
  JS_CFUNC_DEF("sort", 0, params_sort),
  JS_CFUNC_DEF("toString", 0, params_text),
  JS_CFUNC_MAGIC_DEF("entries", 0, params_iterate, PAIRS),
  JS_CFUNC_MAGIC_DEF("keys", 0, params_iterate, KEYS),
  JS_CFUNC_MAGIC_DEF("values", 0, params_iterate, VALUES),
  JS_ALIAS_DEF("[Symbol.iterator]", "entries"),
  JS_CFUNC_DEF("forEach", 1, params_each),
  TAG("URLSearchParams"),
};
