"use strict";

// The page of a comparison. data: {name, summary, metric, cells, configuration, environment}; see ComparisonReport.

const {summary, metric, cells} = data;
const decimals = metric.scale === 100 ? 2 : 4;
const scaled = value => isNumber(value) ? value * metric.scale : null;
const shownValue = value => digits(scaled(value), decimals);
const finished = cells.filter(cell => cell.result && cell.result.status === "ok");
const rowName = (model, set) => model === null && set === null ? "all together" : model + " on " + set;
const rows = summary.rows.map(row => ({name: rowName(row.model, row.data), row}));
const colorOf = activation => series(summary.activations.indexOf(activation));

function head() {
  const models = [...new Set(cells.map(cell => cell.model))];
  const sets = [...new Set(cells.map(cell => cell.data))];
  const seeds = [...new Set(cells.map(cell => cell.seed))];
  const failed = cells.filter(cell => cell.result && cell.result.status === "failed").length;
  byId("title").textContent = summary.activations.join(", ") + " compared";
  byId("subtitle").textContent = "Comparison " + data.name + ": " + models.join(", ") + " on " + sets.join(", ") + ", by " + metric.title +
    " of the " + summary.epoch + " epoch";
  const seconds = cells.reduce((sum, cell) => sum + (cell.result && cell.result.seconds || 0), 0);
  facts(byId("facts"), [
    ["Cells finished", finished.length + " of " + cells.length],
    ["Failed", failed ? element("span", {class: "failed"}, String(failed)) : null],
    ["Activations", String(summary.activations.length)],
    ["Models", String(models.length)],
    ["Data sets", String(sets.length)],
    ["Seeds", String(seeds.length)],
    ["Training time", seconds ? duration(seconds) : null]
  ]);
}

function meanAndSpread(group) {
  if (!group || !isNumber(group.mean)) return missing;
  return shownValue(group.mean) + (isNumber(group.std) ? " ± " + shownValue(group.std) : "");
}

function results() {
  const section = byId("table");
  const groupOf = (entry, activation) => entry.row.groups.find(group => group.activation === activation);
  section.append(note("Mean ± standard deviation over the seeds of " + metric.title + ", " + summary.epoch + " epoch; " +
    (metric.higher_is_better ? "higher" : "lower") + " is better. " + (summary.epoch === "best" ?
      "The best epoch was chosen on the images it is reported on, which flatters all of them." : "")));
  section.append(table("Results", [
    {title: "Model and data", value: entry => entry.name},
    ...summary.activations.map(activation => ({
      title: activation,
      number: true,
      value: entry => (groupOf(entry, activation) || {}).mean,
      text: entry => {
        const group = groupOf(entry, activation);
        const partial = group && group.values.length < group.planned && group.values.length > 0;
        return meanAndSpread(group) + (partial ? " (" + group.values.length + " of " + group.planned + ")" : "");
      },
      best: entry => (groupOf(entry, activation) || {}).best
    }))
  ], rows, {whole: true, quiet: true}));
  const ranks = summary.ranks.filter(rank => isNumber(rank.rank));
  if (ranks.length > 1) {
    section.append(element("h3", {}, "Mean rank"), table("Mean rank over the rows where every activation has a result; 1 is best", [
      {title: "Activation", value: rank => rank.activation},
      {title: "Mean rank", value: rank => rank.rank, text: rank => digits(rank.rank, 2), number: true},
      {title: "Rows", value: rank => rank.rows, number: true}
    ], [...ranks].sort((a, b) => a.rank - b.rank), {whole: true}));
  }
}

/** Draws a line through each bar from mean - std to mean + std. */
const errorBars = {
  id: "errorBars",
  afterDatasetsDraw(drawnChart) {
    const context = drawnChart.ctx;
    context.save();
    context.strokeStyle = color("ink");
    context.lineWidth = 1.5;
    drawnChart.data.datasets.forEach((dataset, i) => {
      if (!dataset.spread || !drawnChart.isDatasetVisible(i)) return;
      drawnChart.getDatasetMeta(i).data.forEach((bar, j) => {
        const spread = dataset.spread[j];
        const mean = dataset.data[j];
        if (!isNumber(spread) || !isNumber(mean)) return;
        const scale = drawnChart.scales.x;
        const [low, high] = [scale.getPixelForValue(mean - spread), scale.getPixelForValue(mean + spread)];
        context.beginPath();
        context.moveTo(low, bar.y);
        context.lineTo(high, bar.y);
        for (const end of [low, high]) {
          context.moveTo(end, bar.y - 4);
          context.lineTo(end, bar.y + 4);
        }
        context.stroke();
      });
    });
    context.restore();
  }
};

