// JSON. pocketpy reads it as Python: without \u, and writes characters below 32 in Python's way.
#include <math.h>

enum { JSON_DEPTH = 500 };

struct json { const char *start, *at, *end; int depth; };

static bool json_fail(struct json *j, const char *what) {
  return ValueError("%s at character %d", what, (int)(j->at - j->start));
}

static void json_space(struct json *j) {
  while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\r' || *j->at == '\t')) j->at++;
}

static int json_hex(const char *p, const char *end) {
  int v = 0;
  if (end - p < 4) return -1;
  for (int i = 0; i < 4; i++) {
    int digit = hex(p[i]);
    if (digit < 0) return -1;
    v = v << 4 | digit;
  }
  return v;
}

static size_t put_utf8(char *to, uint32_t c) {
  if (c < 0x80) return to[0] = c, 1;
  if (c < 0x800) return to[0] = 0xc0 | c >> 6, to[1] = 0x80 | (c & 63), 2;
  if (c < 0x10000) return to[0] = 0xe0 | c >> 12, to[1] = 0x80 | (c >> 6 & 63), to[2] = 0x80 | (c & 63), 3;
  return to[0] = 0xf0 | c >> 18, to[1] = 0x80 | (c >> 12 & 63), to[2] = 0x80 | (c >> 6 & 63), to[3] = 0x80 | (c & 63), 4;
}

