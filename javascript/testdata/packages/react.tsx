/** @jsxRuntime automatic @jsxImportSource react */
// React on the server: whole, and as a stream that waits for what is slow.
// @ts-nocheck: React's types are a package of their own.
import { Suspense, use } from "react";
import { renderToReadableStream, renderToString } from "react-dom/server";

const Slow = ({ text }: { text: Promise<string> }) => <b>{use(text)}</b>;
const Page = ({ text }: { text?: Promise<string> }) => (
  <main>
    <h1>{"<React>"}</h1>
    {text && <Suspense fallback={<i>wait</i>}><Slow text={text} /></Suspense>}
  </main>
);

export default {
  async fetch(request: Request) {
    const headers = { "content-type": "text/html; charset=utf-8" };
    if (new URL(request.url).pathname === "/") return new Response(renderToString(<Page />), { headers });
    const text = new Promise<string>((done) => setTimeout(() => done("late"), 5));
    return new Response(await renderToReadableStream(<Page text={text} />), { headers });
  },
};