function bars() {
  const parent = document.querySelector("#bars .charts");
  for (const {name, row} of rows) {
    const groups = row.groups.filter(group => isNumber(group.mean));
    if (!groups.length) continue;
    const ends = groups.flatMap(group => [group.mean - (group.std || 0), group.mean + (group.std || 0)]).map(scaled);
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    const margin = (high - low || Math.abs(high) || 1) * 0.35;
    chart(parent, name, metric.title + ", mean and standard deviation; the axis need not begin at 0",
      groups.map(group => group.activation + " " + meanAndSpread(group)).join(", "), () => ({
        type: "bar",
        data: {
          labels: groups.map(group => group.activation),
          datasets: [{
            data: groups.map(group => scaled(group.mean)),
            spread: groups.map(group => scaled(group.std)),
            backgroundColor: groups.map(group => faint(colorOf(group.activation), 0.65)),
            maxBarThickness: 28
          }]
        },
        options: {
          indexAxis: "y",
          scales: {
            x: axis(metric.title, {min: low - margin <= 0 && low >= 0 ? 0 : Number((low - margin).toPrecision(3)), max: metric.scale === 100 ?
              Math.min(100, Number((high + margin).toPrecision(3))) : undefined}),
            y: axis("")
          },
          plugins: {legend: {display: false}, tooltip: {callbacks: {label: item => meanAndSpread(groups[item.dataIndex])}}}
        },
        plugins: [errorBars]
      }), [
        {title: "Activation", value: group => group.activation},
        {title: "Mean ± std", value: group => group.mean, text: meanAndSpread, number: true},
        {title: "Seeds", value: group => group.values.length, number: true}
      ], groups, true);
  }
}

/** The metric itself over the epochs, one colour per activation: the mean over the seeds, and the range as a band. */
function curves() {
  const parent = document.querySelector("#curves .charts");
  const field = cells.some(cell => cell.history.some(line => isNumber(line[metric.label]))) ? metric.label : "eval_top1";
  for (const {name, row} of rows) {
    const own = cells.filter(cell => cell.model === row.model && cell.data === row.data && cell.history.length);
    if (!own.length) continue;
    const count = Math.max(...own.map(cell => cell.history.length));
    const statistics = summary.activations.map(activation => {
      const histories = own.filter(cell => cell.activation === activation).map(cell => cell.history);
      return {
        activation,
        seeds: histories.length,
        epochs: Array.from({length: count}, (_, epoch) => {
          const values = histories.map(history => history[epoch]).filter(Boolean).map(line => scaled(line[field])).filter(isNumber);
          return values.length ? {
            x: epoch + 1, low: Math.min(...values), high: Math.max(...values), mean: values.reduce((sum, value) => sum + value, 0) / values.length
          } : null;
        }).filter(Boolean)
      };
    }).filter(entry => entry.epochs.length);
    const lines = () => statistics.flatMap(({activation, seeds, epochs: points}) => {
      const stroke = colorOf(activation);
      const mean = {label: activation, color: stroke, points: points.map(point => ({x: point.x, y: point.mean}))};
      return seeds < 2 ? [mean] : [mean,
        {label: "", color: stroke, invisible: true, points: points.map(point => ({x: point.x, y: point.low}))},
        {label: "", color: stroke, invisible: true, fill: "-1", points: points.map(point => ({x: point.x, y: point.high}))}];
    });
    chart(parent, name, metric.title + ", mean and range over the seeds", "Over " + count + " epochs; last: " +
      statistics.map(entry => entry.activation + " " + number(entry.epochs[entry.epochs.length - 1].mean)).join(", "),
    () => lineChart(lines(), "epoch", metric.title, {x: epochs(count), format: value => digits(value, decimals)}), [
      {title: "Epoch", value: epoch => epoch, number: true},
      ...statistics.map(entry => ({title: entry.activation, number: true, value: epoch => (entry.epochs.find(point => point.x === epoch) || {}).mean,
        text: epoch => digits((entry.epochs.find(point => point.x === epoch) || {}).mean, decimals)}))
    ], Array.from({length: count}, (_, epoch) => epoch + 1));
  }
}

