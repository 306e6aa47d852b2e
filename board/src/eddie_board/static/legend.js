// Station "page": a chart's legend as a table that can be read aloud, with a button for each series.
import { toRaw } from "vue";

const last = (values) => values?.findLast((value) => typeof value === "number");
const short = (number) => (number === undefined ? "no value" : String(Number(number.toPrecision(4))));

export default {
  name: "eddie-legend",
  props: { picture: Object, hidden: Set, title: String },
  emits: ["hide"],
  template: `
    <div :class="['legend', picture.legend_mode]" tabindex="0" role="group" :aria-label="'Legend of ' + title">
      <table v-if="picture.legend_mode === 'table'">
        <thead><tr>
          <th scope="col">Name</th>
          <th v-for="(column, at) in picture.columns" scope="col" :aria-sort="order(at)">
            <button type="button" @click="sort(at)">{{ column }}<i aria-hidden="true">{{ arrow(at) }}</i></button>
          </th>
        </tr></thead>
        <tbody><tr v-for="row in rows" :key="row.key" :class="{ off: hidden.has(row.key) }">
          <th scope="row"><button type="button" :aria-pressed="!hidden.has(row.key)" @click="hide(row, $event)">
            <i :class="['ink', row.line]" :style="ink(row)" aria-hidden="true"></i><bdi :title="row.name">{{ row.name }}</bdi>
            <small v-if="row.right"> (right)</small></button></th>
          <td v-for="text in row.texts">{{ text }}</td>
        </tr></tbody>
      </table>
      <ul v-else><li v-for="row in rows" :key="row.key" :class="{ off: hidden.has(row.key) }">
        <button type="button" :aria-pressed="!hidden.has(row.key)" @click="hide(row, $event)">
          <i :class="['ink', row.line]" :style="ink(row)" aria-hidden="true"></i><bdi :title="row.name">{{ row.name }}</bdi>
          <small v-if="row.right"> (right)</small>
          <span v-for="(text, at) in row.texts"> {{ picture.columns[at] }}: {{ text }}</span>
          <span v-if="!row.texts.length" class="only-heard">, last: {{ lasts.get(row.key) }}</span></button>
      </li></ul>
    </div>`,
  data: () => ({ by: null, down: true }),
  computed: {
    rows() {
      const rows = this.picture.legend;
      if (this.by === null) return rows;
      const rank = (row) => row.numbers[this.by] ?? -Infinity;
      return rows.toSorted((one, other) => (this.down ? rank(other) - rank(one) : rank(one) - rank(other)));
    },
    lasts() {
      const { series = [], dataset = [] } = toRaw(this.picture).options;
      const found = series.filter((each) => each.name && each.encode);
      return new Map(found.map((each) => [each.name, short(last(dataset[each.datasetIndex]?.source[each.encode.y]))]));
    },
  },
  // A browser takes an element that moves for one that has gone: a row that changes places would lose the focus.
  beforeUpdate() {
    this.here = this.$el.contains(document.activeElement) ? document.activeElement : null;
  },
  updated() {
    if (this.here?.isConnected && this.here !== document.activeElement) this.here.focus({ preventScroll: true });
  },
  methods: {
    ink: (row) => ({ "--on-light": row.ink.light, "--on-dark": row.ink.dark }),
    order(at) {
      return this.by === at ? (this.down ? "descending" : "ascending") : "none";
    },
    arrow(at) {
      return this.by === at ? (this.down ? " ↓" : " ↑") : "";
    },
    sort(at) {
      [this.by, this.down] = [at, this.by === at ? !this.down : true];
    },
    // As in Grafana: a click shows this one alone, and all again; with Ctrl, Shift or Command it hides or shows one.
    hide(row, event) {
      const others = this.picture.legend.map((each) => each.key).filter((key) => key !== row.key);
      const next = new Set(this.hidden);
      if (event.ctrlKey || event.metaKey || event.shiftKey) {
        if (!next.delete(row.key)) next.add(row.key);
        return this.$emit("hide", next);
      }
      const alone = !next.has(row.key) && others.length && others.every((key) => next.has(key));
      this.$emit("hide", alone ? new Set() : new Set(others));
    },
  },
};
