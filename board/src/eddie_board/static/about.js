// Station "page": what a panel means and what it asks Prometheus, for whoever wants to know more than the picture.

// Descriptions are Markdown of a file; of that *emphasis* and `code` are read here, and everything is set as text.
const PARTS = /(\*\*[^*]+\*\*|\*[^*]+\*|`[^`]+`)/;
const part = (text) => {
  if (text.startsWith("**")) return { tag: "strong", text: text.slice(2, -2) };
  if (text.startsWith("*") && text.length > 2) return { tag: "em", text: text.slice(1, -1) };
  return text.startsWith("`") ? { tag: "code", text: text.slice(1, -1) } : { tag: "span", text };
};

export default {
  name: "eddie-about",
  props: { panel: Object, picture: Object },
  template: `
    <div class="about-text">
      <p v-if="panel.description"><component v-for="each in parts" :is="each.tag">{{ each.text }}</component></p>
      <p v-for="note in notes" class="note">Not as in Grafana: {{ note }}.</p>
      <h4 v-if="queries.length">{{ queries.length === 1 ? "Query" : "Queries" }}</h4>
      <div v-for="each in queries" :key="each.ref" class="query">
        <p><b>{{ each.ref }}</b> <span>every {{ each.step }} s</span>
          <a :href="each.link" target="_blank" rel="noopener noreferrer">Prometheus<span class="only-heard">, query {{ each.ref }} of {{ panel.title }}</span></a></p>
        <pre tabindex="0"><code>{{ each.expression }}</code></pre>
      </div>
    </div>`,
  computed: {
    parts() {
      return this.panel.description.split(PARTS).filter(Boolean).map(part);
    },
    queries() {
      return this.picture?.queries ?? [];
    },
    notes() {
      return this.picture?.notes ?? [];
    },
  },
};
