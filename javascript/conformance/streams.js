// ReadableStream, WritableStream, TransformStream and their helpers: https://streams.spec.whatwg.org/
import { part, test, table, equal, ok, throws, rejects, turns, pending, bytes } from './harness.js';
part('streams');

const collect = async (stream) => { const all = []; for await (const chunk of stream) all.push(chunk); return all };
const E = new Error('of the test');
const source = (...chunks) => new ReadableStream({ start(c) { for (const chunk of chunks) c.enqueue(chunk); c.close() } });
const tick = () => new Promise((done) => setTimeout(done, 0));

table('class', ['ReadableStream', 'ReadableStreamDefaultReader', 'ReadableStreamBYOBReader', 'ReadableStreamDefaultController', 'ReadableByteStreamController', 'ReadableStreamBYOBRequest', 'WritableStream',
  'WritableStreamDefaultWriter', 'WritableStreamDefaultController', 'TransformStream', 'TransformStreamDefaultController', 'ByteLengthQueuingStrategy', 'CountQueuingStrategy'].map((n) => [n]), (name) => {
  equal(typeof globalThis[name], 'function');
  equal(globalThis[name].prototype[Symbol.toStringTag], name);
});
table('closed constructor', ['ReadableStreamDefaultController', 'ReadableByteStreamController', 'ReadableStreamBYOBRequest', 'WritableStreamDefaultController', 'TransformStreamDefaultController'].map((n) => [n]), (name) => throws(TypeError, () => new globalThis[name]()));

// ---- Strategies
test('count strategy', () => { const s = new CountQueuingStrategy({ highWaterMark: 4 }); equal([s.highWaterMark, s.size(), s.size.length, s.size.name], [4, 1, 0, 'size']) });
test('byte strategy', () => { const s = new ByteLengthQueuingStrategy({ highWaterMark: 4 }); equal([s.highWaterMark, s.size({ byteLength: 7 }), s.size.length], [4, 7, 1]) });
test('strategies share their size function', () => ok(new CountQueuingStrategy({ highWaterMark: 1 }).size === new CountQueuingStrategy({ highWaterMark: 2 }).size));
test('strategy without an argument', () => throws(TypeError, () => new CountQueuingStrategy()));
test('strategy without a mark', () => throws(TypeError, () => new CountQueuingStrategy({})));
table('bad mark', [[-1], [NaN], ['x']], (highWaterMark) => { throws(RangeError, () => new ReadableStream({}, { highWaterMark })); throws(RangeError, () => new WritableStream({}, { highWaterMark })); throws(RangeError, () => new TransformStream({}, { highWaterMark })) });
test('size that is no function', () => throws(TypeError, () => new ReadableStream({}, { size: 1 })));
table('bad size of a chunk', [[-1], [NaN], [Infinity]], async (size) => {
  let thrown;
  const s = new ReadableStream({ start(c) { try { c.enqueue('x') } catch (error) { thrown = error } } }, { size: () => size });
  ok(thrown instanceof RangeError);
  await rejects(RangeError, s.getReader().closed);
});

