// Keeps the parts of a page that are marked data-live up to date, and tells when that ends.

import { read, say } from "./connection.js"
import { morph, toEnd } from "./morph.js"

const every = 5000
const opened = new WeakSet() // logs that were shown once
let timer

function openLogs() {
  for (const log of document.querySelectorAll(".log")) {
    if (!opened.has(log)) toEnd(log)
    opened.add(log)
  }
}

async function refresh() {
  clearTimeout(timer)
  if (!document.hidden) {
    const page = await read(location.pathname + location.search)
    if (page.text) {
      const fresh = new DOMParser().parseFromString(page.text, "text/html")
      // Programs that change what htmx loads, such as times, change this, too.
      document.dispatchEvent(new CustomEvent("htmx:load", { detail: { elt: fresh.body } }))
      for (const part of document.querySelectorAll("[data-live]")) {
        const now = fresh.getElementById(part.id)
        if (now) morph(part, now)
      }
      openLogs()
    }
    say(page.state)
  }
  clearTimeout(timer)
  timer = setTimeout(refresh, every)
}

openLogs()
addEventListener("offline", () => say("offline"))
if (document.querySelector("[data-live]")) {
  timer = setTimeout(refresh, every)
  addEventListener("online", refresh)
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh() })
} else {
  addEventListener("online", () => say("fine"))
}

// What htmx asks for is no page either when the session has ended or the node is away.
document.addEventListener("htmx:beforeSwap", event => {
  const { status } = event.detail.xhr
  if (status < 400) return say("fine")
  event.detail.shouldSwap = false
  say(status === 401 ? "signed out" : status >= 502 && status <= 504 ? "away" : "failed")
})
document.addEventListener("htmx:sendError", () => say(navigator.onLine ? "away" : "offline"))
