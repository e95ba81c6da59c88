// Plays the run over again, and tells the story of a task that is clicked.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("run-data").textContent);
  const slider = document.getElementById("slider");
  const play = document.getElementById("play");
  const clock = document.getElementById("clock");
  const story = document.getElementById("story");
  const SECONDS = 10; // that the whole run takes
  const FRAME = 60; // milliseconds that a picture stays at least
  let playing = null;

  // The state of a task at a step: changes are [step, state, step, state, ...].
  function stateAt(changes, step) {
    let state = -1;
    for (let i = 0; i < changes.length && changes[i] <= step; i += 2) state = changes[i + 1];
    return state;
  }

  function length(seconds) {
    if (seconds < 100) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
    const whole = Math.round(seconds);
    const minutes = Math.floor(whole / 60), hours = Math.floor(minutes / 60);
    const two = (number) => String(number).padStart(2, "0");
    if (hours) return `${hours} h ${two(minutes % 60)} min`;
    return `${minutes} min ${two(whole % 60)} s`;
  }

  // How many tasks are in each state; those that never ran are among the failed, as in the headline.
  function wordsAt(step) {
    const text = (number) => number.toLocaleString("en");
    const counts = Object.fromEntries(data.states.map((state, i) => [state, data.counts[i][step]]));
    const never = counts["never ran"];
    delete counts["never ran"];
    counts.failed += never;
    return Object.entries(counts).filter(([, count]) => count).map(([state, count]) => {
      const which = count === 1 ? "it" : `${never === count ? "all" : text(never)} of them`;
      return `${text(count)} ${state}${state === "failed" && never ? ` (${which} never ran)` : ""}`;
    });
  }

  function begin(bokeh) {
    const nodes = bokeh.get_model_by_name("nodes");

    function show(step) {
      const time = (data.seconds * step) / data.steps;
      for (const figure of ["timeline", "counts"]) {
        bokeh.get_model_by_name(`${figure}-cursor`).location = time;
        bokeh.get_model_by_name(`${figure}-veil`).left = time;
      }
      nodes.data.colour = data.changes.map((its) => {
        const state = stateAt(its, step);
        return state < 0 ? data.unborn : data.colours[state];
      });
      nodes.change.emit();
      const words = wordsAt(step);
      const bold = document.createElement("b");
      bold.textContent = length(time);
      clock.replaceChildren(bold, ` \u2014 ${words.join(", ") || "nothing submitted yet"}`);
    }

    function stop() {
      if (playing !== null) cancelAnimationFrame(playing);
      playing = null;
      play.textContent = "\u25b6";
      play.setAttribute("aria-label", "play");
    }

    function start() {
      if (Number(slider.value) >= data.steps) slider.value = 0;
      const first = Number(slider.value), began = performance.now();
      let shown = -Infinity;
      play.textContent = "\u275a\u275a";
      play.setAttribute("aria-label", "pause");
      const next = (now) => {
        playing = requestAnimationFrame(next);
        if (now - shown < FRAME) return;
        shown = now;
        const step = Math.round(first + (Math.max(0, now - began) / 1000 / SECONDS) * data.steps);
        slider.value = Math.min(step, data.steps);
        show(Number(slider.value));
        if (step >= data.steps) stop();
      };
      playing = requestAnimationFrame(next);
    }

    play.addEventListener("click", () => (playing === null ? start() : stop()));
    slider.addEventListener("input", () => {
      stop();
      show(Number(slider.value));
    });
    document.getElementById("close").addEventListener("click", () => {
      story.hidden = true;
    });
    for (const name of data.sources) {
      const source = bokeh.get_model_by_name(name);
      source.selected.properties.indices.change.connect(() => {
        const [index] = source.selected.indices;
        if (index === undefined) return;
        const task = source.data.task[index];
        story.querySelector("p").textContent = task < 0 ? source.data.text[index] : data.stories[task];
        story.hidden = false;
      });
    }
    show(Number(slider.value)); // a browser may remember where it was
  }

  const waiting = setInterval(() => {
    if (!window.Bokeh || !Bokeh.documents.length) return;
    clearInterval(waiting);
    begin(Bokeh.documents[0]);
  }, 20);
})();
