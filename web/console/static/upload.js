// Sends the form of an upload, shows how far it is, and keeps all that was chosen and written when
// it is refused or the node cannot be reached. Without this program the form is sent as it is.

import { read, say, signInLink } from "./connection.js"
import { get, set } from "./manifest.js"

const form = document.getElementById("upload")
const part = name => form.elements.namedItem(name)
const problem = document.getElementById("problem")
const text = part("manifest"), file = part("manifest_file"), module = part("module"), bundle = part("bundle")
const fields = [...form.querySelectorAll("#about input:not([type=file]), #about select, #about textarea")].filter(f => f !== text)

// --- fields and text follow each other ---

const toFields = () => { for (const f of fields) f.value = get(text.value, f.name) }
for (const f of fields) f.addEventListener("input", () => { text.value = set(text.value, f.name, f.value) })
text.addEventListener("input", toFields)
for (const f of fields) { // what a browser kept, or the node sent back
  if (f.value && f.value !== get(text.value, f.name)) text.value = set(text.value, f.name, f.value)
}
toFields()

let loading = Promise.resolve(), loaded = false
file.addEventListener("change", () => { loading = load() })

// load takes a manifest's file over into the text. One that is no text is sent as it is.
async function load() {
  loaded = false
  mark(file, "")
  if (!file.files.length) return
  try {
    text.value = new TextDecoder("utf-8", { fatal: true }).decode(await file.files[0].arrayBuffer())
    loaded = true
    toFields()
  } catch { /* the node says what is wrong with it */ }
}

// --- what is wrong, beside its field ---

function mark(field, why) {
  document.getElementById("error-" + field.name).textContent = why
  if (why) field.setAttribute("aria-invalid", "true")
  else field.removeAttribute("aria-invalid")
}

function clear() {
  problem.replaceChildren()
  for (const f of [module, file, bundle, text, ...fields]) mark(f, "")
}

form.addEventListener("input", event => mark(event.target, ""))

// refused shows what is wrong and leads there.
function refused(errors) {
  for (const [name, why] of Object.entries(errors)) mark(part(name), why)
  const first = form.querySelector("[aria-invalid=true]")
  for (let box = first?.closest("details"); box; box = box.parentElement.closest("details")) box.open = true
  const target = first ?? problem
  target.focus()
  target.scrollIntoView({ block: "center" })
}

// unreachable says that nothing came of it, and offers to try again.
function unreachable(state, sent) {
  const words = {
    offline: "You are offline.", away: "This node cannot be reached.", "signed out": "You have been signed out.",
    fine: "The connection broke off.", failed: "The node's response was not what it should be.",
  }
  const box = document.createElement("section"), title = document.createElement("h1"), what = document.createElement("p"), again = document.createElement("button")
  box.className = "problem"
  box.setAttribute("role", "alert")
  title.textContent = words[state]
  what.textContent = (sent ? "The node may have taken the upload in already: sending the same once more does no harm. " : "Nothing was published. ") +
    "What you chose and wrote is still here."
  again.type = "button"
  again.className = "primary"
  again.textContent = "Try again"
  again.addEventListener("click", () => form.requestSubmit())
  box.append(title, what)
  if (state === "signed out") box.append(signInLink("_blank"), " ")
  box.append(again)
  problem.replaceChildren(box)
  refused({})
}

// --- progress ---

const progress = document.getElementById("progress"), said = document.getElementById("progress-said"), bar = document.getElementById("progress-bar")
const bytes = document.getElementById("progress-bytes"), steps = document.getElementById("progress-steps")
const button = document.getElementById("send"), cancel = document.getElementById("cancel")
const warn = event => event.preventDefault()
const size = n => n < 1 << 20 ? `${Math.ceil(n / 1024)} KiB` : `${(n / (1 << 20)).toFixed(1)} MiB`

function step(name) {
  steps.lastElementChild?.setAttribute("class", "done")
  if (!name) return
  const li = document.createElement("li")
  li.className = "now"
  li.textContent = name[0].toUpperCase() + name.slice(1)
  steps.append(li)
  said.textContent = li.textContent + " …"
}

