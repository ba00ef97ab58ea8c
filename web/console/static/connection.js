// Asks the node for a page, and says when it cannot be had: what is shown stays.

const box = document.getElementById("connection")
let state = "fine", since = new Date()

// read asks for a page. It returns how that went, and the page if it came.
export async function read(url) {
  let response, text
  try {
    response = await fetch(url, { headers: { "HX-Request": "true" }, cache: "no-store", signal: AbortSignal.timeout(15000) })
    text = await response.text()
  } catch {
    return { state: navigator.onLine ? "away" : "offline" }
  }
  if (response.ok) return { state: "fine", text }
  if (response.status === 401) return { state: "signed out" }
  return { state: response.status >= 502 && response.status <= 504 ? "away" : "failed" }
}

// here is the address of this page, to come back to.
const here = () => location.pathname + location.search

export function signInLink(target) {
  const link = document.createElement("a")
  link.href = "/sign-in?next=" + encodeURIComponent(here())
  link.textContent = "Sign in again"
  if (target) link.target = target
  return link
}

const words = {
  offline: "You are offline.",
  away: "This node is out of reach.",
  "signed out": "You have been signed out.",
  failed: "This page could not be read again.",
}

// say shows what is in the way, once, until it is "fine" again.
export function say(now) {
  if (now === "fine") since = new Date()
  if (now === state || !box) return
  state = now
  box.replaceChildren()
  if (now === "fine") return
  box.append(`${words[now]} What you see is from ${since.toLocaleTimeString()}. `)
  if (now === "signed out") box.append(signInLink(document.getElementById("upload") ? "_blank" : ""))
  else if (now === "failed") box.append("Reload it to see why.")
  else box.append("It goes on by itself when the node can be reached.")
}
