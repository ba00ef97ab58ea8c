/// <reference path="../../../javascript/agora.d.ts" />
// A JSON API of two files, without storage and without capabilities.
import { sizes, units } from "./units";

type Question = { value: number; from: string; to: string };

class BadQuestion extends Error {}

function check(q: unknown): Question {
  const { value, from, to } = (q ?? {}) as Partial<Question>;
  if (typeof value !== "number" || !Number.isFinite(value)) throw new BadQuestion("value is no number");
  if (typeof from !== "string" || typeof to !== "string") throw new BadQuestion("from and to are units");
  return { value, from, to };
}

function convert({ value, from, to }: Question) {
  const found = sizes(from, to);
  if (!found) throw new BadQuestion(`${from} and ${to} are not units of the same kind`);
  // The binary fractions of the factors would show in the last digits.
  return { value, from, to, result: Number(((value * found[0]) / found[1]).toPrecision(12)) };
}

async function route(request: Request): Promise<Response> {
  const url = new URL(request.url);
  switch (`${request.method} ${url.pathname}`) {
    case "GET /":
      return Response.json({ units, example: "/convert?value=5&from=km&to=mi" });
    case "GET /convert": {
      const ask = url.searchParams;
      const value = ask.get("value")?.trim() ? Number(ask.get("value")) : NaN;
      return Response.json(convert(check({ value, from: ask.get("from"), to: ask.get("to") })));
    }
    case "POST /convert": {
      const all = await request.json();
      if (!Array.isArray(all) || all.length > 1000) throw new BadQuestion("send a list of at most 1000 questions");
      return Response.json(all.map((q) => convert(check(q))));
    }
  }
  return Response.json({ error: "There is no such page." }, { status: 404 });
}

export default {
  async fetch(request) {
    try {
      return await route(request);
    } catch (e) {
      if (e instanceof BadQuestion || e instanceof SyntaxError) return Response.json({ error: e.message }, { status: 400 });
      throw e; // the log has it with its line
    }
  },
} satisfies Agora.App;
