/* SPDX-License-Identifier: MIT */
/* Theme and keys. */
const themes = ["system", "light", "dark"];
const system_dark = matchMedia("(prefers-color-scheme: dark)");
let theme = "system";

/* The first one is set where the page begins, before anything is painted. */
function set_theme() {
  document.documentElement.dataset.theme = theme === "system" ? system_dark.matches ? "dark" : "light" : theme;
  $("theme").textContent = "Theme: " + theme;
  repaint();
}

function next_theme() {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  set_theme();
}

function repaint() {
  read_colours();
  if (selected >= 0) {
    show_memory(selected);
  }
}

/* ---- keys ---- */

function step_hit(by) {
  const next = by > 0 ? hits.find((index) => index > selected)
                      : hits.filter((index) => index < selected).pop();

  if (next !== undefined) {
    select(next);
  }
}

function clear_search() {
  show_all();
  show_row(selected);
  list.focus();
}

const page_rows = () => Math.max(1, Math.floor(list.clientHeight / ROW_PX) - 1);

const keys = {
  j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
  PageDown: () => move(page_rows()), PageUp: () => move(-page_rows()),
  g: () => select(shown_event(0)), Home: () => select(shown_event(0)),
  G: () => select(shown_event(shown_count() - 1)), End: () => select(shown_event(shown_count() - 1)),
  "/": () => {
    $("search").focus();
    $("search").select();
  },
  p: () => partner(selected) >= 0 && select(partner(selected)),
  n: () => step_hit(1), N: () => step_hit(-1),
  "[": () => step_change(false), "]": () => step_change(true),
  t: next_theme, "?": () => $("help").showModal(),
  Escape: () => shown && clear_search(),
};

/* These keys belong to what has the focus there: a list of its own, something that scrolls. */
const scrolls = new Set(["ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End"]);

function is_elsewhere(target, key) {
  if (target.matches("input[type=search], input[type=text]")) {
    return true;
  }
  return scrolls.has(key) && target !== list && target !== document.body;
}

function on_key(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || $("help").open ||
      is_elsewhere(event.target, event.key) || (!events.length && event.key !== "t" && event.key !== "?")) {
    return;
  }
  if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  } else if (event.key >= "1" && event.key <= String(tabs.length)) {
    open_tab(tabs[Number(event.key) - 1], true);
  }
}

function search_key(event) {
  if (event.key === "Escape") {
    event.preventDefault();
    clear_search();
  } else if (event.key === "Enter" || event.key === "ArrowDown") {
    event.preventDefault();
    list.focus();
  }
}

/* A range of text may be selected by dragging over rows without another event being shown. */
function list_click(event) {
  const row = event.target.closest(".row");

  if (row && getSelection().isCollapsed) {
    select(Number(row.dataset.index), true);
    list.focus({preventScroll: true});
  }
}
