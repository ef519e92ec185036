// What is not needed every minute: beside the other tools where there is room, behind one button where there is not.

import { $ } from "./dom.js";
import { icon } from "./icons.js";

export function startMore() {
  const button = $("#more");
  button.append(icon("more", 18));
  const show = (open) => {
    button.setAttribute("aria-expanded", String(open));
    $("#more-tools").toggleAttribute("data-open", open);
  };
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    show(button.getAttribute("aria-expanded") !== "true");
  });
  document.addEventListener("click", () => show(false));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || button.getAttribute("aria-expanded") !== "true") return;
    event.preventDefault();
    show(false);
    button.focus();
  }, { capture: true });
}
