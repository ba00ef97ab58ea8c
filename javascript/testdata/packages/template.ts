// Templates that are compiled while the app starts.
import { Eta } from "eta/core";

const eta = new Eta();
eta.loadTemplate("@row", "<li><%= it.name %></li>");
const page = eta.compile("<h1><%= it.title %></h1><ul><% for (const name of it.names) { %><%~ include('@row', { name }) %><% } %></ul>");

export default {
  fetch: () => new Response(eta.render(page, { title: "A & B", names: ["<x>", "é"] }), { headers: { "content-type": "text/html; charset=utf-8" } }),
};