// ---- ReadableStream
test('constructor: null source', () => throws(TypeError, () => new ReadableStream(null)));
test('constructor: bad type', () => throws(TypeError, () => new ReadableStream({ type: 'x' })));
test('constructor: bytes with a size', () => throws(RangeError, () => new ReadableStream({ type: 'bytes' }, { size: () => 1 })));
table('constructor: no function for', [['start'], ['pull'], ['cancel']], (key) => throws(TypeError, () => new ReadableStream({ [key]: 1 })));
test('constructor: start throws', () => throws(E, () => { try { new ReadableStream({ start() { throw E } }) } catch (e) { throw e } }));
test('start is called at once, with the source as this', () => { let self; const s = { start() { self = this } }; new ReadableStream(s); ok(self === s) });
test('chunks in order, then the end', async () => {
  const r = source('a', 'b').getReader();
  equal([await r.read(), await r.read(), await r.read(), await r.read()], [{ value: 'a', done: false }, { value: 'b', done: false }, { value: undefined, done: true }, { value: undefined, done: true }]);
  equal(await r.closed, undefined);
});
test('pull is called after start, when there is room', async () => {
  let n = 0;
  const s = new ReadableStream({ pull(c) { n++; c.enqueue(n) } });
  equal(n, 0);
  await turns();
  equal(n, 1);
  equal((await s.getReader().read()).value, 1);
  await turns();
  equal(n, 2);
});
test('mark of 0: nothing is pulled before a read', async () => {
  let n = 0;
  const s = new ReadableStream({ pull(c) { n++; c.enqueue(n) } }, { highWaterMark: 0 });
  await turns();
  equal(n, 0);
  equal((await s.getReader().read()).value, 1);
});
test('pull is not called again while its promise is pending', async () => {
  let n = 0, go;
  const s = new ReadableStream({ pull() { n++; return new Promise((done) => { go = done }) } }, { highWaterMark: 5 });
  await turns();
  equal(n, 1);
  s.getReader().read();
  await turns();
  equal(n, 1);
  go();
  await turns();
  equal(n, 2);
});
test('pull that throws errors the stream', async () => { const r = new ReadableStream({ pull() { throw E } }).getReader(); await rejects(E, r.closed); await rejects(E, r.read()) });
test('pull that rejects errors the stream', () => rejects(E, new ReadableStream({ pull: () => Promise.reject(E) }).getReader().read()));
test('start that rejects errors the stream', () => rejects(E, new ReadableStream({ start: () => Promise.reject(E) }).getReader().read()));
test('desiredSize', () => {
  let c;
  new ReadableStream({ start(controller) { c = controller } }, { highWaterMark: 3 });
  const seen = [c.desiredSize];
  c.enqueue(1);
  seen.push(c.desiredSize);
  c.close();
  seen.push(c.desiredSize);
  equal(seen, [3, 2, 2]);
});
test('desiredSize of ended streams', () => { let a, b; new ReadableStream({ start(c) { a = c; c.close() } }); new ReadableStream({ start(c) { b = c; c.error(E) } }); equal([a.desiredSize, b.desiredSize], [0, null]) });
test('enqueue after close', () => { let c; new ReadableStream({ start(k) { c = k } }); c.close(); throws(TypeError, () => c.enqueue(1)); throws(TypeError, () => c.close()) });
test('enqueue after error', () => { let c; new ReadableStream({ start(k) { c = k } }); c.error(E); throws(TypeError, () => c.enqueue(1)); throws(TypeError, () => c.close()); c.error(E) });
test('close waits for the queue', async () => { let c; const s = new ReadableStream({ start(k) { c = k } }), r = s.getReader(); c.enqueue(1); c.close(); ok(await pending(r.closed)); await r.read(); await r.closed });
test('error drops the queue', async () => { let c; const r = new ReadableStream({ start(k) { c = k } }).getReader(); c.enqueue(1); c.error(E); await rejects(E, r.read()) });
test('a read that waits is rejected by an error', async () => { let c; const r = new ReadableStream({ start(k) { c = k } }).getReader(), read = r.read(); c.error(E); await rejects(E, read) });
test('locked', () => { const s = source(); equal(s.locked, false); const r = s.getReader(); equal(s.locked, true); r.releaseLock(); equal(s.locked, false) });
test('second reader', () => { const s = source(); s.getReader(); throws(TypeError, () => s.getReader()); throws(TypeError, () => new ReadableStreamDefaultReader(s)) });
test('bad mode', () => throws(TypeError, () => source().getReader({ mode: 'x' })));
test('releaseLock: reads that wait are rejected', async () => { const r = new ReadableStream().getReader(), read = r.read(); r.releaseLock(); await rejects(TypeError, read); await rejects(TypeError, r.closed); await rejects(TypeError, r.read()); await rejects(TypeError, r.cancel()); r.releaseLock() });
test('releaseLock: the next reader goes on', async () => { const s = source(1, 2), r = s.getReader(); equal((await r.read()).value, 1); r.releaseLock(); equal((await s.getReader().read()).value, 2) });
test('closed is the same promise', () => { const r = source(1).getReader(); ok(r.closed === r.closed) });
test('cancel: the reason reaches the source', async () => { let seen; const s = new ReadableStream({ cancel(reason) { seen = [this !== undefined, reason] } }); equal(await s.cancel('why'), undefined); equal(seen, [true, 'why']) });
test('cancel closes', async () => { const s = new ReadableStream({ start(c) { c.enqueue(1) } }), r = s.getReader(); await r.cancel(); equal(await r.read(), { value: undefined, done: true }); await r.closed });
test('cancel of a locked stream', () => { const s = source(); s.getReader(); return rejects(TypeError, s.cancel()) });
test('cancel of a closed stream does not reach the source', async () => { let n = 0; const s = new ReadableStream({ start(c) { c.close() }, cancel() { n++ } }); await s.cancel(); equal(n, 0) });
test('cancel of an errored stream', () => rejects(E, new ReadableStream({ start(c) { c.error(E) } }).cancel()));
test('cancel that throws', () => rejects(E, new ReadableStream({ cancel() { throw E } }).cancel()));
test('cancel resolves with undefined', async () => equal(await new ReadableStream({ cancel: () => 'x' }).cancel(), undefined));
test('brand: locked', () => throws(TypeError, () => Object.getOwnPropertyDescriptor(ReadableStream.prototype, 'locked').get.call({})));
test('brand: cancel rejects', () => rejects(TypeError, ReadableStream.prototype.cancel.call({})));
test('brand: read rejects', () => rejects(TypeError, ReadableStreamDefaultReader.prototype.read.call({})));
test('a thousand chunks', async () => { let i = 0; const all = await collect(new ReadableStream({ pull(c) { if (i < 1000) c.enqueue(i++); else c.close() } })); equal([all.length, all[999]], [1000, 999]) });
test('a source may use its controller from outside', async () => { let c; const s = new ReadableStream({ start(k) { c = k } }), r = s.getReader(), read = r.read(); c.enqueue('late'); equal((await read).value, 'late') });

