// Request and Response.

struct body {
  JSValue value;   // null, a string without wide characters, a Uint8Array, or an object that the prelude reads
  JSValue slot;    // the prelude's own
  JSValue headers; // undefined: not made yet
  const char *type; // a content type that the body brings, while headers are not made
  uint8_t used;
};
struct request {
  struct body body;
  JSValue method, url, redirect; // undefined: not made yet
  const uint8_t *frame;          // of a request that came in; see frame.c
};
struct response {
  struct body body;
  JSValue status_text, url;
  uint16_t status;
  uint8_t redirected, kind; // kinds are those of response_kinds
};
static const char *const response_kinds[] = {"default", "error", "basic"};

static JSClassID request_class, response_class;

// What the prelude does, where bodies are objects that only it knows.
enum { HOOK_EXTRACT, HOOK_CONSUME, HOOK_INIT, HOOK_CLONE, HOOKS };
static const char *const hook_names[HOOKS] = {"extract", "consume", "init", "clone"};
static JSValue hooks[HOOKS];

static JSValue frame_method(JSContext *ctx, const uint8_t *frame);
static JSValue frame_url(JSContext *ctx, const uint8_t *frame);
static int frame_headers(JSContext *ctx, struct headers *h, const uint8_t *frame, uint32_t count_at, uint32_t table_at);
static const uint8_t *frame_body(const uint8_t *frame, size_t *n);

static struct body *body_of(JSContext *ctx, JSValueConst v) {
  JSClassID id = JS_GetClassID(v);
  if (id == request_class || id == response_class) return JS_GetOpaque(v, id);
  JS_ThrowTypeError(ctx, "this is not a Request or a Response");
  return NULL;
}

static const uint8_t *frame_of(JSValueConst v) {
  struct request *r = JS_GetOpaque(v, request_class);
  return r ? r->frame : NULL;
}

static int is_bytes(JSValueConst v) { return JS_GetTypedArrayType(v) == JS_TYPED_ARRAY_UINT8; }
static int is_known_body(JSValueConst v) { return JS_IsNull(v) || JS_IsString(v) || is_bytes(v); }

// body_value is a body's value, made on demand of a request that came in.
static JSValue body_value(JSContext *ctx, JSValueConst this, struct body *b) {
  if (JS_IsUndefined(b->value)) {
    size_t n;
    const uint8_t *p = frame_body(frame_of(this), &n);
    b->value = n ? JS_NewUint8ArrayCopy(ctx, p, n) : JS_NULL;
  }
  return JS_DupValue(ctx, b->value);
}

// body_text makes a body of a text: Latin-1 stays a string, the rest becomes UTF-8.
static JSValue body_text(JSContext *ctx, JSValueConst text) {
  JSValue s = JS_ToString(ctx, text);
  if (JS_IsException(s)) return s;
  if (JS_VALUE_GET_TAG(s) == JS_TAG_STRING_ROPE) s = js_linearize_string_rope(ctx, s);
  if (JS_IsException(s) || !JS_VALUE_GET_STRING(s)->is_wide_char) return s;
  size_t n;
  const char *p = utf8_of(ctx, s, &n);
  JSValue v = p ? JS_NewUint8ArrayCopy(ctx, (const uint8_t *)p, n) : JS_EXCEPTION;
  JS_FreeCString(ctx, p);
  JS_FreeValue(ctx, s);
  return v;
}

static struct headers *body_headers(JSContext *ctx, JSValueConst this, struct body *b) {
  struct headers *h;
  if (!JS_IsUndefined(b->headers)) return headers_of(b->headers);
  b->headers = headers_new(ctx, &h, JS_UNDEFINED);
  if (JS_IsException(b->headers)) {
    b->headers = JS_UNDEFINED;
    return NULL;
  }
  const uint8_t *frame = frame_of(this);
  if (frame) {
    if (frame_headers(ctx, h, frame, 12, 48) < 0) return NULL;
    h->immutable = 1;
  }
  if (b->type) headers_add(ctx, h, (const uint8_t *)"content-type", 12, (const uint8_t *)b->type, strlen(b->type));
  b->type = NULL;
  return h;
}

