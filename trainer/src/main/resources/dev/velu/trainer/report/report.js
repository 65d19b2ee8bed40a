"use strict";

// What the pages of runs and of comparisons share: elements, numbers, tables, charts. Names of classes, files and settings are
// other people's text, so text only ever becomes the text of a node.

const data = JSON.parse(document.getElementById("data").textContent);

function element(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") node.className = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) node.append(child);
  }
  return node;
}

const byId = id => document.getElementById(id);
const isNumber = value => typeof value === "number" && Number.isFinite(value);
const missing = "–";

function digits(value, count) {
  return isNumber(value) ? value.toFixed(count) : missing;
}

/** About four significant digits, whatever the magnitude. */
function number(value) {
  if (!isNumber(value)) return missing;
  if (value === 0 || Number.isInteger(value) && Math.abs(value) < 1e7) return value.toLocaleString("en");
  const magnitude = Math.abs(value);
  if (magnitude >= 1e7 || magnitude < 1e-3) return value.toExponential(2);
  return magnitude >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4)));
}

function percent(fraction, count = 2) {
  return isNumber(fraction) ? (100 * fraction).toFixed(count) + "\u00a0%" : missing;
}

function bytes(value) {
  if (!isNumber(value)) return missing;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return (unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)) + "\u00a0" + units[unit];
}

function duration(seconds) {
  if (!isNumber(seconds)) return missing;
  if (seconds < 100) return seconds.toFixed(1) + "\u00a0s";
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? minutes + "\u00a0min" : Math.floor(minutes / 60) + " h " + minutes % 60 + " min";
}

/** For example 0.012, or "< 0.0001". */
function probability(p) {
  if (!isNumber(p)) return missing;
  return p < 1e-4 ? "< 0.0001" : p.toFixed(p < 0.01 ? 4 : 3);
}

// Tables

/**
 * A table that scrolls within itself.
 * columns: {title, value(row), text(row) or node(row), number: boolean, best(row)}.
 * options: sortable by a click on a title; whole, of any height; quiet, the caption is for screen readers.
 */
function table(caption, columns, rows, options = {}) {
  const body = element("tbody");
  const heads = columns.map(column => {
    const title = options.sortable ? element("button", {type: "button"}, column.title) : column.title;
    return element("th", {scope: "col", class: column.number ? "number" : null}, title);
  });
  const fill = order => body.replaceChildren(...order.map(row => element("tr", {}, columns.map(column => {
    const content = column.node ? column.node(row) : column.text ? column.text(row) : column.value(row);
    const best = column.best && column.best(row);
    return element("td", {class: [column.number ? "number" : "name", best ? "best" : ""].join(" ").trim()}, content ?? missing);
  }))));
  heads.forEach((head, i) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const ascending = head.getAttribute("aria-sort") === "descending" ||
        head.getAttribute("aria-sort") === null && !columns[i].number;
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const sign = ascending ? 1 : -1;
      fill([...rows].sort((a, b) => sign * compare(columns[i].value(a), columns[i].value(b))));
    });
  });
  fill(rows);
  return element("div", {class: options.whole ? "scroll whole" : "scroll", tabindex: "0", role: "region", "aria-label": caption},
    element("table", {}, element("caption", {class: options.quiet ? "unseen" : null}, caption), element("thead", {}, element("tr", {}, heads)), body));
}

function compare(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  return a < b ? -1 : 1;
}