// ---- Iteration
test('for await', async () => equal(await collect(source(1, 2, 3)), [1, 2, 3]));
test('for await of an errored stream', () => rejects(E, collect(new ReadableStream({ start(c) { c.error(E) } }))));
test('break cancels', async () => { let seen = 0; const s = new ReadableStream({ pull(c) { c.enqueue(1) }, cancel() { seen++ } }); for await (const x of s) break; equal([seen, s.locked], [1, false]) });
test('break with preventCancel', async () => { let seen = 0; const s = new ReadableStream({ pull(c) { c.enqueue(1) }, cancel() { seen++ } }); for await (const x of s.values({ preventCancel: true })) break; equal([seen, s.locked], [0, false]) });
test('the end releases the lock', async () => { const s = source(1); await collect(s); equal(s.locked, false) });
test('values is the iterator', () => ok(ReadableStream.prototype.values === ReadableStream.prototype[Symbol.asyncIterator]));
test('next calls keep their order', async () => { const i = source(1, 2).values(); equal(await Promise.all([i.next(), i.next(), i.next()]), [{ value: 1, done: false }, { value: 2, done: false }, { value: undefined, done: true }]) });
test('return gives its value', async () => equal(await source(1).values().return('v'), { value: 'v', done: true }));
test('next after return', async () => { const i = source(1).values(); await i.return(); equal(await i.next(), { value: undefined, done: true }) });
test('iterator prototype', () => { const i = source().values(), AsyncIterator = Object.getPrototypeOf(Object.getPrototypeOf(async function* () { }).prototype); ok(Object.getPrototypeOf(Object.getPrototypeOf(i)) === AsyncIterator); equal(i.throw, undefined) });
test('iterating a locked stream', () => { const s = source(); s.getReader(); throws(TypeError, () => s.values()) });

// ---- from
table('from', [['array', [1, 2]], ['string', 'ab'], ['set', new Set([1, 2])], ['sync generator', (function* () { yield 1; yield 2 })()], ['async generator', (async function* () { yield 1; yield 2 })()], ['array of promises', [Promise.resolve(1), 2]], ['stream', source(1, 2)]],
  async (name, iterable) => equal(await collect(ReadableStream.from(iterable)), name === 'string' ? ['a', 'b'] : [1, 2]));
table('from refuses', [[null], [undefined], [0], [{}], [{ [Symbol.iterator]: 1 }]], (value) => throws(TypeError, () => ReadableStream.from(value)));
test('from: cancel calls return', async () => { let seen; const s = ReadableStream.from({ [Symbol.asyncIterator]: () => ({ next: async () => ({ value: 1 }), return: async (reason) => { seen = reason; return {} } }) }); await s.cancel('why'); equal(seen, 'why') });
test('from: errors come through', () => rejects(E, collect(ReadableStream.from((async function* () { yield 1; throw E })()))));
test('from: nothing is asked for before a read', async () => { let n = 0; ReadableStream.from({ [Symbol.iterator]: () => ({ next() { n++; return { done: true } } }) }); await turns(); equal(n, 0) });

// ---- tee
test('tee', async () => { const s = source(1, 2), [a, b] = s.tee(); equal(s.locked, true); equal([await collect(a), await collect(b)], [[1, 2], [1, 2]]) });
test('tee gives both the same chunk', async () => { const x = {}, [a, b] = source(x).tee(); ok((await a.getReader().read()).value === x && (await b.getReader().read()).value === x) });
test('tee: an error reaches both', async () => { const [a, b] = new ReadableStream({ start(c) { c.error(E) } }).tee(); await rejects(E, a.getReader().read()); await rejects(E, b.getReader().read()) });
test('tee: one canceled, the other goes on', async () => { let n = 0; const [a, b] = new ReadableStream({ start(c) { c.enqueue(1); c.close() }, cancel() { n++ } }).tee(); a.cancel(); equal([await collect(b), n], [[1], 0]) });
test('tee: both canceled, the source hears of both reasons', async () => { let seen; const [a, b] = new ReadableStream({ cancel(r) { seen = r } }).tee(); const first = a.cancel('a'); await Promise.all([first, b.cancel('b')]); equal(seen, ['a', 'b']) });
test('tee of a locked stream', () => { const s = source(); s.getReader(); throws(TypeError, () => s.tee()) });

