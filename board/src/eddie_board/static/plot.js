// Station "page": one chart of ECharts, which keeps what its reader did (hidden series, tooltip) when new data comes.
import { toRaw } from "vue";

let library = null;
const loaded = () => (library ??= import("nicegui-echart").then((module) => module.echarts));

const dark = () => document.body.classList.contains("body--dark");

// Options hold calls of draw.js under keys that begin with a colon; they are written by the server, never by an event.
const compiled = new Map();
const evaluate = (code) => {
  if (compiled.size > 2000) compiled.clear();
  if (!compiled.has(code)) compiled.set(code, new Function(`return (${code})`));
  return compiled.get(code)();
};

/** Answers a copy of `value` with its calls made, for the ground the page has now; columns of numbers are not copied. */
export const live = (value) => {
  if (Array.isArray(value)) return typeof value[0] === "object" ? value.map(live) : value;
  if (value === null || typeof value !== "object") return value;
  const made = {};
  for (const [key, entry] of Object.entries(value)) {
    if (key.startsWith(":")) made[key.slice(1)] = evaluate(entry);
    else made[key] = key === "source" ? entry : live(entry);
  }
  return made;
};

export default {
  name: "eddie-plot",
  props: { options: Object, hidden: { type: Set, default: () => new Set() }, label: String },
  template: `<div class="plot" role="img" :aria-label="label"></div>`,
  async mounted() {
    // Letters are measured once: with another font's the labels would stand wrong.
    const font = document.fonts.load("12px Roboto").catch(() => null);
    const [echarts] = await Promise.all([loaded(), font]);
    if (this.gone) return;
    this.chart = echarts.init(this.$el, null, { renderer: "canvas" });
    // Both observers speak up also where nothing changed, and drawing is what takes time on this page.
    this.sizes = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = this.$el;
      if (width !== this.chart.getWidth() || height !== this.chart.getHeight()) this.chart.resize();
    });
    this.sizes.observe(this.$el);
    this.ground = new MutationObserver(() => dark() !== this.drawnDark && this.draw());
    this.ground.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.draw();
  },
  beforeUnmount() {
    this.gone = true;
    this.sizes?.disconnect();
    this.ground?.disconnect();
    this.chart?.dispose();
  },
  watch: {
    options() {
      this.draw();
    },
    hidden() {
      this.draw();
    },
  },
  methods: {
    draw() {
      if (!this.chart) return;
      this.drawnDark = dark();
      const options = live(toRaw(this.options));
      options.legend = { ...options.legend, selected: this.selected() };
      this.withoutEmptyAxes(options);
      // Not merged: a series that went away must leave the picture. The rest is, so that the tooltip stays.
      this.chart.setOption(options, { replaceMerge: ["series", "dataset", "yAxis"] });
    },
    // As in Grafana: an axis whose series are all hidden is not shown.
    withoutEmptyAxes(options) {
      const seen = options.series?.filter((each) => each.encode && !this.hidden.has(each.name)) ?? [];
      if (!this.hidden.size || !seen.length) return;
      for (const [at, axis] of [options.yAxis ?? []].flat().entries()) {
        if (!seen.some((each) => (each.yAxisIndex ?? 0) === at)) axis.show = false;
      }
    },
    selected() {
      return Object.fromEntries([...this.names(), ...this.hidden].map((name) => [name, !this.hidden.has(name)]));
    },
    names() {
      return toRaw(this.options).series?.map((each) => each.name).filter(Boolean) ?? [];
    },
  },
};
