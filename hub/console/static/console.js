// The console's own script: copying ids, the search key, polls that cost nothing where nothing changed, graphs. Every page works without it.
"use strict";
(() => {
  const say = (text) => {
    const box = document.getElementById("said");
    box.textContent = text;
    box.classList.add("is-shown");
    clearTimeout(say.timer);
    say.timer = setTimeout(() => box.classList.remove("is-shown"), 1600);
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) {
      await navigator.clipboard.writeText(button.dataset.copy);
      say(document.body.dataset.copied);
      return;
    }
    // A question that is open closes when one looks elsewhere.
    for (const open of document.querySelectorAll("details.act[open], details.prefs[open]")) {
      if (!open.contains(event.target)) open.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    const search = document.getElementById("search");
    const writes = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && search && !writes && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
      search.select();
    }
    if (event.key === "Escape") {
      const open = document.querySelector("details.act[open], details.prefs[open]");
      if (open) {
        open.open = false;
        open.querySelector("summary").focus();
      }
    }
  });

  // The menu is folded away where there is no room for it beside the page.
  const narrow = matchMedia("(max-width: 800px)");
  const fold = () => {
    const menu = document.querySelector("details.menu");
    if (menu) menu.open = !narrow.matches;
  };
  narrow.addEventListener("change", fold);
  fold();

  // Polls: the tag of the last answer goes along, so that an unchanged page is 304 and nothing is swapped. Not while nobody looks,
  // and not while a person is in the midst of a form or a selection; who began one while the answer was on its way keeps it, too.
  const tags = new WeakMap();
  const polls = (ctx) => ctx.request.method === "GET" && ctx.sourceElement.hasAttribute("hx-trigger");
  const isBusy = (part) => part.querySelector("details.act[open]") || (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select"));
  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    const from = ctx.sourceElement;
    if (!polls(ctx)) return;
    if (document.hidden || isBusy(from)) {
      event.preventDefault();
      return;
    }
    if (tags.has(from)) ctx.request.headers["If-None-Match"] = tags.get(from);
  });
  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx } = event.detail;
    if (!polls(ctx)) return;
    if (isBusy(ctx.sourceElement)) {
      event.preventDefault(); // its tag is not kept: the next poll brings what this one would have shown
      return;
    }
    const tag = ctx.response?.headers?.get("ETag");
    if (tag) tags.set(ctx.sourceElement, tag);
  });
  document.addEventListener("htmx:after:swap", () => draw());

  // Graphs: what a figure shows stands in its data-plot; colours are those of the page.
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // Hours as the page's language writes them, of a day of 24, in the hub's zone as every other time here; uPlot's own words are English.
  const timeZone = document.documentElement.dataset.zone || "UTC";
  const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone });
  const day = new Intl.DateTimeFormat(document.documentElement.lang, { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone });
  const brief = new Intl.NumberFormat(document.documentElement.lang, { notation: "compact", maximumFractionDigits: 1 });
  // Points that no line leads to, which would not be seen otherwise.
  const alone = (values) => values.flatMap((value, at) => (value !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null ? [at] : []));
  const draw = () => {
    for (const place of document.querySelectorAll("[data-plot]")) {
      if (place.dataset.drawn === place.dataset.plot && place.dataset.width === String(place.clientWidth)) continue;
      const told = JSON.parse(place.dataset.plot);
      const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui" };
      const lines = told.series.map((one) => ({
        label: one.label,
        stroke: colour(`--${one.tone || "accent"}`),
        width: 1.5,
        value: (_, value) => (value === null ? "–" : `${value}${told.unit}`),
        points: { show: true, size: 4, filter: (plot, index) => alone(plot.data[index]) },
      }));
      place.replaceChildren();
      new uPlot(
        { width: place.clientWidth, height: told.height, series: [{ label: `${document.body.dataset.time} (${timeZone})`, value: (_, at) => (at === null ? "–" : day.format(at * 1000)) }, ...lines], axes: [{ ...axis, size: 32, space: 64, values: (_, all) => all.map((at) => clock.format(at * 1000)) }, { ...axis, size: 52, values: (_, all) => all.map((value) => brief.format(value)) }], cursor: { y: false }, legend: { live: true } },
        [told.x, ...told.series.map((one) => one.values)],
        place,
      );
      place.dataset.drawn = place.dataset.plot;
      place.dataset.width = String(place.clientWidth);
    }
  };
  addEventListener("resize", draw);
  draw();
})();
