// URLs as the WHATWG's URL standard parses and writes them, over UTF-8.

struct str { char *p; size_t n; };
struct url {
  struct str scheme, username, password, host, path, query, fragment;
  int32_t port; // -1: none, or the scheme's own
  uint8_t has_host, has_query, has_fragment, opaque;
  JSValue params; // its URLSearchParams, if one was asked for
};

static JSClassID url_class, params_class;

static int hex_of(int c) {
  return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}
static int is_alpha(int c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }


// What is percent-encoded where: a letter for each set that a character is in, beside controls and
// what is not ASCII. F fragment, Q query, S query of a special scheme, P path, U user and password.
static int must_encode(uint8_t c, char set) {
  static const char *const in[128] = {
    [' '] = "FQSPU", ['"'] = "FQSPU", ['<'] = "FQSPU", ['>'] = "FQSPU", ['`'] = "FPU", ['#'] = "QSPU", ['\''] = "S",
    ['?'] = "PU", ['{'] = "PU", ['}'] = "PU", ['^'] = "PU", ['/'] = "U", [':'] = "U", [';'] = "U", ['='] = "U", ['@'] = "U",
    ['['] = "U", ['\\'] = "U", [']'] = "U", ['|'] = "U",
  };
  return c <= 0x1f || c >= 0x7f || (in[c] && strchr(in[c], set));
}

static void put_hex(DynBuf *to, uint8_t c) {
  static const char digits[] = "0123456789ABCDEF";
  dbuf_putc(to, '%');
  dbuf_putc(to, digits[c >> 4]);
  dbuf_putc(to, digits[c & 15]);
}

static void put_encoded(DynBuf *to, const char *s, size_t n, char set) {
  size_t from = 0;
  for (size_t i = 0; i < n; i++)
    if (must_encode(s[i], set)) {
      dbuf_put(to, (const uint8_t *)s + from, i - from);
      put_hex(to, s[i]);
      from = i + 1;
    }
  dbuf_put(to, (const uint8_t *)s + from, n - from);
}

static int set_str(JSContext *ctx, struct str *to, const void *p, size_t n) {
  char *copy = js_malloc(ctx, n + 1);
  if (!copy)
    return -1;
  memcpy(copy, p, n);
  copy[n] = 0;
  js_free(ctx, to->p);
  *to = (struct str){copy, n};
  return 0;
}

// take_buf makes a component of what a buffer holds, and empties the buffer.
static int take_buf(JSContext *ctx, struct str *to, DynBuf *b) {
  int err = b->error ? -1 : set_str(ctx, to, b->buf ? (char *)b->buf : "", b->size);
  b->size = 0;
  return err;
}

static int set_encoded(JSContext *ctx, struct str *to, const char *s, size_t n, char set) {
  DynBuf b;
  js_dbuf_init(ctx, &b);
  put_encoded(&b, s, n, set);
  int err = take_buf(ctx, to, &b);
  dbuf_free(&b);
  return err;
}

static int is_str(const struct str *s, const char *text) { return s->n == strlen(text) && !memcmp(s->p, text, s->n); }

// default_port is that of a special scheme, 0 for file, and -1 for others.
static int default_port(const struct str *scheme) {
  static const struct { const char *name; int port; } special[] = {{"http", 80}, {"https", 443}, {"ws", 80}, {"wss", 443}, {"ftp", 21}, {"file", 0}};
  for (size_t i = 0; i < countof(special); i++)
    if (is_str(scheme, special[i].name))
      return special[i].port;
  return -1;
}
static int is_special(const struct url *u) { return default_port(&u->scheme) >= 0; }
static int is_file(const struct url *u) { return is_str(&u->scheme, "file"); }

static void url_clear(JSContext *ctx, struct url *u) {
  struct str *parts[] = {&u->scheme, &u->username, &u->password, &u->host, &u->path, &u->query, &u->fragment};
  for (size_t i = 0; i < countof(parts); i++) {
    js_free(ctx, parts[i]->p);
    *parts[i] = (struct str){0};
  }
}

// --- hosts

// ipv4 reads an address whose parts are decimal, octal or hexadecimal: 1 if s is one, 0 if it is none,
// -1 if it ends like one and is none.
static int ipv4(const char *s, size_t n, uint32_t *address) {
  uint64_t parts[4];
  int count = 0;
  if (n && s[n - 1] == '.') n--;
  size_t last = n;
  while (last && s[last - 1] != '.') last--;
  int numeric = n > last;
  for (size_t i = last; i < n; i++) numeric &= is_digit(s[i]);
  if (!numeric && !(n - last >= 2 && s[last] == '0' && (s[last + 1] | 32) == 'x'))
    return 0;
  if (!numeric)
    for (size_t i = last + 2; i < n; i++)
      if (hex_of(s[i]) < 0) return 0;
  for (size_t i = 0; i <= n;) {
    size_t end = i;
    while (end < n && s[end] != '.') end++;
    if (count == 4 || end == i) return -1;
    int base = 10;
    if (end - i >= 2 && s[i] == '0' && (s[i + 1] | 32) == 'x') base = 16, i += 2;
    else if (end - i >= 2 && s[i] == '0') base = 8, i++;
    uint64_t v = 0;
    for (; i < end; i++) {
      int d = hex_of(s[i]);
      if (d < 0 || d >= base) return -1;
      v = v * base + d;
      if (v > 0xffffffff) v = 0x100000000;
    }
    parts[count++] = v;
    i = end + 1;
  }
  uint64_t sum = 0;
  for (int i = 0; i < count - 1; i++) {
    if (parts[i] > 255) return -1;
    sum |= parts[i] << (8 * (3 - i));
  }
  if (parts[count - 1] >= (uint64_t)1 << (8 * (5 - count))) return -1;
  *address = sum | parts[count - 1];
  return 1;
}

