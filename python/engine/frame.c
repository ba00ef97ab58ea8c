// Frames of interface abi/v1, see abi/frame.go: a request's is read in place, a response's is written.

enum { REQUEST_MAGIC = 0x51524741, RESPONSE_MAGIC = 0x53524741, REQUEST_HEADER = 64, RESPONSE_HEADER = 32, ENTRY = 16, LARGEST_FRAME = 1 << 30 };

static const uint8_t *request_frame; // the request that is handled

static const uint8_t *part(const uint8_t *frame, uint32_t at, size_t *n) {
  *n = u32_at(frame + at + 4);
  return frame + u32_at(frame + at);
}

// frame_header finds a header of the request.
static const uint8_t *frame_header(const char *name, size_t *n) {
  const uint8_t *f = request_frame, *entry = f + u32_at(f + 48);
  for (uint32_t i = u32_at(f + 12); i; i--, entry += ENTRY)
    if (u32_at(entry + 4) == strlen(name) && !strncasecmp((const char *)f + u32_at(entry), name, strlen(name))) {
      *n = u32_at(entry + 12);
      return f + u32_at(entry + 8);
    }
  return NULL;
}

// utf8_len returns how long the character at a place is, 0 if it is none in UTF-8.
static size_t utf8_len(const uint8_t *p, size_t n) {
  uint8_t c = p[0];
  size_t len = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
  if (!len || len > n) return 0;
  for (size_t i = 1; i < len; i++)
    if ((p[i] & 0xc0) != 0x80) return 0;
  if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) || (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f)) return 0;
  return len;
}

// new_text makes a str of bytes: what is no UTF-8 becomes U+FFFD, since a str that is none breaks the engine.
static void new_text(py_OutRef to, const uint8_t *p, size_t n) {
  size_t good = 0, len;
  while (good < n && (len = utf8_len(p + good, n - good))) good += len;
  if (good == n) {
    py_newstrn(to, (const char *)p, n);
    return;
  }
  uint8_t *out = malloc(3 * n);
  size_t m = 0;
  for (size_t i = 0; i < n; i += len ? len : 1) {
    len = utf8_len(p + i, n - i);
    if (len) memcpy(out + m, p + i, len), m += len;
    else memcpy(out + m, "\xef\xbf\xbd", 3), m += 3;
  }
  py_newstrn(to, (const char *)out, m);
  free(out);
}

static void new_bytes(py_OutRef to, const uint8_t *p, size_t n) { memcpy(py_newbytes(to, n), p, n); }

// new_headers makes a list of name and value by turns.
static void new_headers(py_OutRef to, const uint8_t *frame, uint32_t count_at, uint32_t table_at) {
  const uint8_t *entry = frame + u32_at(frame + table_at);
  uint32_t count = u32_at(frame + count_at);
  py_newlist(to);
  for (uint32_t i = 0; i < count; i++, entry += ENTRY) {
    new_text(py_list_emplace(to), frame + u32_at(entry), u32_at(entry + 4));
    new_text(py_list_emplace(to), frame + u32_at(entry + 8), u32_at(entry + 12));
  }
}

// raw returns the bytes of a str or of bytes.
static bool raw(py_Ref v, const uint8_t **p, size_t *n) {
  int size;
  if (py_isstr(v)) *p = (const uint8_t *)py_tostrn(v, &size);
  else if (py_istype(v, tp_bytes)) *p = py_tobytes(v, &size);
  else return TypeError("expected str or bytes, got '%t'", v->type);
  *n = size;
  return true;
}

// put_fields writes a table of headers and their texts at an offset, and returns the offset behind.
static bool put_fields(uint8_t *frame, uint32_t table, py_Ref list, uint32_t *behind) {
  uint32_t n = py_list_len(list) / 2, at = table + n * ENTRY;
  for (uint32_t i = 0; i < 2 * n; i++) {
    const uint8_t *p;
    size_t len;
    if (!raw(py_list_getitem(list, i), &p, &len)) return false;
    put_u32(frame + table + i * 8, at);
    put_u32(frame + table + i * 8 + 4, len);
    memcpy(frame + at, p, len);
    at += len;
  }
  *behind = at;
  return true;
}

static bool fields_size(py_Ref list, uint64_t *size) {
  *size = py_list_len(list) / 2 * (uint64_t)ENTRY;
  for (int i = 0; i < py_list_len(list); i++) {
    const uint8_t *p;
    size_t len;
    if (!raw(py_list_getitem(list, i), &p, &len)) return false;
    *size += len;
  }
  return true;
}

// response_frame writes a response: a tuple of status, headers and body.
static bool response_frame(py_Ref response, uint8_t **frame, uint32_t *size) {
  py_Ref headers = py_tuple_getitem(response, 1);
  const uint8_t *body;
  size_t n;
  uint64_t fields;
  if (!raw(py_tuple_getitem(response, 2), &body, &n) || !fields_size(headers, &fields)) return false;
  if (RESPONSE_HEADER + fields + n > LARGEST_FRAME) return ValueError("the response is too large");
  uint8_t *f = malloc(RESPONSE_HEADER + fields + n);
  uint32_t at, count = py_list_len(headers) / 2;
  memset(f, 0, RESPONSE_HEADER);
  put_u32(f, RESPONSE_MAGIC);
  put_u32(f + 4, RESPONSE_HEADER);
  put_u32(f + 8, py_toint(py_tuple_getitem(response, 0)));
  put_u32(f + 12, count);
  put_u32(f + 16, RESPONSE_HEADER);
  put_u32(f + 20, count * ENTRY);
  if (!put_fields(f, RESPONSE_HEADER, headers, &at)) return false;
  put_u32(f + 24, at);
  put_u32(f + 28, n);
  memcpy(f + at, body, n);
  *frame = f;
  *size = at + n;
  return true;
}
