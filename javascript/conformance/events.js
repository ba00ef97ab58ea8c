// Event, EventTarget, CustomEvent, AbortController, AbortSignal, DOMException: https://dom.spec.whatwg.org/, https://webidl.spec.whatwg.org/
import { part, test, table, equal, ok, throws, rejects, turns } from './harness.js';
part('events');

const globals = ['Event', 'EventTarget', 'CustomEvent', 'AbortController', 'AbortSignal', 'DOMException', 'queueMicrotask', 'performance', 'navigator', 'reportError'];
table('global', globals.map((name) => [name]), (name) => {
  const d = Object.getOwnPropertyDescriptor(globalThis, name);
  ok(d, 'the property');
  ok(d.configurable, 'configurable');
});

table('event defaults', [['type', 'x'], ['target', null], ['currentTarget', null], ['srcElement', null], ['eventPhase', 0], ['bubbles', false], ['cancelable', false],
  ['composed', false], ['defaultPrevented', false], ['returnValue', true], ['cancelBubble', false], ['isTrusted', false], ['NONE', 0], ['CAPTURING_PHASE', 1], ['AT_TARGET', 2], ['BUBBLING_PHASE', 3]],
  (key, want) => equal(new Event('x')[key], want));
test('event takes its init', () => {
  const e = new Event('y', { bubbles: true, cancelable: 1, composed: 'yes' });
  equal([e.bubbles, e.cancelable, e.composed], [true, true, true]);
});
test('event needs a type', () => throws(TypeError, () => new Event()));
test('event type is a string', () => equal(new Event(null).type, 'null'));
test('event init is an object', () => throws(TypeError, () => new Event('x', 1)));
test('event needs new', () => throws(TypeError, () => Event('x')));
test('event timeStamp is a number', () => equal(typeof new Event('x').timeStamp, 'number'));
test('event has its tag', () => equal(Object.prototype.toString.call(new Event('x')), '[object Event]'));
test('event brand', () => throws(TypeError, () => Object.getOwnPropertyDescriptor(Event.prototype, 'type').get.call({})));
test('preventDefault of one that is not cancelable', () => { const e = new Event('x'); e.preventDefault(); equal(e.defaultPrevented, false) });
test('preventDefault', () => { const e = new Event('x', { cancelable: true }); e.preventDefault(); equal([e.defaultPrevented, e.returnValue], [true, false]) });
test('returnValue = false prevents', () => { const e = new Event('x', { cancelable: true }); e.returnValue = false; equal(e.defaultPrevented, true) });
test('cancelBubble can be set and not unset', () => { const e = new Event('x'); e.cancelBubble = true; e.cancelBubble = false; equal(e.cancelBubble, true) });
test('initEvent', () => { const e = new Event('x'); e.initEvent('z', true, true); equal([e.type, e.bubbles, e.cancelable], ['z', true, true]) });
test('custom event detail', () => { const detail = {}; equal(new CustomEvent('x', { detail }).detail, detail) });
test('custom event without detail', () => equal(new CustomEvent('x').detail, null));
test('custom event is an event', () => ok(new CustomEvent('x') instanceof Event));

