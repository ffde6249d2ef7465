"use strict";

const root = document.documentElement;
const PRINT_WIDTH = 650; // pixels between the margins of an A4 page
const PAGE_ROWS = 25;
// Plotly can send a chart to its maker's servers: the report never does.
const CONFIG = {
  responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "",
  modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
};
const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 5 });
const rough = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Five digits, as in the other tables, or three; a dash for what is missing. */
function shown(value, format = number) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) return value.toExponential(2);
  return size >= 1e5 || Number.isInteger(value) ? whole.format(value) : format.format(value);
}

async function unpacked(id) {
  const element = document.getElementById(id);
  const text = atob(element.textContent);
  element.remove();
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

// ---------------------------------------------------------------- charts

const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();
const escaped = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const wrapped = (text) => escaped(text.replace(/(.{56})(?=.)/g, "$1\n")).replaceAll("\n", "<br>");

/** A copy in which the colours that depend on the theme are filled in. */
function colored(value) {
  if (Array.isArray(value) || value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) =>
    [key, key === "color" && ["ink", "soft", "paper"].includes(inner) ? color(`--${inner}`) : colored(inner)]));
}

function themed(figure) {
  const axis = { gridcolor: color("--line"), zerolinecolor: color("--line"), linecolor: color("--line"), automargin: true };
  const { height, ...rest } = figure.layout; // the height is the element's own
  const layout = {
    paper_bgcolor: color("--paper"), plot_bgcolor: color("--paper"), margin: { l: 64, r: 20, t: 20, b: 52 }, autosize: true,
    font: { color: color("--ink"), family: getComputedStyle(document.body).fontFamily, size: 13 },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, hovermode: "closest",
    hoverlabel: { align: "left", bgcolor: color("--panel"), bordercolor: color("--soft"), font: { color: color("--ink") } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: color("--soft"), activecolor: color("--accent") },
    ...rest,
  };
  for (const name of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
    layout[name] = { ...axis, ...layout[name], title: { standoff: 14, ...layout[name].title } };
  }
  return layout;
}

function traces(figure, trials) {
  return figure.data.map((trace) => {
    const copy = colored(trace);
    if (trace.customdata) copy.text = trace.customdata.map((n) => wrapped(trials.texts[n - 1]));
    if (trace.type === "parcats") {
      const size = root.classList.contains("printing") ? 8 : 12;
      copy.labelfont = { size, color: color("--ink") };
      copy.tickfont = { size: size - 1, color: color("--ink") };
    }
    return copy;
  });
}

function drawAll(report) {
  for (const element of document.querySelectorAll("[data-chart]")) {
    const figure = report.figures[element.dataset.chart];
    Plotly.react(element, traces(figure, report.trials), themed(figure), CONFIG);
  }
}