// body_set takes what may be given as a body, and its content type where there is none.
static int body_set(JSContext *ctx, JSValueConst this, struct body *b, JSValueConst v) {
  const char *type = NULL;
  JSValue named = JS_UNDEFINED;
  size_t n;
  uint8_t *bytes;
  if (JS_IsNull(v) || JS_IsUndefined(v)) return 0;
  if (!JS_IsObject(v)) {
    b->value = body_text(ctx, v);
    type = "text/plain;charset=UTF-8";
  } else if ((bytes = bytes_of(ctx, v, &n)))
    b->value = JS_NewUint8ArrayCopy(ctx, bytes, n);
  else if (params_of(v)) {
    b->value = params_text(ctx, v, 0, NULL);
    type = "application/x-www-form-urlencoded;charset=UTF-8";
  } else {
    JSValue parts = JS_Call(ctx, hooks[HOOK_EXTRACT], JS_UNDEFINED, 1, &v);
    if (JS_IsException(parts)) return -1;
    JSValue value = JS_GetPropertyUint32(ctx, parts, 0);
    b->value = JS_IsString(value) ? body_text(ctx, value) : JS_DupValue(ctx, value);
    JS_FreeValue(ctx, value);
    named = JS_GetPropertyUint32(ctx, parts, 1);
    JS_FreeValue(ctx, parts);
  }
  if (JS_IsException(b->value)) {
    b->value = JS_NULL;
    return -1;
  }
  if (JS_IsUndefined(b->headers) && JS_IsUndefined(named)) {
    b->type = type;
    return 0;
  }
  if (!type && !JS_IsString(named)) return 0;
  struct headers *h = body_headers(ctx, this, b);
  int err = h ? 0 : -1;
  if (h && headers_find(h, "content-type") < 0) {
    JSValue name = JS_NewString(ctx, "content-type"), value = type ? JS_NewString(ctx, type) : JS_DupValue(ctx, named);
    err = headers_append(ctx, h, name, value, 0);
    JS_FreeValue(ctx, name);
    JS_FreeValue(ctx, value);
  }
  JS_FreeValue(ctx, named);
  return err;
}

enum { TEXT, JSON, BYTES, BUFFER };
static const char *const kind_names[] = {"text", "json", "bytes", "arrayBuffer"};

static JSValue body_read(JSContext *ctx, JSValueConst this, struct body *b, int kind) {
  size_t n = 0;
  const uint8_t *p = (const uint8_t *)"";
  const char *s = NULL;
  if (JS_IsUndefined(b->value)) p = frame_body(frame_of(this), &n);
  else if (JS_IsString(b->value)) {
    if (kind == TEXT) return JS_DupValue(ctx, b->value);
    s = JS_ToCStringLen(ctx, &n, b->value);
    if (!s) return JS_EXCEPTION;
    if (kind == JSON) { // it is UTF-8 with a NUL behind it, and as Latin-1 it began with no BOM
      JSValue v = JS_ParseJSON(ctx, s, n, "<json>");
      JS_FreeCString(ctx, s);
      return v;
    }
    p = (const uint8_t *)s;
  } else if (is_bytes(b->value)) {
    p = JS_GetUint8Array(ctx, &n, b->value);
    if (!p) p = (const uint8_t *)"", n = 0;
  }
  JSValue v;
  switch (kind) {
  case TEXT: without_bom(&p, &n); v = utf8_text(ctx, p, n, 0); break;
  case JSON: v = json_value(ctx, p, n); break;
  case BYTES: v = JS_NewUint8ArrayCopy(ctx, p, n); break;
  default: v = JS_NewArrayBufferCopy(ctx, p, n);
  }
  JS_FreeCString(ctx, s);
  return v;
}

// settled makes a promise of a value, or of the exception.
static JSValue settled(JSContext *ctx, JSValue v) {
  int failed = JS_IsException(v);
  if (failed) v = JS_GetException(ctx);
  JSValue p = JS_NewSettledPromise(ctx, failed, v);
  JS_FreeValue(ctx, v);
  return p;
}

