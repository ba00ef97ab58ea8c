// fetch asks an origin that the app was granted. Bodies go and come whole.
define('fetch', async function fetch(input, init) {
  const request = new Request(input, init);
  throwIfAborted(request);
  const body = native.body(request);
  if (body !== null && typeof body === 'object' && !ArrayBuffer.isView(body)) native.setBody(request, await request.bytes());
  const response = native.fetch(request);
  if (typeof response === 'number') throw refused('fetch', `fetch ${request.url}`, response, TypeError);
  throwIfAborted(request);
  return response;
});
define('self', globalThis);