static int ipv6(const char *s, size_t n, uint16_t out[8]) {
  int piece = 0, gap = -1;
  size_t i = 0;
  memset(out, 0, 16);
  if (n && s[0] == ':') {
    if (n < 2 || s[1] != ':') return -1;
    i = 2;
    gap = 0;
  }
  while (i < n) {
    if (piece == 8) return -1;
    if (s[i] == ':') {
      if (gap >= 0) return -1;
      i++;
      gap = piece;
      continue;
    }
    uint32_t v = 0;
    size_t start = i;
    while (i < n && i - start < 4 && hex_of(s[i]) >= 0) v = v * 16 + hex_of(s[i++]);
    if (i < n && s[i] == '.') { // the rest is an IPv4 address
      if (i == start || piece > 6) return -1;
      i = start;
      for (int seen = 0; i < n || seen < 4; seen++) {
        if (seen) {
          if (i >= n || s[i] != '.' || seen == 4) return -1;
          i++;
        }
        if (i >= n || !is_digit(s[i])) return -1;
        int part = -1;
        while (i < n && is_digit(s[i])) {
          if (part == 0) return -1;
          part = (part < 0 ? 0 : part * 10) + s[i++] - '0';
          if (part > 255) return -1;
        }
        out[piece] = out[piece] * 256 + part;
        if (seen & 1) piece++;
      }
      break;
    }
    if (i == start) return -1;
    if (i < n) {
      if (s[i] != ':' || ++i == n) return -1;
    }
    out[piece++] = v;
  }
  if (gap >= 0) {
    int moved = piece - gap;
    memmove(out + 8 - moved, out + gap, 2 * moved);
    memset(out + gap, 0, 2 * (8 - piece));
  } else if (piece != 8) return -1;
  return 0;
}

static void put_ipv6(DynBuf *b, const uint16_t a[8]) {
  int best = -1, most = 1;
  for (int i = 0; i < 8; i++) {
    int n = 0;
    while (i + n < 8 && !a[i + n]) n++;
    if (n > most) most = n, best = i;
    if (n) i += n - 1;
  }
  dbuf_putc(b, '[');
  for (int i = 0; i < 8; i++) {
    if (i == best) {
      dbuf_putstr(b, i ? ":" : "::");
      i += most - 1;
      continue;
    }
    dbuf_printf(b, i < 7 ? "%x:" : "%x", a[i]);
  }
  dbuf_putc(b, ']');
}

// punycode appends a label in the form of RFC 3492.
static int punycode(DynBuf *b, const uint32_t *s, int n) {
  uint32_t code = 128, delta = 0, bias = 72;
  int done = 0, basic;
  for (int i = 0; i < n; i++)
    if (s[i] < 128) dbuf_putc(b, s[i]), done++;
  basic = done;
  if (basic) dbuf_putc(b, '-');
  while (done < n) {
    uint32_t next = UINT32_MAX;
    for (int i = 0; i < n; i++)
      if (s[i] >= code && s[i] < next) next = s[i];
    if ((next - code) > (UINT32_MAX - delta) / (done + 1)) return -1;
    delta += (next - code) * (done + 1);
    code = next;
    for (int i = 0; i < n; i++) {
      if (s[i] < code) delta++;
      if (s[i] != code) continue;
      uint32_t q = delta;
      for (uint32_t k = 36;; k += 36) {
        uint32_t t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias, d;
        if (q < t) {
          dbuf_putc(b, q < 26 ? 'a' + q : '0' + q - 26);
          break;
        }
        d = t + (q - t) % (36 - t);
        q = (q - t) / (36 - t);
        dbuf_putc(b, d < 26 ? 'a' + d : '0' + d - 26);
      }
      delta = done == basic ? delta / 700 : delta / 2;
      delta += delta / (done + 1);
      uint32_t k = 0;
      for (; delta > 455; k += 36) delta /= 35;
      bias = k + 36 * delta / (delta + 38);
      delta = 0;
      done++;
    }
    delta++;
    code++;
  }
  return 0;
}

static int is_ignored(uint32_t c) { // by the mapping of names
  return c == 0xad || c == 0x200b || c == 0x2060 || c == 0xfeff || c == 0x180b || c == 0x180c || c == 0x180d || (c >= 0xfe00 && c <= 0xfe0f);
}

static void *unicode_realloc(void *ctx, void *p, size_t n) {
  if (!n) {
    js_free(ctx, p);
    return NULL;
  }
  return js_realloc(ctx, p, n);
}