static int body_is_empty(JSValueConst this, struct body *b) {
  size_t n = 1;
  if (JS_IsUndefined(b->value)) frame_body(frame_of(this), &n);
  return JS_IsNull(b->value) || !n;
}

static JSValue body_consume(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv, int kind) {
  struct body *b = body_of(ctx, this);
  if (!b) return settled(ctx, JS_EXCEPTION);
  if (b->used) return settled(ctx, JS_ThrowTypeError(ctx, "the body was read already: keep what %s() returned, or read a clone()", kind_names[kind]));
  if (!JS_IsUndefined(b->value) && !is_known_body(b->value)) {
    JSValue args[2] = {JS_DupValue(ctx, this), JS_NewString(ctx, kind_names[kind])};
    JSValue r = JS_Call(ctx, hooks[HOOK_CONSUME], JS_UNDEFINED, 2, (JSValueConst *)args);
    JS_FreeValue(ctx, args[0]);
    JS_FreeValue(ctx, args[1]);
    return JS_IsException(r) ? settled(ctx, r) : r;
  }
  b->used = !body_is_empty(this, b);
  return settled(ctx, body_read(ctx, this, b, kind));
}

static JSValue body_get_used(JSContext *ctx, JSValueConst this) {
  struct body *b = body_of(ctx, this);
  return b ? JS_NewBool(ctx, b->used) : JS_EXCEPTION;
}

static JSValue body_get_headers(JSContext *ctx, JSValueConst this) {
  struct body *b = body_of(ctx, this);
  if (!b || !body_headers(ctx, this, b)) return JS_EXCEPTION;
  return JS_DupValue(ctx, b->headers);
}

// body_clone copies value and headers.
static int body_clone(JSContext *ctx, JSValueConst from, struct body *b, JSValueConst to, struct body *c) {
  if (b->used) {
    JS_ThrowTypeError(ctx, "the body was read already: clone before reading it");
    return -1;
  }
  struct headers *h = body_headers(ctx, from, b), *copy = h ? body_headers(ctx, to, c) : NULL;
  if (!copy || headers_copy(ctx, copy, h) < 0) return -1;
  if (!JS_IsUndefined(b->value) && !is_known_body(b->value)) c->value = JS_Call(ctx, hooks[HOOK_CLONE], JS_UNDEFINED, 2, (JSValueConst[]){from, to});
  else c->value = body_value(ctx, from, b);
  if (!JS_IsException(c->value)) return 0;
  c->value = JS_NULL;
  return -1;
}

static void body_free(JSRuntime *rt, struct body *b) {
  JS_FreeValueRT(rt, b->value);
  JS_FreeValueRT(rt, b->slot);
  JS_FreeValueRT(rt, b->headers);
}

static void body_mark(JSRuntime *rt, struct body *b, JS_MarkFunc *mark) {
  JS_MarkValue(rt, b->value, mark);
  JS_MarkValue(rt, b->slot, mark);
  JS_MarkValue(rt, b->headers, mark);
}

static void body_init(struct body *b) { *b = (struct body){.value = JS_NULL, .slot = JS_UNDEFINED, .headers = JS_UNDEFINED}; }

// object_of makes an object of a class with its data. proto may be undefined.
static JSValue object_of(JSContext *ctx, JSClassID class, JSValueConst proto, size_t size, void **data) {
  *data = js_mallocz(ctx, size);
  if (!*data) return JS_EXCEPTION;
  JSValue v = JS_IsUndefined(proto) ? JS_NewObjectClass(ctx, class) : JS_NewObjectProtoClass(ctx, proto, class);
  if (JS_IsException(v)) {
    js_free(ctx, *data);
    return v;
  }
  body_init(*data);
  JS_SetOpaque(v, *data);
  return v;
}

// --- Request

static JSValue request_object(JSContext *ctx, JSValueConst proto, struct request **r) {
  JSValue v = object_of(ctx, request_class, proto, sizeof **r, (void **)r);
  if (!JS_IsException(v)) (*r)->method = (*r)->url = (*r)->redirect = JS_UNDEFINED;
  return v;
}

