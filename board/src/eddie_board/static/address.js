// Station "page": the address is the state. Every change of it goes through here, so Back and a copied address work.
import { reactive } from "vue";

const here = () => location.pathname + location.search;

export const address = reactive({ now: here() });

const alone = () => new URLSearchParams(location.search).get("viewPanel");
let wanted = null;
let last = alone();

/** Takes notice of the address, whoever changed it; focus will go to the panel that is opened alone, or was. */
export const look = () => {
  address.now = here();
  if (alone() !== last) wanted = alone() ?? last;
  last = alone();
};

/** Says whether the title of this panel shall have the focus now that it is there; true once. */
export const claims = (id) => {
  if (wanted?.replace("panel-", "") !== String(id)) return false;
  wanted = null;
  return true;
};

/** Goes to another address of this page without loading it anew. */
export const go = (url) => {
  if (url !== here()) history.pushState({}, "", url);
  look();
};

/** Answers the present address with other parameters: a null takes one out, a list repeats it. */
export const changed = (parameters) => {
  const [path, search] = address.now.split("?");
  const found = new URLSearchParams(search);
  for (const [name, value] of Object.entries(parameters)) {
    found.delete(name);
    for (const each of value === null ? [] : [value].flat()) found.append(name, each);
  }
  return `${path}?${found}`;
};

addEventListener("popstate", look);
