// Whether what is seen is fresh is measured here: this page may be cut off from the dashboard, and
// the dashboard from the scheduler.
const patience = 3
const opened = performance.now()
let came = null, as_of = ""

function since(when) { return (performance.now() - when) / 1000 }

function span(seconds) {
  if (seconds < 100) return `${Math.round(seconds)} s`
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`
}

function tell_age() {
  const verdict = document.getElementById("verdict"), silence = document.getElementById("silence")
  const is_known = came !== null
  // the dashboard says so at once if the scheduler cannot be asked, and else only after some time
  const is_told = verdict.querySelector(".none:not(#silence)") !== null
  const is_silent = is_known && since(came) > patience && since(opened) > patience
  const is_old = is_known && (is_told || is_silent)
  document.getElementById("age").textContent =
    is_old ? `NO ANSWER, ${span(since(came))} old` : is_known && since(came) <= patience ? "live" : "no answer yet"
  document.body.classList.toggle("old", is_old)
  if (!is_silent || is_told) {
    if (silence) silence.remove()
    return
  }
  const line = silence || document.createElement("li")
  if (!silence) {
    line.id = "silence"
    line.className = "none"
    line.append(document.createElement("b"), document.createElement("span"))
    line.firstChild.textContent = "NO ANSWER"
    verdict.prepend(line)
  }
  line.lastChild.textContent = `Nothing has answered for ${span(since(came))}. What is below is as of ${as_of}.`
}
setInterval(tell_age, 500)

function begin() {
  const bokeh = window.Bokeh && Bokeh.documents[0]
  const pulse = bokeh && bokeh.get_model_by_name("pulse")
  if (!pulse) {
    setTimeout(begin, 50)
    return
  }
  const fresh = () => {
    came = performance.now() - 1000 * pulse.age
    as_of = pulse.as_of
    tell_age()
  }
  for (const element of document.querySelectorAll("[id]")) {
    const words = bokeh.get_model_by_name(element.id)
    if (words && words.html !== undefined) element.innerHTML = words.html
  }
  if (pulse.answers > 0) fresh()
  pulse.properties.answers.change.connect(fresh)
  const choice = bokeh.get_model_by_name("choice")
  document.getElementById("close").addEventListener("click", () => { choice.value = "" })
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") choice.value = "" })
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-task]")
    if (link) choice.value = link.dataset.task
  })
}
begin()