static JSValue request_method_text(JSContext *ctx, struct request *r) {
  if (JS_IsUndefined(r->method)) r->method = r->frame ? frame_method(ctx, r->frame) : JS_NewString(ctx, "GET");
  return JS_DupValue(ctx, r->method);
}

static JSValue request_url_text(JSContext *ctx, struct request *r) {
  if (JS_IsUndefined(r->url)) r->url = frame_url(ctx, r->frame);
  return JS_DupValue(ctx, r->url);
}

enum { R_METHOD, R_URL, R_REDIRECT };

static JSValue request_get(JSContext *ctx, JSValueConst this, int what) {
  struct request *r = JS_GetOpaque2(ctx, this, request_class);
  if (!r) return JS_EXCEPTION;
  if (what == R_METHOD) return request_method_text(ctx, r);
  if (what == R_URL) return request_url_text(ctx, r);
  return JS_IsUndefined(r->redirect) ? JS_NewString(ctx, "follow") : JS_DupValue(ctx, r->redirect);
}

// method_of checks a method, and writes the usual ones in capitals.
static JSValue method_of(JSContext *ctx, JSValueConst v) {
  static const char *const usual[] = {"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"}, *const refused[] = {"CONNECT", "TRACE", "TRACK"};
  size_t n;
  const char *s = JS_ToCStringLen(ctx, &n, v);
  if (!s) return JS_EXCEPTION;
  JSValue r = JS_UNDEFINED;
  for (size_t i = 0; i < countof(usual) && JS_IsUndefined(r); i++)
    if (!strcasecmp(s, usual[i])) r = JS_NewString(ctx, usual[i]);
  int bad = !n;
  for (size_t i = 0; i < n; i++) bad |= !is_token_char(s[i]);
  for (size_t i = 0; i < countof(refused); i++) bad |= !strcasecmp(s, refused[i]);
  if (bad) r = JS_ThrowTypeError(ctx, "\"%.80s\" is not a method that can be sent", s);
  else if (JS_IsUndefined(r)) r = JS_NewStringLen(ctx, s, n);
  JS_FreeCString(ctx, s);
  return r;
}

static int is_method(JSContext *ctx, JSValueConst method, const char *name) {
  const char *s = JS_ToCString(ctx, method);
  int same = s && !strcmp(s, name);
  JS_FreeCString(ctx, s);
  return same;
}

// member returns a property of an init object, undefined if there is no init.
static JSValue member(JSContext *ctx, JSValueConst init, const char *name) {
  return JS_IsObject(init) ? JS_GetPropertyStr(ctx, init, name) : JS_UNDEFINED;
}

// request_from fills a request from the first argument.
static int request_from(JSContext *ctx, struct request *r, JSValueConst input, struct request *from) {
  struct url u = {0};
  if (from) {
    r->method = request_method_text(ctx, from);
    r->url = request_url_text(ctx, from);
    r->redirect = JS_DupValue(ctx, from->redirect);
    return JS_IsException(r->method) || JS_IsException(r->url) ? -1 : 0;
  }
  int err = url_read(ctx, &u, input, JS_UNDEFINED);
  if (err == -1) throw_no_url(ctx, input);
  if (err) return -1;
  if (u.username.n || u.password.n) {
    JS_ThrowTypeError(ctx, "a URL with a user's name or password cannot be asked: send an Authorization header");
    err = -1;
  } else {
    DynBuf b;
    js_dbuf_init(ctx, &b);
    put_href(&b, &u);
    r->url = take_text(ctx, &b);
    err = JS_IsException(r->url) ? -1 : 0;
  }
  url_clear(ctx, &u);
  return err;
}

