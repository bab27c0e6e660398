// The form for one model: a control a column, the request they make, and the same call with curl.
import { controlFor } from "./controls.js";

const BARE = ["text", "image", "audio", "marked_text", "scene", "brief", "tensor"];

export class Question {
  constructor(model, place, settings) {
    this.model = model;
    this.settings = settings;
    this.path = `/v1/models/${encodeURIComponent(model.id)}/predict`;
    const isAlone = model.inputs.length === 1;
    // A lone text, picture or the like travels as itself, everything else as an object of columns.
    this.isBare = isAlone && BARE.includes(model.inputs[0].kind);
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

  // What was asked, for a drawing that shows the answer in it.
  async asked() {
    const inputs = await this.inputs();
    const first = (...kinds) => {
      const column = this.model.inputs.find(({ kind }) => kinds.includes(kind));
      return column && (this.isBare ? inputs : inputs[column.name]);
    };
    return { inputs, text: first("text", "marked_text"), picture: first("image") };
  }

  async request() {
    const file = this.bareFile();
    if (file) return { method: "POST", body: file, headers: { "Content-Type": file.type } };
    const parameters = this.settings.read();
    const more = Object.keys(parameters).length ? { parameters } : {};
    const body = JSON.stringify({ inputs: await this.inputs(), ...more });
    return { method: "POST", body, headers: { "Content-Type": "application/json" } };
  }

  async curl() {
    const file = this.bareFile();
    const { body, headers } = await this.request();
    const lines = [`curl -s ${location.origin}${this.path}`, '-H "Authorization: Bearer $KEY"'];
    for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
    lines.push(file ? `--data-binary ${quoted(`@${file.name}`)}` : `-d ${quoted(body)}`);
    return lines.join(" \\\n  ");
  }

  // A lone file goes as it is, unless something is asked besides: that needs JSON.
  bareFile() {
    return this.isBare && !Object.keys(this.settings.read()).length ? this.columns[0].file?.() : undefined;
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
