// What the server wrote into the page: the texts in the visitor's language, and what fields and tasks are called.
export const { words, fields, tasks, drawings } = JSON.parse(document.querySelector("#shared").textContent);