function facts(list, entries) {
  list.append(...entries.filter(([, value]) => value !== null && value !== missing)
    .map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

/** Names and values, one a line. */
function properties(caption, entries) {
  return table(caption, [
    {title: "Setting", value: entry => entry[0]},
    {title: "Value", value: entry => entry[1], node: entry => element("code", {}, shown(entry[1]))}
  ], entries, {quiet: true});
}

function shown(value) {
  if (value === null || value === undefined) return "none";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// Charts

const drawn = [];

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

/** The i-th of the colours that curves have; they repeat. */
const series = i => color("series" + (i % 6 + 1));

/** A colour of the form #rrggbb, partly transparent. */
function faint(hex, alpha) {
  return hex + Math.round(alpha * 255).toString(16).padStart(2, "0");
}

/**
 * A figure with a chart, its title, and its numbers as a table. configuration() is asked again whenever the colours change.
 * rows/columns: the table, as for table().
 */
function chart(parent, title, hint, description, configuration, columns, rows, low = false) {
  const canvas = element("canvas", {role: "img", "aria-label": title + ". " + description});
  parent.append(element("figure", {},
    element("figcaption", {}, title, hint ? element("span", {class: "hint"}, hint) : null),
    element("div", {class: low ? "canvas low" : "canvas"}, canvas),
    columns ? element("details", {}, element("summary", {}, "Numbers"), table(title, columns, rows)) : null));
  const entry = {canvas, configuration, chart: null};
  drawn.push(entry);
  draw(entry);
  return {redraw: () => draw(entry)};
}

function draw(entry) {
  if (entry.chart) entry.chart.destroy();
  Chart.defaults.color = color("soft");
  Chart.defaults.borderColor = color("line");
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  const configuration = entry.configuration();
  configuration.options = configuration.options || {};
  Object.assign(configuration.options, {responsive: true, maintainAspectRatio: false, animation: false});
  entry.chart = new Chart(entry.canvas, configuration);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(draw));

/** An axis with a title; what stands in options wins. */
function axis(title, options = {}) {
  const ticks = Object.assign({maxRotation: 0, autoSkipPadding: 12}, options.ticks);
  return Object.assign({}, options, {title: {display: Boolean(title), text: title}, ticks});
}

const legend = show => ({display: show, position: "bottom", labels: {boxWidth: 14, boxHeight: 2, filter: item => item.text}});

/**
 * Curves over a number. lines: {label, points: [{x, y}], dashed, hidden}; a band is two lines, the second filled to the first.
 */
function lineChart(lines, x, y, options = {}) {
  const count = Math.max(0, ...lines.map(line => line.points.length));
  return {
    type: "line",
    data: {
      datasets: lines.map((line, i) => {
        const stroke = line.color || series(i);
        return {
          label: line.label,
          data: line.points.map(point => ({x: point.x, y: isNumber(point.y) ? point.y : null})),
          borderColor: line.invisible ? "transparent" : stroke,
          backgroundColor: line.fill ? faint(stroke, 0.18) : stroke,
          borderDash: line.dashed ? [6, 4] : [],
          borderWidth: line.invisible ? 0 : 2,
          fill: line.fill || false,
          pointRadius: line.invisible || count > 40 ? 0 : 3,
          pointHitRadius: line.invisible ? 0 : 6,
          clip: 6,
          spanGaps: true
        };
      })
    },
    options: {
      parsing: false,
      interaction: {mode: "nearest", axis: "x", intersect: false},
      scales: {
        x: axis(x, Object.assign({type: "linear"}, options.x)),
        y: axis(y, options.y)
      },
      plugins: {
        legend: legend(lines.filter(line => line.label).length > 1),
        tooltip: {
          filter: item => Boolean(item.dataset.label),
          callbacks: {
            title: items => items.length ? x + " " + number(items[0].parsed.x) : "",
            label: item => item.dataset.label + ": " + (options.format || number)(item.parsed.y)
          }
        }
      }
    }
  };
}

/** Epochs are whole numbers. */
const epochs = count => ({min: count > 1 ? 1 : 0, max: count > 1 ? count : 2, ticks: {precision: 0, stepSize: count <= 10 ? 1 : undefined}});

// The page

/** Links to the sections that have something to show; the others go. */
function finishSections() {
  const nav = document.querySelector("nav");
  document.querySelectorAll("main > section").forEach(section => {
    const title = section.querySelector("h2").textContent;
    const content = [...section.children].some(child => child.tagName !== "H2" && child.childNodes.length > 0);
    if (!content) section.remove();
    else nav.append(element("a", {href: "#" + section.id}, title));
  });
}

function note(...text) {
  return element("p", {class: "note"}, ...text);
}

/** The processes of a run and their machine. */
function environmentTable(environment, parent) {
  const last = environment.sessions[environment.sessions.length - 1];
  if (!last) return;
  parent.append(properties("The machine", [
    ["device", last.device + ", " + last.device_name],
    ["threads", last.threads || missing],
    ["processors", last.processors],
    ["memory", bytes(last.memory_bytes)],
    ["system", last.system],
    ["java", last.java],
    ["velu", last.velu],
    ...last.libraries.map((library, i) => ["library " + (i + 1), library])
  ]));
  if (environment.sessions.some(session => session.command)) {
    parent.append(element("h3", {}, environment.sessions.length > 1 ? "Commands" : "Command"));
    environment.sessions.forEach(session => parent.append(
      note(session.started.replace("T", " ").replace("Z", " UTC") + ", from epoch " + session.first_epoch),
      element("pre", {}, element("code", {}, session.command || "another program"))));
  }
}
