/* SPDX-License-Identifier: MIT */
/* From here. */
function start() {
  const asked = /^#([0-9]+)$/.exec(location.hash);
  const last = events.length - 1;

  show_head();
  prepare_memory();
  read_colours();
  slots.forEach(make_map);
  $("moment").max = Math.max(0, last);
  list.addEventListener("scroll", draw_list, {passive: true});
  list.addEventListener("click", list_click);
  new ResizeObserver(draw_list).observe(list);
  document.addEventListener("keydown", on_key);
  $("search").addEventListener("input", () => search($("search").value));
  $("search").addEventListener("keydown", search_key);
  $("moment").addEventListener("input", () => select(Number($("moment").value)));
  $("change-before").addEventListener("click", () => step_change(false));
  $("change-after").addEventListener("click", () => step_change(true));
  $("page-gpa").addEventListener("input", () => inspect(page_of($("page-gpa").value.trim())));
  $("ranges").addEventListener("toggle", () => $("ranges").open && show_ranges());
  $("theme").addEventListener("click", next_theme);
  $("help-open").addEventListener("click", () => $("help").showModal());
  $("tabs").addEventListener("keydown", tab_key);
  tabs.forEach((tab) => tab.addEventListener("click", () => open_tab(tab, false)));
  system_dark.addEventListener("change", set_theme);
  addEventListener("hashchange", () => {
    const now_asked = /^#([0-9]+)$/.exec(location.hash);

    if (now_asked && events.length) {
      select(Number(now_asked[1]));
    }
  });
  open_tab(tabs[0], false);
  search("");
  /* What went wrong is what most readers come for: else the end. */
  select(asked ? Number(asked[1]) : hits.length ? hits[0] : last);
  list.focus({preventScroll: true});
  performance.mark("shown");
}

start();
