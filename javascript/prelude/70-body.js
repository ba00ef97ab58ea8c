// What Request and Response (C classes of the engine) have of streams, Blobs and forms
// (https://fetch.spec.whatwg.org/#body-mixin). A body of the C side is null, a string, bytes, or an object:
// a ReadableStream. C reads strings and bytes by itself and calls the hooks below for the rest.

const { Request, Response } = globalThis;
const requestBytes = uncurry(Request.prototype.bytes), responseBytes = uncurry(Response.prototype.bytes);
const requestClone = uncurry(Request.prototype.clone);
const contentType = (o) => o.headers.get('content-type');
const readAlready = () => new TypeError('the body was read already, or is locked to a reader');

// streamRecord returns the record of a body that is a stream, undefined for any other.
const streamRecord = (o) => { const body = native.body(o); return isReadable(body) ? recordOfReadable(body) : undefined };
const usable = (o) => { const s = streamRecord(o); return !native.used(o) && !(s && (s.disturbed || s.reader)) };

const extract = (value) => {
  if (isBlob(value)) return [bytesOfBlob(value), typeOfBlob(value) || null];
  if (isForm(value)) return multipartOf(value);
  if (isReadable(value)) {
    const s = recordOfReadable(value);
    if (s.disturbed || s.reader) throw new TypeError('the stream given as a body was read already, or is locked to a reader');
    return [value, null];
  }
  return [usv(value), 'text/plain;charset=UTF-8'];
};

// readAll takes a whole stream of bytes. Streams made from bytes give them back without being read.
const readAll = async (s) => {
  const { source } = s;
  if (source) { s.source = undefined; handled(cancelStream(s)); return source }
  const reader = newReader(s), chunks = [];
  for (;;) {
    const { promise, resolve, reject } = pending();
    readChunk(reader, { chunk: resolve, close: () => resolve(undefined), error: reject });
    const chunk = await promise;
    if (chunk === undefined) break;
    chunks.push(byteChunk(chunk));
  }
  return chunks.length === 1 ? chunks[0] : concat(chunks);
};
const byteChunk = (chunk) => {
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError(`a body is a stream of Uint8Arrays, and this one brought ${typeof chunk === 'string' ? 'a string: pipe it through a TextEncoderStream' : `a ${typeof chunk}`}`);
};

const consumed = {
  bytes: copyOf,
  arrayBuffer: (bytes) => copyOf(bytes).buffer,
  text: (bytes) => withoutBOM(native.text(bytes, false)),
  json: (bytes) => JSON.parse(consumed.text(bytes)),
};
const takeStream = async (o) => {
  if (!usable(o)) throw readAlready();
  native.setUsed(o, true);
  const s = streamRecord(o);
  return s ? readAll(s) : undefined;
};
const consume = async (o, kind) => {
  const body = native.body(o), bytes = await takeStream(o) ?? (typeof body === 'string' ? native.utf8(body) : body ?? noBytes);
  return consumed[kind](bytes);
};
// pull returns a function that brings the next chunk of a body that is a stream, and undefined after the last.
const pull = (o) => {
  if (!usable(o)) throw readAlready();
  native.setUsed(o, true);
  const reader = newReader(streamRecord(o));
  return () => {
    const { promise, resolve, reject } = pending();
    readChunk(reader, { chunk: (chunk) => { try { resolve(byteChunk(chunk)) } catch (error) { reject(error) } }, close: () => resolve(undefined), error: reject });
    return promise;
  };
};
const cloneBody = (o) => {
  if (!usable(o)) throw readAlready();
  const s = streamRecord(o);
  if (!s) return native.body(o);
  const [own, others] = tee(s, true);
  native.setBody(o, own);
  return others;
};

// ---- Signals of requests

const initRequest = (request, input, init) => {
  const signal = init?.signal !== undefined ? init.signal : input instanceof Request ? native.slot(input)?.signal : undefined;
  if (signal === undefined || signal === null) return;
  if (!isAbortSignal(signal)) throw new TypeError('signal is not an AbortSignal');
  native.setSlot(request, { signal: dependentSignal([signal]) });
};
// throwIfAborted throws the reason of a request's signal, if that is aborted or its time is over.
const throwIfAborted = (request) => {
  const signal = native.slot(request)?.signal;
  if (!signal) return;
  lookAtTheClock(signal);
  if (signal.aborted) throw signal.reason;
};

native.hooks({ extract, consume, init: initRequest, drain: takeStream, clone: cloneBody, pull });

class BodyMembers {
  get body() {
    const body = native.body(this);
    if (body === null || body === undefined) return null;
    if (isReadable(body)) return body;
    const bytes = typeof body === 'string' ? native.utf8(body) : body, used = native.used(this);
    const stream = streamOfBytes(copyOf(used ? noBytes : bytes)), s = recordOfReadable(stream);
    if (used) s.disturbed = true; else s.source = bytes;
    native.setBody(this, stream);
    return stream;
  }
  get bodyUsed() { return native.used(this) || streamRecord(this)?.disturbed === true }
  async blob() {
    const bytes = await takeBytes(this);
    return new Blob(inside, { bytes, type: mediaType(contentType(this) ?? '') });
  }
  async formData() {
    const { essence, parameters } = mediaTypeOf(contentType(this) ?? '');
    const multipart = essence === 'multipart/form-data';
    if (!multipart && essence !== 'application/x-www-form-urlencoded') throw new TypeError(`formData() reads multipart/form-data and application/x-www-form-urlencoded, and this is ${essence || 'neither'}`);
    if (multipart && !parameters.boundary) throw badForm('its Content-Type names no boundary');
    const bytes = await takeBytes(this);
    if (multipart) return formOf(parseMultipart(bytes, parameters.boundary));
    const pairs = new URLSearchParams(withoutBOM(native.text(bytes, false)));
    return formOf([...pairs]);
  }
}
const { URLSearchParams } = globalThis;
const takeBytes = (o) => (o instanceof Request ? requestBytes : responseBytes)(o);
for (const Class of [Request, Response])
  for (const name of ['body', 'bodyUsed', 'blob', 'formData'])
    defineProperty(Class.prototype, name, { ...Object.getOwnPropertyDescriptor(BodyMembers.prototype, name), enumerable: true });

class RequestMembers {
  get signal() {
    const slot = native.slot(this);
    if (slot?.signal) return slot.signal;
    const signal = new AbortSignal(inside);
    native.setSlot(this, { ...slot, signal });
    return signal;
  }
  clone() {
    const copy = requestClone(this), signal = native.slot(this)?.signal;
    if (signal) native.setSlot(copy, { signal: dependentSignal([signal]) });
    return copy;
  }
}
for (const name of ['signal', 'clone'])
  defineProperty(Request.prototype, name, { ...Object.getOwnPropertyDescriptor(RequestMembers.prototype, name), enumerable: true });
