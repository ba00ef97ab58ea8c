/// <reference path="../../../javascript/agora.d.ts" />
// A form with storage. Each answer is an entry of its own, by the name in it, so that two people who
// answer at once do not undo each other.

type Answer = { name: string; comes: boolean; guests: number };

const escape = (text: string) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

async function answers(env: Agora.Env): Promise<Answer[]> {
  const found: Answer[] = [];
  let cursor: string | undefined;
  do {
    const page = await env.KV.list({ prefix: "answer/", cursor });
    for (const { name } of page.keys) {
      const answer = await env.KV.get<Answer>(name, "json");
      if (answer) found.push(answer);
    }
    cursor = page.cursor;
  } while (cursor);
  return found;
}

function page(all: Answer[]): Response {
  const coming = all.filter((a) => a.comes);
  const heads = coming.reduce((n, a) => n + 1 + a.guests, 0);
  const rows = all.map((a) => `<li>${escape(a.name)}: ${a.comes ? `comes${a.guests ? ` and brings ${a.guests}` : ""}` : "cannot come"}</li>`);
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Who comes?</title>
<style>body{font:1.05rem/1.6 system-ui;margin:8vh auto;max-width:34rem;padding:0 1.5rem;color-scheme:light dark}input,select,button{font:inherit;padding:.4rem .6rem;margin:.25rem .25rem .25rem 0}</style>
<h1>Who comes?</h1>
<form method="post"><input name="name" placeholder="Your name" maxlength="80" required aria-label="Your name">
<select name="comes" aria-label="Do you come?"><option value="yes">I come</option><option value="no">I cannot</option></select>
<input name="guests" type="number" min="0" max="9" value="0" aria-label="Guests"><button>Send</button></form>
<p>${heads} of us, from ${all.length} answers.</p>
<ul>${rows.join("\n")}</ul></html>`;
  return new Response(html, { headers: { "content-type": "text/html; charset=utf-8" } });
}

async function save(request: Request, env: Agora.Env): Promise<Response> {
  const form = await request.formData();
  const name = String(form.get("name") ?? "").trim();
  const guests = Number(form.get("guests") ?? 0);
  if (!name || name.length > 80 || !Number.isInteger(guests) || guests < 0 || guests > 9) {
    return new Response("Write a name of at most 80 characters, and 0 to 9 guests.\n", { status: 422 });
  }
  const answer: Answer = { name, comes: form.get("comes") === "yes", guests };
  await env.KV.put("answer/" + encodeURIComponent(name.toLowerCase()), JSON.stringify(answer));
  return new Response(null, { status: 303, headers: { location: "/" } });
}

export default {
  async fetch(request, env) {
    if (new URL(request.url).pathname !== "/") return new Response("There is only one page here.\n", { status: 404 });
    switch (request.method) {
      case "GET":
      case "HEAD":
        return page(await answers(env));
      case "POST":
        return save(request, env);
    }
    return new Response("Only GET and POST.\n", { status: 405, headers: { allow: "GET, HEAD, POST" } });
  },
} satisfies Agora.App;