// request_init applies the second argument, but for the body.
static int request_init(JSContext *ctx, JSValueConst v, struct request *r, JSValueConst init, JSValueConst input, struct request *from) {
  JSValue method = member(ctx, init, "method"), headers = member(ctx, init, "headers"), redirect = member(ctx, init, "redirect");
  int err = JS_IsException(method) || JS_IsException(headers) || JS_IsException(redirect) ? -1 : 0;
  if (!err && !JS_IsUndefined(method)) {
    JS_FreeValue(ctx, r->method);
    r->method = method_of(ctx, method);
    err = JS_IsException(r->method) ? -1 : 0;
    if (err) r->method = JS_UNDEFINED;
  }
  if (!err && !JS_IsUndefined(redirect)) {
    JS_FreeValue(ctx, r->redirect);
    r->redirect = JS_ToString(ctx, redirect);
    if (!is_method(ctx, r->redirect, "follow") && !is_method(ctx, r->redirect, "manual") && !is_method(ctx, r->redirect, "error")) {
      JS_ThrowTypeError(ctx, "redirect is \"follow\", \"manual\" or \"error\"");
      err = -1;
    }
  }
  struct headers *h = NULL;
  if (!err && (from || !JS_IsUndefined(headers))) err = (h = body_headers(ctx, v, &r->body)) ? 0 : -1;
  if (!err && !JS_IsUndefined(headers)) err = headers_fill(ctx, h, headers);
  else if (!err && from) {
    struct headers *theirs = body_headers(ctx, input, &from->body);
    err = theirs ? headers_copy(ctx, h, theirs) : -1;
  }
  JS_FreeValue(ctx, method);
  JS_FreeValue(ctx, headers);
  JS_FreeValue(ctx, redirect);
  return err;
}

static int request_body(JSContext *ctx, JSValueConst v, struct request *r, JSValueConst init, JSValueConst input, struct request *from) {
  JSValue body = member(ctx, init, "body"), method = request_method_text(ctx, r);
  int given = !JS_IsUndefined(body) && !JS_IsNull(body), takes = !given && JS_IsUndefined(body) && from && !body_is_empty(input, &from->body), err = 0;
  if (JS_IsException(body)) return -1;
  if ((given || takes) && (is_method(ctx, method, "GET") || is_method(ctx, method, "HEAD"))) {
    JS_ThrowTypeError(ctx, "a request with GET or HEAD has no body");
    err = -1;
  } else if (given) err = body_set(ctx, v, &r->body, body);
  else if (takes && from->body.used) {
    JS_ThrowTypeError(ctx, "the body of the request was read already");
    err = -1;
  } else if (takes) {
    r->body.value = body_value(ctx, input, &from->body);
    from->body.used = 1;
    err = JS_IsException(r->body.value) ? -1 : 0;
    if (err) r->body.value = JS_NULL;
  }
  JS_FreeValue(ctx, body);
  JS_FreeValue(ctx, method);
  return err;
}

// request_extra lets the prelude know of a signal, and of what it keeps of another request.
static int request_extra(JSContext *ctx, JSValueConst v, JSValueConst init, JSValueConst input, struct request *from) {
  JSValue signal = member(ctx, init, "signal");
  if (JS_IsException(signal)) return -1;
  int wanted = !JS_IsUndefined(signal) || (from && !JS_IsUndefined(from->body.slot));
  JS_FreeValue(ctx, signal);
  if (!wanted) return 0;
  JSValue r = JS_Call(ctx, hooks[HOOK_INIT], JS_UNDEFINED, 3, (JSValueConst[]){v, input, init});
  JS_FreeValue(ctx, r);
  return JS_IsException(r) ? -1 : 0;
}

static JSValue request_construct(JSContext *ctx, JSValueConst target, int argc, JSValueConst *argv) {
  struct request *r, *from;
  JSValue proto = proto_of(ctx, target, "Request");
  if (JS_IsException(proto)) return proto;
  JSValue v = request_object(ctx, proto, &r);
  JS_FreeValue(ctx, proto);
  if (JS_IsException(v)) return v;
  JSValueConst input = argc > 0 ? argv[0] : JS_UNDEFINED, init = argc > 1 ? argv[1] : JS_UNDEFINED;
  from = JS_GetOpaque(input, request_class);
  if (request_from(ctx, r, input, from) == 0 && request_init(ctx, v, r, init, input, from) == 0 && request_body(ctx, v, r, init, input, from) == 0 &&
      request_extra(ctx, v, init, input, from) == 0)
    return v;
  JS_FreeValue(ctx, v);
  return JS_EXCEPTION;
}