// international appends a name that is not ASCII in its ASCII form. The mapping is lower case and
// compatibility composition, as in UTS 46 for all but rare characters.
static int international(JSContext *ctx, DynBuf *b, const uint8_t *s, size_t n) {
  uint32_t *mapped = js_malloc(ctx, (3 * n + 1) * 4), *label = NULL;
  int count = 0, err = -1;
  if (!mapped)
    return -1;
  for (const uint8_t *end = s + n; s < end;) {
    int32_t c = utf8_next(&s, end);
    if (c < 0) goto done;
    if (is_ignored(c)) continue;
    if (c == 0x3002 || c == 0xff0e || c == 0xff61) c = '.';
    count += c == 0x1e9e ? (mapped[count] = 0xdf, 1) : lre_case_conv(mapped + count, c, 1);
  }
  int len = unicode_normalize(&label, mapped, count, UNICODE_NFKC, ctx, unicode_realloc);
  if (len < 0) goto done;
  for (int i = 0, start = 0; i <= len; i++) {
    if (i < len) {
      uint32_t low[3];
      if (lre_case_conv(low, label[i], 1) == 1) label[i] = low[0];
      if (label[i] == 0xfffd || (label[i] >= 0x80 && label[i] < 0xa0)) goto done;
      if (label[i] != '.') continue;
    }
    int plain = 1;
    for (int k = start; k < i; k++) plain &= label[k] < 128;
    if (!plain) dbuf_putstr(b, "xn--");
    if (plain) for (int k = start; k < i; k++) dbuf_putc(b, label[k]);
    else if (punycode(b, label + start, i - start) < 0) goto done;
    if (i < len) dbuf_putc(b, '.');
    start = i + 1;
  }
  err = b->size ? 0 : -1;
done:
  js_free(ctx, mapped);
  js_free(ctx, label);
  return err;
}

static int is_forbidden_in_host(uint8_t c) { return c == 0 || one_of(c, "\t\n\r #/:<>?@[\\]^|"); }

static int percent_decode(DynBuf *b, const char *s, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (s[i] == '%' && i + 2 < n && hex_of(s[i + 1]) >= 0 && hex_of(s[i + 2]) >= 0) {
      dbuf_putc(b, hex_of(s[i + 1]) << 4 | hex_of(s[i + 2]));
      i += 2;
    } else dbuf_putc(b, s[i]);
  return b->error ? -1 : 0;
}

// has_empty_punycode reports whether a label says that it is encoded, and has nothing encoded.
static int has_empty_punycode(const char *s, size_t n) {
  for (size_t i = 0; i + 4 <= n; i++)
    if ((!i || s[i - 1] == '.') && !memcmp(s + i, "xn--", 4) && (i + 4 == n || s[i + 4] == '.')) return 1;
  return 0;
}

static int domain_host(JSContext *ctx, DynBuf *b, const char *s, size_t n) {
  DynBuf raw;
  uint32_t address;
  int err = -1;
  js_dbuf_init(ctx, &raw);
  if (percent_decode(&raw, s, n) < 0) goto done;
  if (is_ascii(raw.buf, raw.size))
    for (size_t i = 0; i < raw.size; i++) dbuf_putc(b, raw.buf[i] >= 'A' && raw.buf[i] <= 'Z' ? raw.buf[i] | 32 : raw.buf[i]);
  else if (international(ctx, b, raw.buf, raw.size) < 0) goto done;
  for (size_t i = 0; i < b->size; i++)
    if (is_forbidden_in_host(b->buf[i]) || b->buf[i] <= ' ' || b->buf[i] == '%' || b->buf[i] == 0x7f) goto done;
  if (!b->size || has_empty_punycode((char *)b->buf, b->size)) goto done;
  err = ipv4((char *)b->buf, b->size, &address);
  if (err > 0) {
    b->size = 0;
    err = dbuf_printf(b, "%u.%u.%u.%u", (unsigned)(address >> 24), (unsigned)(address >> 16 & 255), (unsigned)(address >> 8 & 255), (unsigned)(address & 255));
  }
done:
  dbuf_free(&raw);
  return err;
}

static int parse_host(JSContext *ctx, struct url *u, const char *s, size_t n) {
  DynBuf b;
  int err = -1;
  js_dbuf_init(ctx, &b);
  if (n && s[0] == '[') {
    uint16_t address[8];
    if (s[n - 1] != ']' || ipv6(s + 1, n - 2, address) < 0) goto done;
    put_ipv6(&b, address);
  } else if (is_special(u)) {
    if (domain_host(ctx, &b, s, n) < 0) goto done;
  } else {
    for (size_t i = 0; i < n; i++)
      if (is_forbidden_in_host(s[i])) goto done;
    put_encoded(&b, s, n, 'C');
  }
  err = take_buf(ctx, &u->host, &b);
  u->has_host = 1;
done:
  dbuf_free(&b);
  return err;
}

static int parse_port(struct url *u, const char *s, size_t n) {
  uint32_t port = 0;
  for (size_t i = 0; i < n; i++) {
    if (!is_digit(s[i]) || (port = port * 10 + s[i] - '0') > 65535) return -1;
  }
  u->port = n == 0 || (int)port == default_port(&u->scheme) ? -1 : (int32_t)port;
  return 0;
}

// host_end finds the colon before a port, or the end.
static size_t host_end(const char *s, size_t n) {
  int inside = 0;
  for (size_t i = 0; i < n; i++) {
    if (s[i] == '[') inside = 1;
    if (s[i] == ']') inside = 0;
    if (s[i] == ':' && !inside) return i;
  }
  return n;
}

