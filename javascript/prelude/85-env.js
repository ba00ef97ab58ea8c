// env: what an app reaches through its capabilities.

const { functions: F } = native;

// Little-endian numbers and texts with their length before them, as the capabilities take them.
const u32 = (n) => Uint8Array.of(n, n >>> 8, n >>> 16, n >>> 24);
const u64 = (n) => { const b = new Uint8Array(8); new DataView(b.buffer).setBigUint64(0, BigInt(n), true); return b };
const sized = (text) => { const b = native.utf8(text); return [u32(b.length), b] };
const joined = (...parts) => {
  let n = 0;
  for (const part of parts) n += part.length;
  const all = new Uint8Array(n);
  n = 0;
  for (const part of parts) { all.set(part, n); n += part.length }
  return all;
};
const textOf = (bytes) => native.text(bytes, false);

// Reading lists of texts with their lengths.
const entries = (bytes, read) => {
  const list = [], d = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const n = d.getUint32(at, true), name = textOf(bytes.subarray(at + 4, at + 4 + n));
    at += 4 + n;
    list.push(read ? read(name, d, at) : { name });
    if (read) at += 8;
  }
  return list;
};

// stored makes the bytes of a value that is kept.
const stored = async (value) => {
  if (typeof value === 'string') return native.utf8(value);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value !== null && typeof value === 'object') {
    if (typeof value.getReader === 'function') return new Response(value).bytes();
    if (typeof value.arrayBuffer === 'function') return new Uint8Array(await value.arrayBuffer());
  }
  throw new TypeError('what is kept is a text or bytes: write JSON.stringify(value) for anything else');
};
// as turns bytes into what was asked for: text, json, bytes or arrayBuffer.
const as = (bytes, options) => {
  const type = typeof options === 'string' ? options : options?.type ?? 'text';
  switch (type) {
    case 'text': return textOf(bytes);
    case 'json': return JSON.parse(textOf(bytes));
    case 'bytes': return bytes;
    case 'arrayBuffer': return bytes.buffer;
    case 'stream': return new Response(bytes).body;
  }
  throw new TypeError(`${JSON.stringify(type)} is not "text", "json", "bytes", "arrayBuffer" or "stream"`);
};
const must = (capability, what, answer) => { if (typeof answer === 'number') throw refused(capability, what, answer); return answer };
const pageSize = 1000;
const page = (keys) => keys.length < pageSize ? { keys, list_complete: true } : { keys, list_complete: false, cursor: keys[keys.length - 1].name };

const lifetime = (options) => {
  const seconds = options?.expirationTtl ?? (options?.expiration === undefined ? 0 : options.expiration - Date.now() / 1000);
  if (!(seconds >= 0)) throw new RangeError('expirationTtl is a number of seconds from now, and expiration a time in seconds since 1970 that is not over');
  return u64(Math.ceil(seconds * 1000));
};
const optional = (bytes) => bytes === null ? [u32(0xffffffff)] : [u32(bytes.length), bytes];

const KV = {
  async get(key, options) {
    const answer = native.ask(F.kv_get, String(key));
    return answer === errno.absent ? null : as(must('kv', `kv get ${key}`, answer), options);
  },
  async put(key, value, options) { must('kv', `kv put ${key}`, native.ask(F.kv_put, joined(lifetime(options), ...sized(String(key)), await stored(value)))) },
  async delete(key) { must('kv', `kv delete ${key}`, native.ask(F.kv_delete, String(key))) },
  async list({ prefix = '', cursor = '' } = {}) {
    return page(entries(must('kv', `kv list ${prefix}`, native.ask(F.kv_scan, joined(...sized(String(prefix)), native.utf8(cursor))))));
  },
  // swap changes an entry only if it is still what it was: null stands for no entry, before and after.
  async swap(key, before, after, options) {
    const old = before === null ? null : await stored(before), fresh = after === null ? null : await stored(after);
    const answer = native.ask(F.kv_swap, joined(lifetime(options), ...sized(String(key)), ...optional(old), ...optional(fresh)));
    if (answer === errno.conflict) return false;
    must('kv', `kv swap ${key}`, answer);
    return true;
  },
};

const blobEntry = (name, d, at) => ({ name, size: Number(d.getBigUint64(at, true)) });
const wholeBlob = 8 << 20;
const BLOB = {
  async get(name, options) {
    const { offset = 0, length = wholeBlob } = options?.range ?? {};
    const answer = native.ask(F.blob_get, joined(u64(offset), u64(length), native.utf8(String(name))));
    return answer === errno.absent ? null : as(must('blob', `blob get ${name}`, answer), options ?? 'bytes');
  },
  async put(name, value) { must('blob', `blob put ${name}`, native.ask(F.blob_put, joined(...sized(String(name)), await stored(value)))) },
  async head(name) {
    const answer = native.ask(F.blob_stat, String(name));
    if (answer === errno.absent) return null;
    const d = new DataView(must('blob', `blob head ${name}`, answer).buffer);
    let sha256 = '';
    for (const b of answer.subarray(16)) sha256 += (b < 16 ? '0' : '') + b.toString(16);
    return { name: String(name), size: Number(d.getBigUint64(0, true)), modified: new Date(Number(d.getBigUint64(8, true))), sha256 };
  },
  async delete(name) { must('blob', `blob delete ${name}`, native.ask(F.blob_delete, String(name))) },
  async list({ prefix = '', cursor = '' } = {}) {
    return page(entries(must('blob', `blob list ${prefix}`, native.ask(F.blob_list, joined(...sized(String(prefix)), native.utf8(cursor)))), blobEntry));
  },
};

const SECRETS = {
  async get(name) {
    const answer = native.ask(F.secret_get, String(name));
    return answer === errno.absent ? null : textOf(must('secret', `secret ${name}`, answer));
  },
};

const EVENTS = {
  // publish keeps an event and returns its id. The same key publishes once in a day.
  async publish(topic, payload, { key = '' } = {}) {
    const body = typeof payload === 'string' || ArrayBuffer.isView(payload) || payload instanceof ArrayBuffer ? await stored(payload) : native.utf8(JSON.stringify(payload));
    return textOf(must('events', `publish ${topic}`, native.ask(F.events_publish, joined(...sized(String(topic)), ...sized(String(key)), body))));
  },
};

const chatChunks = async function* (handle) {
  try {
    for (;;) {
      const chunk = must('llm', 'llm', native.ask(F.llm_next, handle));
      if (!chunk.length) return;
      yield JSON.parse(textOf(chunk));
    }
  } finally { native.ask(F.llm_close, handle) }
};
const LLM = {
  // chat takes a request in the form of OpenAI's chat completions. With stream: true it returns the chunks.
  async chat(request) {
    const { stream, ...asked } = request, body = JSON.stringify(asked);
    if (stream) return chatChunks(must('llm', 'llm', native.ask(F.llm_open, body)));
    return JSON.parse(textOf(must('llm', 'llm', native.ask(F.llm_chat, body))));
  },
};

// config is read when it is asked for: settings are part of the release.
const config = new Proxy(Object.freeze({}), {
  get(_, name) {
    if (typeof name !== 'string') return undefined;
    const answer = native.ask(F.config_get, name);
    return answer === errno.absent ? undefined : textOf(must('config', `config ${name}`, answer));
  },
  has(_, name) { return typeof name === 'string' && typeof native.ask(F.config_get, name) !== 'number' },
});

const env = Object.freeze({ KV, BLOB, SECRETS, EVENTS, LLM, config });
for (const part of [KV, BLOB, SECRETS, EVENTS, LLM]) Object.freeze(part);
