// The API page: calls name the address by which the visitor reached this server, and can be copied.
import { offerCopies } from "./copy.js";

for (const call of document.querySelectorAll("[data-origin]")) {
  call.textContent = call.textContent.replace(call.dataset.origin, location.origin);
}
offerCopies("Copy", "Copied");