// ---- WritableStream
test('write, close', async () => {
  const seen = [], w = new WritableStream({ start() { seen.push('start') }, write(chunk) { seen.push(chunk) }, close() { seen.push('close') } }).getWriter();
  w.write('a');
  await w.write('b');
  await w.close();
  await w.closed;
  equal(seen, ['start', 'a', 'b', 'close']);
});
test('writes wait for each other', async () => {
  const seen = [];
  let go;
  const w = new WritableStream({ write(chunk) { seen.push(chunk); return new Promise((done) => { go = done }) } }).getWriter();
  w.write(1);
  w.write(2);
  await turns();
  equal(seen, [1]);
  go();
  await turns();
  equal(seen, [1, 2]);
});
test('backpressure: ready and desiredSize', async () => {
  let go;
  const w = new WritableStream({ write: () => new Promise((done) => { go = done }) }, { highWaterMark: 2 }).getWriter();
  await w.ready;
  equal(w.desiredSize, 2);
  w.write(1);
  equal(w.desiredSize, 1);
  w.write(2);
  equal(w.desiredSize, 0);
  const { ready } = w;
  ok(await pending(ready));
  go();
  await ready;
  equal(w.desiredSize, 1);
});
test('mark of 0: never ready', async () => { const w = new WritableStream({}, { highWaterMark: 0 }).getWriter(); equal(w.desiredSize, 0); ok(await pending(w.ready)) });
test('sizes by the strategy', () => { const w = new WritableStream({}, { highWaterMark: 10, size: (c) => c.length }).getWriter(); w.write('abc'); equal(w.desiredSize, 7) });
test('write that throws errors the stream', async () => { const w = new WritableStream({ write() { throw E } }).getWriter(); await rejects(E, w.write(1)); await rejects(E, w.closed); await rejects(E, w.write(2)); await rejects(E, w.ready); equal(w.desiredSize, null) });
test('write that rejects: what waits is rejected too', async () => { const w = new WritableStream({ write: () => Promise.reject(E) }).getWriter(), a = w.write(1), b = w.write(2); await rejects(E, a); await rejects(E, b) });
test('start that throws', () => throws(E, () => new WritableStream({ start() { throw E } })));
test('start that rejects', () => rejects(E, new WritableStream({ start: () => Promise.reject(E) }).getWriter().closed));
test('close that rejects', async () => { const w = new WritableStream({ close: () => Promise.reject(E) }).getWriter(); await rejects(E, w.close()); await rejects(E, w.closed) });
test('write after close', async () => { const w = new WritableStream().getWriter(); w.close(); await rejects(TypeError, w.write(1)); await rejects(TypeError, w.close()) });
test('close waits for writes', async () => { const seen = []; const w = new WritableStream({ async write(c) { await turns(3); seen.push(c) }, close() { seen.push('end') } }).getWriter(); w.write(1); await w.close(); equal(seen, [1, 'end']) });
test('abort: the sink hears the reason', async () => { let seen; const w = new WritableStream({ abort(r) { seen = r } }).getWriter(); await w.abort('why'); equal(seen, 'why'); await rejects('why', w.closed.catch((e) => { throw { name: e } })) });
test('abort: what waits is rejected with the reason', async () => { let go; const w = new WritableStream({ write: () => new Promise((done) => { go = done }) }).getWriter(); await w.ready; const a = w.write(1), b = w.write(2); await turns(); const aborted = w.abort(E); await turns(); go(); await a; await rejects(E, b); await aborted });
test('abort: the controller has a signal', async () => { let c; const s = new WritableStream({ start(k) { c = k } }); equal([c.signal instanceof AbortSignal, c.signal.aborted], [true, false]); s.abort(E); equal([c.signal.aborted, c.signal.reason === E], [true, true]) });
test('abort that throws', () => rejects(E, new WritableStream({ abort() { throw E } }).abort()));
test('abort of a closed stream', async () => { const s = new WritableStream(); await s.close(); equal(await s.abort(), undefined) });
test('abort twice is the same', async () => { let go; const w = new WritableStream({ write: () => new Promise((done) => { go = done }) }).getWriter(); await w.ready; w.write(1).catch(() => { }); await turns(); const a = w.abort(1), b = w.abort(2); ok(a === b || await pending(b)); go(); await a; await b });
test('controller.error', async () => { let c; const w = new WritableStream({ start(k) { c = k } }).getWriter(); c.error(E); await rejects(E, w.closed); await rejects(E, w.write(1)); c.error(1) });
test('locked and released', async () => { const s = new WritableStream(), w = s.getWriter(); equal(s.locked, true); throws(TypeError, () => s.getWriter()); await rejects(TypeError, s.close()); await rejects(TypeError, s.abort()); w.releaseLock(); equal(s.locked, false); throws(TypeError, () => w.desiredSize); await rejects(TypeError, w.write(1)); await rejects(TypeError, w.closed); await rejects(TypeError, w.ready) });
test('a type is refused', () => throws(RangeError, () => new WritableStream({ type: 'bytes' })));
test('null sink', () => throws(TypeError, () => new WritableStream(null)));
test('writer needs a stream', () => throws(TypeError, () => new WritableStreamDefaultWriter({})));

