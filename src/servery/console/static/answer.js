// An answer: drawn by what it holds, what to know about it, and the JSON as it came.
import { element } from "./drawn.js";
import { drawings, words } from "./shared.js";

// Each file of drawings/ says which answers it draws, whatever task made them.
const known = await Promise.all(drawings.map((name) => import(`./drawings/${name}`)));

export function drawAnswer(reply, asked, milliseconds, place) {
  const parts = document.querySelector("#answer-parts").content.cloneNode(true);
  const find = (selector) => parts.querySelector(selector);
  const drawn = reply.outputs.flatMap((output) => drawingsOf(output ?? {}, asked));
  find(".drawn").append(...drawn);
  find(".note").textContent = reply.warnings.map(told).join(" ");
  find(".note").hidden = !reply.warnings.length;
  find(".told").textContent = `${reply.model} · ${words.took} ${Math.round(milliseconds)} ms`;
  find(".raw").open = !drawn.length;
  find(".raw pre").textContent = JSON.stringify(reply, null, 2);
  place.replaceChildren(parts);
}

// The server's own sentence, which knows what came; in another language than its own, one that is known.
function told({ code, message }) {
  return (document.documentElement.lang !== "en" && words[`warning_${code}`]) || message;
}

// A drawing that fails leaves the JSON, which says the same.
function drawingsOf(output, asked) {
  return known.filter((drawing) => drawing.fits(output)).flatMap((drawing) => {
    try {
      return [element("div", {}, drawing.draw(output, asked))];
    } catch (error) {
      console.warn(error);
      return [];
    }
  });
}
