// Whether what is seen is fresh is measured here: this page may be cut off from the dashboard, and
// the dashboard from the scheduler.
let came = null

function tell_age() {
  const age = document.getElementById("age")
  const seconds = came === null ? null : Math.round((performance.now() - came) / 1000)
  const is_old = seconds === null || seconds > 3
  age.textContent = seconds === null ? "no answer yet" : is_old ? `NO ANSWER, ${seconds} s old` : "live"
  document.body.classList.toggle("old", is_old && seconds !== null)
}
setInterval(tell_age, 500)

function begin() {
  const bokeh = window.Bokeh && Bokeh.documents[0]
  const pulse = bokeh && bokeh.get_model_by_name("pulse")
  if (!pulse) {
    setTimeout(begin, 50)
    return
  }
  const fresh = () => { came = performance.now(); tell_age() }
  if (pulse.answers > 0) fresh()
  pulse.properties.answers.change.connect(fresh)
  for (const element of document.querySelectorAll("[id]")) {
    const words = bokeh.get_model_by_name(element.id)
    if (words && words.html !== undefined) element.innerHTML = words.html
  }
  const choice = bokeh.get_model_by_name("choice")
  document.getElementById("close").addEventListener("click", () => { choice.value = "" })
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") choice.value = "" })
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-task]")
    if (link) choice.value = link.dataset.task
  })
}
begin()