// ---- Pipes
const sink = (seen, more) => new WritableStream({ write(c) { seen.push(c) }, close() { seen.push('close') }, abort(r) { seen.push('abort', r) }, ...more });
test('pipeTo', async () => { const seen = [], s = source(1, 2), d = sink(seen); equal(await s.pipeTo(d), undefined); equal([seen, s.locked, d.locked], [[1, 2, 'close'], false, false]) });
test('pipeTo locks both', () => { const s = source(1), d = sink([]); s.pipeTo(d); equal([s.locked, d.locked], [true, true]) });
test('pipeTo with preventClose', async () => { const seen = [], d = sink(seen); await source(1).pipeTo(d, { preventClose: true }); await source(2).pipeTo(d); equal(seen, [1, 2, 'close']) });
test('pipeTo: an error of the source aborts', async () => { const seen = []; await rejects(E, new ReadableStream({ start(c) { c.error(E) } }).pipeTo(sink(seen))); ok(seen[0] === 'abort' && seen[1] === E) });
test('pipeTo with preventAbort', async () => { const seen = []; await rejects(E, new ReadableStream({ start(c) { c.error(E) } }).pipeTo(sink(seen), { preventAbort: true })); equal(seen, []) });
test('pipeTo: an error of the sink cancels', async () => { let seen; const s = new ReadableStream({ pull(c) { c.enqueue(1) }, cancel(r) { seen = r } }); await rejects(E, s.pipeTo(new WritableStream({ write() { throw E } }))); ok(seen === E) });
test('pipeTo with preventCancel', async () => { let n = 0; const s = new ReadableStream({ pull(c) { c.enqueue(1) }, cancel() { n++ } }); await rejects(E, s.pipeTo(new WritableStream({ write() { throw E } }), { preventCancel: true })); equal([n, s.locked], [0, false]) });
test('pipeTo a closed destination', async () => { const d = new WritableStream(); await d.close(); await rejects(TypeError, source(1).pipeTo(d)) });
test('pipeTo a locked destination', () => { const d = new WritableStream(); d.getWriter(); return rejects(TypeError, source(1).pipeTo(d)) });
test('pipeTo from a locked stream', () => { const s = source(1); s.getReader(); return rejects(TypeError, s.pipeTo(new WritableStream())) });
test('pipeTo what is no stream', () => rejects(TypeError, source(1).pipeTo({})));
test('pipeTo honours backpressure', async () => { let n = 0; const s = new ReadableStream({ pull(c) { c.enqueue(n++) } }, { highWaterMark: 0 }); s.pipeTo(new WritableStream({ write: () => new Promise(() => { }) })).catch(() => { }); await turns(60); ok(n <= 2, `${n} chunks`) });
test('pipeTo with an aborted signal', async () => { const seen = []; await rejects(E, source(1).pipeTo(sink(seen), { signal: AbortSignal.abort(E) })); equal([seen[0], seen[1] === E], ['abort', true]) });
test('pipeTo: abort in the middle', async () => { const c = new AbortController, seen = []; let canceled; const s = new ReadableStream({ start(k) { k.enqueue(1) }, cancel(r) { canceled = r } }); const p = s.pipeTo(sink(seen), { signal: c.signal }); await turns(40); c.abort(E); await rejects(E, p); ok(seen.includes('abort') && canceled === E) });
test('pipeTo: abort with everything prevented', async () => { const c = new AbortController, seen = []; const s = new ReadableStream(); const p = s.pipeTo(sink(seen), { signal: c.signal, preventAbort: true, preventCancel: true }); c.abort(E); await rejects(E, p); equal([seen, s.locked], [[], false]) });
test('pipeTo with a bad signal', () => rejects(TypeError, source(1).pipeTo(new WritableStream(), { signal: {} })));
test('pipeThrough', async () => equal(await collect(source(1, 2).pipeThrough(new TransformStream({ transform(x, c) { c.enqueue(x * 10) } }))), [10, 20]));
test('pipeThrough needs a pair', () => { throws(TypeError, () => source(1).pipeThrough({})); throws(TypeError, () => source(1).pipeThrough({ readable: source(1) })) });
test('pipeThrough of a locked stream', () => { const s = source(1); s.getReader(); throws(TypeError, () => s.pipeThrough(new TransformStream)) });
test('pipeThrough any pair', async () => { const seen = [], pair = { readable: source('r'), writable: sink(seen) }; ok(source(1).pipeThrough(pair) === pair.readable); await turns(60); equal(seen, [1, 'close']) });
test('ten pipes in a row', async () => { let s = source(0); for (let i = 0; i < 10; i++) s = s.pipeThrough(new TransformStream({ transform(x, c) { c.enqueue(x + 1) } })); equal(await collect(s), [10]) });

