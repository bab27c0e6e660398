// The start page: takes the key, follows the list of models, and asks the chosen one.
import { call, forgetKey, keepKey, keptKey } from "./api.js";
import { drawAnswer } from "./answer.js";
import { offerCopies } from "./copy.js";
import { Question } from "./question.js";
import { NONE, settingsOf } from "./settings.js";
import { fields, tasks, words } from "./shared.js";

const LIST_EVERY_MS = 4000;
const MOST_LABELS = 12;
const find = (selector) => document.querySelector(selector);
const isNarrow = matchMedia("(max-width: 48rem)");
const language = document.documentElement.lang.slice(0, 2);
let listed = "";
let chosen = null;
let question = null;

function say(place, text) {
  place.textContent = text;
  place.hidden = !text;
}

// The door

function showDoor(trouble = "") {
  find("#door").hidden = false;
  find("#workplace").hidden = true;
  say(find("#trouble"), trouble);
}

async function enter(event) {
  event.preventDefault();
  const key = find("#key").value.trim();
  try {
    const list = await (await call("/v1/models", {}, key)).json();
    keepKey(key);
    show(list);
    find("#key").value = "";
  } catch (error) {
    showDoor(error.message);
    find("#key").focus();
  }
}

function leave() {
  forgetKey();
  listed = "";
  chosen = question = null;
  find("#models").replaceChildren();
  find("#asked").hidden = true;
  showDoor();
}

// The list

async function follow() {
  if (!keptKey() || document.hidden) return;
  try {
    const list = await (await call("/v1/models")).json();
    if (keptKey()) show(list);
  } catch (error) {
    if (error.status === 401) leave();
    say(find("#trouble"), error.message);
  }
}

function show({ data }) {
  say(find("#trouble"), "");
  find("#door").hidden = true;
  find("#workplace").hidden = false;
  const news = JSON.stringify(data);
  if (news === listed) return;
  listed = news;
  // Redrawn under the visitor's hands: the focus stays on the model it was on.
  const focused = document.activeElement?.dataset?.model;
  find("#models").replaceChildren(...data.map(item));
  if (focused) find(`[data-model="${CSS.escape(focused)}"]`)?.focus();
  find("#models-state").textContent = data.length ? words.models_follow : words.no_models;
  const first = data.find((model) => model.state === "ready") ?? data[0];
  if (!chosen && first) open(first.id);
}

function item(model) {
  const made = find("#model-item").content.cloneNode(true).firstElementChild;
  const button = made.querySelector("button");
  const title = fields[model.field];
  const other = language === "zh" ? "en" : "zh";
  button.dataset.model = model.id;
  button.ariaCurrent = model.id === chosen ? "true" : null;
  button.addEventListener("click", () => {
    open(model.id);
    if (isNarrow.matches) find("#asked").scrollIntoView();
  });
  made.querySelector(".model-name").textContent = model.id;
  made.querySelector(".model-title").textContent = title ? `${title[language]} ${title[other]}` : model.field;
  made.querySelector(".state").textContent = words[`state_${model.state}`] ?? model.state;
  made.querySelector(".state").classList.add(model.state);
  made.querySelector(".sample").hidden = !model.is_sample;
  return made;
}

// The chosen model

async function open(id) {
  chosen = id;
  for (const button of document.querySelectorAll("[data-model]")) {
    button.ariaCurrent = button.dataset.model === id ? "true" : null;
  }
  find("#asked").hidden = false;
  find("#asked-open").hidden = true;
  find("#asked-title").textContent = id;
  find("#asked-sample").hidden = true;
  say(find("#asked-state"), words.opening);
  try {
    const model = await (await call(`/v1/models/${encodeURIComponent(id)}`)).json();
    if (chosen !== id) return;
    const settings = await settingsOf(model).catch(() => NONE);
    if (chosen !== id) return;
    describe(model);
    question = new Question(model, find("#inputs"), settings);
    find("#settings").replaceChildren(...settings.controls);
    find("#settings-frame").hidden = !settings.controls.length;
    find("#settings-frame").open = false;
    find("#answer").replaceChildren();
    say(find("#question-trouble"), "");
    find("#asked-open").hidden = false;
    say(find("#asked-state"), "");
    await writeCurl();
  } catch (error) {
    if (chosen === id) say(find("#asked-state"), error.message);
  }
}