// json_escape reads what stands behind a backslash, and writes it in UTF-8: at most 4 bytes. Half of a pair is U+FFFD.
static bool json_escape(struct json *j, char *to, size_t *n) {
  static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
  const char *found = j->at < j->end && *j->at ? strchr(from, *j->at) : NULL;
  if (found) {
    to[(*n)++] = into[found - from];
    j->at++;
    return true;
  }
  int c = j->at < j->end && *j->at == 'u' ? json_hex(j->at + 1, j->end) : -1;
  if (c < 0) return json_fail(j, "a wrong escape");
  j->at += 5;
  if (c >= 0xd800 && c < 0xdc00 && j->end - j->at >= 6 && j->at[0] == '\\' && j->at[1] == 'u') {
    int low = json_hex(j->at + 2, j->end);
    if (low >= 0xdc00 && low < 0xe000) {
      c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
      j->at += 6;
    }
  }
  *n += put_utf8(to + *n, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
  return true;
}

static bool json_text(struct json *j, py_OutRef out) {
  const char *from = ++j->at;
  while (j->at < j->end && *j->at != '"' && *j->at != '\\' && (uint8_t)*j->at >= ' ') j->at++;
  if (j->at < j->end && *j->at == '"') {
    py_newstrn(out, from, j->at++ - from);
    return true;
  }
  char *text = malloc(j->end - from + 1);
  size_t n = j->at - from;
  memcpy(text, from, n);
  for (;;) {
    if (j->at >= j->end || (uint8_t)*j->at < ' ') return json_fail(j, "a string that does not end");
    char c = *j->at++;
    if (c == '"') break;
    if (c != '\\') text[n++] = c;
    else if (!json_escape(j, text, &n)) return false;
  }
  py_newstrn(out, text, n);
  free(text);
  return true;
}

static bool json_number(struct json *j, py_OutRef out) {
  const char *p = j->at, *end = j->end;
  int whole = 1;
  if (p < end && *p == '-') p++;
  const char *digits = p;
  while (p < end && *p >= '0' && *p <= '9') p++;
  if (p == digits || (*digits == '0' && p - digits > 1)) return json_fail(j, "no JSON");
  if (p < end && *p == '.') {
    const char *point = ++p;
    while (p < end && *p >= '0' && *p <= '9') p++;
    if (p == point) return json_fail(j, "no JSON");
    whole = 0;
  }
  if (p < end && (*p | 32) == 'e') {
    p++;
    if (p < end && (*p == '+' || *p == '-')) p++;
    const char *power = p;
    while (p < end && *p >= '0' && *p <= '9') p++;
    if (p == power) return json_fail(j, "no JSON");
    whole = 0;
  }
  if (whole && p - digits <= 18) py_newint(out, strtoll(j->at, NULL, 10)); // a str has a NUL behind it
  else py_newfloat(out, strtod(j->at, NULL));
  j->at = p;
  return true;
}

static bool json_word(struct json *j, const char *word) {
  size_t n = strlen(word);
  if ((size_t)(j->end - j->at) < n || memcmp(j->at, word, n)) return json_fail(j, "no JSON");
  j->at += n;
  return true;
}

static bool json_value(struct json *j, py_OutRef out);

// json_items reads an array or an object up to its end. Two places of the stack hold a key and a value.
static bool json_items(struct json *j, py_OutRef out, int object) {
  char close = object ? '}' : ']';
  if (++j->depth > JSON_DEPTH) return json_fail(j, "JSON that nests too deeply");
  if (pk_current_vm->stack.sp + 8 > pk_current_vm->stack.end) return json_fail(j, "JSON that nests too deeply");
  j->at++;
  py_StackRef key = py_pushtmp(), value = py_pushtmp();
  py_newnone(key);
  py_newnone(value);
  json_space(j);
  for (int first = 1; j->at >= j->end || *j->at != close; first = 0) {
    if (!first) {
      if (j->at >= j->end || *j->at != ',') return json_fail(j, "no JSON");
      j->at++;
      json_space(j);
    }
    if (object) {
      if (j->at >= j->end || *j->at != '"') return json_fail(j, "no JSON");
      if (!json_text(j, key)) return false;
      json_space(j);
      if (!json_word(j, ":")) return false;
    }
    if (!json_value(j, value)) return false;
    if (!object) py_list_append(out, value);
    else if (!py_dict_setitem(out, key, value)) return false;
    json_space(j);
  }
  j->at++;
  py_shrink(2);
  j->depth--;
  return true;
}

static bool json_value(struct json *j, py_OutRef out) {
  json_space(j);
  switch (j->at < j->end ? *j->at : 0) {
    case '{': py_newdict(out); return json_items(j, out, 1);
    case '[': py_newlist(out); return json_items(j, out, 0);
    case '"': return json_text(j, out);
    case 't': py_newbool(out, true); return json_word(j, "true");
    case 'f': py_newbool(out, false); return json_word(j, "false");
    case 'n': py_newnone(out); return json_word(j, "null");
  }
  return json_number(j, out);
}

static bool native_json_loads(int argc, py_Ref argv) {
  PY_CHECK_ARGC(1);
  const uint8_t *p;
  size_t n;
  py_StackRef text = py_pushtmp(), value = py_pushtmp();
  if (!raw(argv, &p, &n)) return false;
  new_text(text, p, n); // of bytes, too; and a NUL behind it
  int size;
  const char *s = py_tostrn(text, &size);
  struct json j = {s, s, s + size, 0};
  if (!json_value(&j, value)) return false;
  json_space(&j);
  if (j.at != j.end) return json_fail(&j, "something behind the JSON");
  py_assign(py_retval(), value);
  py_shrink(2);
  return true;
}

struct json_out { char *p; size_t n, room; int indent, depth, first; };

static void json_put(struct json_out *o, const char *p, size_t n) {
  if (o->n + n > o->room) o->p = realloc(o->p, o->room = 2 * (o->n + n) + 64);
  memcpy(o->p + o->n, p, n);
  o->n += n;
}

static void json_line(struct json_out *o) {
  if (o->indent < 0) return;
  json_put(o, "\n", 1);
  for (int i = 0; i < o->depth * o->indent; i++) json_put(o, " ", 1);
}

static void json_quote(struct json_out *o, const char *s, size_t n) {
  json_put(o, "\"", 1);
  for (size_t i = 0; i < n; i++) {
    uint8_t c = s[i];
    char code[8];
    if (c == '"' || c == '\\') code[0] = '\\', code[1] = c, json_put(o, code, 2);
    else if (c == '\n') json_put(o, "\\n", 2);
    else if (c < ' ' || c == 0x7f) json_put(o, code, snprintf(code, sizeof code, "\\u%04x", c));
    else json_put(o, s + i, 1);
  }
  json_put(o, "\"", 1);
}

static bool json_write(struct json_out *o, py_Ref v);

static void json_between(struct json_out *o) {
  if (!o->first) json_put(o, ",", 1), o->indent < 0 ? json_put(o, " ", 1) : (void)0;
  o->first = 0;
  json_line(o);
}

static bool json_entry(py_Ref key, py_Ref value, void *out) {
  struct json_out *o = out;
  char number[24];
  int n;
  json_between(o);
  if (py_isstr(key)) {
    const char *s = py_tostrn(key, &n);
    json_quote(o, s, n);
  } else if (py_isint(key)) {
    n = snprintf(number, sizeof number, "\"%lld\"", (long long)py_toint(key));
    json_put(o, number, n);
  } else return TypeError("the keys of a dict that becomes JSON are str or int, and not '%t'", key->type);
  json_put(o, ": ", 2);
  return json_write(o, value);
}

static bool json_items_out(struct json_out *o, py_Ref v, int n, const char *ends) {
  int entries = py_isdict(v), empty = (entries ? py_dict_len(v) : n) == 0;
  json_put(o, ends, 1);
  if (++o->depth > JSON_DEPTH) return ValueError("a value that nests too deeply, or is in itself, cannot become JSON");
  o->first = 1;
  if (entries) {
    if (!py_dict_apply(v, json_entry, o)) return false;
  } else
    for (int i = 0; i < n; i++) {
      json_between(o);
      if (!json_write(o, py_islist(v) ? py_list_getitem(v, i) : py_tuple_getitem(v, i))) return false;
    }
  o->depth--;
  o->first = 0;
  if (!empty) json_line(o);
  json_put(o, ends + 1, 1);
  return true;
}

static bool json_write(struct json_out *o, py_Ref v) {
  char number[40];
  int n = 0;
  if (py_isstr(v)) {
    const char *s = py_tostrn(v, &n);
    json_quote(o, s, n);
  } else if (py_isnone(v)) json_put(o, "null", 4);
  else if (py_isbool(v)) json_put(o, py_tobool(v) ? "true" : "false", py_tobool(v) ? 4 : 5);
  else if (py_isint(v)) json_put(o, number, snprintf(number, sizeof number, "%lld", (long long)py_toint(v)));
  else if (py_isfloat(v)) {
    double d = py_tofloat(v);
    if (!isfinite(d)) return ValueError("JSON has no infinity, and nothing for what is no number");
    for (int digits = 15; digits <= 17; digits++) {
      n = snprintf(number, sizeof number, "%.*g", digits, d);
      if (strtod(number, NULL) == d) break;
    }
    if (!strpbrk(number, ".e")) n += snprintf(number + n, sizeof number - n, ".0");
    json_put(o, number, n);
  } else if (py_isdict(v)) return json_items_out(o, v, 0, "{}");
  else if (py_islist(v)) return json_items_out(o, v, py_list_len(v), "[]");
  else if (py_istuple(v)) return json_items_out(o, v, py_tuple_len(v), "[]");
  else return TypeError("a value of type '%t' cannot become JSON", v->type);
  return true;
}

static bool native_json_dumps(int argc, py_Ref argv) {
  struct json_out o = {.indent = -1};
  if (!py_isnone(py_arg(1))) {
    if (!py_checkint(py_arg(1))) return false;
    int64_t indent = py_toint(py_arg(1));
    o.indent = indent < 0 ? 0 : indent > 16 ? 16 : indent;
  }
  bool ok = json_write(&o, py_arg(0));
  if (ok) py_newstrn(py_retval(), o.p, o.n);
  free(o.p);
  return ok;
}

static void bind_json(void) {
  py_Ref module = py_getmodule("json");
  py_bindfunc(module, "loads", native_json_loads);
  py_bind(module, "dumps(value, indent=None)", native_json_dumps);
}
