"use strict";

// The page of a run. data: {name, configuration, metrics, environment, evaluation, activations, curve}; see RunReport.

const metrics = data.metrics;
const configuration = data.configuration;
const last = metrics[metrics.length - 1];
const of = name => metrics.map(row => ({x: row.epoch, y: row[name]}));
const inPercent = name => metrics.map(row => ({x: row.epoch, y: isNumber(row[name]) ? 100 * row[name] : null}));

function head() {
  const environment = data.environment;
  const best = metrics.reduce((a, b) => !a || b.eval_top1 > a.eval_top1 ? b : a, null);
  byId("title").textContent = configuration.model + " with " + configuration.activation + " on " + configuration.data;
  const began = environment && environment.sessions.length ? environment.sessions[0].started.slice(0, 10) + ", " : "";
  byId("subtitle").textContent = began + "run " + data.name + ", " + metrics.length + " of " + configuration.epochs + " epochs" +
    (environment && environment.outcome !== "completed" ? ", " + environment.outcome : "");
  const seconds = metrics.reduce((sum, row) => sum + (row.seconds || 0), 0);
  facts(byId("facts"), [
    ["Best eval top-1", best ? percent(best.eval_top1) : null],
    ["Best epoch", best ? String(best.epoch) : null],
    ["Last eval top-1", last ? percent(last.eval_top1) : null],
    ["Last eval loss", last ? digits(last.eval_loss, 4) : null],
    ["Last W2²", last && configuration.activation === "velu" ? number(last.w2) : null],
    ["Images/s", last ? number(Math.round(last.images_per_second)) : null],
    ["Training time", metrics.length ? duration(seconds) : null],
    ["Parameters", environment ? number(environment.parameters) : null],
    ["Planned memory", environment ? bytes(environment.planned_memory_bytes) : null]
  ]);
}

function curves() {
  const parent = document.querySelector("#curves .charts");
  if (!last) {
    parent.append(note("No epoch is finished yet."));
    return;
  }
  const range = epochs(metrics.length);
  const draw = (title, hint, y, lines, options = {}) => {
    const columns = [{title: "Epoch", value: row => row, number: true}].concat(lines().map(line => ({
      title: line.label || title,
      number: true,
      value: row => (line.points.find(point => point.x === row) || {}).y,
      text: row => (options.format || number)((line.points.find(point => point.x === row) || {}).y)
    })));
    chart(parent, title, hint, "Over " + metrics.length + " epochs; " + lines().map(line => (line.label || "") + " from " +
      number(line.points[0].y) + " to " + number(line.points[line.points.length - 1].y)).join(", "),
    () => lineChart(lines(), "epoch", y, Object.assign({x: range}, options)), columns, metrics.map(row => row.epoch));
  };
  draw("Loss", "Cross-entropy; in training as the images were augmented", "", () => [
    {label: "train", points: of("train_loss")},
    {label: "eval", points: of("eval_loss")}
  ]);
  draw("Accuracy", "Images classified correctly", "%", () => [
    {label: "train top-1", points: inPercent("train_top1")},
    {label: "eval top-1", points: inPercent("eval_top1")},
    {label: "eval top-5", points: inPercent("eval_top5"), dashed: true}
  ], {format: value => digits(value, 2)});
  if (metrics.some(row => row.w2 !== 0)) {
    draw("W2²", "Squared Wasserstein-2 distance of the activations to a standard normal distribution, mean over the sites", "",
      () => [{label: "W2²", points: of("w2"), color: series(2)}]);
  }
  draw("Learning rate", "Of the last step of each epoch", "", () => [{label: "learning rate", points: of("learning_rate"), color: series(3)}],
    {y: {beginAtZero: true}});
  draw("Speed", "Training images per second", "images/s", () => [{label: "images/s", points: of("images_per_second"), color: series(4)}],
    {y: {beginAtZero: true}});
}

// Evaluation image by image

const evaluation = data.evaluation;
const largestMatrix = 20;

function classStatistics() {
  const statistics = evaluation.classes.map((name, i) => ({name, index: i, images: 0, correct: 0, predicted: 0, confused: null, most: 0}));
  for (const [actual, predicted, count] of evaluation.confusion) {
    statistics[actual].images += count;
    statistics[predicted].predicted += count;
    if (actual === predicted) statistics[actual].correct += count;
    else if (count > statistics[actual].most) Object.assign(statistics[actual], {most: count, confused: evaluation.classes[predicted]});
  }
  statistics.forEach(row => {
    row.recall = row.images ? row.correct / row.images : null;
    row.precision = row.predicted ? row.correct / row.predicted : null;
  });
  return statistics;
}

