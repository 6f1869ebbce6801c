// The links under each figure: PNG, SVG, CSV.

/** Hands the reader a file. */
function saveFile(name, blob) {
  const address = URL.createObjectURL(blob);
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Saves what a figure shows as CSV. */
function saveCsv(figure) {
  saveFile(`${figure.name}.csv`, new Blob([csvOf(figure.kind.rows(figure))], { type: "text/csv" }));
}

/** Saves a Plotly figure as an image. */
async function savePlot(figure, format) {
  if (!figure.drawn) redraw(figure);
  await whenDrawn();
  const { clientWidth: width, clientHeight: height } = figure.plot;
  await Plotly.downloadImage(figure.plot, { format, filename: figure.name, width, height, scale: format === "png" ? 2 : 1 });
}

/** Saves a figure's canvases, side by side, as one PNG. */
function saveCanvases(figure) {
  const parts = [...figure.plot.querySelectorAll("canvas")];
  const size = 160;
  const sheet = el("canvas", { width: parts.length * size, height: size });
  const pen = sheet.getContext("2d");
  pen.imageSmoothingEnabled = false;
  parts.forEach((part, i) => pen.drawImage(part, i * size + 4, 4, size - 8, size - 8));
  sheet.toBlob((blob) => saveFile(`${figure.name}.png`, blob));
}

/** Adds the line of links under a figure. */
function addLinks(figure) {
  const link = (words, save) =>
    el("button", { type: "button", text: words, "aria-label": `Save ${figure.name} as ${words}`, on: { click: save } });
  const image = figure.kind.image ?? "plotly";
  const links = el("p", { class: "links" });
  if (image === "plotly") {
    links.append(link("PNG", () => savePlot(figure, "png")), link("SVG", () => savePlot(figure, "svg")));
  }
  if (image === "canvas") links.append(link("PNG", () => saveCanvases(figure)));
  links.append(link("CSV", () => saveCsv(figure)));
  figure.node.append(links);
}
