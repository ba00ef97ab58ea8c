// What the engine calls.

class Context {
  waitUntil(promise) { native.waitUntil(promise) }
  passThroughOnException() { }
}

const header = (request, name) => request.headers.get(name) ?? '';
const firing = (request) => ({
  name: header(request, 'agora-trigger-name'), id: header(request, 'agora-event-id'),
  attempt: Number(header(request, 'agora-attempt')), time: new Date(header(request, 'agora-event-time')), request,
});
const scheduled = (request) => {
  const event = firing(request);
  return { type: 'scheduled', cron: event.name, scheduledTime: event.time.getTime(), ...event };
};
const delivered = (request) => {
  const event = firing(request), slash = event.name.indexOf('/');
  return {
    type: 'event', from: event.name.slice(0, slash), topic: event.name.slice(slash + 1), ...event,
    text: () => request.text(), json: () => request.json(), bytes: () => request.bytes(),
  };
};
const context = new Context();

// trigger calls the handler of a schedule or an event. What it returns does not matter, unless it is a Response.
const trigger = async (app, handler, request) => {
  const event = header(request, 'agora-trigger') === 'cron' ? scheduled(request) : delivered(request);
  const result = await Reflect.apply(handler, app, [event, env, context]);
  return result instanceof Response ? result : new Response(null, { status: 204 });
};

// send streams a response whose body is a stream, piece by piece.
const send = async (response) => {
  const next = pull(response);
  let chunk = await next(); // what fails before the first piece is a failure as any other
  native.streamStart(response);
  for (; chunk !== undefined; chunk = await next()) native.streamWrite(chunk);
};

const describe = (value) => show(value, 1);

return { env, context, tick, trigger, send, describe };
