"use strict";
const PALETTE = 10;
const drawn = JSON.parse(document.getElementById("drawn").textContent);
const chooser = document.getElementById("metric");

const table = () => drawn.tables[chooser ? chooser.selectedIndex : 0];
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colourName = (series) => `--series-${series.colour % PALETTE}`;

function config(series) {
  const [soft, line] = [style("--soft"), style("--line")];
  return {
    background: null,
    font: getComputedStyle(document.body).fontFamily,
    view: { stroke: null },
    range: { category: series.map((one) => style(colourName(one))) },
    axis: {
      labelColor: soft, titleColor: soft, gridColor: line, domainColor: line, tickColor: line,
      labelFontSize: 12, titleFontSize: 12, titleFontWeight: 400, titlePadding: 10, labelPadding: 5,
    },
    rule: { color: soft },
    text: { color: soft, fontSize: 12 },
  };
}

function element(name, text = "") {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function swatch(holder, series) {
  holder.className = series.dashed ? "dashed" : "solid";
  holder.style.setProperty("--series", `var(${colourName(series)})`);
  return element("i");
}

class Figure {
  constructor(figure) {
    this.unit = figure.dataset.unit;
    this.legend = figure.querySelector(".legend");
    this.reader = figure.querySelector(".reader");
    this.plot = figure.querySelector(".plot");
    this.readout = figure.querySelector(".readout");
    this.off = new Set(); // labels of the series that are not drawn
    this.at = null; // the size that is read
    for (const name of ["pointermove", "pointerdown"]) {
      this.reader.addEventListener(name, (event) => this.point(event.clientX));
    }
    this.reader.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.read(null));
    this.reader.addEventListener("blur", () => this.read(null));
    this.reader.addEventListener("keydown", (event) => this.key(event));
  }

  get chart() { return table().charts[this.unit]; }
  get view() { return this.embedded.view; }
  get shown() { return this.chart.series.filter((one) => !this.off.has(one.label)); }

  async draw() {
    this.embedded?.finalize();
    const options = { config: config(this.chart.series), renderer: "svg", actions: false, tooltip: false };
    this.embedded = await vegaEmbed(this.plot, this.chart.spec, options);
    await this.read(null);
  }

  list() {
    this.legend.querySelectorAll("label").forEach((old) => old.remove());
    for (const one of this.chart.series) {
      const label = element("label");
      const input = element("input");
      input.type = "checkbox";
      input.checked = !this.off.has(one.label);
      input.addEventListener("change", () => {
        this.off[input.checked ? "delete" : "add"](one.label);
        this.read(this.at);
      });
      label.append(input, swatch(label, one), one.label);
      this.legend.append(label);
    }
  }

  /** The x of a size on the screen. */
  place(size) {
    return this.plot.getBoundingClientRect().left + this.view.origin()[0] + this.view.scale("x")(size);
  }

  /** Read the size nearest to an x on the screen. */
  point(x) {
    const apart = (size) => Math.abs(this.place(size) - x);
    const size = this.chart.sizes.reduce((best, other) => (apart(other) < apart(best) ? other : best));
    if (size !== this.at) this.read(size);
  }

  key(event) {
    const sizes = this.chart.sizes;
    const last = sizes.length - 1;
    const now = sizes.indexOf(this.at); // -1 while nothing is read
    const to = { ArrowRight: Math.min(now + 1, last), ArrowLeft: Math.max(now - 1, 0), Home: 0, End: last }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      this.read(sizes[to]);
    } else if (event.key === "Escape") {
      this.read(null);
    }
  }

  /** Show what was measured at a size, the best first; null shows nothing. */
  read(size) {
    this.at = size;
    const found = this.shown.filter((one) => one.readings[size]);
    found.sort((one, other) => other.readings[size][0].localeCompare(one.readings[size][0]));
    this.readout.hidden = found.length === 0;
    const rows = element("table");
    rows.append(element("caption", `${size?.toLocaleString("en")} ${this.unit} per vector`));
    for (const one of found) {
      const row = element("tr");
      const name = element("th");
      name.scope = "row";
      name.append(swatch(row, one), one.label);
      row.append(name, ...one.readings[size].map((text) => element("td", text)));
      rows.append(row);
    }
    this.readout.replaceChildren(rows);
    if (found.length) this.keepInside();
    return this.view.signal("shown", this.shown.map((one) => one.label)).signal("at", size).runAsync();
  }

  /** Put the readout beside the size, on the side where it fits. */
  keepInside() {
    const box = this.reader.getBoundingClientRect();
    const x = this.place(this.at) - box.left;
    const width = this.readout.offsetWidth;
    const left = x + 14 + width <= box.width ? x + 14 : x - 14 - width;
    this.readout.style.left = `${Math.max(0, left)}px`;
  }
}

const figures = [...document.querySelectorAll("figure")].map((figure) => new Figure(figure));

async function draw() {
  for (const figure of figures) await figure.draw();
  document.documentElement.dataset.drawn = table().metric;
}

function show() {
  for (const section of document.querySelectorAll("[data-metric]")) {
    section.hidden = section.dataset.metric !== table().metric;
  }
  figures.forEach((figure) => figure.list());
  return draw();
}

if (chooser) {
  chooser.closest(".chooser").hidden = false;
  chooser.addEventListener("change", show);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
show();
