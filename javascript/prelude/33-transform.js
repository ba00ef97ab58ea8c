// TransformStream (https://streams.spec.whatwg.org/#ts), and the two that code text.

let recordOfTransform;

class TransformStream {
  #t;
  static { recordOfTransform = (stream) => stream.#t }
  constructor(transformer, writableStrategy, readableStrategy) {
    if (transformer === null) throw new TypeError('the transformer is null');
    const by = members(transformer, 'the transformer', ['cancel', 'flush', 'readableType', 'start', 'transform', 'writableType']);
    if (by.readableType !== undefined || by.writableType !== undefined) throw new RangeError('a transform stream has no types');
    const inward = strategyOf(writableStrategy), outward = strategyOf(readableStrategy);
    const outMark = highWaterMarkOf(outward, 0), inMark = highWaterMarkOf(inward, 1);
    const t = this.#t = newTransform({
      transform: later(transformer, by.transform, undefined), flush: later(transformer, by.flush, done), cancel: later(transformer, by.cancel, done),
    }, inMark, inward.size, outMark, outward.size);
    t.started.resolve(by.start?.call(transformer, t.self));
  }
  get readable() { return this.#t.readable }
  get writable() { return this.#t.writable }
}

class TransformStreamDefaultController {
  #t;
  constructor(token, record) { onlyInside(token); this.#t = record }
  get desiredSize() { return desiredSize(recordOfReadable(this.#t.readable).controller) }
  enqueue(chunk) { enqueueOut(this.#t, chunk) }
  error(reason) { errorTransform(this.#t, reason) }
  terminate() {
    const t = this.#t;
    closeController(recordOfReadable(t.readable).controller);
    errorIn(t, new TypeError('the transform stream was terminated'));
  }
}

const newTransform = ({ transform, flush, cancel }, inMark = 1, inSize = countSize, outMark = 0, outSize = countSize) => {
  const t = { transform, flush, cancel, backpressure: undefined, change: undefined, finished: undefined, started: pending(), self: undefined };
  t.self = new TransformStreamDefaultController(inside, t);
  t.transform ??= (chunk) => { try { return resolved(enqueueOut(t, chunk)) } catch (error) { return rejected(error) } };
  const start = () => t.started.promise;
  t.writable = makeWritable({
    start, write: (chunk) => writeIn(t, chunk), close: () => closeIn(t), abort: (reason) => abortIn(t, reason),
  }, inMark, inSize);
  t.readable = makeReadable(start, () => { setPressure(t, false); return t.change.promise }, (reason) => cancelOut(t, reason), outMark, outSize);
  setPressure(t, true);
  return t;
};
const setPressure = (t, backpressure) => {
  t.change?.resolve();
  t.change = pending();
  t.backpressure = backpressure;
};
const unblock = (t) => { if (t.backpressure) setPressure(t, false) };
const clearTransformer = (t) => { t.transform = t.flush = t.cancel = undefined };
const errorIn = (t, error) => {
  clearTransformer(t);
  errorIfNeeded(recordOfWritable(t.writable).controller, error);
  unblock(t);
};
const errorTransform = (t, error) => { errorController(recordOfReadable(t.readable).controller, error); errorIn(t, error) };

const enqueueOut = (t, chunk) => {
  const s = recordOfReadable(t.readable), c = s.controller;
  if (!mayEnqueue(c)) throw new TypeError('the readable side is closed or errored: nothing can be added');
  try { enqueue(c, chunk) } catch (error) { errorIn(t, error); throw s.error }
  if (!t.backpressure && !wantsMore(c)) setPressure(t, true);
};

const perform = (t, chunk) => then(t.transform(chunk, t.self), undefined, (error) => { errorTransform(t, error); throw error });
const writeIn = (t, chunk) => {
  if (!t.backpressure) return perform(t, chunk);
  return then(t.change.promise, () => {
    const s = recordOfWritable(t.writable);
    if (s.state === 'erroring') throw s.error;
    return perform(t, chunk);
  });
};
const abortIn = (t, reason) => {
  if (t.finished) return t.finished.promise;
  const s = recordOfReadable(t.readable);
  t.finished = pending();
  const { promise } = t.finished, canceled = t.cancel(reason);
  clearTransformer(t);
  then(canceled, () => {
    if (s.state === 'errored') t.finished.reject(s.error);
    else { errorController(s.controller, reason); t.finished.resolve() }
  }, (error) => { errorController(s.controller, error); t.finished.reject(error) });
  return promise;
};
const closeIn = (t) => {
  if (t.finished) return t.finished.promise;
  const s = recordOfReadable(t.readable);
  t.finished = pending();
  const { promise } = t.finished, flushed = t.flush(t.self);
  clearTransformer(t);
  then(flushed, () => {
    if (s.state === 'errored') t.finished.reject(s.error);
    else { closeController(s.controller); t.finished.resolve() }
  }, (error) => { errorController(s.controller, error); t.finished.reject(error) });
  return promise;
};
const cancelOut = (t, reason) => {
  if (t.finished) return t.finished.promise;
  const s = recordOfWritable(t.writable);
  t.finished = pending();
  const { promise } = t.finished, canceled = t.cancel(reason);
  clearTransformer(t);
  then(canceled, () => {
    if (s.state === 'errored') { t.finished.reject(s.error); return }
    errorIfNeeded(s.controller, reason);
    unblock(t);
    t.finished.resolve();
  }, (error) => { errorIfNeeded(s.controller, error); unblock(t); t.finished.reject(error) });
  return promise;
};
// startedTransform makes a transform stream of the platform's own.
const startedTransform = (algorithms) => {
  const t = newTransform({ cancel: done, flush: done, ...algorithms });
  t.started.resolve();
  return t;
};
publish(TransformStream, TransformStreamDefaultController);