function confusion() {
  const section = byId("confusion");
  section.append(note("The " + number(evaluation.images) + " evaluation images after epoch " + evaluation.epoch +
    ", the best one. A row is a class as labelled, a column a class as predicted."));
  if (evaluation.classes.length <= largestMatrix) section.append(matrixTable());
  else section.append(matrixPicture());
  const pairs = evaluation.confusion.filter(([actual, predicted]) => actual !== predicted)
    .sort((a, b) => b[2] - a[2]).slice(0, 10);
  if (pairs.length) {
    section.append(element("h3", {}, "Most frequent mistakes"), table("Most frequent mistakes", [
      {title: "Class", value: pair => evaluation.classes[pair[0]]},
      {title: "taken for", value: pair => evaluation.classes[pair[1]]},
      {title: "Images", value: pair => pair[2], number: true}
    ], pairs, {whole: true, quiet: true}));
  }
}

function shares() {
  const statistics = classStatistics();
  return evaluation.confusion.map(([actual, predicted, count]) => ({actual, predicted, count, share: count / statistics[actual].images}));
}

function matrixTable() {
  const cells = new Map(shares().map(cell => [cell.actual + " " + cell.predicted, cell]));
  const heads = evaluation.classes.map(name => element("th", {scope: "col", class: "top"}, name));
  const rows = evaluation.classes.map((name, actual) => element("tr", {}, element("th", {scope: "row"}, name),
    evaluation.classes.map((_, predicted) => {
      const cell = cells.get(actual + " " + predicted);
      const strength = cell ? (0.08 + 0.72 * cell.share).toFixed(3) : 0;
      return element("td", {
        class: actual === predicted ? "right" : null,
        style: cell ? "background: rgba(var(--heat), " + strength + ");" + (strength > 0.62 ? "color: var(--paper)" : "") : null
      }, cell ? String(cell.count) : "");
    })));
  return element("div", {class: "scroll whole", tabindex: "0", role: "region", "aria-label": "Confusion matrix"},
    element("table", {class: "matrix"}, element("caption", {}, "Confusion matrix: labelled class by row, predicted class by column"),
      element("thead", {}, element("tr", {}, element("td", {}), heads)), element("tbody", {}, rows)));
}

/** With many classes: one small square per cell. */
function matrixPicture() {
  const classes = evaluation.classes.length;
  const side = Math.max(2, Math.floor(640 / classes));
  const canvas = element("canvas", {
    role: "img", width: classes * side, height: classes * side, style: "width: 100%; max-width: 40rem; image-rendering: pixelated",
    "aria-label": "Confusion matrix of " + classes + " classes; the tables below give the numbers"
  });
  const paint = () => {
    const context = canvas.getContext("2d");
    context.fillStyle = color("paper");
    context.fillRect(0, 0, canvas.width, canvas.height);
    for (const cell of shares()) {
      context.fillStyle = "rgba(" + color("heat") + ", " + (0.15 + 0.85 * cell.share) + ")";
      context.fillRect(cell.predicted * side, cell.actual * side, side, side);
    }
  };
  paint();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  return element("figure", {}, element("figcaption", {}, "Confusion matrix",
    element("span", {class: "hint"}, "Darker or brighter: a larger share of the row's class")), canvas);
}

function classes() {
  byId("classes").append(note("Recall: of the images of a class, those recognized. Precision: of the images taken for it, those that are. " +
    "A click on a title sorts."), table("Accuracy by class", [
    {title: "Class", value: row => row.name},
    {title: "Images", value: row => row.images, number: true},
    {title: "Recall", value: row => row.recall, text: row => percent(row.recall, 1), number: true},
    {title: "", value: row => row.recall, node: row => element("span", {class: "track", "aria-hidden": "true"},
      element("span", {class: "bar", style: "width: " + 100 * (row.recall || 0) + "%"}))},
    {title: "Precision", value: row => row.precision, text: row => percent(row.precision, 1), number: true},
    {title: "Most often taken for", value: row => row.confused}
  ], classStatistics(), {sortable: true, quiet: true}));
}

