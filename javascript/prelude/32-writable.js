// Writable streams (https://streams.spec.whatwg.org/#ws), in records as the readable ones.

let recordOfWritable, isWritable, isWriter, recordOfWriter, newWriterFor;

class WritableStream {
  #s;
  static {
    recordOfWritable = (stream) => stream.#s;
    isWritable = (value) => isObject(value) && #s in value;
  }
  constructor(sink, strategy) {
    if (sink === inside) { this.#s = strategy; strategy.self = this; return }
    if (sink === null) throw new TypeError('the underlying sink is null');
    const to = members(sink, 'the underlying sink', ['abort', 'close', 'start', 'type', 'write']);
    if (to.type !== undefined) throw new RangeError('a writable stream has no type');
    const given = strategyOf(strategy), size = given.size;
    const s = this.#s = newWritable();
    s.self = this;
    const mark = highWaterMarkOf(given, 1);
    setUpWritable(s, {
      start: to.start && ((controller) => to.start.call(sink, controller)),
      write: later(sink, to.write, done), close: later(sink, to.close, done), abort: later(sink, to.abort, done),
    }, mark, size ?? countSize);
  }
  get locked() { return this.#s.writer !== undefined }
  abort(reason) {
    if (!isWritable(this)) return rejected(new TypeError('this is no WritableStream'));
    if (this.#s.writer) return rejected(new TypeError('the stream is locked to a writer'));
    return abortWritable(this.#s, reason);
  }
  close() {
    if (!isWritable(this)) return rejected(new TypeError('this is no WritableStream'));
    if (this.#s.writer) return rejected(new TypeError('the stream is locked to a writer'));
    if (closingOrClosed(this.#s)) return rejected(new TypeError('the stream is closing already'));
    return closeWritable(this.#s);
  }
  getWriter() { return new WritableStreamDefaultWriter(this.#s.self) }
}

// state: writable, erroring (waits for what is in flight), errored, closed.
const newWritable = () => ({
  state: 'writable', error: undefined, writer: undefined, controller: undefined, requests: [], inFlight: undefined,
  closeRequest: undefined, closeInFlight: undefined, pendingAbort: undefined, backpressure: false, self: undefined,
});
const makeWritable = (algorithms, mark = 1, size = countSize) => {
  const s = newWritable(), stream = new WritableStream(inside, s);
  setUpWritable(s, algorithms, mark, size);
  return stream;
};
const closingOrClosed = (s) => s.closeRequest !== undefined || s.closeInFlight !== undefined;

const abortWritable = (s, reason) => {
  if (s.state === 'closed' || s.state === 'errored') return done();
  abort(s.controller.abortSignal, reason);
  // A listener of the signal may have ended the stream.
  if (s.state === 'closed' || s.state === 'errored') return done();
  if (s.pendingAbort) return s.pendingAbort.promise;
  const wasErroring = s.state === 'erroring';
  s.pendingAbort = { ...pending(), reason: wasErroring ? undefined : reason, wasErroring };
  const { promise } = s.pendingAbort;
  if (!wasErroring) startErroring(s, reason);
  return promise;
};
const closeWritable = (s) => {
  if (s.state === 'closed' || s.state === 'errored') return rejected(new TypeError(`the stream is ${s.state}`));
  s.closeRequest = pending();
  const { promise } = s.closeRequest;
  if (s.writer && s.backpressure && s.state === 'writable') { s.writer.ready.resolve(); s.writer.readyPending = false }
  s.controller.queue.push(closeMark, 0);
  advance(s.controller);
  return promise;
};
const closeMark = Symbol('close');

const dealWithRejection = (s, error) => { if (s.state === 'writable') startErroring(s, error); else finishErroring(s) };
const startErroring = (s, reason) => {
  s.state = 'erroring';
  s.error = reason;
  if (s.writer) rejectReady(s.writer, reason);
  if (!s.inFlight && !s.closeInFlight && s.controller.started) finishErroring(s);
};
const finishErroring = (s) => {
  s.state = 'errored';
  s.controller.queue.clear();
  const { requests } = s;
  s.requests = [];
  for (const request of requests) request.reject(s.error);
  const { pendingAbort } = s;
  s.pendingAbort = undefined;
  if (!pendingAbort) { rejectCloseAndClosed(s); return }
  if (pendingAbort.wasErroring) {
    pendingAbort.reject(s.error);
    rejectCloseAndClosed(s);
    return;
  }
  const aborted = s.controller.abortSteps(pendingAbort.reason);
  then(aborted, () => { pendingAbort.resolve(); rejectCloseAndClosed(s) }, (error) => { pendingAbort.reject(error); rejectCloseAndClosed(s) });
};
const rejectCloseAndClosed = (s) => {
  if (s.closeRequest) { s.closeRequest.reject(s.error); s.closeRequest = undefined }
  if (s.writer) { s.writer.closed.reject(s.error); handled(s.writer.closed.promise) }
};
// rejectReady and its like replace a promise that is settled, and reject the one that waits.
const rejectReady = (w, error) => { if (!w.readyPending) w.ready = pending(); w.ready.reject(error); w.readyPending = false; handled(w.ready.promise) };
const rejectClosed = (w, error) => {
  if (w.stream.state === 'closed' || w.stream.state === 'errored') w.closed = pending();
  w.closed.reject(error);
  handled(w.closed.promise);
};
const setBackpressure = (s, backpressure) => {
  const w = s.writer;
  if (w && backpressure !== s.backpressure) {
    if (backpressure) { w.ready = pending(); w.readyPending = true } else { w.ready.resolve(); w.readyPending = false }
  }
  s.backpressure = backpressure;
};

// ---- The writer

class WritableStreamDefaultWriter {
  #w = {};
  static {
    recordOfWriter = (writer) => writer.#w;
    isWriter = (value) => isObject(value) && #w in value;
  }
  constructor(stream) {
    needArguments(arguments.length, 1, 'new WritableStreamDefaultWriter');
    if (!isWritable(stream)) throw new TypeError('a writer needs a WritableStream');
    setUpWriter(this.#w, recordOfWritable(stream));
  }
  get closed() { return isWriter(this) ? this.#w.closed.promise : rejected(new TypeError('this is no writer')) }
  get ready() { return isWriter(this) ? this.#w.ready.promise : rejected(new TypeError('this is no writer')) }
  get desiredSize() {
    const s = this.#w.stream;
    if (!s) throw writerReleased();
    return desiredOf(s);
  }
  abort(reason) {
    if (!isWriter(this)) return rejected(new TypeError('this is no writer'));
    return this.#w.stream ? abortWritable(this.#w.stream, reason) : rejected(writerReleased());
  }
  close() {
    if (!isWriter(this)) return rejected(new TypeError('this is no writer'));
    const s = this.#w.stream;
    if (!s) return rejected(writerReleased());
    return closingOrClosed(s) ? rejected(new TypeError('the stream is closing already')) : closeWritable(s);
  }
  write(chunk) {
    if (!isWriter(this)) return rejected(new TypeError('this is no writer'));
    return this.#w.stream ? write(this.#w, chunk) : rejected(writerReleased());
  }
  releaseLock() { if (this.#w.stream) releaseWriter(this.#w) }
}
const writerReleased = () => new TypeError('the writer was released');

const setUpWriter = (w, s) => {
  if (s.writer) throw new TypeError('the stream is locked to a writer already');
  w.stream = s;
  s.writer = w;
  w.ready = pending();
  w.closed = pending();
  w.readyPending = false;
  if (s.state === 'writable') {
    if (!closingOrClosed(s) && s.backpressure) w.readyPending = true; else w.ready.resolve();
  } else if (s.state === 'closed') { w.ready.resolve(); w.closed.resolve() } else {
    w.ready.reject(s.error);
    handled(w.ready.promise);
    if (s.state === 'errored') { w.closed.reject(s.error); handled(w.closed.promise) }
  }
};
const newWriter = (s) => { const w = {}; setUpWriter(w, s); return w };
const releaseWriter = (w) => {
  const gone = writerReleased(), s = w.stream;
  rejectReady(w, gone);
  rejectClosed(w, gone);
  s.writer = undefined;
  w.stream = undefined;
};
const desiredOf = (s) => s.state === 'errored' || s.state === 'erroring' ? null : s.state === 'closed' ? 0 : s.controller.mark - s.controller.queue.total;

const write = (w, chunk) => {
  const s = w.stream, c = s.controller;
  let size = sizeOf(c, chunk);
  if (s !== w.stream) return rejected(writerReleased());
  if (s.state === 'errored') return rejected(s.error);
  if (closingOrClosed(s)) return rejected(new TypeError('the stream is closing: nothing can be written'));
  if (s.state === 'closed') return rejected(new TypeError('the stream is closed'));
  if (s.state === 'erroring') return rejected(s.error);
  const request = pending();
  s.requests.push(request);
  try { size = checkedSize(size) } catch (error) { errorIfNeeded(c, error); return request.promise }
  c.queue.push({ chunk }, size);
  if (!closingOrClosed(s) && s.state === 'writable') setBackpressure(s, full(c));
  advance(c);
  return request.promise;
};
const sizeOf = (c, chunk) => {
  const { size } = c;
  if (!size) return 1; // the stream is erroring already
  try { return size(chunk) } catch (error) { errorIfNeeded(c, error); return 1 }
};

// ---- The controller

class WritableStreamDefaultController {
  #c;
  constructor(token, record) { onlyInside(token); this.#c = record }
  get signal() { return this.#c.abortSignal }
  error(error) { const c = this.#c; if (c.stream.state === 'writable') startErroringOf(c, error) }
}

const full = (c) => c.mark - c.queue.total <= 0;
const clearSink = (c) => { c.write = c.close = c.abort = c.size = undefined };
const startErroringOf = (c, error) => { clearSink(c); startErroring(c.stream, error) };
const errorIfNeeded = (c, error) => { if (c.stream.state === 'writable') startErroringOf(c, error) };

const setUpWritable = (s, { start, write, close, abort: stop }, mark, size) => {
  const c = {
    stream: s, queue: new Queue, mark, size, write, close, abort: stop, started: false, abortSignal: new AbortSignal(inside),
    abortSteps(reason) { const result = c.abort(reason); clearSink(c); return result },
  };
  c.self = new WritableStreamDefaultController(inside, c);
  s.controller = c;
  setBackpressure(s, full(c));
  const begun = start ? start(c.self) : undefined;
  then(resolved(begun), () => { c.started = true; advance(c) }, (error) => { c.started = true; dealWithRejection(s, error) });
};

// advance hands the sink what is next, when nothing else is on its way.
const advance = (c) => {
  const s = c.stream;
  if (!c.started || s.inFlight) return;
  if (s.state === 'erroring') { finishErroring(s); return }
  if (c.queue.length === 0) return;
  const next = c.queue.peek();
  if (next === closeMark) processClose(c); else processWrite(c, next.chunk);
};
const processClose = (c) => {
  const s = c.stream;
  s.closeInFlight = s.closeRequest;
  s.closeRequest = undefined;
  c.queue.shift();
  const closed = c.close();
  clearSink(c);
  then(closed, () => finishClose(s), (error) => {
    s.closeInFlight.reject(error);
    s.closeInFlight = undefined;
    s.pendingAbort?.reject(error);
    s.pendingAbort = undefined;
    dealWithRejection(s, error);
  });
};
const finishClose = (s) => {
  s.closeInFlight.resolve();
  s.closeInFlight = undefined;
  if (s.state === 'erroring') {
    s.error = undefined;
    s.pendingAbort?.resolve();
    s.pendingAbort = undefined;
  }
  s.state = 'closed';
  s.writer?.closed.resolve();
};
const processWrite = (c, chunk) => {
  const s = c.stream;
  s.inFlight = s.requests.shift();
  then(c.write(chunk, c.self), () => {
    s.inFlight.resolve();
    s.inFlight = undefined;
    c.queue.shift();
    if (!closingOrClosed(s) && s.state === 'writable') setBackpressure(s, full(c));
    advance(c);
  }, (error) => {
    if (s.state === 'writable') clearSink(c);
    s.inFlight.reject(error);
    s.inFlight = undefined;
    dealWithRejection(s, error);
  });
};
publish(WritableStream, WritableStreamDefaultWriter, WritableStreamDefaultController);

// ---- Pipes

// pipe moves chunks while the destination wants them, and carries ends and errors over, once.
const pipe = (source, destination, { preventAbort, preventCancel, preventClose, signal }) => {
  const reader = newReader(source), writer = newWriter(destination);
  source.disturbed = true;
  const result = pending();
  let shuttingDown = false, lastWrite = done(), stopListening = noop;

  const finish = (failed, error) => {
    releaseWriter(writer);
    releaseReader(reader);
    stopListening();
    if (failed) result.reject(error); else result.resolve();
  };
  // Chunks that were read are written before the end: a write may begin while this waits for another.
  const writesSettled = () => {
    const last = lastWrite, again = () => last === lastWrite ? undefined : writesSettled();
    return then(last, again, again);
  };
  const shutdown = (action, failed, error) => {
    if (shuttingDown) return;
    shuttingDown = true;
    const act = () => action ? then(action(), () => finish(failed, error), (other) => finish(true, other)) : finish(failed, error);
    if (destination.state === 'writable' && !closingOrClosed(destination)) then(writesSettled(), act, act); else act();
  };

  if (signal) {
    const stop = () => {
      const { reason } = signal, actions = [];
      if (!preventAbort) actions.push(() => destination.state === 'writable' ? abortWritable(destination, reason) : done());
      if (!preventCancel) actions.push(() => source.state === 'readable' ? cancelStream(source, reason) : done());
      shutdown(() => Promise.all(actions.map((action) => action())), true, reason);
    };
    if (signal.aborted) { stop(); return result.promise }
    stopListening = whenAborted(signal, stop);
  }

  const whenErrored = (s, promise, act) => { if (s.state === 'errored') act(s.error); else then(promise, noop, act) };
  const whenClosed = (s, promise, act) => { if (s.state === 'closed') act(); else then(promise, act, noop) };
  whenErrored(source, reader.closed.promise, (error) => {
    if (preventAbort) shutdown(undefined, true, error); else shutdown(() => abortWritable(destination, error), true, error);
  });
  whenErrored(destination, writer.closed.promise, (error) => {
    if (preventCancel) shutdown(undefined, true, error); else shutdown(() => cancelStream(source, error), true, error);
  });
  whenClosed(source, reader.closed.promise, () => {
    if (preventClose) shutdown(); else shutdown(() => closeWithErrors(writer));
  });
  if (closingOrClosed(destination) || destination.state === 'closed') {
    const error = new TypeError('the destination of the pipe is closed');
    if (preventCancel) shutdown(undefined, true, error); else shutdown(() => cancelStream(source, error), true, error);
  }

  const step = () => {
    if (shuttingDown) return resolved(true);
    return then(writer.ready.promise, () => {
      const { promise, resolve, reject } = pending();
      readChunk(reader, {
        chunk: (chunk) => { lastWrite = handled(write(writer, chunk)); resolve(false) },
        close: () => resolve(true), error: reject,
      });
      return promise;
    });
  };
  const next = (end) => { if (!end) then(step(), next, noop) };
  next(false);
  return result.promise;
};
const closeWithErrors = (w) => {
  const s = w.stream;
  if (closingOrClosed(s) || s.state === 'closed') return done();
  if (s.state === 'errored') return rejected(s.error);
  return closeWritable(s);
};
