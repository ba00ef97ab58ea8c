// Byte streams: the controller that fills buffers of readers ("bring your own buffer").
// A pull-into descriptor is {buffer, offset, length, filled, least, element, View, kind}: a buffer to fill, and who waits.

let recordOfByobRequest;
const transfer = (buffer) => {
  if (typeof buffer.transfer === 'function') return buffer.transfer();
  return buffer.slice(0);
};
const detached = (buffer) => buffer.detached === true;

class ReadableStreamBYOBRequest {
  #q;
  static { recordOfByobRequest = (request) => request.#q }
  constructor(token, record) { onlyInside(token); this.#q = record }
  get view() { return this.#q.view }
  respond(bytesWritten) {
    const q = this.#q;
    needArguments(arguments.length, 1, 'respond');
    bytesWritten = Number(bytesWritten);
    if (!(bytesWritten >= 0 && bytesWritten <= Number.MAX_SAFE_INTEGER)) throw new TypeError('respond needs a number of bytes');
    if (!q.controller) throw new TypeError('this request was responded to already');
    if (detached(q.view.buffer)) throw new TypeError('the buffer of the request was transferred');
    respond(q.controller, Math.trunc(bytesWritten));
  }
  respondWithNewView(newView) {
    const q = this.#q;
    needArguments(arguments.length, 1, 'respondWithNewView');
    if (!ArrayBuffer.isView(newView)) throw new TypeError('respondWithNewView needs a view');
    if (!q.controller) throw new TypeError('this request was responded to already');
    if (detached(newView.buffer)) throw new TypeError('the buffer of the view was transferred');
    respondWithView(q.controller, newView);
  }
}

class ReadableByteStreamController {
  #c;
  static { recordOfByteController = (controller) => controller.#c }
  constructor(token, record) { onlyInside(token); this.#c = record }
  get byobRequest() { return byobRequest(this.#c) }
  get desiredSize() { return desiredSize(this.#c) }
  close() {
    const c = this.#c;
    if (c.closeRequested) throw new TypeError('the stream is closing already');
    if (c.stream.state !== 'readable') throw new TypeError('the stream is closed or errored already');
    closeBytes(c);
  }
  enqueue(chunk) {
    const c = this.#c;
    needArguments(arguments.length, 1, 'enqueue');
    if (!ArrayBuffer.isView(chunk)) throw new TypeError('a byte stream takes views of buffers only');
    if (chunk.byteLength === 0 || chunk.buffer.byteLength === 0) throw new TypeError('a chunk of a byte stream is not empty');
    if (c.closeRequested) throw new TypeError('the stream is closing: nothing can be added');
    if (c.stream.state !== 'readable') throw new TypeError('the stream is closed or errored: nothing can be added');
    enqueueBytes(c, chunk);
  }
  error(error) { errorController(this.#c, error) }
}

const setUpByteController = (stream, source, from, mark) => {
  let automatic = from.autoAllocateChunkSize;
  if (automatic !== undefined) {
    automatic = Number(automatic);
    if (!(automatic >= 1 && automatic <= Number.MAX_SAFE_INTEGER)) throw new TypeError('autoAllocateChunkSize is not a number above zero');
    automatic = Math.trunc(automatic);
  }
  return attachByteController(stream, from.start && ((controller) => from.start.call(source, controller)),
    later(source, from.pull, done), later(source, from.cancel, done), mark, automatic);
};
const makeByteStream = (pull, cancel) => {
  const s = newReadable(), stream = new ReadableStream(inside, s);
  attachByteController(s, undefined, pull, cancel, 0, undefined);
  return stream;
};
const attachByteController = (stream, start, pull, cancel, mark, automatic) => {
  const c = {
    bytes: true, stream, queue: new Queue, mark, pull, cancel, automatic, self: undefined, pending: [], request: null,
    started: false, pulling: false, again: false, closeRequested: false,
    cancelSteps(reason) {
      dropPending(c);
      c.queue.clear();
      const result = c.cancel(reason);
      clearAlgorithms(c);
      return result;
    },
    pullSteps(request) {
      if (c.queue.total > 0) { request.chunk(takeChunk(c)); return }
      if (c.automatic !== undefined)
        c.pending.push({ buffer: new ArrayBuffer(c.automatic), offset: 0, length: c.automatic, filled: 0, least: 1, element: 1, View: Uint8Array, kind: 'default' });
      stream.reader.requests.push(request);
      pullIfNeeded(c);
    },
    releaseSteps() {
      if (c.pending.length === 0) return;
      c.pending[0].kind = 'none';
      c.pending.length = 1;
    },
  };
  c.self = new ReadableByteStreamController(inside, c);
  stream.controller = c;
  startController(c, start);
  return c;
};

const invalidateRequest = (c) => {
  if (!c.request) return;
  const q = recordOfByobRequest(c.request);
  q.controller = undefined;
  q.view = null;
  c.request = null;
};
const dropPending = (c) => { invalidateRequest(c); c.pending.length = 0 };
const byobRequest = (c) => {
  if (!c.request && c.pending.length > 0) {
    const first = c.pending[0];
    const rest = new Uint8Array(first.buffer, first.offset + first.filled, first.length - first.filled);
    c.request = new ReadableStreamBYOBRequest(inside, { controller: c, view: rest });
  }
  return c.request;
};
const takeChunk = (c) => {
  const chunk = c.queue.shift();
  if (c.queue.length === 0 && c.closeRequested) { clearAlgorithms(c); closeStream(c.stream) } else pullIfNeeded(c);
  return chunk;
};

const closeBytes = (c) => {
  if (c.closeRequested || c.stream.state !== 'readable') return;
  if (c.queue.total > 0) { c.closeRequested = true; return }
  const first = c.pending[0];
  if (first && first.filled % first.element !== 0) {
    const error = new TypeError('the stream was closed in the middle of an element');
    errorController(c, error);
    throw error;
  }
  clearAlgorithms(c);
  closeStream(c.stream);
  c.closeRequested = true;
};

const enqueueBytes = (c, chunk) => {
  if (c.closeRequested || c.stream.state !== 'readable') return;
  if (detached(chunk.buffer)) throw new TypeError('the buffer of the chunk was transferred');
  const { byteOffset, byteLength } = chunk;
  const bytes = new Uint8Array(transfer(chunk.buffer), byteOffset, byteLength);
  const first = c.pending[0], { reader } = c.stream;
  if (first) {
    if (detached(first.buffer)) throw new TypeError('the buffer of the request was transferred');
    invalidateRequest(c);
    first.buffer = transfer(first.buffer);
    if (first.kind === 'none') {
      if (first.filled > 0) push(c, copyOf(new Uint8Array(first.buffer, first.offset, first.filled)));
      c.pending.shift();
    }
  }
  if (reader && !reader.byob) {
    while (c.queue.total > 0 && reader.requests.length > 0) reader.requests.shift().chunk(takeChunk(c));
    if (reader.requests.length === 0) push(c, bytes);
    else {
      if (c.pending.length > 0) c.pending.shift();
      reader.requests.shift().chunk(bytes);
    }
  } else {
    push(c, bytes);
    if (reader?.byob) commitAll(c, fillPending(c));
  }
  pullIfNeeded(c);
};
const push = (c, bytes) => c.queue.push(bytes, bytes.byteLength);

// fill copies what is queued into a descriptor, and reports whether it holds enough whole elements to be handed out.
const fill = (c, into) => {
  const available = Math.min(c.queue.total, into.length - into.filled);
  const reached = into.filled + available, whole = reached - reached % into.element;
  const ready = whole >= into.least;
  let left = ready ? whole - into.filled : available;
  const { queue } = c;
  while (left > 0) {
    const head = queue.peek(), n = Math.min(left, head.byteLength);
    new Uint8Array(into.buffer).set(head.subarray(0, n), into.offset + into.filled);
    if (n === head.byteLength) queue.shift();
    else {
      const item = queue.items[queue.head];
      item.value = head.subarray(n);
      item.size -= n;
      queue.total -= n;
    }
    into.filled += n;
    left -= n;
  }
  return ready;
};
const fillPending = (c) => {
  const ready = [];
  while (c.pending.length > 0 && c.queue.total > 0) {
    if (!fill(c, c.pending[0])) break;
    ready.push(c.pending.shift());
    invalidateRequest(c);
  }
  return ready;
};
const commit = (c, into) => {
  if (c.stream.state === 'errored') return;
  const closed = c.stream.state === 'closed';
  const { View, element, offset } = into;
  const filled = new View(transfer(into.buffer), offset, into.filled / element);
  const request = c.stream.reader.requests.shift();
  if (into.kind === 'default') { if (closed) request.close(); else request.chunk(filled); return }
  if (closed) request.close(filled); else request.chunk(filled);
};
const commitAll = (c, ready) => { for (const into of ready) commit(c, into) };

const pullInto = (c, into, request) => {
  const { stream } = c;
  if (c.pending.length > 0) { c.pending.push(into); stream.reader.requests.push(request); return }
  if (stream.state === 'closed') { request.close(new into.View(into.buffer, into.offset, 0)); return }
  if (c.queue.total > 0) {
    if (fill(c, into)) {
      const filled = new into.View(transfer(into.buffer), into.offset, into.filled / into.element);
      if (c.queue.length === 0 && c.closeRequested) { clearAlgorithms(c); closeStream(stream) } else pullIfNeeded(c);
      request.chunk(filled);
      return;
    }
    if (c.closeRequested) {
      const error = new TypeError('the stream ended in the middle of an element');
      errorController(c, error);
      request.error(error);
      return;
    }
  }
  c.pending.push(into);
  stream.reader.requests.push(request);
  pullIfNeeded(c);
};

const respond = (c, bytesWritten) => {
  const first = c.pending[0];
  if (c.stream.state === 'closed') {
    if (bytesWritten !== 0) throw new TypeError('the stream is closed: respond with 0');
  } else {
    if (bytesWritten === 0) throw new TypeError('respond needs at least one byte while the stream is open');
    if (first.filled + bytesWritten > first.length) throw new RangeError('more bytes than the buffer of the request holds');
  }
  first.buffer = transfer(first.buffer);
  respondInside(c, bytesWritten);
};
const respondWithView = (c, newView) => {
  const first = c.pending[0];
  if (c.stream.state === 'closed') {
    if (newView.byteLength !== 0) throw new TypeError('the stream is closed: respond with an empty view');
  } else if (newView.byteLength === 0) throw new TypeError('respond needs at least one byte while the stream is open');
  if (first.offset + first.filled !== newView.byteOffset) throw new RangeError('the view does not begin where the request does');
  if (first.buffer.byteLength !== newView.buffer.byteLength) throw new RangeError('the view is of a buffer of another size');
  if (first.filled + newView.byteLength > first.length) throw new RangeError('more bytes than the buffer of the request holds');
  const { byteLength } = newView;
  first.buffer = transfer(newView.buffer);
  respondInside(c, byteLength);
};
const respondInside = (c, bytesWritten) => {
  const first = c.pending[0], { stream } = c;
  invalidateRequest(c);
  if (stream.state === 'closed') {
    if (first.kind === 'none') c.pending.shift();
    if (stream.reader?.byob) {
      const ready = [];
      while (ready.length < stream.reader.requests.length && c.pending.length > 0) ready.push(c.pending.shift());
      commitAll(c, ready);
    }
    pullIfNeeded(c);
    return;
  }
  first.filled += bytesWritten;
  if (first.kind === 'none') {
    c.pending.shift();
    push(c, copyOf(new Uint8Array(first.buffer, first.offset, first.filled)));
    const { reader } = stream;
    if (reader?.byob) commitAll(c, fillPending(c));
    else while (reader && c.queue.total > 0 && reader.requests.length > 0) reader.requests.shift().chunk(takeChunk(c));
    pullIfNeeded(c);
    return;
  }
  if (first.filled < first.least) { pullIfNeeded(c); return }
  c.pending.shift();
  const rest = first.filled % first.element;
  if (rest > 0) {
    const end = first.offset + first.filled;
    push(c, copyOf(new Uint8Array(first.buffer, end - rest, rest)));
    first.filled -= rest;
  }
  const ready = fillPending(c);
  commit(c, first);
  commitAll(c, ready);
  pullIfNeeded(c);
};

class ReadableStreamBYOBReader {
  #r = { byob: true };
  static { isByobReader = (value) => isObject(value) && #r in value }
  constructor(stream) {
    needArguments(arguments.length, 1, 'new ReadableStreamBYOBReader');
    if (!isReadable(stream)) throw new TypeError('a reader needs a ReadableStream');
    const s = recordOfReadable(stream);
    if (s.reader) throw new TypeError('the stream is locked to a reader already');
    if (!s.controller.bytes) throw new TypeError('the stream is no byte stream');
    setUpReader(this.#r, s);
  }
  get closed() { return isByobReader(this) ? this.#r.closed.promise : rejected(new TypeError('this is no reader')) }
  cancel(reason) {
    if (!isByobReader(this)) return rejected(new TypeError('this is no reader'));
    return this.#r.stream ? cancelStream(this.#r.stream, reason) : rejected(released());
  }
  read(into, options) {
    try {
      const r = this.#r;
      if (!ArrayBuffer.isView(into)) throw new TypeError('read needs a view to fill');
      let { min = 1 } = dictionary(options, 'the options');
      min = Number(min);
      if (!(min >= 0 && min <= Number.MAX_SAFE_INTEGER)) throw new TypeError('min is not a number of elements');
      min = Math.trunc(min);
      const View = into instanceof DataView ? DataView : globalThis[viewTag(into)];
      const element = View.BYTES_PER_ELEMENT ?? 1;
      if (into.byteLength === 0) throw new TypeError('the view is empty');
      if (into.buffer.byteLength === 0 || detached(into.buffer)) throw new TypeError('the buffer of the view is empty or transferred');
      if (min === 0) throw new TypeError('min is at least 1');
      if (min * element > into.byteLength) throw new RangeError('min is more than the view holds');
      if (!r.stream) throw released();
      return readInto(r, into, { View, element, least: min * element });
    } catch (error) { return rejected(error) }
  }
  releaseLock() { if (this.#r.stream) releaseReader(this.#r) }
}
const readInto = (r, into, { View, element, least }) => {
  const { promise, resolve, reject } = pending(), s = r.stream;
  const request = {
    chunk: (value) => resolve({ value, done: false }), close: (value) => resolve({ value, done: true }), error: reject,
  };
  s.disturbed = true;
  if (s.state === 'errored') { reject(s.error); return promise }
  const { byteOffset, byteLength, buffer } = into;
  pullInto(s.controller, { buffer: transfer(buffer), offset: byteOffset, length: byteLength, filled: 0, least, element, View, kind: 'byob' }, request);
  return promise;
};

publish(CountQueuingStrategy, ByteLengthQueuingStrategy, ReadableStream, ReadableStreamDefaultReader, ReadableStreamDefaultController,
  ReadableStreamBYOBReader, ReadableStreamBYOBRequest, ReadableByteStreamController);
