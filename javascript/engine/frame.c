// Frames of interface abi/v1, see abi/frame.go: a request's is read in place, a response's is written.

enum { REQUEST_MAGIC = 0x51524741, RESPONSE_MAGIC = 0x53524741, REQUEST_HEADER = 64, RESPONSE_HEADER = 32, ENTRY = 16 };

static const uint8_t *part(const uint8_t *frame, uint32_t at, size_t *n) {
  *n = u32_at(frame + at + 4);
  return frame + u32_at(frame + at);
}

static const uint8_t *frame_body(const uint8_t *frame, size_t *n) {
  if (frame) return part(frame, 56, n);
  *n = 0;
  return (const uint8_t *)"";
}

static JSValue frame_method(JSContext *ctx, const uint8_t *frame) {
  size_t n;
  const uint8_t *p = part(frame, 16, &n);
  return latin1_text(ctx, p, n);
}

// put_part appends a part of a request's frame.
static void put_part(DynBuf *b, const uint8_t *frame, uint32_t at) {
  size_t n;
  const uint8_t *p = part(frame, at, &n);
  dbuf_put(b, p, n);
}

static JSValue frame_url(JSContext *ctx, const uint8_t *frame) {
  DynBuf b;
  js_dbuf_init(ctx, &b);
  if (u32_at(frame + 4) >= 88 && u32_at(frame + 76)) put_part(&b, frame, 72);
  else dbuf_putstr(&b, "http");
  dbuf_putstr(&b, "://");
  put_part(&b, frame, 40);
  put_part(&b, frame, 24);
  if (u32_at(frame + 36)) {
    dbuf_putc(&b, '?');
    put_part(&b, frame, 32);
  }
  return take_text(ctx, &b);
}

static int frame_headers(JSContext *ctx, struct headers *h, const uint8_t *frame, uint32_t count_at, uint32_t table_at) {
  const uint8_t *entry = frame + u32_at(frame + table_at);
  for (uint32_t i = u32_at(frame + count_at); i; i--, entry += ENTRY)
    if (headers_add(ctx, h, frame + u32_at(entry), u32_at(entry + 4), frame + u32_at(entry + 8), u32_at(entry + 12)) < 0) return -1;
  return 0;
}

// frame_header finds a request's header without making Headers.
static const uint8_t *frame_header(const uint8_t *frame, const char *name, size_t *n) {
  const uint8_t *entry = frame + u32_at(frame + 48);
  for (uint32_t i = u32_at(frame + 12); i; i--, entry += ENTRY)
    if (u32_at(entry + 4) == strlen(name) && !strncasecmp((const char *)frame + u32_at(entry), name, strlen(name))) {
      *n = u32_at(entry + 12);
      return frame + u32_at(entry + 8);
    }
  return NULL;
}

// known_bytes returns the bytes of a body that the prelude has made a text or bytes of; text is freed
// with JS_FreeCString.
static const uint8_t *known_bytes(JSContext *ctx, struct body *b, size_t *n, const char **text) {
  *text = NULL;
  *n = 0;
  if (JS_IsString(b->value)) return (const uint8_t *)(*text = JS_ToCStringLen(ctx, n, b->value));
  const uint8_t *p = is_bytes(b->value) ? JS_GetUint8Array(ctx, n, b->value) : NULL;
  if (!p) *n = 0;
  return p ? p : (const uint8_t *)"";
}

// put_fields writes a table of headers and their texts at an offset, and returns the offset behind.
static uint32_t put_fields(uint8_t *frame, uint32_t table, const struct field *list, uint32_t n) {
  uint32_t at = table + n * ENTRY;
  for (uint32_t i = 0; i < n; i++) {
    uint8_t *entry = frame + table + i * ENTRY;
    put_u32(entry, at);
    put_u32(entry + 4, list[i].name_len);
    memcpy(frame + at, list[i].name, list[i].name_len);
    at += list[i].name_len;
    put_u32(entry + 8, at);
    put_u32(entry + 12, list[i].value_len);
    memcpy(frame + at, list[i].value, list[i].value_len);
    at += list[i].value_len;
  }
  return at;
}

