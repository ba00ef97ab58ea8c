// Event, CustomEvent, EventTarget (https://dom.spec.whatwg.org/#events), without a tree: every path has one target.

let stateOfEvent, listenersOf;

class Event {
  #state;
  static { stateOfEvent = (event) => event.#state }
  constructor(type, init) {
    needArguments(arguments.length, 1, 'new Event');
    init = dictionary(init, 'the second argument of new Event');
    this.#state = {
      type: String(type), bubbles: !!init.bubbles, cancelable: !!init.cancelable, composed: !!init.composed,
      target: null, current: null, phase: 0, stopped: false, stoppedNow: false, canceled: false, passive: false,
      dispatching: false, trusted: false, time: now(),
    };
  }
  get type() { return this.#state.type }
  get target() { return this.#state.target }
  get srcElement() { return this.#state.target }
  get currentTarget() { return this.#state.current }
  get eventPhase() { return this.#state.phase }
  get bubbles() { return this.#state.bubbles }
  get cancelable() { return this.#state.cancelable }
  get composed() { return this.#state.composed }
  get defaultPrevented() { return this.#state.canceled }
  get returnValue() { return !this.#state.canceled }
  set returnValue(value) { if (!value) this.preventDefault() }
  get cancelBubble() { return this.#state.stopped }
  set cancelBubble(value) { if (value) this.#state.stopped = true }
  get isTrusted() { return this.#state.trusted }
  get timeStamp() { return this.#state.time }
  composedPath() { return this.#state.current ? [this.#state.current] : [] }
  stopPropagation() { this.#state.stopped = true }
  stopImmediatePropagation() { this.#state.stopped = this.#state.stoppedNow = true }
  preventDefault() { const s = this.#state; if (s.cancelable && !s.passive) s.canceled = true }
  initEvent(type, bubbles = false, cancelable = false) {
    needArguments(arguments.length, 1, 'initEvent');
    const s = this.#state;
    if (s.dispatching) return;
    Object.assign(s, { type: String(type), bubbles: !!bubbles, cancelable: !!cancelable, stopped: false, stoppedNow: false, canceled: false, target: null, trusted: false });
  }
}
constants(Event, { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 });

class CustomEvent extends Event {
  #detail;
  constructor(type, init) {
    needArguments(arguments.length, 1, 'new CustomEvent');
    super(type, init);
    this.#detail = init?.detail ?? null;
  }
  get detail() { return this.#detail }
}

const call = (listener, event) => {
  const s = stateOfEvent(event);
  s.passive = listener.passive;
  try {
    const { callback } = listener;
    if (typeof callback === 'function') callback.call(s.current, event);
    else callback.handleEvent(event);
  } catch (error) { report(error) }
  s.passive = false;
};

class EventTarget {
  #listeners = undefined;
  static { listenersOf = (target) => target.#listeners }
  addEventListener(type, callback, options) {
    needArguments(arguments.length, 2, 'addEventListener');
    if (callback !== null && callback !== undefined && !isObject(callback)) throw new TypeError('the listener is neither a function nor an object');
    const o = isObject(options) ? options : { capture: !!options };
    const capture = !!o.capture, once = !!o.once, passive = !!o.passive, { signal } = o;
    if (signal !== undefined && !isAbortSignal(signal)) throw new TypeError('signal is not an AbortSignal');
    const list = this.#listeners ??= [];
    type = String(type);
    if (signal?.aborted || callback === null || callback === undefined) return;
    if (list.some((l) => l.type === type && l.callback === callback && l.capture === capture)) return;
    list.push({ type, callback, capture, once, passive, removed: false });
    if (signal) whenAborted(signal, () => this.removeEventListener(type, callback, { capture }));
  }
  removeEventListener(type, callback, options) {
    needArguments(arguments.length, 2, 'removeEventListener');
    const capture = isObject(options) ? !!options.capture : !!options;
    type = String(type);
    const list = this.#listeners ??= [];
    const i = list.findIndex((l) => l.type === type && l.callback === callback && l.capture === capture);
    if (i >= 0) list.splice(i, 1)[0].removed = true;
  }
  dispatchEvent(event) {
    needArguments(arguments.length, 1, 'dispatchEvent');
    this.#listeners ??= [];
    const s = stateOfEvent(event);
    if (s.dispatching) throw new DOMException('the event is being dispatched already', 'InvalidStateError');
    s.trusted = false;
    return dispatch(this, event);
  }
}

const dispatch = (target, event) => {
  const s = stateOfEvent(event), list = listenersOf(target);
  s.dispatching = true;
  s.target = s.current = target;
  s.phase = 2;
  for (const capture of [true, false]) {
    if (s.stopped) break;
    // A copy: listeners that are added meanwhile wait for the next event.
    for (const listener of list?.filter((l) => l.type === s.type && l.capture === capture) ?? []) {
      if (s.stoppedNow) break;
      if (listener.removed) continue;
      if (listener.once) { listener.removed = true; list.splice(list.indexOf(listener), 1) }
      call(listener, event);
    }
  }
  s.phase = 0;
  s.current = null;
  s.dispatching = s.stopped = s.stoppedNow = false;
  return !s.canceled;
};

// trusted fires an event of the platform's own at a target.
const fire = (target, type) => {
  const event = new Event(type);
  stateOfEvent(event).trusted = true;
  dispatch(target, event);
};

// handlerAttribute makes on<type>: a listener that keeps its place while it is replaced.
const handlerAttribute = (Class, type, whenSet = noop) => {
  const handlers = new WeakMap;
  defineProperty(Class.prototype, 'on' + type, {
    configurable: true, enumerable: true,
    get() { return handlers.get(this)?.handler ?? null },
    set(value) {
      let entry = handlers.get(this);
      if (!entry) {
        entry = { handler: null };
        handlers.set(this, entry);
      }
      const handler = isObject(value) ? value : null;
      if (handler && !entry.handler) {
        entry.listener = (event) => {
          if (typeof entry.handler === 'function' && entry.handler.call(this, event) === false) event.preventDefault();
        };
        this.addEventListener(type, entry.listener);
      } else if (!handler && entry.handler) this.removeEventListener(type, entry.listener);
      entry.handler = handler;
      whenSet(this);
    },
  });
};
publish(Event, CustomEvent, EventTarget);

// ---- AbortController, AbortSignal (https://dom.spec.whatwg.org/#aborting-ongoing-activities)

let stateOfSignal, isAbortSignal;

class AbortSignal extends EventTarget {
  #state = { aborted: false, reason: undefined, algorithms: [], dependent: false, sources: [], dependents: [], deadline: Infinity };
  static {
    stateOfSignal = (signal) => signal.#state;
    isAbortSignal = (value) => isObject(value) && #state in value;
  }
  constructor(token) { onlyInside(token); super() }
  static abort(reason) {
    const signal = new AbortSignal(inside);
    signal.#state.aborted = true;
    signal.#state.reason = reason === undefined ? abortError() : reason;
    return signal;
  }
  static timeout(milliseconds) {
    needArguments(arguments.length, 1, 'AbortSignal.timeout');
    milliseconds = Number(milliseconds);
    if (!(milliseconds >= 0 && milliseconds <= Number.MAX_SAFE_INTEGER)) throw new TypeError('the time of AbortSignal.timeout is not a number of milliseconds');
    const signal = new AbortSignal(inside);
    signal.#state.deadline = now() + milliseconds;
    globalThis.setTimeout(() => timeOut(signal), Math.trunc(milliseconds));
    return signal;
  }
  static any(signals) {
    needArguments(arguments.length, 1, 'AbortSignal.any');
    const list = [...signals];
    for (const signal of list) if (!isAbortSignal(signal)) throw new TypeError('AbortSignal.any takes AbortSignals only');
    return dependentSignal(list);
  }
  get aborted() { return this.#state.aborted }
  get reason() { return this.#state.reason }
  throwIfAborted() { if (this.#state.aborted) throw this.#state.reason }
}
const timeOut = (signal) => abort(signal, new DOMException('the operation timed out', 'TimeoutError'));
// lookAtTheClock aborts a signal whose time ended during a call of the host, while no timer could run.
const lookAtTheClock = (signal) => {
  const s = stateOfSignal(signal);
  for (const source of s.dependent ? s.sources : [signal])
    if (stateOfSignal(source).deadline <= now()) timeOut(source);
};
const abortError = () => new DOMException('the operation was aborted', 'AbortError');

const dependentSignal = (signals) => {
  const result = new AbortSignal(inside), s = stateOfSignal(result);
  const first = signals.find((signal) => signal.aborted);
  if (first) { s.aborted = true; s.reason = first.reason; return result }
  s.dependent = true;
  for (const signal of signals)
    for (const source of stateOfSignal(signal).dependent ? stateOfSignal(signal).sources : [signal])
      if (!s.sources.includes(source)) { s.sources.push(source); stateOfSignal(source).dependents.push(result) }
  return result;
};

// abort marks the signal and those that depend on it first, and runs what waits for them after: a listener
// never sees a signal that has not heard of it yet.
const abort = (signal, reason) => {
  const s = stateOfSignal(signal);
  if (s.aborted) return;
  s.aborted = true;
  s.reason = reason === undefined ? abortError() : reason;
  const due = [signal];
  for (const other of s.dependents) {
    const d = stateOfSignal(other);
    if (!d.aborted) { d.aborted = true; d.reason = s.reason; due.push(other) }
  }
  for (const each of due) {
    const { algorithms } = stateOfSignal(each);
    stateOfSignal(each).algorithms = [];
    for (const algorithm of algorithms) algorithm(s.reason);
    fire(each, 'abort');
  }
};
// whenAborted runs the function at the signal's end; it returns a function that takes that back.
const whenAborted = (signal, run) => {
  const s = stateOfSignal(signal);
  if (!s.aborted) s.algorithms.push(run);
  return () => { const i = s.algorithms.indexOf(run); if (i >= 0) s.algorithms.splice(i, 1) };
};

class AbortController {
  #signal = new AbortSignal(inside);
  get signal() { return this.#signal }
  abort(reason) { abort(this.#signal, reason) }
}
handlerAttribute(AbortSignal, 'abort');
publish(AbortSignal, AbortController);

// ---- What else is global

class Navigator {
  constructor(token) { onlyInside(token) }
  get userAgent() { return 'Agora' }
  get language() { return 'en' }
  get languages() { return ['en'] }
  get hardwareConcurrency() { return 1 }
}
publish(Navigator);
define('navigator', new Navigator(inside));
