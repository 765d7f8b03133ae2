# SPDX-License-Identifier: GPL-2.0-or-later
"""What page_check.py asks a page of itself, in the page's own language."""

# What the page shows of itself, asked by the keys and clicks of a reader.
STATE = """
return {selected: Number(document.querySelector('#list [aria-selected=true]')?.dataset.index ?? -1),
  active: document.activeElement.id, slider: Number(document.getElementById('moment').value),
  rows: document.querySelectorAll('#list .row').length,
  found: document.getElementById('found').textContent,
  title: document.getElementById('event-title').textContent,
  fields: document.getElementById('fields').innerText,
  tab: document.querySelector('[role=tab][aria-selected=true]').id,
  help: document.getElementById('help').open, theme: document.documentElement.dataset.theme};
"""

DATA = "return JSON.parse(document.getElementById('events').textContent)[arguments[0]];"

# The row in the middle of the list, once it has been scrolled there and drawn.
MIDDLE = """
const done = arguments[1], list = document.getElementById('list');
list.scrollTop = arguments[0];
requestAnimationFrame(() => requestAnimationFrame(() => {
  const box = list.getBoundingClientRect();
  done(document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2).closest('.row').id);
}));
"""

# A click and the work that follows it, up to the frame that shows it.
CLICK = """
const done = arguments[1];
const row = document.querySelectorAll('#list .row')[arguments[0]];
const start = performance.now();
row.click();
document.body.offsetHeight;
const worked = performance.now() - start;
requestAnimationFrame(() => {
  setTimeout(() => done([performance.now() - start, worked]), 0);
});
"""

# WCAG 2.2: relative luminance and contrast ratio, of each text that can be seen.
CONTRASTS = """
const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const known = new Map();
function rgba(colour) {
  if (!known.has(colour)) {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    known.set(colour, [...paint.getImageData(0, 0, 1, 1).data]);
  }
  return known.get(colour);
}
function luminance(colour) {
  const [r, g, b] = colour.map((v) => v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function back_of(element) {
  for (let one = element; one; one = one.parentElement) {
    const back = rgba(getComputedStyle(one).backgroundColor);
    if (back[3] === 255) {
      return back;
    }
    if (back[3] !== 0) {
      throw new Error('a half transparent background');
    }
  }
  return rgba(getComputedStyle(document.documentElement).backgroundColor);
}
function ratio(front, back) {
  const [light, dark] = [luminance(front.slice(0, 3)), luminance(back.slice(0, 3))].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}
let least = 99, where = '', texts = 0;
function look(element, style, text) {
  const found = ratio(rgba(style.color), back_of(element));
  texts++;
  if (found < least) {
    least = found;
    where = text.trim().slice(0, 40) + ' in ' + element.tagName + '.' + element.className + '#' + element.id;
  }
}
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walk.nextNode(); node; node = walk.nextNode()) {
  const element = node.parentElement;
  if (node.data.trim() && !element.closest('script, noscript') && element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})) {
    look(element, getComputedStyle(element), node.data);
  }
}
for (const input of document.querySelectorAll('input[placeholder]')) {
  look(input, getComputedStyle(input, '::placeholder'), input.placeholder);
}
return {least, where, texts};
"""

# What reaches beyond the page, or beyond what holds it without being scrolled there.
OVERFLOW = """
const root = document.documentElement, out = [];
if (root.scrollWidth > root.clientWidth) {
  out.push('the page is ' + root.scrollWidth + ' wide in ' + root.clientWidth);
}
for (const element of document.body.querySelectorAll('*')) {
  const box = element.getBoundingClientRect();
  if (!box.width || element.closest('dialog:not([open])')) {
    continue;
  }
  let scrolled = false;
  for (let one = element.parentElement; one; one = one.parentElement) {
    scrolled = scrolled || getComputedStyle(one).overflowX !== 'visible';
  }
  if (!scrolled && (box.right > root.clientWidth + 1 || box.left < -1)) {
    out.push(element.tagName + '#' + element.id + '.' + element.className + ' ends at ' + box.right);
  }
}
return out.slice(0, 5);
"""

# The map at some of the changes, pixel by pixel against a replay of its own; and one page's story.
MAP = """
const memory = JSON.parse(document.getElementById('facts').textContent).memory;
const slider = document.getElementById('moment'), gpa = document.getElementById('page-gpa');
const maps = [...document.querySelectorAll('#maps .cells')], out = [];
const paint = document.createElement('canvas').getContext('2d');
function colour(state) {
  paint.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--kind-' + memory.states[state].kind).trim();
  paint.fillRect(0, 0, 1, 1);
  return [...paint.getImageData(0, 0, 1, 1).data].join();
}
function expected(page, event) {
  let state = memory.start.find(([from, pages]) => page >= from && page < from + pages)[2], changes = 0;
  for (const [when, , , from, pages, to] of memory.changes) {
    if (page >= from && page < from + pages) {
      state = when <= event ? to : state;
      changes++;
    }
  }
  return {state, changes};
}
let looked = 0;
const step = Math.ceil(memory.changes.length / 40);
const largest = [...memory.changes].sort((a, b) => b[4] - a[4]).slice(0, 10);
for (const [event, , , from, pages] of memory.changes.filter((one, i) => i % step === 0).concat(largest)) {
  const page = looked % 2 ? from : from + pages - 1;
  const at = memory.slots.findIndex(([, pages, first]) => page >= first && page < first + pages);
  const cell = page - memory.slots[at][2];
  for (const when of [event, event - 1, event + 1].filter((one) => one >= 0 && one <= Number(slider.max))) {
    slider.value = when;
    slider.dispatchEvent(new Event('input'));
    const pixel = [...maps[at].getContext('2d').getImageData(cell % 512, Math.floor(cell / 512), 1, 1).data].join();
    looked++;
    if (pixel !== colour(expected(page, when).state)) {
      out.push([page, when, pixel]);
    }
  }
  gpa.value = '0x' + (BigInt(memory.slots[at][0]) + BigInt(cell) * 4096n).toString(16);
  gpa.dispatchEvent(new Event('input'));
  const rows = document.querySelectorAll('#page-history tbody tr').length;
  if (rows !== Math.min(1 + expected(page, 0).changes, 257)) {
    out.push([page, 'rows', rows, expected(page, 0).changes]);
  }
}
gpa.value = '';
gpa.dispatchEvent(new Event('input'));
return {looked, wrong: out.slice(0, 5)};
"""

FOCUS = """
const style = getComputedStyle(document.activeElement);
return {id: document.activeElement.id || document.activeElement.tagName,
  at: [...document.querySelectorAll('*')].indexOf(document.activeElement),
  seen: document.activeElement.matches(':focus-visible') && style.outlineStyle !== 'none' &&
    parseFloat(style.outlineWidth) >= 1};
"""

SELECTABLE = """
const seen = ['#list .row', '#event-pane', '#panel-memory', '#top'].map((selector) => {
  const element = document.querySelector(selector);
  getSelection().removeAllRanges();
  getSelection().selectAllChildren(element);
  return [selector, getSelection().toString().trim().length];
});
const not = [...document.querySelectorAll('main *')].filter((element) =>
  getComputedStyle(element).userSelect === 'none' && !element.matches('.numbers, button, input'));
getSelection().removeAllRanges();
return {seen, not: not.map((element) => element.tagName + '.' + element.className)};
"""
