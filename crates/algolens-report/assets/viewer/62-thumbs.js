// The kind `thumbs`: a thumbnail of every head's pattern, to choose heads from.

/** Returns the controls of one head: a button that shows or hides it and a radio that makes it the main one. */
function thumb(figure, head) {
  const length = LISTS[0].tokens.length;
  const canvas = el("canvas", { width: length, height: length });
  const button = el("button", { type: "button", on: { click: (event) => (event.shiftKey ? setState({ main: head }) : toggleHead(head)) } },
    canvas, el("span", {}, headSwatch(head), HEADS[head]));
  button.setAttribute("aria-label", `Show head ${HEADS[head]}`);
  button.title = `Head ${HEADS[head]}: click shows or hides it, shift-click makes it the main head`;
  const main = radio(`${figure.name}-main`, "main", false, () => setState({ main: head }));
  main.querySelector("input").setAttribute("aria-label", `Main head ${HEADS[head]}`);
  return el("div", { class: "thumb" }, button, main);
}

/** Paints a head's pattern in the head's colour, one pixel for each weight. */
function paintThumb(canvas, head) {
  const rows = matrix("pattern", state.list, head);
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  rows.forEach((row, query) => row.forEach((weight, key) => {
    pen.fillStyle = headTint(head, weight ?? 0);
    pen.fillRect(key, query, 1, 1);
  }));
}

KINDS.thumbs = {
  reads: ["list", "heads", "main"],
  image: "canvas",
  missing: () => (LISTS.length === 0 ? "This report has no examples." : lacks("pattern")),

  /** Builds the thumbnails at their final size. */
  prepare(figure) {
    figure.plot.setAttribute("role", "group");
    figure.plot.append(...HEADS.map((_, head) => thumb(figure, head)));
  },

  /** Paints the patterns and marks the chosen heads. */
  draw(figure) {
    [...figure.plot.children].forEach((node, head) => {
      const shown = state.heads.includes(head);
      const button = node.querySelector("button");
      paintThumb(node.querySelector("canvas"), head);
      button.setAttribute("aria-pressed", shown);
      node.style.setProperty("--head", headColour(head));
      node.querySelector(".swatch").style.setProperty("--head", headColour(head));
      node.querySelector("input").checked = head === state.main;
    });
  },

  rows() {
    const list = currentList();
    const header = ["head", "query", "key", "weight"];
    return [header, ...HEADS.flatMap((name, head) => matrix("pattern", state.list, head).flatMap((row, query) =>
      row.map((weight, key) => [name, placeName(list, query), placeName(list, key), weight])))];
  },
};