function begin() {
  clear()
  steps.replaceChildren()
  bytes.textContent = ""
  bar.removeAttribute("value")
  progress.hidden = false
  button.disabled = true
  step("asking the node")
  cancel.focus()
  addEventListener("beforeunload", warn)
}

function end() {
  progress.hidden = true
  button.disabled = false
  removeEventListener("beforeunload", warn)
}

function moved(loaded, total) {
  bar.max = total
  bar.value = loaded
  bytes.textContent = `${size(loaded)} of ${size(total)}`
}

// send sends the form. It returns the last line of the answer, or how it failed.
function send(data, stopped) {
  return new Promise(resolve => {
    const xhr = new XMLHttpRequest()
    let read = 0, last = {}, sent = false
    const lines = () => {
      for (let end; (end = xhr.responseText.indexOf("\n", read)) >= 0; read = end + 1) {
        try { last = JSON.parse(xhr.responseText.slice(read, end)) } catch { last = {} } // a proxy's page
        if (last.stage) step(last.stage)
      }
    }
    const done = () => { lines(); resolve({ ...last, sent }) }
    xhr.upload.addEventListener("progress", e => moved(e.loaded, e.total))
    xhr.upload.addEventListener("load", () => { sent = true; bar.removeAttribute("value"); step("waiting for the node") })
    xhr.addEventListener("progress", lines)
    xhr.addEventListener("load", done)
    xhr.addEventListener("error", done)
    xhr.addEventListener("abort", () => resolve({ cancelled: true, sent }))
    stopped.addEventListener("abort", () => xhr.abort())
    xhr.open("POST", form.action)
    xhr.setRequestHeader("Accept", "application/x-ndjson")
    xhr.send(data)
  })
}

// --- submitting ---

// unreadable returns why a chosen file cannot be sent: "" if it can.
async function unreadable(input) {
  const [chosen] = input.files, max = Number(input.dataset.max)
  if (!chosen) return ""
  if (max && chosen.size > max) return `${chosen.name} has ${size(chosen.size)}, and the most that is taken is ${size(max)}. Strip debug sections, or build with -ldflags="-s -w".`
  try {
    await chosen.slice(0, 1).arrayBuffer()
    return ""
  } catch {
    return `${chosen.name} has changed since you chose it. Choose it once more.`
  }
}

function collect() {
  const data = new FormData()
  data.append("manifest", text.value)
  if (!loaded && file.files.length) data.append("manifest_file", file.files[0])
  if (bundle.files.length) data.append("bundle", bundle.files[0])
  if (module.files.length) data.append("module", module.files[0])
  return data
}

async function submit() {
  begin()
  await loading
  const errors = {}
  for (const input of [module, file, bundle]) {
    const why = await unreadable(input)
    if (why) errors[input.name] = why
  }
  if (Object.keys(errors).length) return end(), refused(errors)
  const stop = new AbortController()
  cancel.onclick = () => stop.abort()
  const before = await read("/upload") // signed out, or away: known before a byte of the module is sent
  if (before.state !== "fine" && before.state !== "failed") return end(), unreachable(before.state, false)
  step(`sending ${module.files[0]?.name ?? ""}`)
  const answer = stop.signal.aborted ? { cancelled: true } : await send(collect(), stop.signal)
  if (answer.next) {
    step("")
    removeEventListener("beforeunload", warn)
    return location.assign(answer.next)
  }
  end()
  if (answer.problem) {
    problem.innerHTML = answer.problem.html
    return refused(answer.problem.fields)
  }
  if (answer.cancelled) {
    said.textContent = ""
    problem.innerHTML = `<p class="notice review" role="status">Cancelled. ${answer.sent ? "The node had all of it: look at the app's page whether it was taken in." : "Nothing was published."}</p>`
    return button.focus()
  }
  unreachable((await read("/upload")).state, answer.sent)
}

addEventListener("pageshow", event => { if (event.persisted) end() }) // back from the new release

form.addEventListener("submit", event => {
  event.preventDefault()
  if (!button.disabled) submit()
})