function cost() {
  const parent = document.querySelector("#cost .charts");
  const points = summary.activations.map(activation => ({
    activation,
    points: finished.filter(cell => cell.activation === activation).map(cell => {
      const line = cell.result[summary.epoch];
      return {x: cell.result.seconds, y: line ? scaled(line[metric.label]) : null, cell};
    }).filter(point => isNumber(point.x) && isNumber(point.y))
  })).filter(entry => entry.points.length);
  if (!points.length) return;
  const pictured = ["circle", "triangle", "rect", "rectRot", "star", "cross"];
  chart(parent, "Time and result", "A point is a cell; times of cells that ran beside others do not compare", finished.length + " cells", () => ({
    type: "scatter",
    data: {
      datasets: points.map(entry => ({
        label: entry.activation, data: entry.points, borderColor: colorOf(entry.activation), backgroundColor: faint(colorOf(entry.activation), 0.6),
        pointStyle: pictured[summary.activations.indexOf(entry.activation) % pictured.length], pointRadius: 5, pointBorderWidth: 1.5
      }))
    },
    options: {
      scales: {x: axis("seconds", {beginAtZero: true}), y: axis(metric.title)},
      plugins: {
        legend: Object.assign(legend(true), {labels: {usePointStyle: true, boxHeight: 7}}),
        tooltip: {callbacks: {label: item => item.raw.cell.id + ": " + digits(item.parsed.y, decimals) + ", " + duration(item.parsed.x)}}
      }
    }
  }));
}

const shownDifference = value => (value > 0 ? "+" : "") + digits(value, decimals);

function differences(parent) {
  const overall = summary.tests.some(test => test.model === null);
  const pairs = summary.tests.filter(test => (test.model === null || !overall) && test.differences && test.differences.length);
  if (!pairs.length) return;
  chart(parent, "Paired differences", summary.baseline + " minus the other, same model, data and seed; line: the mean", pairs.map(test =>
    test.other + " " + shownValue(test.mean_difference)).join(", "), () => ({
    type: "scatter",
    data: {
      datasets: pairs.flatMap((test, i) => [
        {data: test.differences.map((value, j, all) => ({x: scaled(value), y: i + (all.length > 1 ? 0.24 * (j / (all.length - 1) - 0.5) : 0)})),
          backgroundColor: faint(colorOf(test.other), 0.6), borderColor: colorOf(test.other), pointRadius: 4},
        {type: "line", data: [{x: scaled(test.mean_difference), y: i - 0.3}, {x: scaled(test.mean_difference), y: i + 0.3}],
          borderColor: color("ink"), borderWidth: 2, pointRadius: 0, pointHitRadius: 0}
      ])
    },
    options: {
      scales: {
        x: axis("difference of " + metric.title, {grid: {color: context => context.tick && context.tick.value === 0 ? color("ink") : color("line")}}),
        y: axis("", {min: -0.5, max: pairs.length - 0.5, reverse: true, afterBuildTicks: scale => { scale.ticks = pairs.map((_, i) => ({value: i})); },
          ticks: {callback: value => pairs[value] ? pairs[value].other : ""}, grid: {display: false}})
      },
      plugins: {legend: {display: false}, tooltip: {callbacks: {label: item => shownDifference(item.parsed.x)}}}
    }
  }));
}