function samples() {
  const section = byId("samples");
  const show = (title, kind, list) => {
    if (!list.length) return;
    section.append(element("h3", {}, title), element("ul", {class: "samples"}, list.map(sample => {
      const actual = evaluation.classes[sample.actual];
      const predicted = evaluation.classes[sample.predicted];
      const image = sample.image === null ? element("span", {class: "missing"}) :
        element("img", {src: sample.image, alt: actual + ", predicted " + predicted, title: sample.name});
      if (sample.image !== null) image.addEventListener("load", () => image.classList.toggle("pixels", image.naturalWidth < 64));
      return element("li", {class: kind}, image, element("div", {class: "predicted"}, predicted + ", " + percent(sample.confidence, 1)),
        element("div", {}, sample.actual === sample.predicted ? "image " + sample.index : "is " + actual + ", image " + sample.index));
    })));
  };
  show("Most confidently wrong", "wrong", evaluation.samples.filter(sample => sample.actual !== sample.predicted));
  show("Right", "right", evaluation.samples.filter(sample => sample.actual === sample.predicted));
}

// What the activations do

const quantities = [
  {name: "lambda", title: "λ", hint: "VeLU's trained scale; it starts at 1", velu: true},
  {name: "w2", title: "W2²", hint: "Squared Wasserstein-2 distance of the activations to a standard normal distribution"},
  {name: "std", title: "Standard deviation", hint: "Of the activations, before λ"},
  {name: "mean", title: "Mean", hint: "Of the activations, before λ"},
  {name: "scale_mean", title: "Adaptive scale", hint: "Mean over the rows; the table gives the range", velu: true},
  {name: "dead", title: "Dead units (%)", hint: "Channels that are zero for every row of the batch", value: row => 100 * row.dead_units / row.units},
  {name: "saturated", title: "Saturated (%)", hint: "Elements where the function is flat: for VeLU its asin part, for ReLU the negative side",
    value: row => isNumber(row.saturated) ? 100 * row.saturated : null}
];

function activations() {
  const rows = data.activations;
  if (!rows.length) return;
  const section = byId("activations");
  const sites = [...new Set(rows.map(row => row.site))];
  const measured = [...new Set(rows.map(row => row.epoch))].sort((a, b) => a - b);
  const velu = rows.some(row => row.activation === "velu");
  const shown = quantities.filter(quantity => velu || !quantity.velu);
  const value = (quantity, row) => quantity.value ? quantity.value(row) : row[quantity.name];
  section.append(note("Measured after every epoch on one batch of evaluation images, at each of the " + sites.length +
    " activation sites in the order in which the network runs."));
  const options = list => list.map(([id, text]) => element("option", {value: id}, text));
  const quantityChoice = element("select", {}, options(shown.map((quantity, i) => [i, quantity.title])));
  const siteChoice = element("select", {}, options([["", "all sites"]].concat(sites.map(site => [site, site]))));
  section.append(element("label", {class: "choice"}, "Quantity", quantityChoice), element("label", {class: "choice"}, "Site", siteChoice));
  const charts = element("div", {class: "charts"});
  section.append(charts);
  const chosen = () => shown[Number(quantityChoice.value)];
  const overTime = () => {
    const byEpoch = measured.map(epoch => rows.filter(row => row.epoch === epoch && (!siteChoice.value || row.site === siteChoice.value))
      .map(row => value(chosen(), row)).filter(isNumber).sort((a, b) => a - b));
    const line = pick => measured.map((epoch, i) => ({x: epoch, y: byEpoch[i].length ? pick(byEpoch[i]) : null}));
    if (siteChoice.value) return [{label: siteChoice.value, points: line(list => list[0])}];
    return [
      {label: "median over the sites", points: line(list => list[Math.floor(list.length / 2)])},
      {label: "", points: line(list => list[0]), invisible: true},
      {label: "smallest to largest", points: line(list => list[list.length - 1]), color: series(0), fill: "-1", invisible: true}
    ];
  };
  const byDepth = () => [...new Set([measured[0], measured[measured.length - 1]])].map((epoch, i, all) => ({
    label: "epoch " + epoch,
    color: series(all.length - 1 - i),
    dashed: i < all.length - 1,
    points: sites.map((site, depth) => {
      const row = rows.find(candidate => candidate.epoch === epoch && candidate.site === site);
      return {x: depth + 1, y: row ? value(chosen(), row) : null};
    })
  }));
  const first = chart(charts, "Over the epochs", "The chosen quantity", "Range over the sites of the chosen quantity",
    () => lineChart(overTime(), "epoch", chosen().title, {x: epochs(Math.max(...measured))}));
  const second = chart(charts, "Over the depth of the network", "Sites from the first to the last", "The chosen quantity, site by site",
    () => lineChart(byDepth(), "site", chosen().title, {x: {min: 1, max: Math.max(2, sites.length), ticks: {precision: 0}}}));
  const hint = note();
  section.append(hint);
  const choose = () => {
    hint.textContent = chosen().title + ": " + chosen().hint + ".";
    first.redraw();
    second.redraw();
  };
  quantityChoice.addEventListener("change", choose);
  siteChoice.addEventListener("change", choose);
  choose();
  const final = rows.filter(row => row.epoch === measured[measured.length - 1]);
  const column = (title, field) => ({title, number: true, value: row => row[field], text: row => number(row[field])});
  section.append(element("h3", {}, "After epoch " + measured[measured.length - 1]), table("Activation sites", [
    {title: "#", number: true, value: row => sites.indexOf(row.site) + 1},
    {title: "Site", value: row => row.site, node: row => element("code", {}, row.site)},
    {title: "Function", value: row => row.activation},
    ...(velu ? [column("λ", "lambda")] : []),
    column("W2²", "w2"), column("Mean", "mean"), column("Std", "std"),
    ...(velu ? [column("Scale min", "scale_min"), column("Scale max", "scale_max")] : []),
    {title: "Dead units", number: true, value: row => row.dead_units, text: row => number(row.dead_units) + " of " + number(row.units)},
    {title: "Saturated", number: true, value: row => row.saturated, text: row => percent(row.saturated, 1)}
  ], final, {sortable: true, quiet: true}));
}

