// One control for each kind of column a model reads: each is filled from, and read into, a value as it travels.
import { audioControl } from "./recorder.js";
import { base64Of, bytesOf, paint } from "./pictures.js";
import { words } from "./shared.js";

const MOST_OPTIONS = 200;
const PICTURES = "image/png,image/jpeg,image/gif,image/bmp,image/webp";

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

function written(control) {
  return {
    control,
    fill: (value) => { control.value = value ?? ""; },
    read: () => (control.value === "" ? null : control.value),
  };
}

// No maxlength: it would cut a pasted text in silence. The server refuses what is too long, with a sentence.
function textControl(column, isAlone) {
  const made = written(element("textarea", { rows: isAlone ? 5 : 2 }));
  return { ...made, isBroad: true, read: () => made.control.value };
}

function numberControl() {
  const made = written(element("input", { type: "number", step: "any" }));
  return { ...made, read: () => (made.control.value === "" ? null : made.control.valueAsNumber) };
}

function categoryControl({ categories = [] }) {
  if (!categories.length || categories.length > MOST_OPTIONS) return written(element("input", { type: "text" }));
  const control = element("select");
  const known = [null, ...categories];
  known.forEach((category, place) => control.add(new Option(category ?? words.missing, place)));
  return {
    control,
    fill: (value) => { control.selectedIndex = Math.max(0, known.indexOf(value)); },
    read: () => known[control.selectedIndex],
  };
}

function timeControl() {
  return written(element("input", { type: "text", placeholder: "2026-01-31T12:00" }));
}

// Readings with commas between them, nothing between two where one is missing; what is no number goes out as it
// stands, so that the server can say where.
function seriesControl(column, isAlone) {
  const made = textControl(column, isAlone);
  const reading = (piece) => (piece === "" ? null : Number.isNaN(Number(piece)) ? piece : Number(piece));
  return {
    ...made,
    fill: (value) => { made.control.value = (value ?? []).map((number) => number ?? "").join(", "); },
    read: () => (made.control.value.trim() === "" ? null : made.control.value.split(",").map((p) => reading(p.trim()))),
  };
}

function pictureControl() {
  const control = element("input", { type: "file", accept: PICTURES });
  const preview = element("canvas", { hidden: true });
  const trouble = element("p", { className: "small soft", textContent: words.not_shown, hidden: true });
  preview.setAttribute("role", "img");
  let example = null;

  async function show(picture, name) {
    preview.hidden = true;
    try {
      const size = await paint(picture, preview);
      preview.setAttribute("aria-label", `${name}, ${size}`);
      preview.hidden = false;
      trouble.hidden = true;
    } catch {
      trouble.hidden = false;
    }
  }
  control.addEventListener("change", () => {
    if (control.files.length) show(control.files[0], control.files[0].name);
  });
  return {
    control,
    below: [preview, trouble],
    isBroad: true,
    file: () => control.files[0],
    fill(value) {
      example = value ?? null;
      control.value = "";
      preview.hidden = true;
      if (example) show(new Blob([bytesOf(example)]), words.example_picture);
    },
    async read() {
      if (control.files.length) return base64Of(control.files[0]);
      if (example) return example;
      throw new Error(words.choose_picture);
    },
  };
}

// What travels as an object or a list of numbers is shown and typed as the JSON it is.
function jsonControl() {
  const control = element("textarea", { rows: 8, spellcheck: false });
  return {
    control,
    isBroad: true,
    fill: (value) => { control.value = value === null || value === undefined ? "" : JSON.stringify(value, null, 1); },
    read: () => JSON.parse(control.value),
  };
}

// What a user did, a line each: the item, or the event as an object.
function eventsControl() {
  const control = element("textarea", { rows: 4, placeholder: words.one_a_line });
  const line = (event) => (typeof event === "string" ? event : JSON.stringify(event));
  const event = (text) => (text.startsWith("{") ? JSON.parse(text) : text);
  return {
    control,
    isBroad: true,
    fill: (value) => { control.value = (value ?? []).map(line).join("\n"); },
    read: () => control.value.split("\n").map((text) => text.trim()).filter(Boolean).map(event),
  };
}

const CONTROLS = {
  text: textControl,
  number: numberControl,
  category: categoryControl,
  time: timeControl,
  series: seriesControl,
  image: pictureControl,
  audio: audioControl,
  scene: jsonControl,
  brief: jsonControl,
  tensor: jsonControl,
  events: eventsControl,
};

export function controlFor(column, isAlone) {
  return (CONTROLS[column.kind] ?? textControl)(column, isAlone);
}
