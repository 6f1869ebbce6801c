// Buttons of tables that choose a list.

/** Has every button with a list's number choose that list, at its first wrong prediction if it has one. */
function startListButtons() {
  for (const button of document.querySelectorAll("[data-list]")) {
    const list = Number.parseInt(button.dataset.list, 10);
    if (!LISTS[list]) button.disabled = true;
    button.addEventListener("click", () => {
      const { tokens, right_at: rightAt } = LISTS[list];
      const wrong = rightAt.indexOf(false);
      const query = PREDICTED[Math.max(wrong, 0)];
      setState({ list, query, key: null, token: tokens[query] });
      scrollToId("attention");
    });
  }
}