// ---- TransformStream
test('identity', async () => equal(await collect(source('x', 'y').pipeThrough(new TransformStream)), ['x', 'y']));
test('flush', async () => equal(await collect(source(1).pipeThrough(new TransformStream({ flush(c) { c.enqueue('end') } }))), [1, 'end']));
test('start', async () => equal(await collect(source(1).pipeThrough(new TransformStream({ start(c) { c.enqueue('begin') } }))), ['begin', 1]));
test('none, one or many', async () => equal(await collect(source(0, 1, 3).pipeThrough(new TransformStream({ transform(n, c) { for (let i = 0; i < n; i++) c.enqueue(n) } }))), [1, 3, 3, 3]));
test('async transforms keep the order', async () => equal(await collect(source(3, 1).pipeThrough(new TransformStream({ async transform(n, c) { await turns(n * 5); c.enqueue(n) } }))), [3, 1]));
test('members are called on the transformer', async () => { const self = [], t = { start() { self.push(this === t) }, transform() { self.push(this === t) }, flush() { self.push(this === t) } }; await collect(source(1).pipeThrough(new TransformStream(t))); equal(self, [true, true, true]) });
test('transform that throws errors both sides', async () => { const t = new TransformStream({ transform() { throw E } }), w = t.writable.getWriter(), r = t.readable.getReader(), read = r.read(); await rejects(E, w.write(1)); await rejects(E, read); await rejects(E, w.closed) });
test('flush that rejects', async () => { const t = new TransformStream({ flush: () => Promise.reject(E) }), w = t.writable.getWriter(); const closed = w.close(); await rejects(E, t.readable.getReader().read()); await rejects(E, closed) });
test('start that throws is thrown', () => throws(E, () => new TransformStream({ start() { throw E } })));
test('backpressure of the identity', async () => { const t = new TransformStream, w = t.writable.getWriter(); const a = w.write(1); ok(await pending(a)); t.readable.getReader().read(); await a });
test('desiredSize of a transform', () => { let c; new TransformStream({ start(k) { c = k } }, undefined, { highWaterMark: 5 }); equal(c.desiredSize, 5); c.enqueue(1); equal(c.desiredSize, 4) });
test('terminate', async () => { const t = new TransformStream({ transform(x, c) { c.enqueue(x); c.terminate() } }), w = t.writable.getWriter(); w.write(1).catch(() => { }); equal(await collect(t.readable), [1]); await rejects(TypeError, w.closed) });
test('controller.error of a transform', async () => { let c; const t = new TransformStream({ start(k) { c = k } }); c.error(E); await rejects(E, t.readable.getReader().read()); await rejects(E, t.writable.getWriter().closed) });
test('cancel of the readable side reaches the transformer', async () => { let seen; const t = new TransformStream({ cancel(r) { seen = r } }); await t.readable.cancel('why'); equal(seen, 'why'); await rejects('why', t.writable.getWriter().closed.catch((e) => { throw { name: e } })) });
test('abort of the writable side reaches the transformer', async () => { let seen; const t = new TransformStream({ cancel(r) { seen = r } }); await t.writable.abort(E); ok(seen === E); await rejects(E, t.readable.getReader().read()) });
test('types are refused', () => { throws(RangeError, () => new TransformStream({ readableType: 'bytes' })); throws(RangeError, () => new TransformStream({ writableType: 'x' })) });
test('closing the writable closes the readable', async () => { const t = new TransformStream, r = t.readable.getReader(); t.writable.getWriter().close(); equal(await r.read(), { value: undefined, done: true }) });

