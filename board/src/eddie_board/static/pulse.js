// Station "page": when the page was refreshed last, and what its reader does that the board must know of.
import { address, go } from "eddie-board/address.js";
import { moment, set } from "eddie-board/clock.js";

export default {
  props: { title: String, now: Number, updated: Number, every: Number },
  emits: ["look", "seen", "again"],
  template: `
    <div class="pulse">
      <button type="button" @click="$emit('again')" title="Refresh now">Refresh</button>
      <span>{{ updated ? "of " + moment(updated) + ", " : "" }}every {{ every }} s</span>
    </div>`,
  data: () => ({ asked: address.now }),
  created() {
    set(this.now);
    this.stop = new AbortController();
    const on = (kind, handler) => document.addEventListener(kind, handler, { signal: this.stop.signal });
    on("visibilitychange", () => this.$emit("seen", !document.hidden));
    on("click", this.click);
    on("keydown", this.key);
  },
  mounted() {
    if (document.hidden) this.$emit("seen", false);
  },
  unmounted() {
    this.stop.abort();
  },
  computed: {
    address: () => address.now,
  },
  watch: {
    now(value) {
      set(value);
    },
    title(value) {
      document.title = value;
    },
    address(value) {
      if (value !== this.asked) this.$emit("look", value);
      this.asked = value;
    },
  },
  methods: {
    moment,
    click(event) {
      for (const open of document.querySelectorAll("details[data-closes][open]")) {
        if (!open.contains(event.target)) open.open = false;
      }
      const link = event.target.closest?.("a[data-view]");
      const plain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
      // Without a connection the browser follows the link itself, and says what is wrong.
      if (!link || !plain || link.origin !== location.origin || !window.socket?.connected) return;
      event.preventDefault();
      go(link.pathname + link.search);
    },
    key(event) {
      if (event.key !== "Escape") return;
      for (const open of document.querySelectorAll("details[data-closes][open]")) {
        if (open.contains(document.activeElement)) open.querySelector("summary").focus();
        open.open = false;
      }
    },
  },
};
