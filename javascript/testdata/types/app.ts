// What agora.d.ts has to accept, and, below each @ts-expect-error, what it has to refuse.
/// <reference path="../../agora.d.ts" />

interface Note { text: string; tags: string[] }

const app = {
  async fetch(request, env, ctx) {
    const url = new URL(request.url), id = url.pathname.slice(1);
    const text: string | null = await env.KV.get(id);
    const note = await env.KV.get<Note>(id, "json");
    const bytes = await env.KV.get(id, "bytes");
    const size: number = bytes?.byteLength ?? 0;
    await env.KV.put(id, JSON.stringify({ text: text ?? "", tags: note?.tags ?? [] }), { expirationTtl: 60 });
    const swapped: boolean = await env.KV.swap("n", null, "1");
    for (const { name } of (await env.KV.list({ prefix: "a/" })).keys) console.log(name, size, swapped);

    const file = (await request.formData()).get("file");
    if (file instanceof File) await env.BLOB.put(file.name, file);
    const blob: Uint8Array | null = await env.BLOB.get("x");
    const stream = await env.BLOB.get("x", "stream");
    const sum: string | undefined = (await env.BLOB.head("x"))?.sha256;

    const completion = await env.LLM.chat({ model: "small", messages: [{ role: "user", content: "hello" }] });
    const said: string | null = completion.choices[0]!.message.content;
    for await (const chunk of await env.LLM.chat({ model: "small", messages: [], stream: true })) console.log(chunk.choices[0]?.delta.content);

    const key: string | null = await env.SECRETS.get("api-key");
    const published: string = await env.EVENTS.publish("orders", { id, said, key, sum }, { key: id });
    ctx.waitUntil(fetch("https://example.org/", { method: "POST", body: published, signal: AbortSignal.timeout(1000) }));
    const greeting: string = env.config.greeting ?? "hello";

    // @ts-expect-error there is no such part
    env.SQL;
    // @ts-expect-error numbers are not kept
    await env.KV.put("n", 1);
    // @ts-expect-error a setting may be missing
    const setting: string = env.config.x;
    // @ts-expect-error models are asked with messages
    await env.LLM.chat({ model: "small" });
    // @ts-expect-error env is not to be written to
    env.KV = env.KV;

    return stream ? new Response(stream) : Response.json({ greeting, blob: blob?.length });
  },
  scheduled(event, env) {
    const due: Date = event.time;
    console.log(event.cron, due.toISOString(), event.attempt);
    return env.KV.delete("cache");
  },
  async event(event, env) {
    const order = await event.json<{ id: string }>();
    await env.KV.put(`order/${order.id}`, event.from + event.topic);
  },
} satisfies Agora.App;
export default app;

// @ts-expect-error fetch returns a Response
export const text = { fetch: () => "text" } satisfies Agora.App;
// @ts-expect-error there is no handler of that name
export const queue = { queue() { } } satisfies Agora.App;
// @ts-expect-error the second argument is env
export const swapped = { fetch: (request: Request, env: Request) => new Response(env.url) } satisfies Agora.App;