// ---- Byte streams
const byteSource = (...chunks) => new ReadableStream({ type: 'bytes', start(c) { for (const chunk of chunks) c.enqueue(chunk); c.close() } });
test('bytes: default reader', async () => equal(await collect(byteSource(bytes(1, 2), bytes(3))), [bytes(1, 2), bytes(3)]));
test('bytes: any view in, Uint8Array out', async () => equal(await collect(byteSource(new Uint16Array([0x0201]), new DataView(new ArrayBuffer(1)))), [bytes(1, 2), bytes(0)]));
test('bytes: other chunks are refused', () => { let c; new ReadableStream({ type: 'bytes', start(k) { c = k } }); throws(TypeError, () => c.enqueue('x')); throws(TypeError, () => c.enqueue(new Uint8Array(0))) });
test('bytes: an enqueued buffer is taken away', () => { let c; const b = bytes(1, 2); new ReadableStream({ type: 'bytes', start(k) { c = k } }); c.enqueue(b); equal(b.byteLength, 0) });
test('byob: reads into the view', async () => {
  const r = byteSource(bytes(1, 2, 3)).getReader({ mode: 'byob' });
  const a = await r.read(new Uint8Array(2)), b = await r.read(new Uint8Array(2));
  equal([a.value, a.done, b.value], [bytes(1, 2), false, bytes(3)]);
});
test('byob: the view is transferred', () => { const r = byteSource(bytes(1)).getReader({ mode: 'byob' }), v = new Uint8Array(4); r.read(v); equal(v.byteLength, 0) });
test('byob: at an offset', async () => { const r = byteSource(bytes(7)).getReader({ mode: 'byob' }), { value } = await r.read(new Uint8Array(new ArrayBuffer(8), 3, 2)); equal([value.byteOffset, value.length, value[0], value.buffer.byteLength], [3, 1, 7, 8]) });
test('byob: elements of two bytes stay whole', async () => { const r = byteSource(bytes(1, 0, 2), bytes(0)).getReader({ mode: 'byob' }), { value } = await r.read(new Uint16Array(1)); equal(value, new Uint16Array([1])); equal((await r.read(new Uint16Array(1))).value, new Uint16Array([2])) });
test('byob: min', async () => { let c; const r = new ReadableStream({ type: 'bytes', start(k) { c = k } }).getReader({ mode: 'byob' }), read = r.read(new Uint8Array(4), { min: 3 }); await turns(); c.enqueue(bytes(1, 2)); ok(await pending(read)); c.enqueue(bytes(3)); equal((await read).value, bytes(1, 2, 3)) });
test('byob: the end returns an empty view', async () => { const r = byteSource().getReader({ mode: 'byob' }), { value, done } = await r.read(new Uint8Array(3)); equal([value.byteLength, value.buffer.byteLength, done], [0, 3, true]) });
test('byob: bad views', async () => { const r = byteSource(bytes(1)).getReader({ mode: 'byob' }); await rejects(TypeError, r.read()); await rejects(TypeError, r.read(new Uint8Array(0))); await rejects(RangeError, r.read(new Uint8Array(1), { min: 2 })); await rejects(TypeError, r.read(new Uint8Array(1), { min: 0 })) });
test('byob reader of a stream that is none of bytes', () => throws(TypeError, () => source(1).getReader({ mode: 'byob' })));
test('byobRequest: respond', async () => {
  const s = new ReadableStream({ type: 'bytes', pull(c) { const { view } = c.byobRequest; view[0] = 9; c.byobRequest.respond(1) } });
  equal((await s.getReader({ mode: 'byob' }).read(new Uint8Array(4))).value, bytes(9));
});
test('byobRequest: respondWithNewView', async () => {
  const s = new ReadableStream({ type: 'bytes', pull(c) { const { view } = c.byobRequest, v = new Uint8Array(view.buffer, view.byteOffset, 2); v.set([5, 6]); c.byobRequest.respondWithNewView(v) } });
  equal((await s.getReader({ mode: 'byob' }).read(new Uint8Array(4))).value, bytes(5, 6));
});
test('byobRequest: none for a default reader', async () => { let seen; const s = new ReadableStream({ type: 'bytes', pull(c) { seen = c.byobRequest; c.enqueue(bytes(1)) } }); await s.getReader().read(); equal(seen, null) });
test('byobRequest: autoAllocateChunkSize', async () => { const s = new ReadableStream({ type: 'bytes', autoAllocateChunkSize: 8, pull(c) { const { view } = c.byobRequest; equal(view.byteLength, 8); view[0] = 3; c.byobRequest.respond(1) } }); equal((await s.getReader().read()).value, bytes(3)) });
test('byobRequest: too much', async () => { let thrown; const s = new ReadableStream({ type: 'bytes', pull(c) { try { c.byobRequest.respond(5) } catch (e) { thrown = e; c.error(e) } } }); await rejects(RangeError, s.getReader({ mode: 'byob' }).read(new Uint8Array(4))); ok(thrown instanceof RangeError) });
test('byob: close with respond(0)', async () => { const s = new ReadableStream({ type: 'bytes', pull(c) { c.close(); c.byobRequest.respond(0) } }); equal((await s.getReader({ mode: 'byob' }).read(new Uint8Array(2))).done, true) });
test('byob: cancel', async () => { let seen; const s = new ReadableStream({ type: 'bytes', cancel(r) { seen = r } }), r = s.getReader({ mode: 'byob' }), read = r.read(new Uint8Array(1)); await r.cancel('why'); equal([await read, seen], [{ value: undefined, done: true }, 'why']) });
test('byob: release, then a default reader', async () => { let c; const s = new ReadableStream({ type: 'bytes', start(k) { c = k } }), r = s.getReader({ mode: 'byob' }), read = r.read(new Uint8Array(2)); r.releaseLock(); await rejects(TypeError, read); const d = s.getReader(), next = d.read(); c.enqueue(bytes(4)); equal((await next).value, bytes(4)) });
test('bytes: tee', async () => { const [a, b] = byteSource(bytes(1, 2)).tee(), x = (await a.getReader().read()).value, y = (await b.getReader().read()).value; equal([x, y], [bytes(1, 2), bytes(1, 2)]); ok(x.buffer !== y.buffer) });
test('bytes: error', async () => { let c; const r = new ReadableStream({ type: 'bytes', start(k) { c = k } }).getReader({ mode: 'byob' }), read = r.read(new Uint8Array(1)); c.error(E); await rejects(E, read); await rejects(E, r.closed) });
test('bytes: pipeTo', async () => { const seen = []; await byteSource(bytes(1), bytes(2)).pipeTo(sink(seen)); equal(seen, [bytes(1), bytes(2), 'close']) });