function watchCharts(report) {
  for (const element of document.querySelectorAll("[data-picks]")) {
    element.on("plotly_click", (event) => {
      const n = event.points[0].customdata;
      if (typeof n === "number") showTrial(report, n, document.getElementById(element.dataset.picks));
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(report));
  const print = (printing) => {
    root.classList.toggle("printing", printing);
    for (const element of document.querySelectorAll("[data-chart]")) {
      const part = element.closest(".pair") ? 0.48 : 1;
      element.style.width = printing ? `${Math.floor(PRINT_WIDTH * part)}px` : "";
      element.style.minWidth = printing ? "0" : "";
    }
    drawAll(report);
  };
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
}

// ---------------------------------------------------------------- one trial

function showTrial({ trials, drawings }, n, place) {
  const i = n - 1, drawing = drawings[n];
  const picture = drawing
    ? make("img", { src: "data:image/svg+xml," + encodeURIComponent(drawing), alt: `Drawing of ${trials.texts[i]}` })
    : make("p", { className: "note", textContent: "Drawings are kept of the best and of the front only." });
  if (drawing) {
    picture.style.background = "#fff";
    picture.addEventListener("load", () => picture.style.setProperty("--natural", `${picture.naturalWidth}px`));
  }
  const rows = trials.metrics.filter((m) => m.values[i] !== null).map((m) =>
    make("tr", {}, make("th", { scope: "row", textContent: m.name }), make("td", { className: "n", textContent: shown(m.values[i]) })));
  const head = make("div", { className: "head" }, trials.sources[trials.source[i]], make("span", { textContent: `evaluation ${whole.format(n)}` }));
  const body = make("div", { className: "body" }, head, make("code", { textContent: trials.texts[i] }));
  if (trials.errors[n]) body.append(make("p", { className: "missing", textContent: trials.errors[n] }));
  body.append(make("table", {}, make("tbody", {}, ...rows)));
  const card = make("div", { className: "card" });
  if (drawing) card.append(make("div", { className: "drawing" }, picture));
  else body.append(picture);
  card.append(body);
  place.replaceChildren(card);
}

// ---------------------------------------------------------------- all trials

function columnsOf(trials) {
  const has = (values) => values.some((v) => v !== null);
  return [
    { name: "evaluation", value: (i) => i + 1, kind: "number" },
    { name: "status", value: (i) => trials.statuses[trials.status[i]] },
    { name: "source", value: (i) => trials.sources[trials.source[i]] },
    ...(has(trials.round) ? [{ name: "round", value: (i) => trials.round[i], kind: "number" }] : []),
    ...trials.metrics.map((m) => ({ name: m.name, value: (i) => m.values[i], kind: "number" })),
    ...(has(trials.seconds) ? [{ name: "seconds", value: (i) => trials.seconds[i], kind: "number" }] : []),
    { name: "architecture", value: (i) => trials.texts[i], kind: "code" },
    ...(Object.keys(trials.errors).length ? [{ name: "error", value: (i) => trials.errors[i + 1] ?? null, kind: "error" }] : []),
  ];
}

/** Smaller first; what is missing is last in either direction; ties keep the order of evaluation. */
function sorted(rows, column, direction) {
  const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  return rows.slice().sort((i, j) => {
    const a = column.value(i), b = column.value(j);
    if (a === null || b === null) return (a === null) - (b === null) || i - j;
    return direction * order(a, b) || i - j;
  });
}

function showTable(report) {
  const { trials } = report, place = document.getElementById("trial-table");
  if (!place) return;
  const columns = columnsOf(trials), all = trials.texts.map((_, i) => i);
  const state = { column: 0, direction: 1, page: 0, rows: all };
  let haystack = null;
  const search = make("input", { type: "search", id: "trial-filter", autocomplete: "off", spellcheck: false });
  const status = make("select", { id: "trial-status" }, new Option("all", ""), ...trials.statuses.map((s) => new Option(s, s)));
  const previous = make("button", { type: "button", textContent: "Previous" });
  const next = make("button", { type: "button", textContent: "Next" });
  const count = make("span", { id: "trial-count" });
  count.setAttribute("role", "status");
  const heads = columns.map((column, c) => {
    const button = make("button", { type: "button", textContent: column.name });
    button.addEventListener("click", () => {
      state.direction = state.column === c ? -state.direction : 1;
      state.column = c;
      update();
    });
    return make("th", { scope: "col", className: column.kind === "number" ? "n" : column.kind === "error" ? "error" : "" }, button);
  });
  const body = make("tbody");

  function cell(column, i) {
    const value = column.value(i);
    if (column.name === "evaluation" && column.kind === "number") {
      const button = make("button", { type: "button", textContent: whole.format(value), title: "Show this architecture" });
      button.addEventListener("click", () => {
        const picked = document.getElementById("picked-trials");
        showTrial(report, value, picked);
        picked.scrollIntoView({ block: "nearest" });
      });
      return make("td", { className: "n" }, button);
    }
    if (column.kind === "number") return make("td", { className: "n", textContent: shown(value, column.name === "seconds" ? rough : number) });
    if (column.kind === "code") return make("td", { className: "wide", title: value }, make("code", { textContent: value }));
    return make("td", { className: column.kind === "error" ? "error" : "", textContent: value ?? "" });
  }

  function update() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) {
      haystack ??= all.map((i) => columns.map((c) => c.value(i) ?? "").join(" ").toLowerCase());
    }
    const kept = all.filter((i) =>
      (!status.value || trials.statuses[trials.status[i]] === status.value) && words.every((word) => haystack[i].includes(word)));
    state.rows = sorted(kept, columns[state.column], state.direction);
    heads.forEach((head, c) =>
      head.setAttribute("aria-sort", c !== state.column ? "none" : state.direction > 0 ? "ascending" : "descending"));
    state.page = 0;
    showPage();
  }

  function showPage() {
    const start = state.page * PAGE_ROWS, end = Math.min(start + PAGE_ROWS, state.rows.length);
    body.replaceChildren(...state.rows.slice(start, end).map((i) => make("tr", {}, ...columns.map((c) => cell(c, i)))));
    const range = end ? `${whole.format(start + 1)}–${whole.format(end)} of ${whole.format(state.rows.length)}` : "none";
    count.textContent = state.rows.length < all.length ? `${range} (${whole.format(all.length)} in all)` : range;
    previous.disabled = state.page === 0;
    next.disabled = end >= state.rows.length;
  }

  search.addEventListener("input", update);
  status.addEventListener("change", update);
  previous.addEventListener("click", () => { state.page -= 1; showPage(); });
  next.addEventListener("click", () => { state.page += 1; showPage(); });
  const scroll = make("div", { className: "scroll", tabIndex: 0 },
    make("table", { className: "trials" }, make("thead", {}, make("tr", {}, ...heads)), body));
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "All evaluations");
  place.replaceChildren(
    make("div", { className: "controls" },
      make("label", { className: "grow" }, "filter (every word must occur)", search),
      make("label", {}, "status", status),
      make("div", { className: "pages" }, count, previous, next)),
    scroll);
  update();
}

// ---------------------------------------------------------------- start

async function start() {
  const report = JSON.parse(await unpacked("payload"));
  showTable(report);
  const script = make("script", { textContent: await unpacked("plotly") });
  document.head.append(script);
  script.remove();
  drawAll(report);
  watchCharts(report);
  root.dataset.ready = "true";
}

start().catch((error) => {
  console.error(error);
  for (const element of document.querySelectorAll("[data-chart]:empty, #trial-table")) {
    element.textContent = "This browser cannot unpack the report; it needs one of 2023 or later.";
  }
});