static JSValue request_clone(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  struct request *r = JS_GetOpaque2(ctx, this, request_class), *c;
  if (!r) return JS_EXCEPTION;
  JSValue v = request_object(ctx, JS_UNDEFINED, &c);
  if (JS_IsException(v)) return v;
  c->method = request_method_text(ctx, r);
  c->url = request_url_text(ctx, r);
  c->redirect = JS_DupValue(ctx, r->redirect);
  if (body_clone(ctx, this, &r->body, v, &c->body) == 0) return v;
  JS_FreeValue(ctx, v);
  return JS_EXCEPTION;
}

static void request_finalizer(JSRuntime *rt, JSValueConst v) {
  struct request *r = JS_GetOpaque(v, request_class);
  if (!r) return;
  body_free(rt, &r->body);
  JS_FreeValueRT(rt, r->method);
  JS_FreeValueRT(rt, r->url);
  JS_FreeValueRT(rt, r->redirect);
  js_free_rt(rt, r);
}

static void request_mark(JSRuntime *rt, JSValueConst v, JS_MarkFunc *mark) {
  struct request *r = JS_GetOpaque(v, request_class);
  if (r) body_mark(rt, &r->body, mark);
}

// --- Response

static JSValue response_object(JSContext *ctx, JSValueConst proto, struct response **r) {
  JSValue v = object_of(ctx, response_class, proto, sizeof **r, (void **)r);
  if (!JS_IsException(v)) {
    (*r)->status = 200;
    (*r)->status_text = (*r)->url = JS_UNDEFINED;
  }
  return v;
}

static int is_null_body_status(int s) { return s == 101 || s == 103 || s == 204 || s == 205 || s == 304; }

static int response_status(JSContext *ctx, struct response *r, JSValueConst v) {
  int32_t status;
  if (JS_ToInt32(ctx, &status, v) < 0) return -1;
  if (status < 200 || status > 599) {
    JS_ThrowRangeError(ctx, "%d is not a status between 200 and 599", (int)status);
    return -1;
  }
  r->status = status;
  return 0;
}

static int response_init(JSContext *ctx, JSValueConst this, struct response *r, JSValueConst init) {
  if (JS_IsUndefined(init) || JS_IsNull(init)) return 0;
  if (!JS_IsObject(init)) {
    JS_ThrowTypeError(ctx, "Response takes an object with status and headers as its second argument");
    return -1;
  }
  JSValue status = member(ctx, init, "status"), headers = member(ctx, init, "headers"), text = member(ctx, init, "statusText");
  int err = JS_IsException(status) || JS_IsException(headers) || JS_IsException(text) ? -1 : 0;
  if (!err && !JS_IsUndefined(status)) err = response_status(ctx, r, status);
  if (!err && !JS_IsUndefined(text)) {
    struct byte_string s;
    err = header_value(ctx, text, &s);
    if (!err) r->status_text = s.hold;
  }
  if (!err && !JS_IsUndefined(headers)) {
    struct headers *h = body_headers(ctx, this, &r->body);
    err = h ? headers_fill(ctx, h, headers) : -1;
  }
  JS_FreeValue(ctx, status);
  JS_FreeValue(ctx, headers);
  JS_FreeValue(ctx, text);
  return err;
}

static JSValue response_construct(JSContext *ctx, JSValueConst target, int argc, JSValueConst *argv) {
  struct response *r;
  JSValue proto = proto_of(ctx, target, "Response");
  if (JS_IsException(proto)) return proto;
  JSValue v = response_object(ctx, proto, &r);
  JS_FreeValue(ctx, proto);
  if (JS_IsException(v)) return v;
  JSValueConst body = argc > 0 ? argv[0] : JS_UNDEFINED;
  int empty = JS_IsUndefined(body) || JS_IsNull(body);
  if (response_init(ctx, v, r, argc > 1 ? argv[1] : JS_UNDEFINED) < 0) goto fail;
  if (!empty && is_null_body_status(r->status)) {
    JS_ThrowTypeError(ctx, "a response with status %d has no body: pass null", r->status);
    goto fail;
  }
  if (body_set(ctx, v, &r->body, body) == 0) return v;
fail:
  JS_FreeValue(ctx, v);
  return JS_EXCEPTION;
}

