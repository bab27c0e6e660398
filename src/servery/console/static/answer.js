// An answer: its best label, the scores as bars, what to know about it, and the JSON as it came.
import { words } from "./shared.js";

const MOST_BARS = 8;
const percent = new Intl.NumberFormat(document.documentElement.lang, {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

export function drawAnswer(reply, milliseconds, place) {
  const parts = document.querySelector("#answer-parts").content.cloneNode(true);
  const find = (selector) => parts.querySelector(selector);
  const labels = labelsOf(reply.outputs[0]);
  find(".best").textContent = best(labels);
  find(".bars").append(...labels.slice(0, MOST_BARS).map(bar));
  find(".rest").hidden = labels.length <= MOST_BARS;
  find(".rest .bars").append(...labels.slice(MOST_BARS).map(bar));
  find(".note").textContent = reply.warnings.map(({ code, message }) => words[`warning_${code}`] ?? message).join(" ");
  find(".note").hidden = !reply.warnings.length;
  find(".told").textContent = `${reply.model} · ${words.took} ${Math.round(milliseconds)} ms`;
  find(".raw").open = !labels.length;
  find(".raw pre").textContent = JSON.stringify(reply, null, 2);
  place.replaceChildren(parts);
}

// Of a task that picks one label the first is chosen; of one that picks many, those it selected.
function labelsOf(output) {
  const labels = Array.isArray(output?.labels) ? output.labels : [];
  return labels.map(({ label, score, selected }, place) => ({ label, score, isChosen: selected ?? place === 0 }));
}

function best(labels) {
  const chosen = labels.filter((label) => label.isChosen).map((label) => label.label);
  return labels.length && !chosen.length ? words.none_selected : chosen.join(" · ");
}

function bar({ label, score, isChosen }) {
  const item = document.querySelector("#answer-bar").content.cloneNode(true).firstElementChild;
  item.classList.toggle("chosen", isChosen);
  item.querySelector(".bar-label").textContent = label;
  item.querySelector(".meter span").style.width = `${100 * score}%`;
  item.querySelector(".bar-score").textContent = percent.format(score);
  return item;
}