function activationFunction() {
  const curve = data.curve;
  if (!curve) return;
  const parent = document.querySelector("#function .charts");
  const points = (values, factor = 1) => curve.x.map((x, i) => ({x, y: factor * values[i]}));
  const finalEpoch = Math.max(0, ...data.activations.map(row => row.epoch));
  const lambdas = data.activations.filter(row => row.epoch === finalEpoch && row.activation === "velu")
    .map(row => row.lambda).filter(isNumber).sort((a, b) => a - b);
  const scaled = values => lambdas.length ? [
    {label: "median λ = " + number(lambdas[Math.floor(lambdas.length / 2)]), points: points(values, lambdas[Math.floor(lambdas.length / 2)])},
    {label: "", points: points(values, lambdas[0]), invisible: true},
    {label: "λ from " + number(lambdas[0]) + " to " + number(lambdas[lambdas.length - 1]),
      points: points(values, lambdas[lambdas.length - 1]), color: series(0), fill: "-1", invisible: true},
    {label: "λ = 1, the start", points: points(values), color: series(1), dashed: true}
  ] : [{label: configuration.activation === "velu" ? "λ = 1" : configuration.activation, points: points(values)}];
  const columns = field => [
    {title: "x", number: true, value: row => row.x, text: row => digits(row.x, 2)},
    {title: configuration.activation === "velu" ? "λ = 1" : "y", number: true, value: row => row[field], text: row => number(row[field])}
  ];
  const rows = curve.x.map((x, i) => ({x, y: curve.y[i], slope: curve.slope[i]})).filter((_, i) => i % 10 === 0);
  const range = {min: curve.x[0], max: curve.x[curve.x.length - 1], ticks: {stepSize: 1}};
  const hint = configuration.activation === "velu" ?
    "A row of channels with mean square 1, as batch normalization leaves it" : "";
  chart(parent, "Value", hint, "From x = -4 to 4", () => lineChart(scaled(curve.y), "x", "y", {x: range}), columns("y"), rows);
  chart(parent, "Gradient", configuration.activation === "velu" ? "At a fixed adaptive scale" : "", "From x = -4 to 4",
    () => lineChart(scaled(curve.slope), "x", "dy/dx", {x: range}), columns("slope"), rows);
  if (configuration.activation === "velu") {
    byId("function").append(note("α = " + number(configuration.alpha) + ", β₁ = " + number(configuration.beta1) + ", β₂ = " +
      number(configuration.beta2) + ", γ = " + number(configuration.gamma) + ", μ = " + number(configuration.mu) + ", ε = " +
      configuration.eps + ", statistic " + configuration.statistic + ", λ_OT = " + number(configuration.lambda_ot)));
  }
}

head();
curves();
if (evaluation) {
  confusion();
  classes();
  if (evaluation.samples.length) samples();
}
activations();
activationFunction();
byId("configuration").append(properties("What config.json holds", Object.entries(configuration)));
if (data.environment) {
  byId("environment").append(properties("The data and the network", [
    ["training images", number(data.environment.train_images)],
    ["evaluation images", number(data.environment.eval_images)],
    ["classes", number(data.environment.classes)],
    ["image size", data.environment.size + " × " + data.environment.size],
    ["parameters", number(data.environment.parameters)],
    ["planned memory", bytes(data.environment.planned_memory_bytes)],
    ["outcome", data.environment.outcome]
  ]));
  environmentTable(data.environment, byId("environment"));
}
finishSections();
