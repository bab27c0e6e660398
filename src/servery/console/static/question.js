// The form for one model: a control a column, the request they make, and the same call with curl.
import { controlFor } from "./controls.js";

export class Question {
  constructor(model, place) {
    this.model = model;
    this.path = `/v1/models/${encodeURIComponent(model.id)}/predict`;
    const isAlone = model.inputs.length === 1;
    // A lone text, picture or scene travels as itself, everything else as an object of columns.
    this.isBare = isAlone && ["text", "image", "scene"].includes(model.inputs[0].kind);
    this.columns = model.inputs.map((column) => ({ name: column.name, ...controlFor(column, isAlone) }));
    place.replaceChildren(...this.columns.map(drawn));
    this.useExample();
  }

  useExample() {
    const { example } = this.model;
    for (const column of this.columns) column.fill(this.isBare ? example : example?.[column.name]);
  }

  mark(pointer) {
    const path = (pointer ?? "").split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
    for (const { name, control } of this.columns) {
      const isWrong = path[1] === "inputs" && (this.isBare || path[2] === name);
      control.toggleAttribute("aria-invalid", false);
      if (isWrong) control.setAttribute("aria-invalid", "true");
    }
  }

  async inputs() {
    if (this.isBare) return this.columns[0].read();
    const read = await Promise.all(this.columns.map(async (column) => [column.name, await column.read()]));
    return Object.fromEntries(read);
  }

  async request() {
    const file = this.barePicture();
    if (file) return { method: "POST", body: file, headers: { "Content-Type": file.type } };
    const body = JSON.stringify({ inputs: await this.inputs() });
    return { method: "POST", body, headers: { "Content-Type": "application/json" } };
  }

  async curl() {
    const file = this.barePicture();
    const { body, headers } = await this.request();
    const lines = [`curl -s ${location.origin}${this.path}`, '-H "Authorization: Bearer $KEY"'];
    for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
    lines.push(file ? `--data-binary ${quoted(`@${file.name}`)}` : `-d ${quoted(body)}`);
    return lines.join(" \\\n  ");
  }

  barePicture() {
    return this.isBare ? this.columns[0].file?.() : undefined;
  }
}

function drawn({ name, control, below = [], isBroad }, place) {
  const frame = document.createElement("div");
  const label = document.createElement("label");
  control.id = `input-${place}`;
  label.htmlFor = control.id;
  label.textContent = name;
  frame.classList.toggle("broad", Boolean(isBroad));
  frame.append(label, control, ...below);
  return frame;
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
