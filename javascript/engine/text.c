// Texts between JavaScript, which has UTF-16 or Latin-1, and the wire.

static int is_ascii(const uint8_t *p, size_t n) {
  uint64_t word, high = 0;
  for (; n >= 8; p += 8, n -= 8) {
    memcpy(&word, p, 8);
    high |= word;
  }
  for (; n; n--)
    high |= (uint64_t)*p++ << 0;
  return !(high & 0x8080808080808080ull);
}

// utf8_of returns a value's text in UTF-8, with U+FFFD for halves of surrogate pairs (what Web IDL
// calls a USVString). It is given back with JS_FreeCString.
static const char *utf8_of(JSContext *ctx, JSValueConst v, size_t *n) {
  const char *s = JS_ToCStringLen(ctx, n, v);
  if (!s || is_ascii((const uint8_t *)s, *n))
    return s;
  uint8_t *p = (uint8_t *)s; // not ASCII: the bytes are a copy
  for (size_t i = 0; i + 2 < *n; i++)
    if (p[i] == 0xed && p[i + 1] >= 0xa0) {
      p[i] = 0xef, p[i + 1] = 0xbf, p[i + 2] = 0xbd;
      i += 2;
    }
  return s;
}

// utf8_next decodes one code point as the Encoding standard does, -1 for what is to be replaced.
static int32_t utf8_next(const uint8_t **at, const uint8_t *end) {
  const uint8_t *p = *at;
  uint8_t c = *p++, low = 0x80, high = 0xbf;
  int more;
  int32_t code;
  if (c < 0x80) {
    *at = p;
    return c;
  }
  if (c >= 0xc2 && c <= 0xdf) more = 1, code = c & 0x1f;
  else if (c >= 0xe0 && c <= 0xef) {
    more = 2, code = c & 0xf;
    if (c == 0xe0) low = 0xa0;
    if (c == 0xed) high = 0x9f;
  } else if (c >= 0xf0 && c <= 0xf4) {
    more = 3, code = c & 7;
    if (c == 0xf0) low = 0x90;
    if (c == 0xf4) high = 0x8f;
  } else more = 0, code = -1;
  for (; more; more--, low = 0x80, high = 0xbf) {
    if (p == end || *p < low || *p > high) {
      code = -1;
      break;
    }
    code = code << 6 | (*p++ & 0x3f);
  }
  *at = p;
  return code;
}

static JSValue latin1_text(JSContext *ctx, const uint8_t *p, size_t n) {
  if (n > JS_STRING_LEN_MAX)
    return JS_ThrowRangeError(ctx, "a text of %zu bytes is too long", n);
  return js_new_string8_len(ctx, (const char *)p, n);
}

// utf8_text makes a string of UTF-8. What is not UTF-8 is replaced by U+FFFD, or refused if fatal.
static JSValue utf8_text(JSContext *ctx, const uint8_t *p, size_t n, int fatal) {
  if (is_ascii(p, n))
    return latin1_text(ctx, p, n);
  StringBuffer b;
  string_buffer_init(ctx, &b, n);
  for (const uint8_t *end = p + n; p < end;) {
    int32_t c = utf8_next(&p, end);
    if (c < 0 && fatal) {
      string_buffer_free(&b);
      return JS_ThrowTypeError(ctx, "the bytes are not UTF-8");
    }
    if (string_buffer_putc(&b, c < 0 ? 0xfffd : c) < 0)
      break;
  }
  return string_buffer_end(&b);
}

// without_bom skips a byte order mark.
static void without_bom(const uint8_t **p, size_t *n) {
  if (*n >= 3 && !memcmp(*p, "\xef\xbb\xbf", 3))
    *p += 3, *n -= 3;
}

// json_value parses JSON of any bytes: the parser needs a NUL behind them.
static JSValue json_value(JSContext *ctx, const uint8_t *p, size_t n) {
  without_bom(&p, &n);
  if (!is_ascii(p, n)) { // as text() would give it, with what is not UTF-8 replaced
    JSValue text = utf8_text(ctx, p, n, 0);
    if (JS_IsException(text))
      return text;
    size_t len;
    const char *s = JS_ToCStringLen(ctx, &len, text);
    JSValue v = s ? JS_ParseJSON(ctx, s, len, "<json>") : JS_EXCEPTION;
    JS_FreeCString(ctx, s);
    JS_FreeValue(ctx, text);
    return v;
  }
  char *copy = js_malloc(ctx, n + 1);
  if (!copy)
    return JS_EXCEPTION;
  memcpy(copy, p, n);
  copy[n] = 0;
  JSValue v = JS_ParseJSON(ctx, copy, n, "<json>");
  js_free(ctx, copy);
  return v;
}

// bytes_of returns the bytes behind an ArrayBuffer or a view of one, or NULL. It throws nothing.
static uint8_t *bytes_of(JSContext *ctx, JSValueConst v, size_t *n) {
  static uint8_t none[1];
  uint8_t *p = NULL;
  *n = 0;
  if (JS_IsArrayBuffer(v)) {
    p = JS_GetArrayBuffer(ctx, n, v);
    if (!p && !*n) p = none;
  } else if (JS_GetTypedArrayType(v) >= 0 || JS_IsDataView(v)) {
    size_t at, len, all, each;
    JSValue buffer;
    if (JS_IsDataView(v)) {
      JSValue a = JS_GetPropertyStr(ctx, v, "byteOffset"), l = JS_GetPropertyStr(ctx, v, "byteLength");
      int64_t a64 = 0, l64 = 0;
      JS_ToInt64(ctx, &a64, a);
      JS_ToInt64(ctx, &l64, l);
      at = a64, len = l64;
      buffer = JS_GetPropertyStr(ctx, v, "buffer");
    } else buffer = JS_GetTypedArrayBuffer(ctx, v, &at, &len, &each);
    if (!JS_IsException(buffer)) {
      uint8_t *start = JS_GetArrayBuffer(ctx, &all, buffer);
      JS_FreeValue(ctx, buffer);
      if (start && at <= all && len <= all - at) p = start + at, *n = len;
      else if (!len) p = none;
    }
  }
  if (!p)
    JS_FreeValue(ctx, JS_GetException(ctx));
  return p;
}

static int one_of(int c, const char *set) { return c && strchr(set, c); }

static inline uint32_t u32_at(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}