static int parse_authority(JSContext *ctx, struct url *u, const char *s, size_t n) {
  size_t at = n;
  while (at && s[at - 1] != '@') at--;
  if (at) {
    const char *colon = memchr(s, ':', at - 1);
    size_t user = colon ? (size_t)(colon - s) : at - 1;
    if (set_encoded(ctx, &u->username, s, user, 'U') < 0 || (colon && set_encoded(ctx, &u->password, colon + 1, at - 2 - user, 'U') < 0))
      return -1;
    s += at, n -= at;
    if (!n) return -1;
  }
  size_t end = host_end(s, n);
  if (!end && (is_special(u) || end < n)) return -1;
  return parse_host(ctx, u, s, end) < 0 || (end < n && parse_port(u, s + end + 1, n - end - 1) < 0) ? -1 : 0;
}

// --- paths

static int is_drive(const char *s, size_t n) { return n == 2 && is_alpha(s[0]) && (s[1] == ':' || s[1] == '|'); }

// starts_with_drive reports whether what is left of the input begins with a drive of Windows.
static int starts_with_drive(const char *s, const char *end) {
  return end - s >= 2 && is_drive(s, 2) && (end - s == 2 || one_of(s[2], "/\\?#"));
}

// dots counts the dots that a segment consists of, written as %2e, too; 0 for any other segment.
static int dots(const char *s, size_t n) {
  int count = 0;
  for (size_t i = 0; i < n; count++)
    if (s[i] == '.') i++;
    else if (n - i >= 3 && s[i] == '%' && s[i + 1] == '2' && (s[i + 2] | 32) == 'e') i += 3;
    else return 0;
  return count <= 2 ? count : 0;
}

static void shorten(const struct url *u, DynBuf *path) {
  if (is_file(u) && path->size == 3 && is_drive((char *)path->buf + 1, 2) && path->buf[2] == ':')
    return;
  while (path->size && path->buf[path->size - 1] != '/') path->size--;
  if (path->size) path->size--;
}

// parse_path reads segments up to ? or #, and returns where it stopped.
static const char *parse_path(const struct url *u, DynBuf *path, const char *s, const char *end) {
  int special = is_special(u);
  for (;;) {
    const char *stop = s;
    while (stop < end && *stop != '/' && *stop != '?' && *stop != '#' && !(special && *stop == '\\')) stop++;
    int more = stop < end && (*stop == '/' || *stop == '\\');
    int d = dots(s, stop - s);
    if (d == 2) shorten(u, path);
    if (d) {
      if (!more) dbuf_putc(path, '/');
    } else {
      dbuf_putc(path, '/');
      if (is_file(u) && path->size == 1 && is_drive(s, stop - s)) {
        dbuf_putc(path, s[0]);
        dbuf_putc(path, ':');
      } else put_encoded(path, s, stop - s, 'P');
    }
    if (!more) return stop;
    s = stop + 1;
  }
}

static int parse_rest(JSContext *ctx, struct url *u, const char *s, const char *end) {
  const char *hash = memchr(s, '#', end - s);
  if (s < end && *s == '?') {
    const char *stop = hash ? hash : end;
    u->has_query = 1;
    if (set_encoded(ctx, &u->query, s + 1, stop - s - 1, is_special(u) ? 'S' : 'Q') < 0) return -1;
  }
  if (hash) {
    u->has_fragment = 1;
    return set_encoded(ctx, &u->fragment, hash + 1, end - hash - 1, 'F');
  }
  return 0;
}

// parse_from_path reads path, query and fragment; path holds what is there already.
static int parse_from_path(JSContext *ctx, struct url *u, DynBuf *path, const char *s, const char *end) {
  int special = is_special(u);
  if (special || (s < end && *s != '?' && *s != '#')) {
    if (s < end && (*s == '/' || (special && *s == '\\'))) s++;
    s = parse_path(u, path, s, end);
  }
  return take_buf(ctx, &u->path, path) < 0 ? -1 : parse_rest(ctx, u, s, end);
}

static int copy_host(JSContext *ctx, struct url *u, const struct url *base) {
  u->port = base->port;
  u->has_host = base->has_host;
  return set_str(ctx, &u->username, base->username.p ? base->username.p : "", base->username.n) < 0 || set_str(ctx, &u->password, base->password.p ? base->password.p : "", base->password.n) < 0 ||
         set_str(ctx, &u->host, base->host.p ? base->host.p : "", base->host.n) < 0 ? -1 : 0;
}

static int is_slash(const struct url *u, const char *s, const char *end) {
  return s < end && (*s == '/' || (*s == '\\' && is_special(u)));
}

static int parse_after_slashes(JSContext *ctx, struct url *u, DynBuf *path, const char *s, const char *end) {
  const char *stop = s;
  while (stop < end && *stop != '/' && *stop != '?' && *stop != '#' && !(*stop == '\\' && is_special(u))) stop++;
  return parse_authority(ctx, u, s, stop - s) < 0 ? -1 : parse_from_path(ctx, u, path, stop, end);
}

