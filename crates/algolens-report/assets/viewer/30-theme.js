// Light and dark, and the colours that mean things.

const HEAD_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442"];
const WRONG_MARK = "#D55E00";
const DIVERGING = [
  [0, "#08519c"], [0.25, "#6baed6"], [0.45, "#e3eef8"], [0.5, "#ffffff"],
  [0.55, "#fde9e2"], [0.75, "#f27e63"], [1, "#a50f15"],
];
// The upper half of the scale above.
const POSITIVE = DIVERGING.filter(([at]) => at >= 0.5).map(([at, colour]) => [2 * at - 1, colour]);
const CERTIFIED = "#5ab4ac";
const REFUTED = [[0, "#fdd9b8"], [0.45, "#fdae6b"], [0.75, "#e6550d"], [1, "#7f2704"]];
const THEME_KEY = "algolens-theme";

/** Returns the one colour of a head, by its place among all heads. */
function headColour(head) {
  const turn = head % (HEAD_COLOURS.length + 1);
  return HEAD_COLOURS[turn] ?? (isDark() ? "#ffffff" : "#000000");
}

/** Returns a head's colour with an opacity. */
function headTint(head, opacity) {
  const [red, green, blue] = headColour(head).match(/\w\w/g).map((pair) => Number.parseInt(pair, 16));
  return `rgba(${red}, ${green}, ${blue}, ${opacity})`;
}

/** Returns the colour that a CSS variable has in the present theme. */
function cssColour(variable) {
  const probe = el("span");
  probe.style.color = `var(${variable})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

let paletteCache = null;

/** Returns the theme's colours as Plotly takes them. */
function palette() {
  paletteCache ??= {
    ink: cssColour("--ink"),
    soft: cssColour("--soft"),
    rule: cssColour("--rule"),
    paper: cssColour("--paper"),
    blank: cssColour("--blank"),
    series: ["--series-1", "--series-2", "--series-3", "--series-4"].map(cssColour),
    verdicts: ["--right", "--as-control", "--between", "--fails", "--series-3"].map(cssColour),
  };
  return paletteCache;
}

/** Says whether the page is dark at present. */
function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Reads the theme that the reader chose earlier, if any. */
function storedTheme() {
  try {
    const theme = localStorage.getItem(THEME_KEY);
    return theme === "light" || theme === "dark" ? theme : null;
  } catch {
    return null;
  }
}

/** Keeps the chosen theme where the browser allows it. */
function storeTheme(theme) {
  try {
    localStorage.setItem(THEME_KEY, theme);
  } catch {
    // The choice then lasts as long as the page.
  }
}

/** Applies a theme ("light", "dark", or null to follow the system) without redrawing. */
function applyTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  paletteCache = null;
}

/** Redraws all that carries colours of the theme. */
function repaint() {
  paletteCache = null;
  redrawStrip();
  redrawDrawn();
}

/** Starts the theme: the stored choice, the button, and the system's changes. */
function startTheme() {
  applyTheme(storedTheme());
  document.getElementById("theme")?.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    storeTheme(theme);
    applyTheme(theme);
    repaint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
}