test('a promise that is poisoned does not matter', async () => {
  const { then } = Promise.prototype;
  let n = 0;
  const s = source(1), r = s.getReader();
  Promise.prototype.then = function (...a) { n++; return then.apply(this, a) };
  let read;
  try { read = r.read() } finally { Promise.prototype.then = then }
  await read;
  equal(n, 0);
});
test('timers and streams', async () => { const s = new ReadableStream({ async pull(c) { await tick(); c.enqueue(1); c.close() } }); equal(await collect(s), [1]) });

test('pipeTo: what was read is written before an error is told', async () => {
  let go, done = false;
  const s = new ReadableStream({ start(c) { c.enqueue(1) }, pull(c) { c.error(E) } }, { highWaterMark: 1 });
  const p = s.pipeTo(new WritableStream({ write: () => new Promise((finish) => { go = () => { done = true; finish() } }) }), { preventAbort: true });
  ok(await pending(p));
  go();
  await rejects(E, p);
  ok(done);
});
test('pipeTo: no close while a write is pending', async () => {
  const seen = [];
  let go;
  const p = source(1).pipeTo(new WritableStream({ write: () => new Promise((finish) => { go = finish }), close() { seen.push('close') } }));
  await turns(40);
  equal(seen, []);
  go();
  await p;
  equal(seen, ['close']);
});
test('an error of a transform ends a write that waits for room', async () => { let c; const t = new TransformStream({ start(k) { c = k } }), w = t.writable.getWriter(), p = w.write(1); await turns(); c.error(E); await rejects(E, p) });
test('cancel of the readable side ends a write that waits for room', async () => { const t = new TransformStream, w = t.writable.getWriter(), p = w.write(1); await turns(); await t.readable.cancel(E); await rejects(E, p) });
test('terminate ends a write that waits for room', async () => { let c; const t = new TransformStream({ start(k) { c = k } }), w = t.writable.getWriter(), p = w.write(1); await turns(); c.terminate(); await rejects(TypeError, p) });
test('a start that throws leaves the controller', () => { let c; throws(E, () => new TransformStream({ start(k) { c = k; throw E } }, undefined, { highWaterMark: 2 })); equal(c.desiredSize, 2) });
test('byob: what was filled before the release is not lost', async () => {
  let c;
  const s = new ReadableStream({ type: 'bytes', start(k) { c = k } }), r = s.getReader({ mode: 'byob' }), read = r.read(new Uint16Array(2));
  await turns();
  c.byobRequest.view[0] = 7;
  c.byobRequest.respond(1);
  ok(await pending(read));
  r.releaseLock();
  await rejects(TypeError, read);
  const next = s.getReader().read();
  c.enqueue(bytes(8));
  equal((await next).value, bytes(7));
});
