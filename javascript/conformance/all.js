// All parts in one app: a request for /url runs the part url, and one for / returns the names of the parts.
import './clone.js';
import './crypto.js';
import './encoding.js';
import './events.js';
import './fetch.js';
import './forms.js';
import './language.js';
import './streams.js';
import './url.js';
import { partNames, runPart } from './harness.js';

export default {
  async fetch(request) {
    const name = new URL(request.url).pathname.slice(1);
    return Response.json(name ? await runPart(name) : partNames());
  },
};