// response_frame writes a response whose body is known, without it if it is streamed. It returns NULL
// if there is no memory.
static uint8_t *response_frame(JSContext *ctx, struct response *r, int streamed, uint32_t *size) {
  struct headers *h = headers_of(r->body.headers);
  struct field only = {(const uint8_t *)"content-type", (const uint8_t *)r->body.type, 12, r->body.type ? strlen(r->body.type) : 0};
  const struct field *list = h ? h->list : &only;
  uint32_t count = h ? h->n : r->body.type != NULL;
  size_t n = 0;
  const char *text = NULL;
  const uint8_t *body = streamed ? (const uint8_t *)"" : known_bytes(ctx, &r->body, &n, &text);
  uint64_t total = RESPONSE_HEADER + n;
  for (uint32_t i = 0; i < count; i++) total += ENTRY + list[i].name_len + list[i].value_len;
  uint8_t *f = body && total <= LARGEST ? malloc(total) : NULL;
  if (f) {
    memset(f, 0, RESPONSE_HEADER);
    put_u32(f, RESPONSE_MAGIC);
    put_u32(f + 4, RESPONSE_HEADER);
    put_u32(f + 8, r->status);
    put_u32(f + 12, count);
    put_u32(f + 16, RESPONSE_HEADER);
    put_u32(f + 20, count * ENTRY);
    uint32_t at = put_fields(f, RESPONSE_HEADER, list, count);
    put_u32(f + 24, at);
    put_u32(f + 28, n);
    memcpy(f + at, body, n);
    *size = total;
  }
  JS_FreeCString(ctx, text);
  return f;
}

static void frame_text(DynBuf *b, uint32_t at, const char *p, size_t n) {
  uint32_t where = b->size;
  dbuf_put(b, (const uint8_t *)p, n);
  if (b->error) return;
  put_u32(b->buf + at, where);
  put_u32(b->buf + at + 4, n);
}

// request_frame writes what fetch asks: the origin stands where a request has its host.
static int request_frame(JSContext *ctx, JSValueConst v, struct request *r, DynBuf *b) {
  static const uint8_t zeros[REQUEST_HEADER];
  struct url u = {0};
  DynBuf origin;
  size_t n;
  const char *text;
  JSValue url = request_url_text(ctx, r), method = request_method_text(ctx, r);
  int err = url_read(ctx, &u, url, JS_UNDEFINED);
  JS_FreeValue(ctx, url);
  struct headers *h = body_headers(ctx, v, &r->body);
  const char *m = JS_ToCStringLen(ctx, &n, method);
  JS_FreeValue(ctx, method);
  if (err || !m || !h) return -1;
  dbuf_put(b, zeros, sizeof zeros);
  frame_text(b, 16, m, n);
  JS_FreeCString(ctx, m);
  frame_text(b, 24, u.path.p, u.path.n);
  frame_text(b, 32, u.query.p, u.query.n);
  js_dbuf_init(ctx, &origin);
  put_origin(ctx, &origin, &u);
  frame_text(b, 40, (char *)origin.buf, origin.size);
  dbuf_free(&origin);
  url_clear(ctx, &u);
  uint32_t table = b->size, size = h->n * ENTRY;
  for (uint32_t i = 0; i < h->n; i++) size += h->list[i].name_len + h->list[i].value_len;
  if (b->error || dbuf_claim(b, size)) return -1;
  put_u32(b->buf, REQUEST_MAGIC);
  put_u32(b->buf + 4, REQUEST_HEADER);
  put_u32(b->buf + 12, h->n);
  put_u32(b->buf + 48, table);
  put_u32(b->buf + 52, h->n * ENTRY);
  b->size = put_fields(b->buf, table, h->list, h->n);
  const uint8_t *p = known_bytes(ctx, &r->body, &n, &text);
  if (!p) return -1;
  frame_text(b, 56, (const char *)p, n);
  JS_FreeCString(ctx, text);
  return b->error ? -1 : 0;
}