static JSValue response_json(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  struct response *r;
  JSValue text = JS_JSONStringify(ctx, argc > 0 ? argv[0] : JS_UNDEFINED, JS_UNDEFINED, JS_UNDEFINED);
  if (JS_IsUndefined(text)) return JS_ThrowTypeError(ctx, "Response.json() takes a value that JSON can express, not undefined or a function");
  JSValue v = JS_IsException(text) ? text : response_object(ctx, JS_UNDEFINED, &r);
  if (JS_IsException(v)) goto done;
  if (response_init(ctx, v, r, argc > 1 ? argv[1] : JS_UNDEFINED) < 0) goto fail;
  if (is_null_body_status(r->status)) {
    JS_ThrowTypeError(ctx, "a response with status %d has no body", r->status);
    goto fail;
  }
  r->body.value = body_text(ctx, text);
  if (JS_IsException(r->body.value)) {
    r->body.value = JS_NULL;
    goto fail;
  }
  static const char type[] = "application/json";
  struct headers *h = headers_of(r->body.headers);
  if (!h) r->body.type = type;
  else if (headers_find(h, "content-type") < 0 && headers_add(ctx, h, (const uint8_t *)"content-type", 12, (const uint8_t *)type, sizeof type - 1) < 0) goto fail;
  goto done;
fail:
  JS_FreeValue(ctx, v);
  v = JS_EXCEPTION;
done:
  JS_FreeValue(ctx, text);
  return v;
}

static JSValue response_redirect(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  struct response *r;
  struct url u = {0};
  int32_t status = 302;
  if (argc > 1 && !JS_IsUndefined(argv[1]) && JS_ToInt32(ctx, &status, argv[1]) < 0) return JS_EXCEPTION;
  if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308) return JS_ThrowRangeError(ctx, "%d is not a status of a redirect", (int)status);
  size_t n;
  const char *s = utf8_of(ctx, argc > 0 ? argv[0] : JS_UNDEFINED, &n);
  if (!s) return JS_EXCEPTION;
  DynBuf b;
  js_dbuf_init(ctx, &b);
  if (n && s[0] == '/') put_encoded(&b, s, n, 'C'); // relative to the app, which does not know its own address here
  else if (url_parse(ctx, &u, s, n, NULL) == 0) put_href(&b, &u);
  else {
    JS_FreeCString(ctx, s);
    url_clear(ctx, &u);
    return throw_no_url(ctx, argc > 0 ? argv[0] : JS_UNDEFINED);
  }
  JS_FreeCString(ctx, s);
  url_clear(ctx, &u);
  JSValue v = response_object(ctx, JS_UNDEFINED, &r);
  struct headers *h = JS_IsException(v) ? NULL : body_headers(ctx, v, &r->body);
  if (h) {
    r->status = status;
    headers_add(ctx, h, (const uint8_t *)"location", 8, b.buf, b.size);
  }
  dbuf_free(&b);
  return v;
}

static JSValue response_error(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  struct response *r;
  JSValue v = response_object(ctx, JS_UNDEFINED, &r);
  if (!JS_IsException(v)) r->status = 0, r->kind = 1;
  return v;
}

enum { P_STATUS, P_OK, P_STATUS_TEXT, P_URL, P_REDIRECTED, P_TYPE };

