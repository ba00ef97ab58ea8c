# A form with storage: what people write is kept, and shown to all.
import json

from agora import escape, token


def page(entries):
    items = "".join(["<li><b>" + escape(e["name"]) + "</b>: " + escape(e["text"]) + "</li>" for e in entries])
    return Response.html("""<!doctype html><title>Feedback</title>
<h1>Feedback</h1>
<form method="post"><input name="name" placeholder="Your name" required> <input name="text" placeholder="What do you think?" required> <button>Send</button></form>
<ul>""" + items + "</ul>")


def fetch(request, env):
    if request.method == "POST":
        form = request.form()
        name, text = form.get("name", "").strip(), form.get("text", "").strip()
        if not name or not text:
            return Response("Write a name and a text.", 400)
        # Each entry has a key of its own, so that two people at once lose nothing.
        env.KV.put("entry/" + token(), json.dumps({"name": name[:100], "text": text[:1000]}))
        print("feedback of", len(text), "characters")
        return Response.redirect("/", 303)
    keys = env.KV.list(prefix="entry/")["keys"]
    return page([env.KV.get(key, "json") for key in keys])