const fired = (target, type = 'x', init) => target.dispatchEvent(new Event(type, init));
test('listener is called with the event and the target as this', () => {
  const target = new EventTarget;
  let seen;
  target.addEventListener('x', function (e) { seen = [this, e.target, e.currentTarget, e.eventPhase, e.composedPath()] });
  equal(fired(target), true);
  ok(seen[0] === target && seen[1] === target && seen[2] === target && seen[3] === 2 && seen[4][0] === target && seen[4].length === 1);
});
test('after dispatch there is a target and no current target', () => {
  const target = new EventTarget, e = new Event('x');
  target.dispatchEvent(e);
  ok(e.target === target && e.currentTarget === null && e.eventPhase === 0 && e.composedPath().length === 0);
});
test('dispatch returns false when prevented', () => {
  const target = new EventTarget;
  target.addEventListener('x', (e) => e.preventDefault());
  equal([fired(target, 'x', { cancelable: true }), fired(target)], [false, true]);
});
test('passive listeners cannot prevent', () => {
  const target = new EventTarget;
  target.addEventListener('x', (e) => e.preventDefault(), { passive: true });
  equal(fired(target, 'x', { cancelable: true }), true);
});
test('listeners are called in order, capturing ones first', () => {
  const target = new EventTarget, order = [];
  target.addEventListener('x', () => order.push(1));
  target.addEventListener('x', () => order.push(2), true);
  target.addEventListener('x', () => order.push(3), { capture: true });
  fired(target);
  equal(order, [2, 3, 1]);
});
test('the same listener once', () => {
  const target = new EventTarget;
  let n = 0;
  const add = () => n++;
  target.addEventListener('x', add);
  target.addEventListener('x', add, { once: true });
  target.addEventListener('x', add, true);
  fired(target);
  equal(n, 2);
});
test('once', () => {
  const target = new EventTarget;
  let n = 0;
  target.addEventListener('x', () => { n++; fired(target) }, { once: true });
  fired(target);
  equal(n, 1);
});
test('removed listeners are not called', () => {
  const target = new EventTarget;
  let n = 0;
  const add = () => n++;
  target.addEventListener('x', () => target.removeEventListener('x', add));
  target.addEventListener('x', add);
  fired(target);
  equal(n, 0);
});
test('removing needs the same capture', () => {
  const target = new EventTarget;
  let n = 0;
  const add = () => n++;
  target.addEventListener('x', add, true);
  target.removeEventListener('x', add);
  fired(target);
  target.removeEventListener('x', add, true);
  fired(target);
  equal(n, 1);
});
test('listeners added meanwhile wait', () => {
  const target = new EventTarget;
  let n = 0;
  target.addEventListener('x', () => target.addEventListener('x', () => n++));
  fired(target);
  equal(n, 0);
  fired(target);
  equal(n, 1);
});
test('stopImmediatePropagation', () => {
  const target = new EventTarget, order = [];
  target.addEventListener('x', (e) => { order.push(1); e.stopImmediatePropagation() });
  target.addEventListener('x', () => order.push(2));
  fired(target);
  equal(order, [1]);
});
test('stopPropagation lets listeners of the same phase run', () => {
  const target = new EventTarget, order = [];
  target.addEventListener('x', (e) => { order.push(1); e.stopPropagation() });
  target.addEventListener('x', () => order.push(2));
  fired(target);
  equal(order, [1, 2]);
});
test('stopped before dispatch', () => {
  const target = new EventTarget, e = new Event('x');
  let n = 0;
  target.addEventListener('x', () => n++);
  e.stopPropagation();
  target.dispatchEvent(e);
  equal(n, 0);
  target.dispatchEvent(e);
  equal(n, 1);
});
test('handleEvent objects, looked up late', () => {
  const target = new EventTarget, listener = {};
  let self;
  target.addEventListener('x', listener);
  listener.handleEvent = function () { self = this };
  fired(target);
  ok(self === listener);
});
test('null is no listener', () => { const target = new EventTarget; target.addEventListener('x', null); target.removeEventListener('x', null); fired(target) });
test('a number is no listener', () => throws(TypeError, () => new EventTarget().addEventListener('x', 1)));
test('two arguments', () => throws(TypeError, () => new EventTarget().addEventListener('x')));
test('dispatch of what is no event', () => throws(TypeError, () => new EventTarget().dispatchEvent({ type: 'x' })));
test('dispatch while dispatching', () => {
  const target = new EventTarget, e = new Event('x');
  let name;
  target.addEventListener('x', () => { try { target.dispatchEvent(e) } catch (error) { name = error.name } });
  target.dispatchEvent(e);
  equal(name, 'InvalidStateError');
});
test('what a listener throws does not stop the others', () => {
  const target = new EventTarget, { error } = console;
  let n = 0;
  target.addEventListener('x', () => n++);
  console.error = () => n++;
  try { globalThis.process === undefined && target.addEventListener('x', () => { throw new Error('of a listener') }); target.addEventListener('x', () => n++); fired(target) } finally { console.error = error }
  ok(n >= 2);
});
test('subclass of EventTarget', () => {
  class Bus extends EventTarget { go() { return this.dispatchEvent(new Event('go')) } }
  let n = 0;
  const bus = new Bus;
  bus.addEventListener('go', () => n++);
  bus.go();
  equal(n, 1);
});
test('a listener with a signal is removed by it', () => {
  const target = new EventTarget, c = new AbortController;
  let n = 0;
  target.addEventListener('x', () => n++, { signal: c.signal });
  fired(target);
  c.abort();
  fired(target);
  equal(n, 1);
});
test('a listener with an aborted signal is not added', () => {
  const target = new EventTarget;
  let n = 0;
  target.addEventListener('x', () => n++, { signal: AbortSignal.abort() });
  fired(target);
  equal(n, 0);
});
test('a listener with null for a signal', () => throws(TypeError, () => new EventTarget().addEventListener('x', () => { }, { signal: null })));

