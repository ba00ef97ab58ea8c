// Readable streams (https://streams.spec.whatwg.org/). Public classes are thin: each holds one record of plain
// fields, and the functions here work on records. A record's `self` is its public object.

let recordOfReadable, isReadable, recordOfReader, isDefaultReader, isByobReader, recordOfDefaultController, recordOfByteController;

// ---- Queues and strategies

// Queue keeps chunks with their sizes; taking one costs the same however many wait.
class Queue {
  items = [];
  head = 0;
  total = 0;
  get length() { return this.items.length - this.head }
  push(value, size) { this.items.push({ value, size }); this.total += size }
  peek() { return this.items[this.head].value }
  shift() {
    const { value, size } = this.items[this.head];
    this.items[this.head++] = undefined;
    if (this.head > 32 && this.head * 2 > this.items.length) { this.items = this.items.slice(this.head); this.head = 0 }
    this.total = Math.max(0, this.total - size);
    if (this.length === 0) this.total = 0;
    return value;
  }
  clear() { this.items = []; this.head = 0; this.total = 0 }
}

class CountQueuingStrategy {
  #mark;
  constructor(init) {
    needArguments(arguments.length, 1, 'new CountQueuingStrategy');
    this.#mark = markOf(init);
  }
  get highWaterMark() { return this.#mark }
  get size() { this.#mark; return countSize }
}
class ByteLengthQueuingStrategy {
  #mark;
  constructor(init) {
    needArguments(arguments.length, 1, 'new ByteLengthQueuingStrategy');
    this.#mark = markOf(init);
  }
  get highWaterMark() { return this.#mark }
  get size() { this.#mark; return byteSize }
}
const markOf = (init) => {
  const { highWaterMark } = dictionary(init, 'the strategy');
  if (highWaterMark === undefined) throw new TypeError('the strategy needs a highWaterMark');
  return Number(highWaterMark);
};
const { size: countSize } = { size: () => 1 };
const { size: byteSize } = { size: (chunk) => chunk.byteLength };

const strategyOf = (strategy) => {
  const { highWaterMark, size } = dictionary(strategy, 'the strategy');
  return { highWaterMark: highWaterMark === undefined ? undefined : Number(highWaterMark), size: callback(size, 'size') };
};
const highWaterMarkOf = ({ highWaterMark }, otherwise) => {
  if (highWaterMark === undefined) return otherwise;
  if (Number.isNaN(highWaterMark) || highWaterMark < 0) throw new RangeError('the high water mark is not a number of zero or more');
  return highWaterMark;
};
const checkedSize = (size) => {
  size = Number(size);
  if (!(size >= 0 && size < Infinity)) throw new RangeError(`the size of a chunk is ${size}, and must be finite and not negative`);
  return size;
};

// later calls a member of an underlying source, sink or transformer, so that what it throws is a rejection.
const later = (object, member, otherwise) => member === undefined ? otherwise : (...a) => {
  try { return resolved(member.apply(object, a)) } catch (error) { return rejected(error) }
};
const members = (object, what, names) => {
  const found = {};
  if (object === undefined || object === null) return found;
  dictionary(object, what);
  for (const name of names) {
    const value = object[name];
    found[name] = name === 'type' || name === 'autoAllocateChunkSize' || name.endsWith('Type') ? value : callback(value, name);
  }
  return found;
};
const done = () => resolved(undefined);

// ---- ReadableStream

const newReadable = () => ({ state: 'readable', reader: undefined, controller: undefined, error: undefined, disturbed: false, self: undefined });

class ReadableStream {
  #s;
  static {
    recordOfReadable = (stream) => stream.#s;
    isReadable = (value) => isObject(value) && #s in value;
  }
  constructor(source, strategy) {
    if (source === inside) { this.#s = strategy; strategy.self = this; return }
    if (source === null) throw new TypeError('the underlying source is null');
    const from = members(source, 'the underlying source', ['autoAllocateChunkSize', 'cancel', 'pull', 'start', 'type']);
    const given = strategyOf(strategy);
    const s = this.#s = newReadable();
    s.self = this;
    if (from.type !== undefined) {
      if (String(from.type) !== 'bytes') throw new TypeError('the type of a stream is "bytes" or not given');
      if (given.size) throw new RangeError('a byte stream has no size function');
      setUpByteController(s, source, from, highWaterMarkOf(given, 0));
      return;
    }
    const mark = highWaterMarkOf(given, 1), size = given.size;
    setUpDefaultController(s, {
      start: from.start && ((controller) => from.start.call(source, controller)),
      pull: later(source, from.pull, done), cancel: later(source, from.cancel, done),
    }, mark, size ?? countSize);
  }
  static from(iterable) {
    needArguments(arguments.length, 1, 'ReadableStream.from');
    return streamFromIterable(iterable);
  }
  get locked() { return this.#s.reader !== undefined }
  cancel(reason) {
    if (!isReadable(this)) return rejected(new TypeError('this is no ReadableStream'));
    if (this.#s.reader) return rejected(new TypeError('the stream is locked to a reader'));
    return cancelStream(this.#s, reason);
  }
  getReader(options) {
    const s = this.#s, { mode } = dictionary(options, 'the options');
    if (mode === undefined) return new ReadableStreamDefaultReader(this);
    if (String(mode) !== 'byob') throw new TypeError('the mode of a reader is "byob" or not given');
    return new ReadableStreamBYOBReader(s.self);
  }
  pipeThrough(transform, options) {
    const s = this.#s;
    needArguments(arguments.length, 1, 'pipeThrough');
    const { readable, writable } = dictionary(transform, 'what pipeThrough is given');
    if (!isReadable(readable)) throw new TypeError('readable is no ReadableStream');
    if (!isWritable(writable)) throw new TypeError('writable is no WritableStream');
    const o = pipeOptions(options);
    if (s.reader) throw new TypeError('the stream is locked to a reader');
    if (recordOfWritable(writable).writer) throw new TypeError('the writable stream is locked to a writer');
    handled(pipe(s, recordOfWritable(writable), o));
    return readable;
  }
  pipeTo(destination, options) {
    try {
      const s = this.#s;
      needArguments(arguments.length, 1, 'pipeTo');
      if (!isWritable(destination)) throw new TypeError('pipeTo needs a WritableStream');
      const o = pipeOptions(options);
      if (s.reader) throw new TypeError('the stream is locked to a reader');
      if (recordOfWritable(destination).writer) throw new TypeError('the writable stream is locked to a writer');
      return pipe(s, recordOfWritable(destination), o);
    } catch (error) { return rejected(error) }
  }
  tee() { return tee(this.#s, false) }
  values(options) {
    const s = this.#s, { preventCancel } = dictionary(options, 'the options');
    if (s.reader) throw new TypeError('the stream is locked to a reader');
    return iteratorOf(s, !!preventCancel);
  }
}
defineProperty(ReadableStream.prototype, Symbol.asyncIterator, { value: ReadableStream.prototype.values, writable: true, configurable: true, enumerable: false });

const pipeOptions = (options) => {
  const { preventAbort, preventCancel, preventClose, signal } = dictionary(options, 'the options');
  if (signal !== undefined && !isAbortSignal(signal)) throw new TypeError('signal is not an AbortSignal');
  return { preventAbort: !!preventAbort, preventCancel: !!preventCancel, preventClose: !!preventClose, signal };
};

const makeReadable = (start, pull, cancel, mark = 1, size = countSize) => {
  const s = newReadable(), stream = new ReadableStream(inside, s);
  setUpDefaultController(s, { start, pull, cancel }, mark, size);
  return stream;
};

// cancelStream is what cancel() of streams, readers and pipes comes to.
const cancelStream = (s, reason) => {
  s.disturbed = true;
  if (s.state === 'closed') return done();
  if (s.state === 'errored') return rejected(s.error);
  closeStream(s);
  if (s.reader?.byob) {
    const { requests } = s.reader;
    s.reader.requests = [];
    for (const request of requests) request.close(undefined);
  }
  return then(s.controller.cancelSteps(reason), noop);
};
const closeStream = (s) => {
  s.state = 'closed';
  const { reader } = s;
  if (!reader) return;
  reader.closed.resolve();
  if (reader.byob) return;
  const { requests } = reader;
  reader.requests = [];
  for (const request of requests) request.close();
};
const errorStream = (s, error) => {
  s.state = 'errored';
  s.error = error;
  const { reader } = s;
  if (!reader) return;
  reader.closed.reject(error);
  handled(reader.closed.promise);
  const { requests } = reader;
  reader.requests = [];
  for (const request of requests) request.error(error);
};

// ---- Readers

const setUpReader = (record, s) => {
  if (s.reader) throw new TypeError('the stream is locked to a reader already');
  record.stream = s;
  record.requests = [];
  s.reader = record;
  record.closed = pending();
  if (s.state === 'closed') record.closed.resolve();
  else if (s.state === 'errored') { record.closed.reject(s.error); handled(record.closed.promise) }
};
const releaseReader = (record) => {
  const s = record.stream, gone = new TypeError('the reader was released');
  if (s.state === 'readable') record.closed.reject(gone);
  else { record.closed = pending(); record.closed.reject(gone) }
  handled(record.closed.promise);
  s.controller.releaseSteps();
  s.reader = undefined;
  record.stream = undefined;
  const { requests } = record;
  record.requests = [];
  for (const request of requests) request.error(gone);
};
const newReader = (s) => { const record = { byob: false }; setUpReader(record, s); return record };
// readChunk hands the next chunk to request.chunk, or calls request.close or request.error.
const readChunk = (record, request) => {
  const s = record.stream;
  s.disturbed = true;
  if (s.state === 'closed') request.close();
  else if (s.state === 'errored') request.error(s.error);
  else s.controller.pullSteps(request);
};
const released = () => new TypeError('the reader was released');

class ReadableStreamDefaultReader {
  #r = { byob: false };
  static {
    recordOfReader = (reader) => reader.#r;
    isDefaultReader = (value) => isObject(value) && #r in value;
  }
  constructor(stream) {
    needArguments(arguments.length, 1, 'new ReadableStreamDefaultReader');
    if (!isReadable(stream)) throw new TypeError('a reader needs a ReadableStream');
    setUpReader(this.#r, recordOfReadable(stream));
  }
  get closed() { return isDefaultReader(this) ? this.#r.closed.promise : rejected(new TypeError('this is no reader')) }
  cancel(reason) {
    if (!isDefaultReader(this)) return rejected(new TypeError('this is no reader'));
    return this.#r.stream ? cancelStream(this.#r.stream, reason) : rejected(released());
  }
  read() {
    if (!isDefaultReader(this)) return rejected(new TypeError('this is no reader'));
    if (!this.#r.stream) return rejected(released());
    const { promise, resolve, reject } = pending();
    readChunk(this.#r, {
      chunk: (value) => resolve({ value, done: false }), close: () => resolve({ value: undefined, done: true }), error: reject,
    });
    return promise;
  }
  releaseLock() { if (this.#r.stream) releaseReader(this.#r) }
}

// ---- The default controller

class ReadableStreamDefaultController {
  #c;
  static { recordOfDefaultController = (controller) => controller.#c }
  constructor(token, record) { onlyInside(token); this.#c = record }
  get desiredSize() { return desiredSize(this.#c) }
  close() {
    if (!mayEnqueue(this.#c)) throw new TypeError('the stream is closed or errored already');
    closeController(this.#c);
  }
  enqueue(chunk) {
    if (!mayEnqueue(this.#c)) throw new TypeError('the stream is closed or errored: nothing can be added');
    enqueue(this.#c, chunk);
  }
  error(error) { errorController(this.#c, error) }
}

const desiredSize = ({ stream, queue, mark }) => stream.state === 'errored' ? null : stream.state === 'closed' ? 0 : mark - queue.total;
const mayEnqueue = (c) => !c.closeRequested && c.stream.state === 'readable';
const clearAlgorithms = (c) => { c.pull = c.cancel = c.size = undefined };

const closeController = (c) => {
  if (!mayEnqueue(c)) return;
  c.closeRequested = true;
  if (c.queue.length === 0) { clearAlgorithms(c); closeStream(c.stream) }
};
const enqueue = (c, chunk) => {
  if (!mayEnqueue(c)) return;
  const { reader } = c.stream;
  if (reader && !reader.byob && reader.requests.length > 0) reader.requests.shift().chunk(chunk);
  else {
    let size;
    const { size: measure } = c;
    try { size = checkedSize(measure(chunk)) } catch (error) { errorController(c, error); throw error }
    // The size function may have closed or errored the stream.
    c.queue.push(chunk, size);
  }
  pullIfNeeded(c);
};
const errorController = (c, error) => {
  if (c.stream.state !== 'readable') return;
  c.queue.clear();
  c.pending?.splice(0);
  clearAlgorithms(c);
  errorStream(c.stream, error);
};
const wantsMore = (c) => {
  const { stream } = c, { reader } = stream;
  if (stream.state !== 'readable' || c.closeRequested || !c.started) return false;
  return !!reader && reader.requests.length > 0 || desiredSize(c) > 0;
};
const pullIfNeeded = (c) => {
  if (!wantsMore(c)) return;
  if (c.pulling) { c.again = true; return }
  c.pulling = true;
  then(c.pull(c.self), () => {
    c.pulling = false;
    if (c.again) { c.again = false; pullIfNeeded(c) }
  }, (error) => errorController(c, error));
};
const startController = (c, start) => {
  const begun = start ? start(c.self) : undefined;
  then(resolved(begun), () => { c.started = true; pullIfNeeded(c) }, (error) => errorController(c, error));
};

const setUpDefaultController = (stream, { start, pull, cancel }, mark, size) => {
  const c = {
    stream, queue: new Queue, mark, size, pull, cancel, self: undefined,
    started: false, pulling: false, again: false, closeRequested: false,
    cancelSteps(reason) {
      c.queue.clear();
      const result = c.cancel(reason);
      clearAlgorithms(c);
      return result;
    },
    pullSteps(request) {
      if (c.queue.length === 0) { stream.reader.requests.push(request); pullIfNeeded(c); return }
      const chunk = c.queue.shift();
      if (c.closeRequested && c.queue.length === 0) { clearAlgorithms(c); closeStream(stream) } else pullIfNeeded(c);
      request.chunk(chunk);
    },
    releaseSteps: noop,
  };
  c.self = new ReadableStreamDefaultController(inside, c);
  stream.controller = c;
  startController(c, start);
  return c;
};

// ---- Iteration

const AsyncIteratorPrototype = getPrototypeOf(getPrototypeOf(async function* () { }).prototype);
let newIterator;
class ReadableStreamAsyncIterator {
  #reader; #preventCancel; #ongoing = undefined; #finished = false;
  static { newIterator = (reader, preventCancel) => new ReadableStreamAsyncIterator(inside, reader, preventCancel) }
  constructor(token, reader, preventCancel) { onlyInside(token); this.#reader = reader; this.#preventCancel = preventCancel }
  // Calls wait for each other, in the order in which they were made.
  #queue(step) {
    const promise = this.#ongoing ? then(this.#ongoing, step, step) : step();
    this.#ongoing = promise;
    return promise;
  }
  next() {
    if (!isObject(this) || !(#reader in this)) return rejected(new TypeError('this is no iterator of a stream'));
    return this.#queue(() => {
      if (this.#finished) return resolved({ value: undefined, done: true });
      const { promise, resolve, reject } = pending(), reader = this.#reader;
      const end = () => { this.#finished = true; this.#ongoing = undefined; releaseReader(reader) };
      readChunk(reader, {
        chunk: (value) => { resolve({ value, done: false }) },
        close: () => { end(); resolve({ value: undefined, done: true }) },
        error: (error) => { end(); reject(error) },
      });
      return promise;
    });
  }
  return(value) {
    if (!isObject(this) || !(#reader in this)) return rejected(new TypeError('this is no iterator of a stream'));
    return then(this.#queue(() => {
      if (this.#finished) return resolved({ value, done: true });
      this.#finished = true;
      const result = this.#preventCancel ? done() : cancelStream(this.#reader.stream, value);
      releaseReader(this.#reader);
      return result;
    }), () => ({ value, done: true }));
  }
}
idl(ReadableStreamAsyncIterator, 'ReadableStream AsyncIterator');
delete ReadableStreamAsyncIterator.prototype.constructor;
setPrototypeOf(ReadableStreamAsyncIterator.prototype, AsyncIteratorPrototype);
const iteratorOf = (s, preventCancel) => newIterator(newReader(s), preventCancel);

const streamFromIterable = (iterable) => {
  if (iterable === null || iterable === undefined) throw new TypeError('ReadableStream.from needs something to iterate over');
  const method = iterable[Symbol.asyncIterator], awaited = method === undefined || method === null;
  const begin = awaited ? iterable[Symbol.iterator] : method;
  if (typeof begin !== 'function') throw new TypeError('ReadableStream.from needs something to iterate over');
  const iterator = begin.call(iterable);
  if (!isObject(iterator)) throw new TypeError('the iterator is not an object');
  const { next } = iterator;
  const result = (value) => { if (!isObject(value)) throw new TypeError('the result of the iterator is not an object'); return value };
  let stream;
  const pull = async () => {
    const { value, done: end } = result(await next.call(iterator));
    const c = recordOfReadable(stream).controller;
    if (end) closeController(c);
    else enqueue(c, awaited ? await value : value);
  };
  const cancel = async (reason) => {
    const stop = iterator.return;
    if (stop === undefined || stop === null) return;
    result(await stop.call(iterator, reason));
  };
  stream = makeReadable(undefined, pull, cancel, 0);
  return stream;
};

// ---- Tee

// tee gives two streams of what one brings. Chunks are the same objects in both, or copies where `copies` says so
// (bodies and byte streams: one branch may not see what the other writes into its chunk).
const tee = (s, copies) => {
  const byteStream = s.controller.bytes === true;
  const reader = newReader(s);
  const ended = pending();
  const canceled = [false, false], reasons = [undefined, undefined];
  let reading = false, again = false;
  const branches = [];
  const controllers = () => branches.map((branch) => recordOfReadable(branch).controller);
  const pull = () => {
    if (reading) { again = true; return done() }
    reading = true;
    readChunk(reader, {
      chunk: (value) => queueMicrotask(() => {
        again = false;
        const own = [value, value];
        if ((copies || byteStream) && !canceled[1]) {
          try { own[1] = byteStream ? copyOf(value) : structuredClone(value) } catch (error) {
            for (const c of controllers()) errorController(c, error);
            ended.resolve(cancelStream(s, error));
            return;
          }
        }
        controllers().forEach((c, i) => { if (!canceled[i]) (byteStream ? enqueueBytes : enqueue)(c, own[i]) });
        reading = false;
        if (again) pull();
      }),
      close: () => {
        reading = false;
        controllers().forEach((c, i) => { if (!canceled[i]) (byteStream ? closeBytes : closeController)(c) });
        if (!canceled[0] || !canceled[1]) ended.resolve();
      },
      error: () => { reading = false },
    });
    return done();
  };
  const cancel = (i) => (reason) => {
    canceled[i] = true;
    reasons[i] = reason;
    if (canceled[1 - i]) ended.resolve(cancelStream(s, reasons));
    return ended.promise;
  };
  for (const i of [0, 1]) branches.push(byteStream ? makeByteStream(pull, cancel(i)) : makeReadable(undefined, pull, cancel(i)));
  then(reader.closed.promise, noop, (error) => {
    for (const c of controllers()) errorController(c, error);
    if (!canceled[0] || !canceled[1]) ended.resolve();
  });
  return branches;
};
