// A router and a validator.
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { bearerAuth } from "hono/bearer-auth";
import { getCookie, setSignedCookie } from "hono/cookie";
import { cors } from "hono/cors";
import { sign, verify } from "hono/jwt";
import { streamSSE } from "hono/streaming";
import { z } from "zod";

const Order = z.object({
  id: z.string().regex(/^[a-z]+-\d+$/),
  items: z.array(z.object({ sku: z.string().min(1), count: z.coerce.number().int().positive() })).min(1),
  mail: z.email().optional(),
});

const app = new Hono();
app.use("/api/*", cors({ origin: "https://shop.example" }));
app.get("/", (c) => c.text("hello"));
app.get("/users/:id{[0-9]+}", (c) => c.json({ id: Number(c.req.param("id")), q: c.req.query("q") ?? null }));
app.post("/api/orders", async (c) => {
  const order = Order.safeParse(await c.req.json());
  if (!order.success) return c.json({ issues: order.error.issues.map((issue) => issue.path.join(".")) }, 422);
  return c.json(order.data, 201);
});
app.post("/form", async (c) => {
  const form = await c.req.parseBody(), file = form.file;
  return c.json({ title: form.title, file: file instanceof File ? [file.name, file.type, file.size, await file.text()] : null });
});
app.get("/cookie", async (c) => {
  await setSignedCookie(c, "session", "s 1", "secret", { httpOnly: true });
  return c.text(getCookie(c, "theme") ?? "none");
});
app.get("/jwt", async (c) => {
  const token = await sign({ sub: "ada", exp: 4102444800 }, "secret", "HS256");
  const { sub } = await verify(token, "secret", "HS256");
  return c.json({ token, sub, forged: await verify(token + "x", "secret", "HS256").then(() => true, () => false) });
});
app.use("/secret", bearerAuth({ token: "t0ken" }));
app.get("/secret", (c) => c.text("inside"));
app.get("/events", (c) => streamSSE(c, async (stream) => {
  for (let i = 0; i < 3; i++) await stream.writeSSE({ data: String(i), event: "count" });
}));
app.get("/broken", () => { throw new HTTPException(418, { message: "short and stout" }) });
app.notFound((c) => c.text("no such page", 404));

export default app;