test('controller and its signal', () => {
  const c = new AbortController;
  ok(c.signal === c.signal && c.signal instanceof AbortSignal && c.signal instanceof EventTarget);
  equal([c.signal.aborted, c.signal.reason], [false, undefined]);
});
test('AbortSignal has no constructor', () => throws(TypeError, () => new AbortSignal));
test('abort: reason, event, handler, once', () => {
  const c = new AbortController, order = [];
  c.signal.onabort = (e) => order.push('on', e.type, e.isTrusted, e.target === c.signal);
  c.signal.addEventListener('abort', () => order.push('listener', c.signal.aborted));
  c.abort('why');
  c.abort('again');
  equal(order, ['on', 'abort', true, true, 'listener', true]);
  equal(c.signal.reason, 'why');
});
test('abort without a reason', () => { const c = new AbortController; c.abort(); equal([c.signal.reason.name, c.signal.reason instanceof DOMException, c.signal.reason.code], ['AbortError', true, 20]) });
test('abort with undefined', () => { const c = new AbortController; c.abort(undefined); equal(c.signal.reason.name, 'AbortError') });
test('abort with null', () => { const c = new AbortController; c.abort(null); equal(c.signal.reason, null) });
test('throwIfAborted', () => { const c = new AbortController; c.signal.throwIfAborted(); c.abort('why'); throws('why', () => { try { c.signal.throwIfAborted() } catch (e) { throw { name: e } } }) });
test('onabort can be taken away', () => { const c = new AbortController; let n = 0; c.signal.onabort = () => n++; c.signal.onabort = null; c.abort(); equal([n, c.signal.onabort], [0, null]) });
test('AbortSignal.abort', () => { const s = AbortSignal.abort('r'); equal([s.aborted, s.reason], [true, 'r']) });
test('AbortSignal.abort without a reason', () => equal(AbortSignal.abort().reason.name, 'AbortError'));
test('AbortSignal.timeout', async () => {
  const s = AbortSignal.timeout(5);
  equal(s.aborted, false);
  await new Promise((done) => s.addEventListener('abort', done));
  equal([s.aborted, s.reason.name, s.reason.code], [true, 'TimeoutError', 23]);
});
test('AbortSignal.timeout of less than nothing', () => throws(TypeError, () => AbortSignal.timeout(-1)));
test('AbortSignal.any of none', () => equal(AbortSignal.any([]).aborted, false));
test('AbortSignal.any of one aborted', () => { const s = AbortSignal.any([new AbortController().signal, AbortSignal.abort('r')]); equal([s.aborted, s.reason], [true, 'r']) });
test('AbortSignal.any follows', () => {
  const a = new AbortController, b = new AbortController, s = AbortSignal.any([a.signal, b.signal]);
  let n = 0;
  s.onabort = () => n++;
  b.abort('second');
  a.abort('first');
  equal([s.aborted, s.reason, n], [true, 'second', 1]);
});
test('AbortSignal.any of any', () => {
  const a = new AbortController, s = AbortSignal.any([AbortSignal.any([a.signal])]);
  a.abort('deep');
  equal(s.reason, 'deep');
});
test('AbortSignal.any: every signal is aborted before the first event', () => {
  const a = new AbortController, s = AbortSignal.any([a.signal]);
  let seen;
  a.signal.onabort = () => { seen = s.aborted };
  a.abort();
  equal(seen, true);
});
test('AbortSignal.any takes signals', () => throws(TypeError, () => AbortSignal.any([{}])));

const codes = [['IndexSizeError', 1], ['HierarchyRequestError', 3], ['InvalidCharacterError', 5], ['NotFoundError', 8], ['NotSupportedError', 9], ['InvalidStateError', 11], ['SyntaxError', 12],
  ['InvalidAccessError', 15], ['SecurityError', 18], ['NetworkError', 19], ['AbortError', 20], ['QuotaExceededError', 22], ['TimeoutError', 23], ['DataCloneError', 25], ['OperationError', 0], ['DataError', 0], ['Other', 0]];