// parse_on_base reads what stands relative to a base, of the same scheme and not opaque.
static int parse_on_base(JSContext *ctx, struct url *u, const struct url *base, DynBuf *path, const char *s, const char *end) {
  if (is_slash(u, s, end)) {
    if (is_slash(u, s + 1, end)) {
      s += 2;
      while (is_special(u) && is_slash(u, s, end)) s++;
      return parse_after_slashes(ctx, u, path, s, end);
    }
    return copy_host(ctx, u, base) < 0 ? -1 : parse_from_path(ctx, u, path, s, end);
  }
  if (copy_host(ctx, u, base) < 0) return -1;
  dbuf_put(path, (uint8_t *)base->path.p, base->path.n);
  if (s == end || *s == '?' || *s == '#') {
    if ((s == end || *s == '#') && base->has_query) {
      u->has_query = 1;
      if (set_str(ctx, &u->query, base->query.p, base->query.n) < 0) return -1;
    }
    return take_buf(ctx, &u->path, path) < 0 ? -1 : parse_rest(ctx, u, s, end);
  }
  shorten(u, path);
  s = parse_path(u, path, s, end);
  return take_buf(ctx, &u->path, path) < 0 ? -1 : parse_rest(ctx, u, s, end);
}

static int parse_file(JSContext *ctx, struct url *u, const struct url *base, DynBuf *path, const char *s, const char *end) {
  u->has_host = 1;
  if (set_str(ctx, &u->host, "", 0) < 0) return -1;
  if (base && !is_file(base)) base = NULL;
  if (!is_slash(u, s, end)) {
    if (!base) return parse_from_path(ctx, u, path, s, end);
    if (starts_with_drive(s, end)) return set_str(ctx, &u->host, base->host.p, base->host.n) < 0 ? -1 : parse_from_path(ctx, u, path, s, end);
    return parse_on_base(ctx, u, base, path, s, end);
  }
  if (!is_slash(u, s + 1, end)) {
    if (base) {
      if (set_str(ctx, &u->host, base->host.p, base->host.n) < 0) return -1;
      if (!starts_with_drive(s + 1, end) && base->path.n >= 3 && is_drive(base->path.p + 1, 2)) dbuf_put(path, (uint8_t *)base->path.p, 3);
    }
    return parse_from_path(ctx, u, path, s, end);
  }
  s += 2;
  const char *stop = s;
  while (stop < end && !one_of(*stop, "/\\?#")) stop++;
  if (is_drive(s, stop - s)) return parse_from_path(ctx, u, path, s, end);
  if (stop > s) {
    if (parse_host(ctx, u, s, stop - s) < 0) return -1;
    if (is_str(&u->host, "localhost") && set_str(ctx, &u->host, "", 0) < 0) return -1;
  }
  return parse_from_path(ctx, u, path, stop, end);
}

static int parse_opaque(JSContext *ctx, struct url *u, DynBuf *path, const char *s, const char *end) {
  const char *stop = s;
  while (stop < end && *stop != '?' && *stop != '#') stop++;
  u->opaque = 1;
  put_encoded(path, s, stop - s, 'C');
  if (stop < end && path->size && path->buf[path->size - 1] == ' ') {
    path->size--;
    dbuf_putstr(path, "%20");
  }
  return take_buf(ctx, &u->path, path) < 0 ? -1 : parse_rest(ctx, u, stop, end);
}

static int parse_without_scheme(JSContext *ctx, struct url *u, const struct url *base, DynBuf *path, const char *s, const char *end) {
  if (!base || (base->opaque && !(s < end && *s == '#'))) return -1;
  if (set_str(ctx, &u->scheme, base->scheme.p, base->scheme.n) < 0) return -1;
  if (base->opaque) {
    u->opaque = 1;
    u->has_query = base->has_query;
    if (set_str(ctx, &u->path, base->path.p, base->path.n) < 0 || (base->has_query && set_str(ctx, &u->query, base->query.p, base->query.n) < 0)) return -1;
    return parse_rest(ctx, u, s, end);
  }
  return is_file(u) ? parse_file(ctx, u, base, path, s, end) : parse_on_base(ctx, u, base, path, s, end);
}

static int parse_trimmed(JSContext *ctx, struct url *u, const struct url *base, DynBuf *path, const char *s, const char *end) {
  const char *colon = s;
  while (colon < end && (is_alpha(*colon) || (colon > s && (is_digit(*colon) || *colon == '+' || *colon == '-' || *colon == '.')))) colon++;
  if (colon == s || colon == end || *colon != ':') return parse_without_scheme(ctx, u, base, path, s, end);
  if (set_str(ctx, &u->scheme, s, colon - s) < 0) return -1;
  for (size_t i = 0; i < u->scheme.n; i++)
    if (u->scheme.p[i] >= 'A' && u->scheme.p[i] <= 'Z') u->scheme.p[i] |= 32;
  s = colon + 1;
  if (is_file(u)) return parse_file(ctx, u, base, path, s, end);
  if (is_special(u)) {
    int two = is_slash(u, s, end) && is_slash(u, s + 1, end);
    if (base && is_str(&base->scheme, u->scheme.p) && !(two && s[0] == '/' && s[1] == '/')) return parse_on_base(ctx, u, base, path, s, end);
    while (is_slash(u, s, end)) s++;
    return parse_after_slashes(ctx, u, path, s, end);
  }
  if (s < end && *s == '/')
    return s + 1 < end && s[1] == '/' ? parse_after_slashes(ctx, u, path, s + 2, end) : parse_from_path(ctx, u, path, s, end);
  return parse_opaque(ctx, u, path, s, end);
}

