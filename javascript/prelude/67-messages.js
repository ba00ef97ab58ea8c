// MessageChannel (https://html.spec.whatwg.org/#message-channels) within the app's one thread: programs use it to
// let others run first. A message is a task: it comes after all that is waiting already.

class MessageEvent extends Event {
  #init;
  constructor(type, init) {
    needArguments(arguments.length, 1, 'new MessageEvent');
    super(type, init);
    const { data = null, origin = '', lastEventId = '', source = null, ports = [] } = dictionary(init, 'the second argument of new MessageEvent');
    this.#init = { data, origin: usv(origin), lastEventId: String(lastEventId), source, ports: Object.freeze([...ports]) };
  }
  get data() { return this.#init.data }
  get origin() { return this.#init.origin }
  get lastEventId() { return this.#init.lastEventId }
  get source() { return this.#init.source }
  get ports() { return this.#init.ports }
}

let recordOfPort;
class MessagePort extends EventTarget {
  #p = { other: undefined, waiting: [], started: false };
  static { recordOfPort = (port) => port.#p }
  constructor(token) { onlyInside(token); super() }
  postMessage(message, options) {
    needArguments(arguments.length, 1, 'postMessage');
    const { other } = this.#p;
    const data = globalThis.structuredClone(message, Array.isArray(options) ? { transfer: options } : options);
    if (!other) return;
    const p = other.#p;
    p.waiting.push(data);
    if (p.started) deliver(other, p);
  }
  start() {
    const p = this.#p;
    if (p.started) return;
    p.started = true;
    for (const _ of p.waiting) deliver(this, p);
  }
  close() {
    const p = this.#p;
    if (!p.other) return;
    p.other.#p.other = undefined;
    p.other = undefined;
  }
}
// deliver makes the task that takes one message.
const deliver = (port, p) => globalThis.setTimeout(() => {
  if (!p.waiting.length) return;
  const event = new MessageEvent('message', { data: p.waiting.shift() });
  stateOfEvent(event).trusted = true;
  dispatch(port, event);
}, 0);
handlerAttribute(MessagePort, 'message', (port) => port.start());
handlerAttribute(MessagePort, 'messageerror');

class MessageChannel {
  #one = new MessagePort(inside);
  #two = new MessagePort(inside);
  constructor() {
    recordOfPort(this.#one).other = this.#two;
    recordOfPort(this.#two).other = this.#one;
  }
  get port1() { return this.#one }
  get port2() { return this.#two }
}
publish(MessageEvent, MessagePort, MessageChannel);
