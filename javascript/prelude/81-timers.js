// Timers, which live as long as their request. They fire while something that the request waits for is not
// settled; the time until the next one is slept.

let timers = [], lastTimer = 0, slept = 0; // timers by when they are due; the clock is what was slept

const addTimer = (timer) => {
  let i = timers.length;
  while (i > 0 && timers[i - 1].at > timer.at) i--;
  timers.splice(i, 0, timer);
};
const milliseconds = (value, least) => { const ms = +value; return ms > least ? Math.min(ms, 0x7fffffff) : least };
const newTimer = (callback, delay, args, every) => {
  if (typeof callback !== 'function') throw new TypeError('a timer takes a function: text is not run as code');
  const id = ++lastTimer;
  addTimer({ id, at: slept + milliseconds(delay, every ? 1 : 0), callback, args, every });
  return id;
};
const dropTimer = (id) => {
  const i = timers.findIndex((timer) => timer.id === +id);
  if (i >= 0) timers.splice(i, 1);
};
define('setTimeout', function setTimeout(callback, delay, ...args) { return newTimer(callback, delay, args, 0) });
define('setInterval', function setInterval(callback, delay, ...args) { return newTimer(callback, delay, args, milliseconds(delay, 1)) });
define('clearTimeout', function clearTimeout(id) { dropTimer(id) });
define('clearInterval', function clearInterval(id) { dropTimer(id) });

// tick fires the next timer. It returns false if there is none.
const tick = () => {
  const timer = timers.shift();
  if (!timer) return false;
  if (timer.at > slept) { native.sleep(timer.at - slept); slept = timer.at }
  if (timer.every) addTimer({ ...timer, at: slept + timer.every });
  (0, timer.callback)(...timer.args);
  return true;
};

// The origin of time is the request's first question, not start-up, which is kept.
class Performance {
  now() { return native.now() }
  get timeOrigin() { return Date.now() - native.now() }
  toJSON() { return { timeOrigin: this.timeOrigin } }
}
define('Performance', Performance);
define('performance', new Performance());