// without_breaks copies a text without tabs and line breaks.
static char *without_breaks(JSContext *ctx, const char *s, size_t *n) {
  char *copy = js_malloc(ctx, *n + 1);
  size_t kept = 0;
  if (!copy) return NULL;
  for (size_t i = 0; i < *n; i++)
    if (s[i] != '\t' && s[i] != '\n' && s[i] != '\r') copy[kept++] = s[i];
  copy[kept] = 0;
  *n = kept;
  return copy;
}

// url_parse reports whether s is a URL, on a base if there is one. u is empty before.
static int url_parse(JSContext *ctx, struct url *u, const char *s, size_t n, const struct url *base) {
  DynBuf path;
  u->port = -1;
  while (n && (uint8_t)s[0] <= ' ') s++, n--;
  while (n && (uint8_t)s[n - 1] <= ' ') n--;
  char *clean = without_breaks(ctx, s, &n);
  if (!clean) return -1;
  js_dbuf_init(ctx, &path);
  int err = parse_trimmed(ctx, u, base, &path, clean, clean + n);
  dbuf_free(&path);
  js_free(ctx, clean);
  return err;
}

// --- writing

static void put_str(DynBuf *b, const struct str *s) { if (s->n) dbuf_put(b, (uint8_t *)s->p, s->n); }

static void put_host(DynBuf *b, const struct url *u) {
  put_str(b, &u->host);
  if (u->port >= 0) dbuf_printf(b, ":%d", (int)u->port);
}

static void put_href(DynBuf *b, const struct url *u) {
  put_str(b, &u->scheme);
  dbuf_putc(b, ':');
  if (u->has_host) {
    dbuf_putstr(b, "//");
    if (u->username.n || u->password.n) {
      put_str(b, &u->username);
      if (u->password.n) dbuf_putc(b, ':');
      put_str(b, &u->password);
      dbuf_putc(b, '@');
    }
    put_host(b, u);
  } else if (!u->opaque && u->path.n > 1 && u->path.p[0] == '/' && u->path.p[1] == '/')
    dbuf_putstr(b, "/.");
  put_str(b, &u->path);
  if (u->has_query) dbuf_putc(b, '?');
  put_str(b, &u->query);
  if (u->has_fragment) dbuf_putc(b, '#');
  put_str(b, &u->fragment);
}

static JSValue take_text(JSContext *ctx, DynBuf *b) {
  JSValue v = b->error ? JS_ThrowOutOfMemory(ctx) : utf8_text(ctx, b->buf ? b->buf : (uint8_t *)"", b->size, 0);
  dbuf_free(b);
  return v;
}

// --- the class

enum { U_HREF, U_ORIGIN, U_PROTOCOL, U_USERNAME, U_PASSWORD, U_HOST, U_HOSTNAME, U_PORT, U_PATHNAME, U_SEARCH, U_HASH };

static void put_origin(JSContext *ctx, DynBuf *b, const struct url *u) {
  if (is_special(u) && !is_file(u)) {
    put_str(b, &u->scheme);
    dbuf_putstr(b, "://");
    put_host(b, u);
    return;
  }
  struct url inner = {0};
  if (is_str(&u->scheme, "blob") && url_parse(ctx, &inner, u->path.p, u->path.n, NULL) == 0 && (is_str(&inner.scheme, "http") || is_str(&inner.scheme, "https")))
    put_origin(ctx, b, &inner);
  else
    dbuf_putstr(b, "null");
  url_clear(ctx, &inner);
}

static JSValue url_get(JSContext *ctx, JSValueConst this, int what) {
  struct url *u = JS_GetOpaque2(ctx, this, url_class);
  DynBuf b;
  if (!u) return JS_EXCEPTION;
  js_dbuf_init(ctx, &b);
  switch (what) {
  case U_HREF: put_href(&b, u); break;
  case U_ORIGIN: put_origin(ctx, &b, u); break;
  case U_PROTOCOL: put_str(&b, &u->scheme); dbuf_putc(&b, ':'); break;
  case U_USERNAME: put_str(&b, &u->username); break;
  case U_PASSWORD: put_str(&b, &u->password); break;
  case U_HOST: put_host(&b, u); break;
  case U_HOSTNAME: put_str(&b, &u->host); break;
  case U_PORT: if (u->port >= 0) dbuf_printf(&b, "%d", (int)u->port); break;
  case U_PATHNAME: put_str(&b, &u->path); break;
  case U_SEARCH: if (u->query.n) dbuf_putc(&b, '?'); put_str(&b, &u->query); break;
  case U_HASH: if (u->fragment.n) dbuf_putc(&b, '#'); put_str(&b, &u->fragment); break;
  }
  return take_text(ctx, &b);
}

static void params_reload(JSContext *ctx, struct url *u);

static int no_host_to_change(const struct url *u) { return !u->has_host || !u->host.n || is_file(u); }

static void set_protocol(JSContext *ctx, struct url *u, const char *s, size_t n) {
  struct str scheme = {0};
  size_t end = 0;
  while (end < n && (is_alpha(s[end]) || (end && (is_digit(s[end]) || one_of(s[end], "+-."))))) end++;
  if (!end || (end < n && s[end] != ':') || set_str(ctx, &scheme, s, end) < 0) return;
  for (size_t i = 0; i < end; i++) if (scheme.p[i] >= 'A' && scheme.p[i] <= 'Z') scheme.p[i] |= 32;
  int was = default_port(&u->scheme), will = default_port(&scheme);
  if ((was < 0) != (will < 0) || (will == 0 && (u->username.n || u->password.n || u->port >= 0)) || (was == 0 && !u->host.n)) {
    js_free(ctx, scheme.p);
    return;
  }
  js_free(ctx, u->scheme.p);
  u->scheme = scheme;
  if (u->port == will) u->port = -1;
}

