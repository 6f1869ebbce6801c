// The kind `training`: loss and accuracy by epoch.

const EPOCH_FIELDS = ["epoch", "train_loss", "validation_loss", "train_accuracy", "validation_accuracy", "best"];

const CURVES = [
  { field: "train_loss", name: "loss, train", axis: "y", dash: "solid", series: 0 },
  { field: "validation_loss", name: "loss, validation", axis: "y", dash: "dash", series: 1 },
  { field: "train_accuracy", name: "accuracy, train", axis: "y2", dash: "solid", series: 2 },
  { field: "validation_accuracy", name: "accuracy, validation", axis: "y2", dash: "dash", series: 3 },
];

/** Returns a named vertical line at the kept epoch, its words on the side with more room. */
function bestMark(epoch, last) {
  const { ink, soft } = palette();
  const late = epoch > last / 2;
  return {
    shapes: [{ type: "line", xref: "x", yref: "paper", x0: epoch, x1: epoch, y0: 0, y1: 1, line: { color: ink, width: 1, dash: "dot" } }],
    annotations: [{
      xref: "x",
      yref: "paper",
      x: epoch,
      y: 0.5,
      yanchor: "middle",
      xanchor: late ? "right" : "left",
      xshift: late ? -4 : 4,
      text: `epoch ${epoch} kept`,
      showarrow: false,
      font: { size: 12, color: soft },
    }],
  };
}

/** Returns the records of the epochs. */
function epochRecords() {
  return matrix("history").map((row) => Object.fromEntries(EPOCH_FIELDS.map((field, i) => [field, row[i]])));
}

KINDS.training = {
  reads: [],
  missing: () => lacks("history"),

  /** Draws loss above accuracy, the kept epoch as a vertical line. */
  draw(figure) {
    const history = epochRecords();
    const { series } = palette();
    const epochs = history.map((row) => row.epoch);
    const traces = CURVES.map((curve) => ({
      type: "scatter",
      mode: "lines",
      name: curve.name,
      x: epochs,
      y: history.map((row) => row[curve.field]),
      yaxis: curve.axis,
      line: { dash: curve.dash, width: 2, color: series[curve.series] },
    }));
    const best = history.findLast((row) => row.best);
    const marks = best && bestMark(best.epoch, epochs.at(-1));
    return drawPlot(figure, traces, {
      margin: { l: 62, r: 8, t: 44, b: 44 },
      hovermode: "x unified",
      hoverlabel: {},
      xaxis: axis({ title: "epoch", anchor: "y2" }),
      yaxis: axis({ title: "loss (log)", type: "log", domain: [0.55, 1], dtick: 1, exponentformat: "power" }),
      yaxis2: axis({ title: "accuracy", domain: [0, 0.45], tickformat: ".0%" }),
      ...marks,
    });
  },

  rows: () => [EPOCH_FIELDS, ...matrix("history")],
};