function describe(model) {
  const task = tasks[model.task];
  const score = model.metrics[task?.metric];
  const facts = [
    [words.version, [model.version, ...aliasesOf(model)].join(" · ")],
    [words.task, [task?.title, model.hub_task].filter(Boolean).join(" · ")],
    [words.recipe, model.recipe],
    [words.labels, shortened(model.labels)],
    [words.score, score && `${task.metric_title} ${rounded(score.value)} (${rounded(score.low)} – ${rounded(score.high)})`],
  ];
  find("#facts").replaceChildren(...facts.filter(([, text]) => text).flatMap(([name, text]) => [
    Object.assign(document.createElement("dt"), { textContent: name }),
    Object.assign(document.createElement("dd"), { textContent: text }),
  ]));
  find("#asked-sample").hidden = !model.is_sample;
  const path = `/v1/models/${encodeURIComponent(model.id)}`;
  find("#report").href = `${path}/report.html`;
  find("#document").href = `${path}/openapi.json`;
}

function aliasesOf(model) {
  return Object.keys(model.aliases).filter((alias) => model.aliases[alias] === model.version);
}

function shortened(labels) {
  const shown = labels.slice(0, MOST_LABELS).join(" · ");
  return labels.length > MOST_LABELS ? `${shown} … (${labels.length})` : shown;
}

function rounded(value) {
  return Number.isFinite(value) ? value.toFixed(3) : "–";
}

async function writeCurl() {
  find("#curl").textContent = await question.curl().catch((error) => error.message);
}

async function ask(event) {
  event.preventDefault();
  const asked = question;
  const button = event.submitter ?? find("#question button");
  button.disabled = true;
  button.textContent = words.asking;
  say(find("#question-trouble"), "");
  asked.mark(null);
  try {
    const [request, shown] = await Promise.all([asked.request(), asked.asked()]);
    const started = performance.now();
    const reply = await (await call(asked.path, request)).json();
    if (asked !== question) return;
    drawAnswer(reply, shown, performance.now() - started, find("#answer"));
    offerCopies(words.copy, words.copied);
    find("#answer").scrollIntoView({ block: "nearest" });
  } catch (error) {
    find("#answer").replaceChildren();
    asked.mark(error.param);
    say(find("#question-trouble"), error.message);
  } finally {
    button.disabled = false;
    button.textContent = words.ask;
  }
}

// What needs the key, and so cannot be a plain link

async function view(event) {
  event.preventDefault();
  const link = event.currentTarget;
  const text = await call(link.pathname).then((response) => response.text()).catch((error) => error.message);
  find("#viewer-title").textContent = link.pathname;
  find("#viewer-text").textContent = link.pathname.endsWith(".json") ? indented(text) : text;
  find("#viewer").showModal();
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function saveReport(event) {
  event.preventDefault();
  try {
    const report = await (await call(event.currentTarget.pathname)).blob();
    const address = URL.createObjectURL(report);
    Object.assign(document.createElement("a"), { href: address, download: `${chosen}-report.html` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    say(find("#question-trouble"), "");
  } catch (error) {
    say(find("#question-trouble"), error.message);
  }
}

find("#door").addEventListener("submit", enter);
find("#forget").addEventListener("click", leave);
find("#question").addEventListener("submit", ask);
find("#question").addEventListener("input", writeCurl);
find("#example").addEventListener("click", () => { question.useExample(); writeCurl(); });
find("#report").addEventListener("click", saveReport);
find("#viewer-close").addEventListener("click", () => find("#viewer").close());
for (const link of document.querySelectorAll("a.shown")) link.addEventListener("click", view);
document.addEventListener("visibilitychange", follow);
offerCopies(words.copy, words.copied);
setInterval(follow, LIST_EVERY_MS);
if (keptKey()) follow();
else showDoor();
