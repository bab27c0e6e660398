// Labels with scores: the chosen ones in large type, all of them as bars.
import { words } from "../shared.js";

const MOST_BARS = 8;
const percent = new Intl.NumberFormat(document.documentElement.lang, {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

export const fits = ({ labels }) => Array.isArray(labels) && labels.every((label) => "score" in label);

export function draw({ labels }) {
  const parts = document.querySelector("#answer-labels").content.cloneNode(true);
  const find = (selector) => parts.querySelector(selector);
  // Of a task that picks one label the first is chosen; of one that picks many, those it selected.
  const scored = labels.map((label, place) => ({ ...label, isChosen: label.selected ?? place === 0 }));
  const chosen = scored.filter((label) => label.isChosen).map((label) => label.label);
  find(".best").textContent = labels.length && !chosen.length ? words.none_selected : chosen.join(" · ");
  find(".bars").append(...scored.slice(0, MOST_BARS).map(bar));
  find(".rest").hidden = scored.length <= MOST_BARS;
  find(".rest .bars").append(...scored.slice(MOST_BARS).map(bar));
  return parts;
}

export function bar({ label, score, isChosen }) {
  const item = document.querySelector("#answer-bar").content.cloneNode(true).firstElementChild;
  item.classList.toggle("chosen", Boolean(isChosen));
  item.querySelector(".bar-label").textContent = label;
  item.querySelector(".meter span").style.width = `${100 * score}%`;
  item.querySelector(".bar-score").textContent = percent.format(score);
  return item;
}
