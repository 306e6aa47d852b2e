// Station "page": the picker of one variable: a list of boxes to tick, with a field to search it.
import { changed, go } from "eddie-board/address.js";

const ALL = "$__all";
const MOST = 200;

export default {
  props: { name: String, label: String, values: Array, chosen: Array, multi: Boolean, all: Boolean, fault: String },
  template: `
    <details class="chooser" data-closes :data-variable="name" @toggle="opened">
      <summary><span>{{ label }}</span> <b><bdi>{{ said }}</bdi></b></summary>
      <fieldset class="card">
        <legend class="only-heard">{{ label }}</legend>
        <p v-if="fault" class="words">{{ fault }}</p>
        <input v-if="values.length > 8" v-model="search" type="search" :aria-label="'Search ' + label" placeholder="Search" ref="search">
        <ul>
          <li v-if="all && !search"><label><input :type="kind" :name="'choose-' + name" :checked="isAll" @change="take([ALL])"> All</label></li>
          <li v-for="value in shown" :key="value"><label>
            <input :type="kind" :name="'choose-' + name" :checked="chosen.includes(value)" @change="toggle(value)"> <bdi>{{ value }}</bdi>
          </label></li>
        </ul>
        <p v-if="found.length > shown.length" class="more">{{ found.length - shown.length }} more: search for them</p>
        <p v-if="!found.length" class="more">{{ values.length ? "nothing found" : "Prometheus knows none yet" }}</p>
      </fieldset>
    </details>`,
  data: () => ({ search: "", ALL }),
  computed: {
    kind() {
      return this.multi ? "checkbox" : "radio";
    },
    isAll() {
      return this.chosen.includes(ALL);
    },
    said() {
      if (this.isAll) return "All";
      return this.chosen.length > 2 ? `${this.chosen.length} chosen` : this.chosen.join(", ") || "none";
    },
    found() {
      const asked = this.search.toLowerCase();
      const rest = this.values.filter((value) => !this.chosen.includes(value));
      const first = this.chosen.filter((value) => value !== ALL);
      return [...first, ...rest].filter((value) => value.toLowerCase().includes(asked));
    },
    shown() {
      return this.found.slice(0, MOST);
    },
  },
  methods: {
    opened(event) {
      if (event.newState === "open") this.$refs.search?.focus();
      else this.search = "";
    },
    toggle(value) {
      if (!this.multi) return this.take([value]);
      const kept = this.chosen.filter((each) => each !== ALL && each !== value);
      const next = this.chosen.includes(value) ? kept : [...kept, value];
      return this.take(next.length ? next : this.all ? [ALL] : [value]);
    },
    take(values) {
      go(changed({ [`var-${this.name}`]: values }));
    },
  },
};