table('DOMException code', codes, (name, code) => { const e = new DOMException('m', name); equal([e.name, e.message, e.code], [name, 'm', code]) });
test('DOMException defaults', () => { const e = new DOMException; equal([e.name, e.message, e.code], ['Error', '', 0]) });
test('DOMException is an Error', () => ok(new DOMException instanceof Error));
test('DOMException constants', () => equal([DOMException.ABORT_ERR, DOMException.prototype.DATA_CLONE_ERR, DOMException.INVALID_STATE_ERR], [20, 25, 11]));

test('performance.now goes on', () => { const a = performance.now(); equal([typeof a, performance.now() >= a], ['number', true]) });
test('performance.timeOrigin', () => ok(performance.timeOrigin > 0 && Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 5000));
test('navigator.userAgent', () => ok(typeof navigator.userAgent === 'string' && navigator.userAgent.length > 0));
test('queueMicrotask runs before timers, in order', async () => {
  const order = [];
  setTimeout(() => order.push('timer'), 0);
  queueMicrotask(() => order.push('micro'));
  Promise.resolve().then(() => order.push('then'));
  await new Promise((done) => setTimeout(done, 3));
  equal(order, ['micro', 'then', 'timer']);
});
test('queueMicrotask needs a function', () => throws(TypeError, () => queueMicrotask('x')));
test('timers: order by time, then by call', async () => {
  const order = [];
  setTimeout(() => order.push('late'), 6);
  setTimeout(() => order.push('a'), 1);
  setTimeout((x) => order.push(x), 1, 'b');
  await new Promise((done) => setTimeout(done, 12));
  equal(order, ['a', 'b', 'late']);
});
test('clearTimeout', async () => { let n = 0; clearTimeout(setTimeout(() => n++, 1)); clearTimeout(undefined); clearTimeout(-7); await new Promise((done) => setTimeout(done, 4)); equal(n, 0) });
test('setInterval', async () => { let n = 0; await new Promise((done) => { const id = setInterval(() => { if (++n === 3) { clearInterval(id); done() } }, 1) }); await turns(); equal(n, 3) });

// ---- MessageChannel: https://html.spec.whatwg.org/#message-channels
test('MessageEvent', () => { const e = new MessageEvent('message', { data: { a: 1 }, origin: 'o', lastEventId: 'i' }); equal([e.data, e.origin, e.lastEventId, e.source, e.ports], [{ a: 1 }, 'o', 'i', null, []]) });
test('a message is a task of its own, and a copy', async () => {
  const { port1, port2 } = new MessageChannel, seen = [], sent = { x: 1 };
  port1.onmessage = (e) => seen.push(e.data, e.isTrusted, e.target === port1);
  port2.postMessage(sent);
  sent.x = 2;
  queueMicrotask(() => seen.push('micro'));
  await new Promise((done) => setTimeout(done, 2));
  equal(seen, ['micro', { x: 1 }, true, true]);
});
test('messages wait for start', async () => {
  const { port1, port2 } = new MessageChannel, seen = [];
  port2.postMessage(1);
  port2.postMessage(2);
  port1.addEventListener('message', (e) => seen.push(e.data));
  await new Promise((done) => setTimeout(done, 2));
  equal(seen, []);
  port1.start();
  await new Promise((done) => setTimeout(done, 2));
  equal(seen, [1, 2]);
});
test('no message after close', async () => { const { port1, port2 } = new MessageChannel; let n = 0; port1.onmessage = () => n++; port2.close(); port2.postMessage(1); port1.postMessage(1); await new Promise((done) => setTimeout(done, 2)); equal(n, 0) });
test('a message that cannot be cloned', () => throws('DataCloneError', () => new MessageChannel().port1.postMessage(() => { })));
test('a message that transfers', async () => { const { port1, port2 } = new MessageChannel, b = new ArrayBuffer(2); port1.postMessage(b, [b]); equal(b.byteLength, 0); const { data } = await new Promise((done) => { port2.onmessage = done }); equal(data.byteLength, 2) });
test('MessagePort has no constructor', () => throws(TypeError, () => new MessagePort));
