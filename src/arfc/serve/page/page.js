"use strict";
const SVG = "http://www.w3.org/2000/svg";
const EDGE = { left: 34, right: 8, top: 14, bottom: 24 }; // of the chart, in pixels; page.css sets the slider to them
const FLOAT_BYTES = 4;
const STEPS = 1000; // of the slider, which is logarithmic as the chart is
const CHART_TICK_PX = 34;
const WAIT_MS = 150; // after the slider has moved
const POLL_MS = 400; // while the corpus is being embedded

const part = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en");
const state = { facts: null, dims: 0, query: "", asking: null, timer: 0 };

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function drawn(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

/* Sizes and places: the slider and the chart share a logarithmic axis from the smallest measured size to the full one. */
const least = () => state.facts.curve[0].dims;
const most = () => state.facts.width;
const share = (dims) => (most() === least() ? 1 : Math.log(dims / least()) / Math.log(most() / least()));
const sizeAt = (position) => Math.round(least() * (most() / least()) ** (position / STEPS));
const inside = (dims) => Math.min(Math.max(dims, least()), most());

/** The score at a size, between two measured ones on the line that is drawn; and whether it was measured. */
function quality(dims) {
  const curve = state.facts.curve;
  const next = curve.findIndex((row) => row.dims >= dims);
  if (curve[next].dims === dims) return { value: curve[next].arfc, measured: true };
  const [from, to] = [curve[next - 1], curve[next]];
  const part = Math.log(dims / from.dims) / Math.log(to.dims / from.dims);
  return { value: from.arfc + part * (to.arfc - from.arfc), measured: false };
}

function draw() {
  const svg = part("curve");
  const { width, height } = svg.getBoundingClientRect();
  const { curve } = state.facts;
  const top = Math.max(1e-9, ...curve.flatMap((row) => [row.arfc, row.klt, row.truncation]));
  const x = (dims) => EDGE.left + share(dims) * (width - EDGE.left - EDGE.right);
  const y = (value) => height - EDGE.bottom - (value / top) * (height - EDGE.top - EDGE.bottom);
  const shapes = [];
  for (const level of [0, 0.25, 0.5, 0.75, 1].map((one) => one * top)) {
    shapes.push(drawn("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(level), y2: y(level) }));
    shapes.push(drawn("text", { x: EDGE.left - 8, y: y(level) + 4, "text-anchor": "end" }, level.toFixed(2).replace(/^0\./, ".").replace(/\.00$|^\.00$/, "") || "0"));
  }
  let last = Infinity; // from the full size down, so that its label is there
  for (const { dims } of [...curve].reverse()) {
    if (last - x(dims) < CHART_TICK_PX) continue;
    last = x(dims);
    shapes.push(drawn("text", { x: last, y: height - 5, "text-anchor": dims === most() ? "end" : "middle" }, dims));
  }
  for (const method of ["truncation", "arfc", "klt"]) {
    const points = curve.map((row) => `${x(row.dims).toFixed(1)},${y(row[method]).toFixed(1)}`);
    shapes.push(drawn("path", { class: method, d: `M${points.join("L")}` }));
  }
  const { value } = quality(state.dims);
  const [atX, atY] = [x(state.dims), y(value)];
  shapes.push(drawn("line", { class: "at", x1: atX, x2: atX, y1: height - EDGE.bottom, y2: atY }));
  shapes.push(drawn("circle", { cx: atX, cy: atY, r: 6.5 }));
  const right = atX > width / 2;
  const label = { class: "at", x: atX + (right ? -13 : 13), y: atY + (right ? -8 : 18), "text-anchor": right ? "end" : "start" };
  shapes.push(drawn("text", label, value.toFixed(2)));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(...shapes);
}

/** Choose a size, and ask again when there is a question. */
function choose(dims, { typed = false } = {}) {
  state.dims = inside(dims);
  const { value, measured } = quality(state.dims);
  const bytes = FLOAT_BYTES * state.dims;
  if (!typed) part("dims").value = state.dims;
  part("slider").value = Math.round(STEPS * share(state.dims));
  part("slider").setAttribute("aria-valuetext", `${state.dims} dims, ${state.facts.metric} ${value.toFixed(2)}`);
  part("bytes").textContent = number(bytes);
  part("ratio").textContent = (most() / state.dims).toFixed(1).replace(".0", "");
  part("quality").textContent = (measured ? "" : "about ") + value.toFixed(2);
  part("code").textContent = code();
  draw();
  if (state.query) {
    part("found").classList.add("stale");
    clearTimeout(state.timer);
    state.timer = setTimeout(ask, WAIT_MS);
  }
}

function key(event) {
  const ladder = state.facts.curve.map((row) => row.dims);
  const to = {
    ArrowRight: state.dims + 1, ArrowUp: state.dims + 1, ArrowLeft: state.dims - 1, ArrowDown: state.dims - 1,
    PageUp: ladder.find((dims) => dims > state.dims) ?? most(),
    PageDown: ladder.findLast((dims) => dims < state.dims) ?? least(),
    Home: least(), End: most(),
  }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  choose(to);
}

function code() {
  const given = JSON.stringify(state.query || "read a csv file");
  const secret = state.facts.asks_for_key ? '"YOUR KEY"' : '"none"';
  return [
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url=${JSON.stringify(`${location.origin}/v1`)}, api_key=${secret})`,
    `answer = client.embeddings.create(model=${JSON.stringify(state.facts.model)}, input=${given}, dimensions=${state.dims})`,
    `vector = answer.data[0].embedding  # ${state.dims} floats of length 1`,
  ].join("\n");
}

function trouble(message) {
  part("trouble").textContent = message;
  part("trouble").hidden = !message;
}

async function post(body, signal) {
  const headers = { "content-type": "application/json" };
  if (part("key").value) headers.authorization = `Bearer ${part("key").value}`;
  const response = await fetch("/demo/search", { method: "POST", headers, body: JSON.stringify(body), signal });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message);
  return answer;
}

/** Ask for the query at the chosen size; a newer question ends an older one. */
async function ask() {
  clearTimeout(state.timer);
  state.asking?.abort();
  const asking = (state.asking = new AbortController());
  const asked = { query: state.query, dimensions: state.dims };
  try {
    const answer = await post(asked, asking.signal);
    trouble("");
    if (answer.ready) {
      show(asked, answer);
    } else {
      part("status").textContent = `Embedding the ${number(answer.texts)} texts once: ${Math.floor((100 * answer.embedded) / answer.texts)} %`;
      state.timer = setTimeout(ask, POLL_MS);
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    part("status").textContent = "";
    part("found").classList.remove("stale");
    trouble(error instanceof TypeError ? "The server cannot be reached; is it running?" : `The server says: ${error.message}.`);
  }
}

function size(dims) {
  return `${number(dims)} dims, ${number(FLOAT_BYTES * dims)} bytes`;
}

function show(asked, { full, chosen }) {
  const places = new Map(full.map((one, place) => [one.id, place + 1]));
  const same = chosen.filter((one) => places.has(one.id)).length;
  part("full-size").textContent = size(most());
  part("chosen-size").textContent = size(asked.dimensions);
  part("full").replaceChildren(...full.map((one) => hit(one)));
  part("chosen").replaceChildren(
    ...chosen.map((one, index) => {
      const place = places.get(one.id);
      if (place === undefined) return hit(one, `not among the first ${full.length} at full size`);
      return hit(one, place === index + 1 ? "" : `number ${place} at full size`);
    }),
  );
  part("found").hidden = false;
  part("found").classList.remove("stale");
  const count = element("strong", "", `${same} of the ${full.length}`);
  part("status").replaceChildren(count, ` nearest at full size are among those at ${number(asked.dimensions)} dims.`);
}

function hit(one, note = "") {
  const made = element("li", "", "");
  const head = one.title ? element("span", "title", one.title) : element("span", "text alone", one.text);
  if (note) head.append("\u2002 ", element("span", "note", note));
  made.append(head);
  const score = element("span", "score", one.score.toFixed(2));
  score.title = "cosine";
  made.append(score);
  if (one.title) made.append(element("span", "text", one.text));
  return made;
}

function search(query) {
  state.query = query.trim();
  if (!state.query) return;
  part("code").textContent = code();
  part("status").textContent = "Searching";
  ask();
}

async function open() {
  const facts = (state.facts = await (await fetch("/demo")).json());
  part("model").textContent = facts.model;
  part("lede").textContent =
    `Embeddings of ${facts.width} dims, cut to any size you name. Search ${number(facts.corpus.texts)} ${facts.corpus.named} ` +
    "at full size and at a size of your choice.";
  part("width").textContent = number(facts.width);
  part("metric").textContent = facts.metric;
  part("curve-title").textContent = `${facts.metric} by size, from ${least()} to ${most()} dims, for arfc, KLT and the first dims of the original`;
  part("key-row").hidden = !facts.asks_for_key;
  part("examples").hidden = facts.corpus.examples.length === 0;
  Object.assign(part("dims"), { min: least(), max: most() });

  part("search").addEventListener("submit", (event) => {
    event.preventDefault();
    search(part("query").value);
  });
  for (const example of facts.corpus.examples) {
    const button = element("button", "", example);
    button.type = "button";
    button.addEventListener("click", () => {
      part("query").value = example;
      search(example);
    });
    part("examples").append(button);
  }
  part("slider").addEventListener("input", () => choose(sizeAt(Number(part("slider").value))));
  part("slider").addEventListener("keydown", key);
  part("dims").addEventListener("input", () => {
    const dims = Number(part("dims").value);
    if (Number.isInteger(dims) && dims === inside(dims)) choose(dims, { typed: true });
  });
  part("dims").addEventListener("blur", () => choose(state.dims));
  new ResizeObserver(draw).observe(part("curve"));
  const eighth = facts.width / 8;
  const sizes = facts.curve.map((row) => row.dims);
  choose(sizes.reduce((best, dims) => (Math.abs(dims - eighth) < Math.abs(best - eighth) ? dims : best)));
  document.documentElement.dataset.ready = "yes";
}

open().catch(() => trouble("The server cannot be reached; is it running?"));