static JSValue response_get(JSContext *ctx, JSValueConst this, int what) {
  struct response *r = JS_GetOpaque2(ctx, this, response_class);
  if (!r) return JS_EXCEPTION;
  switch (what) {
  case P_STATUS: return JS_NewInt32(ctx, r->status);
  case P_OK: return JS_NewBool(ctx, r->status >= 200 && r->status < 300);
  case P_STATUS_TEXT: return JS_IsUndefined(r->status_text) ? JS_NewString(ctx, "") : JS_DupValue(ctx, r->status_text);
  case P_URL: return JS_IsUndefined(r->url) ? JS_NewString(ctx, "") : JS_DupValue(ctx, r->url);
  case P_REDIRECTED: return JS_NewBool(ctx, r->redirected);
  default: return JS_NewString(ctx, response_kinds[r->kind]);
  }
}

static JSValue response_clone(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  struct response *r = JS_GetOpaque2(ctx, this, response_class), *c;
  if (!r) return JS_EXCEPTION;
  JSValue v = response_object(ctx, JS_UNDEFINED, &c);
  if (JS_IsException(v)) return v;
  c->status = r->status;
  c->redirected = r->redirected;
  c->kind = r->kind;
  c->status_text = JS_DupValue(ctx, r->status_text);
  c->url = JS_DupValue(ctx, r->url);
  if (body_clone(ctx, this, &r->body, v, &c->body) == 0) return v;
  JS_FreeValue(ctx, v);
  return JS_EXCEPTION;
}

static void response_finalizer(JSRuntime *rt, JSValueConst v) {
  struct response *r = JS_GetOpaque(v, response_class);
  if (!r) return;
  body_free(rt, &r->body);
  JS_FreeValueRT(rt, r->status_text);
  JS_FreeValueRT(rt, r->url);
  js_free_rt(rt, r);
}

static void response_mark(JSRuntime *rt, JSValueConst v, JS_MarkFunc *mark) {
  struct response *r = JS_GetOpaque(v, response_class);
  if (r) body_mark(rt, &r->body, mark);
}

static const JSClassDef request_def = {"Request", .finalizer = request_finalizer, .gc_mark = request_mark};
static const JSClassDef response_def = {"Response", .finalizer = response_finalizer, .gc_mark = response_mark};

#define BODY_METHODS \
  JS_CFUNC_MAGIC_DEF("text", 0, body_consume, TEXT), JS_CFUNC_MAGIC_DEF("json", 0, body_consume, JSON), \
  JS_CFUNC_MAGIC_DEF("bytes", 0, body_consume, BYTES), JS_CFUNC_MAGIC_DEF("arrayBuffer", 0, body_consume, BUFFER), \
  JS_CGETSET_DEF("bodyUsed", body_get_used, NULL), JS_CGETSET_DEF("headers", body_get_headers, NULL)

static const JSCFunctionListEntry request_proto[] = {
  BODY_METHODS,
  JS_CGETSET_MAGIC_DEF("method", request_get, NULL, R_METHOD),
  JS_CGETSET_MAGIC_DEF("url", request_get, NULL, R_URL),
  JS_CGETSET_MAGIC_DEF("redirect", request_get, NULL, R_REDIRECT),
  JS_CFUNC_DEF("clone", 0, request_clone),
  TAG("Request"),
};
static const JSCFunctionListEntry response_proto[] = {
  BODY_METHODS,
  JS_CGETSET_MAGIC_DEF("status", response_get, NULL, P_STATUS),
  JS_CGETSET_MAGIC_DEF("ok", response_get, NULL, P_OK),
  JS_CGETSET_MAGIC_DEF("statusText", response_get, NULL, P_STATUS_TEXT),
  JS_CGETSET_MAGIC_DEF("url", response_get, NULL, P_URL),
  JS_CGETSET_MAGIC_DEF("redirected", response_get, NULL, P_REDIRECTED),
  JS_CGETSET_MAGIC_DEF("type", response_get, NULL, P_TYPE),
  JS_CFUNC_DEF("clone", 0, response_clone),
  TAG("Response"),
};
static const JSCFunctionListEntry response_statics[] = {
  JS_CFUNC_DEF("json", 1, response_json),
  JS_CFUNC_DEF("redirect", 1, response_redirect),
  JS_CFUNC_DEF("error", 0, response_error),
};