function tests() {
  const section = byId("tests");
  if (!summary.tests.length) return;
  section.append(note(summary.baseline + " against every other activation, paired by model, data and seed. p: two-sided paired t-test and Wilcoxon " +
    "signed-rank test, each with Holm's correction over the comparisons of the same kind; d: Cohen's d of the differences. " +
    "With few seeds a test finds only large differences."));
  const charts = element("div", {class: "charts"});
  section.append(charts);
  differences(charts);
  if (!charts.hasChildNodes()) charts.remove();
  const holm = (test, kind) => test[kind + "_p_holm"];
  section.append(table("Paired tests", [
    {title: "Where", value: test => rowName(test.model, test.data)},
    {title: "Against", value: test => test.other},
    {title: "Pairs", value: test => test.pairs, number: true},
    {title: "Difference", value: test => test.mean_difference, number: true,
      text: test => isNumber(test.mean_difference) ? shownDifference(scaled(test.mean_difference)) : missing},
    {title: "95 % interval", value: test => test.low, number: true,
      text: test => isNumber(test.low) ? shownDifference(scaled(test.low)) + " to " + shownDifference(scaled(test.high)) : missing},
    {title: "d", value: test => test.effect_size, text: test => digits(test.effect_size, 2), number: true},
    {title: "p (t)", value: test => test.t_p, text: test => probability(test.t_p), number: true},
    {title: "p (t, Holm)", value: test => holm(test, "t"), text: test => probability(holm(test, "t")), number: true,
      best: test => isNumber(holm(test, "t")) && holm(test, "t") < 0.05},
    {title: "p (Wilcoxon, Holm)", value: test => holm(test, "wilcoxon"), text: test => probability(holm(test, "wilcoxon")), number: true,
      best: test => isNumber(holm(test, "wilcoxon")) && holm(test, "wilcoxon") < 0.05},
    {title: "Note", value: test => test.note || ""}
  ], summary.tests, {quiet: true}));
  const friedman = summary.friedman;
  if (friedman) {
    section.append(note(isNumber(friedman.p) ? "Friedman test over " + friedman.treatments + " activations in " + friedman.blocks + " blocks: χ² = " +
      digits(friedman.statistic, 3) + ", " + friedman.degrees_of_freedom + " degrees of freedom, p = " + probability(friedman.p) :
      "Friedman test: " + (friedman.note || "not computed")));
  }
}

function cellTable() {
  const section = byId("cells");
  const failed = cells.filter(cell => cell.result && cell.result.error);
  if (failed.length) {
    section.append(element("h3", {}, "Not finished"), table("Cells that failed or were interrupted", [
      {title: "Cell", value: cell => cell.id},
      {title: "Status", value: cell => cell.result.status, node: cell => element("span", {class: "failed"}, cell.result.status)},
      {title: "Reason", value: cell => cell.result.error}
    ], failed, {whole: true}));
  }
  const result = (cell, field) => cell.result ? cell.result[field] : null;
  section.append(table("All cells; a click on a title sorts", [
    {title: "Cell", value: cell => cell.id, node: cell => cell.link ? element("a", {href: cell.link}, cell.id) : cell.id},
    {title: "Seed", value: cell => cell.seed, number: true},
    {title: "Status", value: cell => result(cell, "status") || "not run",
      node: cell => element("span", {class: result(cell, "status") === "failed" ? "failed" : null}, result(cell, "status") || "not run")},
    {title: "Epochs", value: cell => result(cell, "epochs"), number: true},
    {title: metric.title, number: true, value: cell => (result(cell, summary.epoch) || {})[metric.label],
      text: cell => shownValue((result(cell, summary.epoch) || {})[metric.label])},
    {title: "Time", value: cell => result(cell, "seconds"), text: cell => duration(result(cell, "seconds")), number: true},
    {title: "Images/s", value: cell => result(cell, "images_per_second"),
      text: cell => number(Math.round(result(cell, "images_per_second") ?? NaN)), number: true},
    {title: "Planned", value: cell => result(cell, "planned_memory_bytes"), text: cell => bytes(result(cell, "planned_memory_bytes")), number: true},
    {title: "Peak", value: cell => result(cell, "peak_memory_bytes"), text: cell => bytes(result(cell, "peak_memory_bytes")), number: true},
    {title: "Parameters", value: cell => result(cell, "parameters"), text: cell => number(result(cell, "parameters")), number: true}
  ], cells, {sortable: true}));
}

head();
results();
bars();
curves();
cost();
tests();
cellTable();
byId("configuration").append(note("Settings of all cells; of those that differ from cell to cell, every value."),
  properties("Settings", Object.entries(data.configuration)));
if (data.environment) environmentTable(data.environment, byId("environment"));
finishSections();