static void set_host(JSContext *ctx, struct url *u, const char *s, size_t n, int with_port) {
  if (u->opaque) return;
  struct url trial = {.scheme = u->scheme, .port = u->port};
  size_t stop = 0;
  while (stop < n && !one_of(s[stop], is_special(u) ? "/?#\\" : "/?#")) stop++;
  size_t end = is_file(u) ? stop : host_end(s, stop);
  if ((!end && is_special(u) && !is_file(u)) || (!end && (end < stop || u->username.n || u->password.n || u->port >= 0)) || (end < stop && !with_port)) return;
  if (parse_host(ctx, &trial, s, end) < 0) return;
  if (is_file(u) && is_str(&trial.host, "localhost")) trial.host.n = 0;
  js_free(ctx, u->host.p);
  u->host = trial.host;
  u->has_host = 1;
  if (end < stop) {
    size_t digits = 0;
    while (end + 1 + digits < stop && is_digit(s[end + 1 + digits])) digits++;
    if (digits) parse_port(u, s + end + 1, digits);
  }
}

static void set_port(struct url *u, const char *s, size_t n) {
  size_t digits = 0;
  if (no_host_to_change(u)) return;
  while (digits < n && is_digit(s[digits])) digits++;
  if (digits || !n) parse_port(u, s, digits);
}

static void set_pathname(JSContext *ctx, struct url *u, const char *s, size_t n) {
  DynBuf path, escaped;
  if (u->opaque) return;
  js_dbuf_init(ctx, &path);
  js_dbuf_init(ctx, &escaped);
  for (size_t i = 0; i < n; i++) // here neither of them ends the path
    if (s[i] == '?' || s[i] == '#') put_hex(&escaped, s[i]);
    else dbuf_putc(&escaped, s[i]);
  const char *p = escaped.buf ? (char *)escaped.buf : "", *end = p + escaped.size;
  if (is_slash(u, p, end)) p++;
  else if (p == end && !is_special(u)) p = NULL;
  if (p) parse_path(u, &path, p, end);
  take_buf(ctx, &u->path, &path);
  dbuf_free(&path);
  dbuf_free(&escaped);
}

static void set_search(JSContext *ctx, struct url *u, const char *s, size_t n) {
  if (n && *s == '?') s++, n--;
  else if (!n) {
    u->has_query = 0;
    u->query.n = 0;
    return;
  }
  u->has_query = 1;
  set_encoded(ctx, &u->query, s, n, is_special(u) ? 'S' : 'Q');
}

static int set_href(JSContext *ctx, struct url *u, const char *s, size_t n) {
  struct url fresh = {0};
  if (url_parse(ctx, &fresh, s, n, NULL) < 0) {
    url_clear(ctx, &fresh);
    JS_ThrowTypeError(ctx, "\"%.200s\" is not a URL", s);
    return -1;
  }
  url_clear(ctx, u);
  fresh.params = u->params;
  *u = fresh;
  return 0;
}

static JSValue url_set(JSContext *ctx, JSValueConst this, JSValueConst v, int what) {
  struct url *u = JS_GetOpaque2(ctx, this, url_class);
  size_t n;
  if (!u) return JS_EXCEPTION;
  const char *raw = utf8_of(ctx, v, &n);
  char *s = raw ? what == U_USERNAME || what == U_PASSWORD ? js_strndup(ctx, raw, n) : without_breaks(ctx, raw, &n) : NULL;
  int err = 0;
  JS_FreeCString(ctx, raw);
  if (!s) return JS_EXCEPTION;
  switch (what) {
  case U_HREF: err = set_href(ctx, u, s, n); break;
  case U_PROTOCOL: set_protocol(ctx, u, s, n); break;
  case U_USERNAME: if (!no_host_to_change(u)) set_encoded(ctx, &u->username, s, n, 'U'); break;
  case U_PASSWORD: if (!no_host_to_change(u)) set_encoded(ctx, &u->password, s, n, 'U'); break;
  case U_HOST: set_host(ctx, u, s, n, 1); break;
  case U_HOSTNAME: set_host(ctx, u, s, n, 0); break;
  case U_PORT: set_port(u, s, n); break;
  case U_PATHNAME: set_pathname(ctx, u, s, n); break;
  case U_SEARCH: set_search(ctx, u, s, n); break;
  case U_HASH:
    u->has_fragment = n > 0;
    if (n && *s == '#') set_encoded(ctx, &u->fragment, s + 1, n - 1, 'F');
    else set_encoded(ctx, &u->fragment, s, n, 'F');
    break;
  }
  js_free(ctx, s);
  if (what == U_SEARCH || what == U_HREF) params_reload(ctx, u);
  return err < 0 ? JS_EXCEPTION : JS_UNDEFINED;
}

