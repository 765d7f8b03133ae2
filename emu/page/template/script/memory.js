/* SPDX-License-Identifier: MIT */
/* What each page of memory is at an event, from what it was at launch and the changes since. */
const memory = facts.memory;
const slots = memory.slots.map(([gpa, pages, first]) => ({gpa: BigInt(gpa), pages, first}));
const page_count = slots.reduce((sum, slot) => Math.max(sum, slot.first + slot.pages), 0);
const changes = memory.changes; /* [event, first time, last time, page, count, state] */
const now = new Uint16Array(page_count); /* the state of each page, once `applied` changes came */
let applied = 0;
const checkpoints = [];

function apply(to) {
  for (; applied < to; applied++) {
    const change = changes[applied];

    now.fill(change[5], change[3], change[3] + change[4]);
  }
}

/* How many changes have come when the event is over. */
function changes_until(index) {
  let low = 0, high = changes.length;

  while (low < high) {
    const middle = (low + high) >> 1;

    if (changes[middle][0] <= index) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

function prepare_memory() {
  const step = Math.max(1, Math.ceil(changes.length / CHECKPOINTS));

  for (const [page, pages, state] of memory.start) {
    now.fill(state, page, page + pages);
  }
  for (let i = 0; i <= changes.length; i += step) {
    apply(i);
    checkpoints.push({applied: i, pages: now.slice()});
  }
}

function go_to(index) {
  const wanted = changes_until(index);

  if (wanted < applied || wanted > applied + Math.ceil(changes.length / CHECKPOINTS)) {
    const near = checkpoints.filter((one) => one.applied <= wanted).pop();

    now.set(near.pages);
    applied = near.applied;
  }
  apply(wanted);
}

function state_of(page) {
  return memory.states[now[page]];
}

function kind_of(state) {
  return memory.kinds[state.kind];
}

function page_of(text) {
  let gpa;

  try {
    gpa = BigInt(text);
  } catch (error) {
    return -1;
  }
  for (const slot of slots) {
    const page = (gpa - slot.gpa) >> PAGE_SHIFT;

    if (page >= 0n && page < BigInt(slot.pages)) {
      return slot.first + Number(page);
    }
  }
  return -1;
}

function gpa_of(page) {
  for (const slot of slots) {
    if (page >= slot.first && page < slot.first + slot.pages) {
      return hex(slot.gpa + (BigInt(page - slot.first) << PAGE_SHIFT));
    }
  }
  return "?";
}

/* Below the names in VMPLS. */
function permission_text(state) {
  return state.assigned ? state.permissions.map((mask) =>
    [...PERMISSIONS].map((c, bit) => mask >> bit & 1 ? c : "-").join("")).join(" ") : "";
}

function state_text(state) {
  const more = [];

  if (state.large) {
    more.push("2 MiB");
  }
  if (state.immutable && kind_of(state).name !== "immutable") {
    more.push("immutable");
  }
  if (state.assigned && state.asid !== 1) {
    more.push("ASID " + state.asid);
  }
  return kind_of(state).name + (more.length ? " (" + more.join(", ") + ")" : "");
}

function swatch(kind) {
  const made = element("span", {className: "swatch", "aria-hidden": "true"});

  made.style.background = "var(--kind-" + kind + ")";
  return made;
}

function state_cell(state) {
  return element("span", {}, swatch(state.kind), state_text(state));
}

function pages_text(pages) {
  return plural(pages, "page", "pages");
}
