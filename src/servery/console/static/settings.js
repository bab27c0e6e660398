// What a model lets its caller choose besides the input: a control for each parameter of its OpenAPI document.
import { call } from "./api.js";
import { words } from "./shared.js";

export const NONE = { controls: [], read: () => ({}) };

export async function settingsOf(model) {
  const document_ = await (await call(`/v1/models/${encodeURIComponent(model.id)}/openapi.json`)).json();
  const body = Object.values(document_.paths).map((path) => path.post?.requestBody?.content?.["application/json"]?.schema);
  const named = body.find((schema) => schema?.properties?.inputs)?.properties?.parameters?.$ref ?? "";
  const { properties = {} } = document_.components.schemas[named.split("/").at(-1)] ?? {};
  const made = Object.entries(properties).map(([name, schema]) => controlFor(name, schema)).filter(Boolean);
  const read = () => Object.fromEntries(made.map(({ name, value }) => [name, value()]).filter(([, value]) => value !== null));
  return { controls: made.map(({ frame }) => frame), read };
}

// Of a parameter that may be left out the schema is a choice, null among it.
function controlFor(name, schema) {
  const kinds = schema.anyOf ?? [schema];
  const found = kinds.find(({ type, enum: choices }) => choices || ["number", "integer", "boolean", "string"].includes(type));
  if (!found) return null;
  const choices = found.enum ?? (found.type === "boolean" ? [true, false] : null);
  const control = document.createElement(choices ? "select" : "input");
  if (choices) [null, ...choices].forEach((choice, place) => control.add(new Option(choice === null ? words.as_usual : choice, place)));
  else if (found.type !== "string") Object.assign(control, { type: "number", step: found.type === "integer" ? "1" : "any", min: found.minimum ?? "", max: found.maximum ?? "" });
  if (!choices) control.placeholder = schema.default ?? words.as_usual;
  const value = () => {
    if (choices) return [null, ...choices][control.selectedIndex];
    if (control.value === "") return null;
    return found.type === "string" ? control.value : control.valueAsNumber;
  };
  return { name, value, frame: framed(name, control) };
}

function framed(name, control) {
  const frame = document.createElement("div");
  const label = document.createElement("label");
  control.id = `setting-${name}`;
  label.htmlFor = control.id;
  label.textContent = name;
  frame.append(label, control);
  return frame;
}