// url_read parses a value, on a base if it is not undefined. It throws nothing but what turning the
// values into texts throws: then it returns -2.
static int url_read(JSContext *ctx, struct url *u, JSValueConst v, JSValueConst on) {
  struct url base = {0};
  size_t n;
  int err = 0;
  if (!JS_IsUndefined(on)) {
    const char *s = utf8_of(ctx, on, &n);
    if (!s) return -2;
    err = url_parse(ctx, &base, s, n, NULL);
    JS_FreeCString(ctx, s);
  }
  if (!err) {
    const char *s = utf8_of(ctx, v, &n);
    if (!s) err = -2;
    else err = url_parse(ctx, u, s, n, JS_IsUndefined(on) ? NULL : &base);
    JS_FreeCString(ctx, s);
  }
  url_clear(ctx, &base);
  if (err) url_clear(ctx, u);
  return err;
}

static JSValue url_object(JSContext *ctx, JSValueConst proto, const struct url *u) {
  JSValue v = JS_IsUndefined(proto) ? JS_NewObjectClass(ctx, url_class) : JS_NewObjectProtoClass(ctx, proto, url_class);
  struct url *own = JS_IsException(v) ? NULL : js_malloc(ctx, sizeof *own);
  if (!own) {
    JS_FreeValue(ctx, v);
    return JS_EXCEPTION;
  }
  *own = *u;
  own->params = JS_UNDEFINED;
  JS_SetOpaque(v, own);
  return v;
}

static JSValue throw_no_url(JSContext *ctx, JSValueConst v) {
  const char *s = JS_ToCString(ctx, v);
  if (s) JS_ThrowTypeError(ctx, "\"%.200s\" is not a URL", s);
  JS_FreeCString(ctx, s);
  return JS_EXCEPTION;
}

static JSValue url_construct(JSContext *ctx, JSValueConst target, int argc, JSValueConst *argv) {
  struct url u = {0};
  JSValue proto = proto_of(ctx, target, "URL");
  if (JS_IsException(proto)) return proto;
  if (argc < 1) {
    JS_FreeValue(ctx, proto);
    return JS_ThrowTypeError(ctx, "URL takes a text");
  }
  int err = url_read(ctx, &u, argv[0], argc > 1 ? argv[1] : JS_UNDEFINED);
  JSValue v = err == -2 ? JS_EXCEPTION : err ? throw_no_url(ctx, argv[0]) : url_object(ctx, proto, &u);
  JS_FreeValue(ctx, proto);
  return v;
}

static JSValue url_static(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv, int parse) {
  struct url u = {0};
  int err = url_read(ctx, &u, argc > 0 ? argv[0] : JS_UNDEFINED, argc > 1 ? argv[1] : JS_UNDEFINED);
  if (err == -2) return JS_EXCEPTION;
  if (parse) return err ? JS_NULL : url_object(ctx, JS_UNDEFINED, &u);
  url_clear(ctx, &u);
  return JS_NewBool(ctx, !err);
}

static JSValue url_text(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) { return url_get(ctx, this, U_HREF); }

static void url_finalizer(JSRuntime *rt, JSValueConst v) {
  struct url *u = JS_GetOpaque(v, url_class);
  if (!u) return;
  char *parts[] = {u->scheme.p, u->username.p, u->password.p, u->host.p, u->path.p, u->query.p, u->fragment.p};
  for (size_t i = 0; i < countof(parts); i++) js_free_rt(rt, parts[i]);
  JS_FreeValueRT(rt, u->params);
  js_free_rt(rt, u);
}

static void url_mark(JSRuntime *rt, JSValueConst v, JS_MarkFunc *mark) {
  struct url *u = JS_GetOpaque(v, url_class);
  if (u) JS_MarkValue(rt, u->params, mark);
}

static const JSClassDef url_def = {"URL", .finalizer = url_finalizer, .gc_mark = url_mark};
static JSValue url_params(JSContext *ctx, JSValueConst this);

static const JSCFunctionListEntry url_proto[] = {
  JS_CGETSET_MAGIC_DEF("href", url_get, url_set, U_HREF),
  JS_CGETSET_MAGIC_DEF("origin", url_get, NULL, U_ORIGIN),
  JS_CGETSET_MAGIC_DEF("protocol", url_get, url_set, U_PROTOCOL),
  JS_CGETSET_MAGIC_DEF("username", url_get, url_set, U_USERNAME),
  JS_CGETSET_MAGIC_DEF("password", url_get, url_set, U_PASSWORD),
  JS_CGETSET_MAGIC_DEF("host", url_get, url_set, U_HOST),
  JS_CGETSET_MAGIC_DEF("hostname", url_get, url_set, U_HOSTNAME),
  JS_CGETSET_MAGIC_DEF("port", url_get, url_set, U_PORT),
  JS_CGETSET_MAGIC_DEF("pathname", url_get, url_set, U_PATHNAME),
  JS_CGETSET_MAGIC_DEF("search", url_get, url_set, U_SEARCH),
  JS_CGETSET_DEF("searchParams", url_params, NULL),
  JS_CGETSET_MAGIC_DEF("hash", url_get, url_set, U_HASH),
  JS_CFUNC_DEF("toString", 0, url_text),
  JS_CFUNC_DEF("toJSON", 0, url_text),
  TAG("URL"),
};
static const JSCFunctionListEntry url_statics[] = {
  JS_CFUNC_MAGIC_DEF("canParse", 1, url_static, 0),
  JS_CFUNC_MAGIC_DEF("parse", 1, url_static, 1),
};
