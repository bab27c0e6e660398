// The start page: lists the models the visitor's key may see, and asks one of them.
const key = document.querySelector("#key");
const list = document.querySelector("#models");
const choice = document.querySelector("#model");
const input = document.querySelector("#input");
const answer = document.querySelector("#answer");
const state = document.querySelector("#state");
const models = new Map();

async function call(path, options = {}) {
  const response = await fetch(path, {
    ...options,
    headers: { ...options.headers, Authorization: `Bearer ${key.value.trim()}` },
  });
  const body = await response.json();
  if (!response.ok) throw new Error(`${body.error.message} [${body.error.code}]`);
  return body;
}

function cell(row, text) {
  row.insertCell().textContent = text;
}

async function show() {
  try {
    const { data } = await call("/v1/models");
    models.clear();
    list.replaceChildren();
    choice.replaceChildren();
    for (const model of data) {
      models.set(model.id, model);
      const row = list.insertRow();
      cell(row, model.id);
      cell(row, model.field);
      cell(row, `${model.task}${model.is_sample ? " (sample data)" : ""}`);
      cell(row, model.recipe);
      choice.add(new Option(model.id, model.id));
    }
    state.textContent = data.length ? "" : "No model is ready yet; the starters are being trained.";
    sessionStorage.setItem("servery-key", key.value.trim());
    fill();
  } catch (error) {
    state.textContent = error.message;
  }
}

async function fill() {
  if (!models.has(choice.value)) return;
  const model = await call(`/v1/models/${choice.value}`);
  const example = model.example;
  input.value = typeof example === "string" ? example : JSON.stringify(example);
}

async function ask(event) {
  event.preventDefault();
  let inputs = input.value;
  if (/^\s*[{[]/.test(inputs)) {
    try { inputs = JSON.parse(inputs); } catch { /* a text that starts with a bracket is a text */ }
  }
  try {
    const body = JSON.stringify({ inputs });
    const reply = await call(`/v1/models/${choice.value}/predict`, { method: "POST", body });
    answer.textContent = JSON.stringify(reply, null, 2);
  } catch (error) {
    answer.textContent = error.message;
  }
}

key.value = sessionStorage.getItem("servery-key") ?? "";
document.querySelector("#open").addEventListener("submit", (event) => { event.preventDefault(); show(); });
document.querySelector("#ask").addEventListener("submit", ask);
choice.addEventListener("change", fill);
if (key.value) show();
