// Station "page": one panel: its title, its state in words, its picture, its legend, and what it is about.
import About from "eddie-board/about.js";
import Legend from "eddie-board/legend.js";
import Plot from "eddie-board/plot.js";
import { address, changed, claims } from "eddie-board/address.js";
import { age, moment } from "eddie-board/clock.js";

export default {
  components: { About, Legend, Plot },
  props: { panel: Object, alone: Boolean, state: String, words: String, asOf: Number, picture: Object },
  template: `
    <section :class="['panel', { alone }]" :data-panel-id="panel.id" :data-state="state"
             :aria-busy="state === 'loading'" :aria-labelledby="'panel-' + panel.id">
      <header>
        <h3 :id="'panel-' + panel.id"><a ref="title" :href="href" data-view :title="alone ? '' : panel.title">{{ panel.title || 'Panel ' + panel.id }}</a></h3>
        <details v-if="!alone" class="about" data-closes name="about">
          <summary :aria-label="'About ' + panel.title + ': description and queries'" title="Description and queries">i</summary>
          <div class="card"><About :panel="panel" :picture="picture" /></div>
        </details>
      </header>
      <p v-if="sentence" class="words"><span class="sign" aria-hidden="true">{{ sign }}</span>{{ sentence }}</p>
      <p v-for="each in picture?.left_out" class="words small">{{ each }}</p>
      <template v-if="drawn">
        <div v-if="picture.is === 'chart'" :class="['chart', picture.legend_placement]">
          <Plot :options="picture.options" :hidden="hidden" :label="label" />
          <Legend v-if="picture.legend.length && picture.legend_mode !== 'hidden'"
                  :picture="picture" :hidden="hidden" :title="panel.title" @hide="hidden = $event" />
        </div>
        <ul v-else-if="picture.is === 'tiles'" :class="['tiles', { upright: picture.upright }]">
          <li v-for="tile in picture.items" :class="{ fill: tile.fill }" :style="ink(tile)">
            <Plot v-if="tile.spark" class="spark" :options="tile.spark" aria-hidden="true" />
            <span class="name">{{ tile.name }}</span><strong>{{ tile.text }}</strong>
          </li>
        </ul>
        <div v-else-if="picture.is === 'table'" class="cells" tabindex="0" role="region" :aria-label="panel.title">
          <table><thead><tr><th v-for="(title, at) in picture.titles" scope="col" :class="{ number: picture.numeric[at] }">{{ title }}</th></tr></thead>
            <tbody><tr v-for="row in picture.rows"><td v-for="(cell, at) in row" :style="cell.ink && ink(cell)"
              :class="{ number: picture.numeric[at], inked: cell.ink, fill: cell.fill }">{{ cell.text }}</td></tr></tbody></table>
        </div>
      </template>
      <div v-if="alone" class="below"><About :panel="panel" :picture="picture" /></div>
    </section>`,
  data: () => ({ hidden: new Set() }),
  mounted() {
    if (claims(this.panel.id)) this.$refs.title.focus();
  },
  computed: {
    href() {
      void address.now;
      return changed({ viewPanel: String(this.panel.id) });
    },
    drawn() {
      return this.picture && (this.state === "ok" || this.state === "stale");
    },
    sign() {
      return { stale: "▲", error: "■", loading: "…" }[this.state] ?? "";
    },
    sentence() {
      if (this.state === "loading") return "Asking Prometheus.";
      if (this.state === "empty") return this.picture?.empty || this.words;
      if (this.state === "stale") return `${this.words} Picture of ${moment(this.asOf)}, ${age(this.asOf)} old.`;
      if (this.state === "ok" && this.picture?.is === "unknown")
        return `This board cannot draw panels of the type “${this.picture.type}”. Its queries are under its description.`;
      return this.words;
    },
    label() {
      const names = this.picture.legend.map((row) => row.name);
      const some = names.slice(0, 12).join(", ") + (names.length > 12 ? ` and ${names.length - 12} more` : "");
      return `Chart “${this.panel.title}”: ${names.length} series${some && `, ${some}`}. The legend has them as text.`;
    },
  },
  methods: {
    ink: (of) => ({ "--on-light": of.ink.light, "--on-dark": of.ink.dark }),
  },
};
