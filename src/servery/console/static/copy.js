// Puts a button that copies onto every <pre data-copy>; browsers without a clipboard for this page get none.
export function offerCopies(copy, copied) {
  if (!navigator.clipboard) return;
  for (const text of document.querySelectorAll("pre[data-copy]:not(.framed > pre)")) {
    const frame = document.createElement("div");
    const button = document.createElement("button");
    frame.className = "framed";
    button.className = "plain copy";
    button.type = "button";
    button.textContent = copy;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = copied;
      setTimeout(() => { button.textContent = copy; }, 1500);
    });
    text.replaceWith(frame);
    frame.append(text, button);
  }
}
