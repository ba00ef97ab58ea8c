/** @jsxRuntime automatic @jsxImportSource preact */
// JSX, rendered to a string.
import { render } from "preact-render-to-string";

const Row = ({ name, price }: { name: string; price: number }) => <li class="row">{name}: {price.toFixed(2)} €</li>;
const Page = ({ title }: { title: string }) => (
  <html lang="en">
    <body>
      <h1>{title}</h1>
      <ul>{["pen", "<b>"].map((name, i) => <Row key={name} name={name} price={i + 0.5} />)}</ul>
    </body>
  </html>
);

export default {
  fetch(request: Request) {
    const title = new URL(request.url).searchParams.get("title") ?? "Shop";
    return new Response("<!doctype html>" + render(<Page title={title} />), { headers: { "content-type": "text/html; charset=utf-8" } });
  },
};
